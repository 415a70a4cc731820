#!/usr/bin/env bash
# Three pods with Prometheus: promtool accepts /metrics; a Prometheus that scrapes the pods gets the documented
# results of the queries in docs/metrics.md, and a result for each query of the dashboard and the alerts.
#
#   tests/cluster/test_prometheus.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.71.11 # leads
b=127.0.71.12
c=127.0.71.13
pods=("$a" "$b" "$c")
prometheus=127.0.71.90:9090
page=$(dirname "$0")/../../docs/metrics.md
monitoring=$(dirname "$0")/../../manifests/components/monitoring

# Whatever one pod sent to another, relayed or as a copy, has arrived. With KEYED=1 and route ordered, the leader's first
# frame, which has no datagram, may come before the list with that leader: it is refused, and counts as one datagram.
has_arrived()
{
    local drops='datagrams_dropped_total{reason="introduction"}'
    (($(total datagrams_relayed_total "${pods[@]}") + $(total copies_sent_total "${pods[@]}") ==
        $(total 'datagrams_received_total{socket="relay"}' "${pods[@]}") - $(total "$drops" "${pods[@]}")))
}

# Makes metrics that differ between pods and from 0: traffic through each, a command, a probe, a dropped loop. No client
# waits for copies to a member that does not lead, so all of a burst fit the receive buffers, however slow that member is.
start_with_traffic()
{
    pods_start "a=$a" "b=$b" "c=$c" -- --leader a "$@"
    for pod in "${pods[@]}"; do
        "$bench" send --to "$pod:12000" --flows 4 --size 64-1400 --count 150 --closed-loop --timeout 60s --expect-all \
            >"$work/bench.log" 2>&1 || fail "traffic through $pod: $(tail -n 1 "$work/bench.log")"
        wait_until "it has arrived" has_arrived
    done
    lead "$b" "$c"
    wait_until "all follow the new leader" agree "$b" "${pods[@]}"
    [[ -n $(ask "$a" '{"probe":"1234567890123456"}') ]] || fail "a probe is not answered"
    ledger_closes "${pods[@]}"
}

# ---- promtool

expect_clean()
{
    http "$1:8080/metrics" >"$work/page"
    promtool check metrics <"$work/page" >"$work/promtool.out" 2>&1 || true
    expect "what promtool says of $1" "$(<"$work/promtool.out")" ""
}

is_clean()
{
    local pod
    start_with_traffic "$@"
    for pod in "${pods[@]}"; do
        expect_clean "$pod"
    done
    # promtool does report errors: here of a gauge named like a counter, without help.
    promtool check metrics <<<$'# TYPE bad_total gauge\nbad_total 1' >"$work/promtool.out" 2>&1 || true
    expect_match "what promtool says of a bad page" "$(<"$work/promtool.out")" bad_total
}

# ---- Prometheus

# It scrapes its first target after five seconds, whatever the interval. The labels are those of the ServiceMonitor;
# the rules are those of the manifests.
prometheus_start()
{
    local pod
    sed -n '/^spec:/,$s/^  //p' "$monitoring/alerts.yaml" >"$work/alerts.yml"
    cat >"$work/prometheus.yml" <<END
global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }
rule_files: [ "$work/alerts.yml" ]
scrape_configs:
  - job_name: headlessd
    static_configs:
END
    for pod in "${pods[@]}"; do
        echo "      - { targets: [ \"$pod:8080\" ], labels: { namespace: udp, pod: pod-${pod##*.} } }"
    done >>"$work/prometheus.yml"
    app_start prometheus prometheus --config.file "$work/prometheus.yml" --storage.tsdb.path "$work/tsdb" \
        --web.listen-address "$prometheus"
    wait_until "Prometheus has three targets" is_answered 'sum(up{job="headlessd"})' 3
}

# query EXPRESSION: prints the distinct values, in one line; "error ..." if Prometheus reports an error.
query()
{
    curl -s --max-time 30 --data-urlencode "query=$1" "http://$prometheus/api/v1/query" >"$work/answer" || true
    jq -r 'if .status == "success" then [.data.result[].value[1]] | unique | join(" ")
           else "error \(.error)" end' "$work/answer" 2>/dev/null || echo "error: no JSON"
}

