#!/usr/bin/env bash
# Routes local and all: each app gets each datagram once, and the client gets one reply.
#
#   tests/cluster/test_routes.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

a=127.0.14.11 # leads
b=127.0.14.12
c=127.0.14.13
pods=("$a" "$b" "$c")
rate=300
span=3000 # milliseconds
timed eval rate=3000 span=34000

# stream_for MILLISECONDS ADDRESS...: sends a stream, and waits for its end.
stream_for()
{
    local limit=$1
    shift
    stream_start "$rate" "$limit" "$@"
    wait_until "the stream ends" has_ended "$stream_pid"
    stream_end
}

# Each pod's app got N requests, and all replies but the leader's were suppressed.
each_app_was_given()
{
    local pod
    for pod in "${pods[@]}"; do
        expect "delivered at $pod" "$(metric "$pod" datagrams_delivered_total)" "$1"
    done
    expect "suppressed at the leader" "$(metric "$a" replies_suppressed_total)" 0
    expect "suppressed at the followers" "$(total replies_suppressed_total "$b" "$c")" $((2 * $1))
}

to_all_apps()
{
    pods_start "${pods[@]}" -- --route all --app echo --leader "$a" "$@"
    stream_for "$span" "${pods[@]}"
    expect "lost" "$lost" 0
    ledger_closes "${pods[@]}"
    each_app_was_given "$sent"
    expect "copies" "$(total copies_sent_total "${pods[@]}")" $((2 * sent))
    expect "answers sent" "$(total replies_sent_total "${pods[@]}")" "$sent"
}

to_all_udp_apps()
{
    local pod app
    for pod in "${pods[@]}"; do
        app=127.0.14.$((100 + ${pod##*.})):5300
        app_start "app-$pod" "$tools/udp_app" "$app" echo
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --route all --app "udp://$app"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
    stream_for 2000 "$b" "$c"
    expect "lost" "$lost" 0
    ledger_closes "${pods[@]}"
    each_app_was_given "$sent"
}

# The client sends to each pod, as it finds them in DNS.
to_own_app()
{
    stream_options=(-a)
    pods_start "${pods[@]}" -- --route local --app echo --leader "$a" "$@"
    stream_for "$span" "${pods[@]}"
    expect "lost" "$lost" 0
    ledger_closes "${pods[@]}"
    each_app_was_given "$sent"
    expect "between pods" "$(total 'datagrams_received_total{socket="relay"}' "${pods[@]}")" 0
    stream_options=()
}

# The leader dies during the stream: its pending replies are missing, and no request gets two replies (stream_end checks
# this). Requests without a leader are held, and get replies later.
leader_dies()
{
    local route=$1 before through=("$b" "$c")
    shift
    stream_options=("$@")
    [[ $route == all ]] || through=("${pods[@]}")
    pods_start "${pods[@]}" -- --route "$route" --app echo --leader "$a" --hold-time 1m
    stream_start "$rate" 600000 "${through[@]}"
    wait_until "traffic flows" delivers_more $((rate / 4)) "$b"
    pod_kill "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    before=$(total replies_sent_total "$b" "$c")
    wait_until "and answers" sends_more "$before"
    stream_end
    ledger_closes "$b" "$c"
    timed expect_between "lost" "$lost" 0 $((4 * rate)) # four seconds: until the others have detected the failure
    stream_options=()
}

sends_more()
{
    (($(total replies_sent_total "$b" "$c") > $1 + rate / 4))
}

# A stopped member does not affect the others, before and after it counts as dead.
member_is_stopped()
{
    pods_start "${pods[@]}" -- --route all --app echo --leader "$a"
    pod_freeze "$c"
    stream_for 3000 "$a" "$b"
    expect "lost" "$lost" 0
    wait_until "it is taken for dead" metric_is "$a" members_alive 2
    pod_thaw "$c"
    wait_until "it is back" agree "$a" "${pods[@]}"
    ledger_closes "${pods[@]}"
}

# published: prints headlessctl's output for one message to all pods, sorted.
published()
{
    local IFS=,
    "$headlessctl" --data "${pods[*]}" publish --wait 10s "$(printf '%99s' "")" | sed -E 's/[0-9.]+ ms: //' | sort
}

publish_to_all()
{
    local said
    pods_start "${pods[@]}" -- --route local --app whoami --leader "$a"
    said=$(published)
    expect_match "the leader" "$said" "$a:12000: $a $a leader term [0-9]+ via $a you "
    expect_match "a follower" "$said" "$b:12000: no reply"
    expect_match "in all" "$said" "1 of 3 replied"
    expect "exit code of lines" "$(printf 'one\ntwo\n' | "$headlessctl" --data "$a,$b" --wait 10s publish - |
        grep -c "1 of 2 replied")" 2
    "$headlessctl" --data "$b,$c" --wait 50ms publish nobody >/dev/null &&
        fail "exit code 0 where no pod replied"
    ledger_closes "${pods[@]}"
}

# notified LEADER TERM: true if every pod's app got this notification.
notified()
{
    local pod
    for pod in "${pods[@]}"; do
        grep -q "^{\"leader\":{\"address\":\"$1\".*\"term\":$2," "$work/notified-$pod" || return 1
    done
}

# Each app gets a notification of each leader, a datagram like GET /leader.
app_is_notified()
{
    local pod to term
    for pod in "${pods[@]}"; do
        to=127.0.14.99:$((5400 + ${pod##*.}))
        socat -u "UDP4-RECV:${to#*:},bind=${to%:*}" "CREATE:$work/notified-$pod" 2>"$work/socat-$pod.log" &
        app_pids["socat-$pod"]=$!
        wait_until "socat is there" test -e "$work/notified-$pod" # created after its socket is bound
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --app-notify "$to"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all apps know that $a leads" notified "$a" "[0-9]*"
    wait_until "their votes count" are_settled "${pods[@]}"
    term=$(metric "$c" term)
    expect "a command" "$(ask "$c" "{\"leader\":\"$b\"}")" "ok $((term + 1))"
    wait_until "all apps know that $b leads" notified "$b" $((term + 1))
    expect "sent, and failed" "$(metric "$a" 'app_notifications_total{result="failed"}')" 0
}

needs_frames()
{
    local errors
    errors=$("$headlessd" --check-config --self "$a" --route all --relay-format raw 2>&1) &&
        fail "raw is taken"
    expect_match "why" "$errors" "routes local, all and ordered need relay.format framed"
}

run_longer "all: each app gets each datagram" to_all_apps
run_long "all: each app gets each datagram, without rings" to_all_apps --workers 0
run_longer "all: each app gets each datagram, two receivers and two workers" to_all_apps \
    --receivers 2 --workers 2
run "all: each UDP app gets each datagram" to_all_udp_apps
run_longer "local: each app gets its own pod's datagrams" to_own_app
run_long "local: each app gets its own pod's datagrams, without rings" to_own_app --workers 0
run "all: requests are held when the leader dies" leader_dies all
run "local: requests are held when the leader dies" leader_dies local -a
run "all: a stopped member does not affect the others" member_is_stopped
run "headlessctl publish: only the leader replies" publish_to_all
run "app.notify: each app is notified of each leader" app_is_notified
run "raw refuses these routes" needs_frames
finish
