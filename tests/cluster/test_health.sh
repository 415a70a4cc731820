#!/usr/bin/env bash
# Faults of a leader: an app that dies, two commands at once, clocks that step.
#
#   tests/cluster/test_health.sh BUILD_DIR
#
# Alone: it measures gaps
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

a=127.0.13.11 # leads
b=127.0.13.12
c=127.0.13.13
pods=("$a" "$b" "$c")

as_shipped
rate=200
timed eval rate=2000

app_of()
{
    echo "127.0.13.$((100 + ${1##*.})):5300"
}

# Three pods, each with its own app.
start_with_apps()
{
    local pod
    for pod in "${pods[@]}"; do
        app_start "app-$pod" "$tools/udp_app" "$(app_of "$pod")" echo
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --app "udp://$(app_of "$pod")" "$@"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
}

# Requests after the first refusal are held, and the next leader's app replies.
app_dies()
{
    local started
    start_with_apps --hold-time 60s "$@"
    stream_start "$rate" 600000 "$b" "$c"
    wait_until "traffic flows" delivers_more $((rate / 4)) "$a"
    started=$(now_ms)
    kill -KILL "${app_pids[app-$a]}"
    wait_until "another leads" agree_without "$a" "${pods[@]}"
    timed expect_between "milliseconds to another leader" "$(($(now_ms) - started))" 0 2000
    wait_until "its app is given requests" delivers_more $((rate / 4)) "$b" "$c"
    stream_end
    # Requests in the dead app's socket buffer, and at most one batch sent to the closed port: each is refused,
    # and the first refusal is known before the next batch.
    expect_between "refused by the app's port" "$(metric "$a" app_refused_total)" 1 64
    ledger_closes "${pods[@]}"
    expect "lost, but for those that an app was given" "$lost" \
        $(($(total datagrams_delivered_total "${pods[@]}") -
            $(total 'replies_received_total{from="app"}' "${pods[@]}")))
    expect "why" "$(leader_cause "$b")" app
    ledger_closes "${pods[@]}"
}

# No other app runs: requests are held, and delivered to the app when it is back.
only_app_restarts()
{
    app_start app "$tools/udp_app" "$(app_of "$a")" echo
    pods_start "$a" -- --app "udp://$(app_of "$a")" --hold-time 60s
    expect "before" "$(ask "$a" one)" one
    app_stop app
    expect "refused" "$(ask -t 100 "$a" lost)" ""
    wait_until "the refusal is known" refusals_are_known "$a"
    "$tools/udp_ask" -n -k 20 "$a:12000" two || fail "cannot send"
    metric_becomes "$a" datagrams_held 20
    app_start app "$tools/udp_app" "$(app_of "$a")" echo
    wait_until "all is given to the app" metric_is "$a" datagrams_held 0
    expect "after" "$(ask "$a" three)" three
    expect "given to the app" "$(metric "$a" datagrams_delivered_total)" 23
    expect "dropped" "$(total 'datagrams_dropped_total{reason="hold_expired"}' "$a")" 0
    ledger_closes "$a"
}

refusals_are_known()
{
    (($(metric "$1" app_refused_total) > 0))
}

# one_leads ADDRESS...: true if all pods report the same one of these as the leader, itself included.
one_leads()
{
    agree any "${pods[@]}" && [[ " $* " == *" $agreed "* && $(leaders "${pods[@]}") == "$agreed" ]]
}

# commanded LEADER: repeats the command until it is carried out.
commanded()
{
    agree "$1" "${pods[@]}" || { ask "$1" "{\"leader\":\"$1\"}" >/dev/null && false; }
}

# One client commands b, another c, at the same time: one of them leads, and all pods agree.
two_commands_at_once()
{
    local round first second
    pods_start "${pods[@]}" -- --app echo --leader "$a"
    for round in 1 2 3 4 5; do
        "$tools/udp_ask" -t 60000 "$a:12000" "{\"leader\":\"$b\"}" >"$work/first" &
        first=$!
        "$tools/udp_ask" -t 60000 "$c:12000" "{\"leader\":\"$c\"}" >"$work/second" &
        second=$!
        wait "$first" || fail "round $round: the first is not answered"
        wait "$second" || fail "round $round: the second is not answered"
        wait_until "one of them leads, and all agree" one_leads "$b" "$c"
        wait_until "back at the start" commanded "$a"
    done
    ledger_closes "${pods[@]}"
}

# A command for a dead member is refused.
command_to_the_dead()
{
    local pod
    pods_start "${pods[@]}" -- --app echo --leader "$a"
    pod_kill "$c"
    for pod in "$a" "$b"; do
        wait_until "$pod knows that it is dead" metric_is "$pod" members_alive 2
    done
    expect "answer" "$(ask "$b" "{\"leader\":\"$c\"}")" "not alive"
    expect "leader" "$(leader_of "$b")" "$a"
    ledger_closes "$a" "$b"
}

# The wall clock jumps by an hour and back: only the log uses it.
clock_steps()
{
    local term step
    pod_environment+=(LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$work/clock"
        FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1)
    echo +0 >"$work/clock"
    pods_start "${pods[@]}" -- --app echo --leader "$a"
    term=$(metric "$a" term)
    for step in +1h -1h +0 +10y; do
        echo "$step" >"$work/clock"
        wait_until "the log has the new time ($step)" logged_at "$step"
        expect "leader" "$(leaders "${pods[@]}")" "$a"
        expect "answer" "$(ask "$b" "step $step")" "step $step"
    done
    expect "term" "$(metric "$a" term)" "$term"
    pod_environment=("${environment_before[@]}")
    ledger_closes "${pods[@]}"
}

# logged_at STEP: a new log line has the date of the stepped clock.
logged_at()
{
    ask -t 100 "$a" '{"leader":"127.9.9.9"}' >/dev/null
    grep -q "^$(date -u -d "${1/h/ hour}" +%Y-%m-%dT%H 2>/dev/null)" \
        < <(grep command_refused "$work/$a.log" | tail -n 1)
}

run "after the leader's app dies the next leader serves" app_dies
run_long "after the leader's app dies the next leader serves, without rings" app_dies --workers 0
run "requests are held while the only app restarts" only_app_restarts
run "two commands at once make one leader" two_commands_at_once
run "a command for a dead member is refused" command_to_the_dead
environment_before=("${pod_environment[@]}")
faketime=$(find /usr/lib -path '*/faketime/libfaketime.so.1' 2>/dev/null | head -n 1)
if [[ -z $faketime ]]; then
    skip "steps of the wall clock change only the log" "needs faketime"
elif [[ -z ${SANITIZED:-} ]]; then # sanitizers do not work with a preloaded library
    run "steps of the wall clock change only the log" clock_steps
fi
finish