# questions: prints the queries of the document, a line each: "RESULT<tab>TITLE<tab>EXPRESSION".
questions()
{
    awk '/^\*\*/ { title = $0; gsub(/^\*\*|\.\*\*.*/, "", title) }
         /^```promql/ { inside = 1; expression = ""; next }
         /^```/ { inside = 0; next }
         inside { expression = expression " " $0 }
         /^is `/ { result = $0; gsub(/^is `|`$/, "", result); print result "\t" title "\t" expression }' "$page"
}

is_answered()
{
    [[ $(query "$1") == "$2" ]]
}

# is_answered_like EXPRESSION REGEX
is_answered_like()
{
    [[ $(query "$1") =~ $2 ]]
}

ask_questions()
{
    local result title expression asked=0
    while IFS=$'\t' read -r result title expression; do
        wait_until "\"$title\" is $result" is_answered "$expression" "$result"
        [[ $(query "$expression") == "$result" ]] || echo "  $title: $(<"$work/answer")"
        asked=$((asked + 1))
    done < <(questions)
    expect_between "questions on the page" "$asked" 8 99
}

answers_as_promised()
{
    start_with_traffic "$@"
    prometheus_start
    ask_questions
    wait_until "pods by name" is_answered 'count(headlessd_build_info)' 3
    wait_until "received, of all pods" is_answered 'sum(headlessd_datagrams_received_total{socket="data"})' \
        "$(total 'datagrams_received_total{socket="data"}' "${pods[@]}")"
    wait_until "heartbeats are answered" is_answered \
        'sum(headlessd_heartbeat_round_trip_seconds_count) > bool 0' 1
    wait_until "their middle round trip" is_answered_like \
        'histogram_quantile(0.5, sum by (le) (headlessd_heartbeat_round_trip_seconds_bucket))' \
        '^[0-9.]+$|^[0-9.]+e-[0-9]+$'
    pod_kill "$b" # the leader
    wait_until "one pod is missed" is_answered 'sum(up{job="headlessd"})' 2
    wait_until "and another leads" is_answered "sum(headlessd_is_leader) + sum(headlessd_has_leader)" 3
    wait_until "all are scraped" is_answered 'min(up{job="headlessd"})' 0
}

# ---- the dashboard and the alerts

# dashboard: prints its expressions, a line each, as Grafana sends them.
dashboard()
{
    # shellcheck disable=SC2016 # these are Grafana's
    jq -r '.panels[].targets[].expr' "$monitoring/dashboard.json" |
        sed 's/\$__rate_interval/5s/g; s/\$__range/1m/g; s/\$job/headlessd/g; s/\$namespace/udp/g' | sort -u
}

# rules: prints the alerts' expressions as Prometheus has loaded them.
rules()
{
    curl -s --max-time 30 "http://$prometheus/api/v1/rules" >"$work/rules" || true
    jq -r ".data.groups[].rules[]$1" "$work/rules"
}

are_evaluated()
{
    [[ $(rules '.lastEvaluation' | grep -c '^20') == "$(grep -c 'alert:' "$work/alerts.yml")" ]]
}

no_alert()
{
    [[ -z $(rules ' | select(.state != "inactive") | .name') ]]
}

# has_series EXPRESSION: true if it has a result.
has_series()
{
    [[ $(query "count($1)") =~ ^[1-9][0-9]*$ ]]
}

# expect_selectors EXPRESSION: each "metric{matchers}" in it has a result; only a comparison may have none. Pods without
# the API server's client, or a Lease, have none of their metrics: these are at least documented (scripts/check-docs compares the page
# with the program).
expect_selectors()
{
    local selector name count=0
    while IFS= read -r selector; do
        if [[ $selector == headlessd_@(api|lease|role_label)_* ]]; then
            name=${selector#headlessd_}
            expect "rows of docs/metrics.md with ${name%%{*}" "$(grep -c "^| .${name%%{*}. |" "$page")" 1
        else
            wait_until "there is $selector" has_series "$selector"
        fi
        count=$((count + 1))
    done < <(grep -oE 'headlessd_[a-z_]+(\{[^}]*\})?' <<<"$1")
    expect_between "metrics in $1" "$count" 1 9
}

asks_what_is_there()
{
    local expression asked=0 compares=' (==|>|<) '
    while IFS= read -r expression; do
        expect_selectors "$expression"
        expect_match "what is asked is answered: $expression" "$(query "$expression")" '^[^e]|^$'
        [[ $expression =~ $compares ]] || wait_until "an answer to $expression" has_series "$expression"
        asked=$((asked + 1))
    done
    expect_between "expressions" "$asked" 10 99
}

dashboard_and_alerts()
{
    echo 'app.idle: 10s' >"$work/config.yaml"
    start_with_traffic -c "$work/config.yaml"
    prometheus_start
    has_series headlessd_is_king && fail "there is what is not there"
    expect_match "a query with an error" "$(query 'sum(')" '^error '
    asks_what_is_there < <(dashboard)
    wait_until "namespaces that the dashboard offers" is_answered 'count by (namespace) (headlessd_build_info{namespace="udp"})' 3
    wait_until "all alerts are evaluated" are_evaluated
    expect "alerts that cannot be evaluated" "$(rules ' | select(.health != "ok") | .name + ": " + .lastError')" ""
    asks_what_is_there < <(rules .query)
    wait_until "no alert is active" no_alert
    replace_file "$work/config.yaml" 'app.idel: 10s'
    wait_until "an alert for each pod that refuses its configuration" is_answered \
        'count(ALERTS{alertname="HeadlessdReloadFailed", alertstate="firing", pod=~"pod-1[123]"})' 3
}

if ! command -v prometheus promtool >/dev/null; then
    skip "Prometheus" "no prometheus here (scripts/setup test installs it)"
    finish
    exit
fi
run "promtool accepts /metrics" is_clean
run "promtool accepts /metrics with another route and groups" is_clean --route ordered --multicast-groups 239.1.2.71
run "queries have the results of docs/metrics.md" answers_as_promised
run_long "queries have the results of docs/metrics.md with route all" answers_as_promised --route all
run "each query of the dashboard and the alerts has a result" dashboard_and_alerts
finish
