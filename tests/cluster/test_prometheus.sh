#!/usr/bin/env bash
# What Prometheus makes of three pods: promtool has nothing to say against /metrics, and a Prometheus that
# scrapes them gets the answers that docs/metrics.md promises to its questions.
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

# What differs from pod to pod, and from 0: traffic through each, a command, a probe, a loop that is cut.
start_with_traffic()
{
    pods_start "a=$a" "b=$b" "c=$c" -- --leader a "$@"
    for pod in "${pods[@]}"; do
        "$bench" send --to "$pod:12000" --flows 4 --size 64-1400 --count 2000 --closed-loop --expect-all \
            >"$work/bench.log" 2>&1 || fail "traffic through $pod: $(tail -n 1 "$work/bench.log")"
    done
    lead "$b" "$c"
    wait_until "all follow the new leader" 10000 agree "$b" "${pods[@]}"
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
    # It would say something: of a gauge that is named as a counter, and without help.
    promtool check metrics <<<$'# TYPE bad_total gauge\nbad_total 1' >"$work/promtool.out" 2>&1 || true
    expect_match "what promtool says of a bad page" "$(<"$work/promtool.out")" bad_total
}

# ---- Prometheus

# It takes five seconds before it looks at its first target, whatever the interval.
prometheus_start()
{
    cat >"$work/prometheus.yml" <<END
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - job_name: headlessd
    static_configs: [ { targets: [ "$a:8080", "$b:8080", "$c:8080" ] } ]
END
    app_start prometheus prometheus --config.file "$work/prometheus.yml" --storage.tsdb.path "$work/tsdb" \
        --web.listen-address "$prometheus"
    wait_until "Prometheus has three targets" 15000 is_answered 'sum(up{job="headlessd"})' 3
}

# query EXPRESSION: each value once, in one line; "error ..." where Prometheus cannot answer.
query()
{
    curl -s --max-time 5 --data-urlencode "query=$1" "http://$prometheus/api/v1/query" >"$work/answer" || true
    jq -r 'if .status == "success" then [.data.result[].value[1]] | unique | join(" ")
           else "error \(.error)" end' "$work/answer" 2>/dev/null || echo "error: no JSON"
}

# questions: the page's, a line each: "RESULT<tab>TITLE<tab>EXPRESSION".
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

ask_questions()
{
    local result title expression asked=0
    while IFS=$'\t' read -r result title expression; do
        wait_until "\"$title\" is $result" 5000 is_answered "$expression" "$result"
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
    expect "pods by name" "$(query 'count(headlessd_build_info)')" 3
    expect "received, of all pods" "$(query 'sum(headlessd_datagrams_received_total{socket="data"})')" \
        "$(total 'datagrams_received_total{socket="data"}' "${pods[@]}")"
    wait_until "heartbeats are answered" 5000 is_answered \
        'sum(headlessd_heartbeat_round_trip_seconds_count) > bool 0' 1
    expect_match "their middle round trip" \
        "$(query 'histogram_quantile(0.5, sum by (le) (headlessd_heartbeat_round_trip_seconds_bucket))')" \
        '^0\.[0-9]+$|^[0-9.]+e-[0-9]+$'
    pod_kill "$b" # it leads
    wait_until "one pod is missed" 5000 is_answered 'sum(up{job="headlessd"})' 2
    wait_until "and another leads" 10000 is_answered "sum(headlessd_is_leader) + sum(headlessd_has_leader)" 3
    expect "all are scraped" "$(query 'min(up{job="headlessd"})')" 0
}

if ! command -v prometheus promtool >/dev/null; then
    skip "Prometheus" "no prometheus here (scripts/setup test installs it)"
    finish
    exit
fi
run "promtool has nothing against /metrics" is_clean
run "nor with another route and groups" is_clean --route ordered --multicast-groups 239.1.2.71
run "Prometheus answers as docs/metrics.md promises" answers_as_promised
run_long "the same of route all" answers_as_promised --route all
finish
