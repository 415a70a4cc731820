#!/usr/bin/env bash
# Leaders that are not well: an app that dies, two commands at once, clocks that step.
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

# Three pods, each with an app of its own beside it.
start_with_apps()
{
    local pod
    for pod in "${pods[@]}"; do
        app_start "app-$pod" "$tools/udp_app" "$(app_of "$pod")" echo
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --rcvbuf max \
            --app "udp://$(app_of "$pod")" "$@"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
}

# What came after the first refusal is held, and answered by the next leader's app.
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
    # Those in the dead app's socket buffer, and of those that met the closed port at most a batch:
    # each is refused, and before the next batch the first refusal is known.
    expect_between "refused by the app's port" "$(metric "$a" app_refused_total)" 1 64
    ledger_closes "${pods[@]}"
    expect "lost, but for those that an app was given" "$lost" \
        $(($(total datagrams_delivered_total "${pods[@]}") -
            $(total 'answers_received_total{from="app"}' "${pods[@]}")))
    expect "why" "$(leader_cause "$b")" app
    ledger_closes "${pods[@]}"
}

# Nobody else's app lives: what comes is held, and given to the app when it is back.
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

# one_leads ADDRESS...: one of these, by everybody's word and its own, and no other.
one_leads()
{
    agree any "${pods[@]}" && [[ " $* " == *" $agreed "* && $(leaders "${pods[@]}") == "$agreed" ]]
}

# commanded LEADER: says so again while the last word is not carried out.
commanded()
{
    agree "$1" "${pods[@]}" || { ask "$1" "{\"leader\":\"$1\"}" >/dev/null && false; }
}

# One client says b, another c, in the same moment: one of them leads, and everybody knows.
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

# A member that is dead cannot be made the leader.
command_to_the_dead()
{
    local pod
    pods_start "${pods[@]}" -- --app echo --leader "$a"
    pod_kill "$c"
    for pod in "$a" "$b"; do
        wait_until "$pod knows that it is dead" metric_is "$pod" members_alive 2
    done
    expect "answer" "$(ask "$b" "{\"leader\":\"$c\"}")" "no member"
    expect "leader" "$(leader_of "$b")" "$a"
    ledger_closes "$a" "$b"
}

# The wall clock jumps by an hour and back: nothing in here looks at it but the log.
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

# logged_at STEP: a log line that we provoke has the date of the stepped clock.
logged_at()
{
    ask -t 100 "$a" '{"leader":"127.9.9.9"}' >/dev/null
    grep command_refused "$work/$a.log" | tail -n 1 | grep -q "^$(date -u -d "${1/h/ hour}" +%Y-%m-%dT%H 2>/dev/null)"
}

run "the leader's app dies" app_dies
run_long "the leader's app dies, without rings" app_dies --workers 0
run "the only app restarts" only_app_restarts
run "two commands at once" two_commands_at_once
run "a command to a dead member" command_to_the_dead
environment_before=("${pod_environment[@]}")
faketime=$(find /usr/lib -path '*/faketime/libfaketime.so.1' 2>/dev/null | head -n 1)
if [[ -z $faketime ]]; then
    skip "clocks that step" "needs faketime"
elif [[ -n ${SANITIZED:-} ]]; then
    skip "clocks that step" "sanitizers and a preloaded library do not go together"
else
    run "clocks that step" clock_steps
fi
finish
