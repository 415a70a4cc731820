#!/usr/bin/env bash
# Route ordered: every app gets the same messages in the same order, and a report of missing ones.
#
#   tests/cluster/test_ordered.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

pods=(127.0.15.11 127.0.15.12 127.0.15.13)
rate=300    # a second
enough=3000 # messages delivered to all apps before a fault
rate_of_three=300
timed eval rate=20000 enough=400000 rate_of_three=3000

# app_port ADDRESS: prints the port of this pod's app; in a namespace it is the only one.
app_port()
{
    if [[ $1 == 127.* ]]; then
        echo "127.0.15.$((100 + ${1##*.})):7000"
    else
        echo 127.0.0.1:7000
    fi
}

# launch ADDRESS OPTION...: starts a pod. Its app gets the reports of app.notify on its port for messages.
launch()
{
    local address=$1 app
    app=$(app_port "$1")
    shift
    pod_launch "$address" --peers "$(IFS=,; echo "${pods[*]}")" --route ordered --app "udp://$app" \
        --app-notify "$app" "$@"
}

# begin OPTION...: starts the pods and their apps; the first one leads.
begin()
{
    local pod place
    for pod in "${pods[@]}"; do
        read -r -a place <<<"${pod_places[$pod]:-}"
        app_start "app-$pod" "${place[@]}" "$tools/order_app" "$(app_port "$pod")" "$work/order-$pod"
        launch "$pod" --leader "${pods[0]}" "$@"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "${pods[0]}" "${pods[@]}"
    wait_until "it numbers" metric_is "${pods[0]}" ordered_is_leading 1
}

# has_all: true if every pod has the same last index, and its app got all messages.
has_all()
{
    local pod last
    last=$(metric "${pods[0]}" ordered_last)
    for pod in "${pods[@]}"; do
        [[ $(metric "$pod" ordered_last) == "$last" && $(metric "$pod" ordered_waiting) == 0 ]] ||
            return 1
    done
}

# checked OPTION...: the apps' logs agree on one order. Sets numbers, messages, missing, diverged,
# joined, tail, twice, conflicts.
checked()
{
    local pod logs=() name value
    numbers=0 messages=0 missing=0 diverged=0 joined=0 twice=0
    wait_until "all have all" has_all
    ledger_closes "${pods[@]}"
    for pod in "${pods[@]}"; do
        app_stop "app-$pod"
        expect "the app at $pod has read all" "$(grep dropped "$work/app-$pod.log")" "dropped 0"
        logs+=("$work/order-$pod")
    done
    "$tools/order_check" "$@" "${logs[@]}" >"$work/order.out" 2>"$work/order.log" ||
        fail "not one order: $(cat "$work/order.out" "$work/order.log")"
    while read -r name value; do
        declare -g "$name=$value"
    done < <(tr ' ' '\n' <"$work/order.out" | paste -d ' ' - -)
    [[ -z ${V:-} ]] || echo "  $scenario: $(cat "$work/order.out")"
}

# stream_for RATE MILLISECONDS ADDRESS...: sends a stream, and waits for its end.
stream_for()
{
    stream_start "$@"
    wait_until "the stream ends" has_ended "$stream_pid"
    stream_end
}

# Messages through all three; each app has each message, since loopback has no loss.
all_apps_get_all()
{
    begin "$@"
    stream_for "$rate_of_three" 2000 "${pods[@]}"
    expect "lost" "$lost" 0
    checked -c
    expect "numbers" "$numbers" "$sent"
    expect "messages" "$messages" $((3 * sent))
    expect "suppressed" "$(total replies_suppressed_total "${pods[@]:1}")" $((2 * sent))
    expect "the first number is told" "$joined" 3
}

