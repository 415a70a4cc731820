#!/usr/bin/env bash
# The admin port and headlessctl with three real pods on loopback: the output for operators, probes,
# Prometheus and scripts before, during and after a leader change.
#
#   tests/cluster/test_admin.sh BUILD_DIR
set -euo pipefail

build=${1:?"usage: $0 BUILD_DIR"}
ctl=$build/headlessctl
work=$(mktemp -d)
ips=(127.0.0.41 127.0.0.42 127.0.0.43)
data=127.0.0.41,127.0.0.42,127.0.0.43
peers=pod-41=127.0.0.41,pod-42=127.0.0.42,pod-43=127.0.0.43
unset HEADLESSD_ADMIN_LISTEN

cleanup()
{
    for pid in $(jobs -p); do # our processes that still run
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

failures=0
fail()
{
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# expect WHAT WANTED GOT
expect()
{
    [[ $3 == "$2" ]] || fail "$1: wanted \"$2\", got \"$3\""
}

# expect_in WHAT PART WHOLE
expect_in()
{
    [[ $3 == *"$2"* ]] || fail "$1: no \"$2\" in \"$3\""
}

# get PATH IP [CURL OPTION...]: writes the body to $work/body, and prints the HTTP status, 000: none.
get()
{
    local path=$1 ip=$2
    shift 2
    curl -s --max-time 10 -o "$work/body" -w '%{http_code}' "$@" "http://$ip:8080$path" || true
}

# run COMMAND...: sets output, errors and code (its exit code).
run()
{
    code=0
    output=$("$@" 2>"$work/err") || code=$?
    errors=$(<"$work/err")
}

# until_true COMMAND...: for at most a minute.
until_true()
{
    local end=$((SECONDS + 60))
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.02 # between two polls
    done
}

is_status()
{
    [[ $(get "$2" "$3") == "$1" ]]
}

is_gone()
{
    ! kill -0 "$1" 2>/dev/null
}

# start IP OPTION...: starts a pod; sets pid.
start()
{
    local ip=$1
    shift
    "$build/headlessd" --self "$ip" --name "pod-${ip##*.}" --rcvbuf 208KiB --heartbeat-misses 20 "$@" \
        >"$work/$ip.log" 2>&1 &
    pid=$!
}

# has_joined IP: true if it replies, knows the leader, and its votes count.
has_joined()
{
    is_status 200 /readyz "$1" && metric_is "$1" has_leader 1 && metric_is "$1" election_is_volatile 0
}

# metric IP NAME: prints its value.
metric()
{
    curl -s --max-time 10 "http://$1:8080/metrics" | awk -v name="headlessd_$2" \
        '$1 == name { print $2 }'
}

metric_is()
{
    [[ $(metric "$1" "$2") == "$3" ]]
}

# A pod without the other two is alive, but not ready.
start "${ips[0]}" --peers "$peers" --leader pod-41
until_true is_status 200 /livez "${ips[0]}" || fail "a lone pod is not alive"
expect "readyz of a lone pod" 503 "$(get /readyz "${ips[0]}")"
expect_in "readyz of a lone pod" "joining" "$(<"$work/body")"
for ip in "${ips[@]:1}"; do
    start "$ip" --peers "$peers" --leader pod-41
done
last=$pid
for ip in "${ips[@]}"; do
    until_true has_joined "$ip" || {
        cat "$work/$ip.log"
        echo "FAIL: $ip does not join"
        exit 1
    }
done

# ---- probes ----

expect "livez" 200 "$(get /livez 127.0.0.42)"
expect "livez" ok "$(<"$work/body")"
expect "readyz of a follower" 200 "$(get /readyz 127.0.0.42)"
expect "leader/me of the leader" 200 "$(get /leader/me 127.0.0.41)"
expect "leader/me of a follower" 503 "$(get /leader/me 127.0.0.42)"
expect "unknown path" 404 "$(get /nope 127.0.0.41)"
expect "POST" 405 "$(get /status 127.0.0.41 -d x)"
expect "HEAD" 200 "$(get /metrics 127.0.0.41 --head)"
expect "long request line" 414 "$(get "/$(printf 'a%.0s' {1..20000})" 127.0.0.41)"

# ---- leader commands and their effects ----

term=$(metric 127.0.0.41 term)
next=$((term + 1))

run "$ctl" --data "$data" leader set pod-42 --if-term "$term"
expect "leader set" 0 "$code"
expect "leader set" "127.0.0.41:12000: ok $next
127.0.0.42:12000: ok $next
127.0.0.43:12000: ok $next" "$output"
for ip in "${ips[@]}"; do
    run "$ctl" --admin "$ip:8080" leader get
    expect "leader get of $ip" "leader     pod-42 (127.0.0.42)
term       $next, by command" "$output"
    expect "has_leader of $ip" 1 "$(metric "$ip" has_leader)"
    expect "term of $ip" "$next" "$(metric "$ip" term)"
done
expect "is_leader of the old" 0 "$(metric 127.0.0.41 is_leader)"
expect "is_leader of the new" 1 "$(metric 127.0.0.42 is_leader)"

run "$ctl" --data "$data" leader set pod-43 --if-term "$term"
expect "a stale if-term" "1 127.0.0.41:12000: bad term" "$code ${output%%$'\n'*}"
run "$ctl" --data 127.0.0.41 leader set nobody
expect "no member" "1 127.0.0.41:12000: no member" "$code $output"
run "$ctl" --data 127.0.0.42,127.0.0.44 leader set pod-42
expect "one pod missing" 1 "$code"
expect_in "one pod missing" "127.0.0.42:12000: ok $next" "$output"
expect_in "one pod missing" "127.0.0.44:12000: no reply: nothing listens there" "$output"

# ---- probe ----

run "$ctl" --data "$data" probe --count 3 --interval 10ms
expect "probe" 0 "$code"
expect_in "probe" "127.0.0.43:12000: leader pod-42 (127.0.0.42), via 127.0.0.43, term $next, " "$output"
expect_in "probe" "9 sent, 9 replied" "$output"
run "$ctl" --data 127.0.0.44 probe
expect "probe of nobody" 1 "$code"
until_true metric_is 127.0.0.42 'control_messages_total{result="probe"}' 9 ||
    fail "the leader did not count 9 probes"

# ---- status ----

run "$ctl" --admin 127.0.0.42 status
expect "status" 0 "$code"
expect_in "status" "pod        pod-42 (127.0.0.42)" "$output"
expect_in "status" "role       leader" "$output"
expect_in "status" "9 probe" "$output"
for ip in "${ips[@]}"; do
    until_true metric_is "$ip" ledger_requests 0 || fail "the requests of $ip do not add up"
    until_true metric_is "$ip" ledger_replies 0 || fail "the answers of $ip do not add up"
done
run "$ctl" --admin 127.0.0.42 status --json
expect_in "status --json" '"ledger":{"requests":0,"replies":0,"copies":0,"answers":0}' "$output"

# The leader has heard all others, each follower its leader, at most a detection time ago.
members_of()
{
    curl -s --max-time 10 "http://$1:8080/status" | jq -c "$2"
}
knows_round_trips()
{
    [[ $(members_of 127.0.0.42 '[.members[] | select(.rtt_us > 0 and .lost >= 0 and
        .heartbeat_age_ms < 800) | .name]') == '["pod-41","pod-43"]' ]]
}
until_true knows_round_trips || fail "of the leader's members: $(members_of 127.0.0.42 .members)"
hears_its_leader()
{
    [[ $(members_of 127.0.0.43 '[.members[] | select(has("heartbeat_age_ms") or has("rtt_us") or has("lost")) |
        [.name, .heartbeat_age_ms < 800, has("rtt_us"), has("lost")]]') == '[["pod-42",true,false,false]]' ]]
}
until_true hears_its_leader || fail "whom a follower hears: $(members_of 127.0.0.43 .members)"

export HEADLESSD_ADMIN_LISTEN=127.0.0.43:8080
run "$ctl" status
expect_in "status by the environment's address" "pod-43" "$output"
unset HEADLESSD_ADMIN_LISTEN
run "$ctl" --admin 127.0.0.44:8080 status
expect "status of nobody" 1 "$code"
expect_in "status of nobody" "127.0.0.44:8080: Connection refused" "$errors"

# ---- usage ----

for wrong in "" nonsense "leader set" "status more" "status --if-term 1" "--count x probe" --wrong; do
    # shellcheck disable=SC2086 # words
    run "$ctl" $wrong
    expect "headlessctl $wrong" 2 "$code"
    [[ -n $errors ]] || fail "headlessctl $wrong says nothing"
done
run "$ctl" --help
expect_in "--help" "examples:" "$output"

# ---- format: every sample has its TYPE, and no sample occurs twice ----

curl -s "http://127.0.0.41:8080/metrics" >"$work/metrics"
awk '/^# TYPE/ { type[$3]++; kind[$3] = $4; next } /^#/ { next }
     { name = $1; sub(/[{].*/, "", name); whole = name; sub(/_(bucket|sum|count)$/, "", whole)
       if (kind[whole] == "histogram") name = whole
       if (!(name in type)) print "no TYPE: " $1 }
     seen[$1]++ { print "twice: " $1 } NF != 2 { print "no sample: " $0 }
     END { for (name in type) if (type[name] != 1) print "TYPE twice: " name }' \
    "$work/metrics" >"$work/wrong"
[[ ! -s $work/wrong ]] || fail "/metrics: $(<"$work/wrong")"

# ---- a pause of the whole process is no stall ----

expect "livez before a pause" 200 "$(get /livez 127.0.0.43)"
kill -STOP "$last"
expect "livez of a stopped process" 000 "$(get /livez 127.0.0.43 --max-time 3)"
kill -CONT "$last"
expect "livez after a pause" 200 "$(get /livez 127.0.0.43)"

# ---- stopping ----

# otherwise it ends after a second without traffic
"${TOOLS:-$build/tests}/udp_stream" 20 64 600000 127.0.0.43:12000 >/dev/null 2>&1 &
asking=$!
kill -TERM "$last"
until_true is_status 503 /readyz 127.0.0.43 || fail "readyz while draining is not 503"
expect "readyz while draining" stopping "$(<"$work/body")"
expect "livez while draining" 200 "$(get /livez 127.0.0.43)"
kill "$asking"
until_true is_gone "$last" || fail "the pod does not end"
code=0
wait "$last" || code=$?
expect "exit code" 0 "$code"

# ---- where it listens ----

# A port in use ends the start, and the log names the option.
run "$build/headlessd" --self 127.0.0.45 --admin-listen 127.0.0.41:8080
expect "a taken admin port" 1 "$code"
expect_in "a taken admin port" "127.0.0.41:8080 (admin.listen): Address already in use" "$errors"

if ((failures)); then
    echo "$failures failures"
    echo "0 passed, 1 failed" # the verdict for run-cluster
    exit 1
fi
echo "ok"