# A follower restarts without its log: it continues from the current index, and reports it.
follower_restarts()
{
    begin --hold-time 1m
    stream_start "$rate_of_three" 600000 "${pods[@]:0:2}"
    pod_kill "${pods[2]}"
    wait_until "it is taken for dead" metric_is "${pods[0]}" members_alive 2
    launch "${pods[2]}"
    wait_until "it is given messages" delivers_more 100 "${pods[2]}"
    stream_end
    expect "lost" "$lost" 0
    checked
    expect "the numbers to begin with are told" "$joined" 4
    expect "missing" "$missing" 0
}

# kill_leader: kills it, and restarts it when another leads and the others follow.
kill_leader()
{
    local former leader living=() pod
    former=$(leader_of "${pods[1]}")
    for pod in "${pods[@]}"; do
        [[ $pod == "$former" ]] || living+=("$pod")
    done
    pod_kill "$former"
    wait_until "another leads" agree_without "$former" "${living[@]}"
    leader=$(leader_of "${living[0]}")
    wait_until "it numbers" metric_is "$leader" ordered_is_leading 1
    replies_come "${living[@]}"
    launch "$former" "$@"
    pod_wait "$former"
    wait_until "the former leader is back" agree "$leader" "${pods[@]}"
    wait_until "it takes part" metric_is_not "$former" ordered_last 0
    wait_until "the votes count" are_settled "${pods[@]}"
}

metric_is_not()
{
    [[ $(metric "$1" "$2") != "$3" ]]
}

# The leader dies twice while 2 of 100 packets between the pods are lost.
leaders_die()
{
    begin --hold-time 1m "$@"
    net_loss 2
    stream_start "$rate" 600000 "${pods[1]}" "${pods[2]}"
    wait_until "messages flow" delivers_more "$enough" "${pods[@]}"
    kill_leader --hold-time 1m "$@"
    kill_leader --hold-time 1m "$@"
    stream_end
    net_heal
}

order_survives()
{
    leaders_die
    checked
    expect "missing" "$missing" 0
    expect "joined" "$joined" 7
}

order_is_exact()
{
    leaders_die --ordered-commit majority --relay-confirm none # each message once
    checked -c
    expect "missing" "$missing" 0
    expect "diverged" "$diverged" 0
    expect "twice" "$twice" 0
}

# A member that is stopped for longer than the log reaches back reports the missing messages.
gap_is_told()
{
    begin --ordered-history 1MiB
    pod_freeze "${pods[2]}"
    wait_until "it is taken for dead" metric_is "${pods[0]}" members_alive 2 # otherwise its socket buffers much
    stream_start 6000 600000 "${pods[@]:0:2}"
    wait_until "the history is full" has_numbered 12000
    stream_end
    pod_thaw "${pods[2]}"
    checked -c
    expect_between "missing" "$missing" 1 "$sent"
    expect "all is told" $((messages + missing)) $((3 * numbers))
    expect "counted" "$(metric "${pods[2]}" ordered_missing_total)" "$missing"
}

# has_numbered N
has_numbered()
{
    (($(metric "${pods[0]}" ordered_last) > $1))
}

# A restarted pod leads while another was stopped: the new leader lacks the messages that this one needs, and the third
# one has them.
late_joiner_leads()
{
    begin --hold-time 1m --quorum none
    pod_freeze "${pods[1]}"
    stream_for "$rate_of_three" 2000 "${pods[0]}"
    wait_until "who stands still is taken for dead" metric_is "${pods[0]}" members_alive 2
    pod_kill "${pods[2]}"
    wait_until "nobody but the leader is left" metric_is "${pods[0]}" members_alive 1
    launch "${pods[2]}" --hold-time 1m --quorum none
    wait_until "it takes part" metric_is_not "${pods[2]}" ordered_last 0
    wait_until "its vote counts" are_settled "${pods[0]}" "${pods[2]}"
    lead "${pods[2]}" "${pods[0]}"
    pod_thaw "${pods[1]}"
    wait_until "it numbers" metric_is "${pods[2]}" ordered_is_leading 1
    wait_until "all follow it" agree "${pods[2]}" "${pods[@]}"
    checked
    expect "missing" "$missing" 0
    expect "missing, by its own count" "$(metric "${pods[1]}" ordered_missing_total)" 0
}

# with_other_option WHAT OPTION...: the last pod has another setting: it and the leader report it, and the third one,
# which gets no message of it, does not.
with_other_option()
{
    local which=$1
    shift
    local pod places=("${pods[@]}")
    for pod in "${places[@]}"; do
        if [[ $pod == "${places[2]}" ]]; then
            pod_launch "$pod" --peers "$(IFS=,; echo "${pods[*]}")" --leader "${pods[0]}" "$@"
        else
            pod_launch "$pod" --peers "$(IFS=,; echo "${pods[*]}")" --leader "${pods[0]}" --route ordered
        fi
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "${pods[0]}" "${pods[@]}"
    wait_until "the leader knows" metric_is "${pods[0]}" order_differing_members 1
    wait_until "the pod knows" metric_is "${pods[2]}" order_differing_members 1
    expect "the third" "$(metric "${pods[1]}" order_differing_members)" 0
    expect "in status" "$(http "${pods[0]}:8080/status" | jq .gauges.order_differing_members)" 1
    wait_until "heartbeats come" heard_more "${pods[0]}" 30
    expect_log "${pods[0]}" order_differs 1
    expect_log "${pods[0]}" \
        "order_differs.*${pods[2]}.* has $which, and this pod route ordered with ordered.commit none"
    expect_log "${pods[2]}" \
        "order_differs.*${pods[0]}.* has route ordered with ordered.commit none, and this pod $which"
    expect "the third's log" "$(grep -c order_differs "$work/${pods[1]}.log")" 0
}

with_another_history()
{
    local pod size
    for pod in "${pods[@]}"; do
        size=16MiB
        [[ $pod != "${pods[1]}" ]] || size=8MiB
        pod_launch "$pod" --peers "$(IFS=,; echo "${pods[*]}")" --leader "${pods[0]}" --route ordered \
            --ordered-history "$size"
    done
    wait_until "all follow the configured leader" agree "${pods[0]}" "${pods[@]}"
    wait_until "the leader knows" metric_is "${pods[0]}" order_differing_members 1
    wait_until "the pod knows" metric_is "${pods[1]}" order_differing_members 1
    expect_log "${pods[0]}" \
        "order_differs.*${pods[1]}.* has another ordered.history than this pod"
    expect "the third" "$(metric "${pods[2]}" order_differing_members)" 0
}

# heard_more ADDRESS N: true after N messages of other supervisors since its start
heard_more()
{
    (($(metric "$1" 'peer_messages_total{direction="in"}') >= $2))
}

refuses_two_workers()
{
    local errors
    errors=$("$headlessd" --check-config --self 127.0.15.11 --route ordered --workers 2 2>&1) &&
        fail "two workers are taken"
    expect_match "why" "$errors" "route ordered needs one thread that orders"
}

run "ordered: all apps get all messages in one order" all_apps_get_all
run_long "ordered: all apps get all messages in one order, without rings" all_apps_get_all --workers 0
run_long "ordered: all apps get all messages in one order, with commit" all_apps_get_all --ordered-commit majority
run "ordered: a restarted follower continues" follower_restarts
run "ordered: a gap that cannot be filled is reported" gap_is_told
run "ordered: two workers are refused" refuses_two_workers
run "ordered: a restarted pod leads, and another one catches up" late_joiner_leads
run "ordered: another ordered.commit is reported" with_other_option \
    "route ordered with ordered.commit majority" --route ordered --ordered-commit majority
run "ordered: another ordered.history is reported" with_another_history
run "ordered: another route is reported" with_other_option "another route than ordered"
if net_possible; then
    net_make 5
    pods=("${net_pods[@]}")
    run_longer "ordered: leaders die twice, 2 % loss" order_survives
    run_longer "ordered: leaders die twice, 2 % loss, with commit" order_is_exact
else
    skip "leaders die, in namespaces" "needs root and network namespaces"
fi
finish
