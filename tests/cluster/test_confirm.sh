#!/usr/bin/env bash
# Confirmed relaying (relay.confirm): the leader is killed, and frames are lost between pods. Five pods in network
# namespaces, a client outside that sends continuously through the followers.
#
#   tests/cluster/test_confirm.sh BUILD_DIR
#
# With CHECK_ALL on a release build at 20,000 requests a second.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

net_possible || {
    skip "confirmed relaying in namespaces" "needs root and network namespaces"
    finish
    exit
}
net_make 5
all=("${net_pods[@]}")
# On a busy machine a leader may be lost for a while: keep requests for longer than any test waits.
pod_environment+=(HEADLESSD_RCVBUF=max HEADLESSD_RELAY_KEEP_TIME=1m)
rate=1000
timed eval rate=20000

start_five()
{
    local address
    for address in "${all[@]}"; do
        pod_launch "$address" --peers "$(IFS=,; echo "${all[*]}")" --leader "${all[0]}" --app echo "$@"
    done
    for address in "${all[@]}"; do
        pod_wait "$address"
    done
    wait_until "all follow the configured leader" agree "${all[0]}" "${all[@]}"
    # Of all: while a member is new to a pod, that pod keeps nothing.
    for address in "${all[@]}"; do
        metric_becomes "$address" members_alive 5
        metric_becomes "$address" relay_confirms 1
    done
}

nothing_is_kept()
{
    (($(total datagrams_kept "$@") == 0))
}

# Each request has one reply. Of all pods that live; the client sends to some of them.
every_request_is_answered()
{
    stream_end
    each_has_its_reply "$@"
    wait_until "nothing is kept any more" nothing_is_kept "$@"
    expect "lost, as told by the pods" "$(total relay_lost_total "$@")" 0
    ledger_closes "$@"
}

# killed_leader OPTION...
killed_leader()
{
    local before
    start_five --relay-confirm replied "$@"
    stream_start "$rate" 600000 "${all[@]:1}"
    wait_until "traffic flows" delivers_more $((rate / 4)) "${all[0]}"
    pod_kill "${all[0]}"
    wait_until "the others agree on another" agree_without "${all[0]}" "${all[@]:1}"
    before=$(total datagrams_delivered_total "${all[@]:1}")
    wait_until "the new leader is given requests" delivers_more $((before + rate / 4)) "${all[@]:1}"
    every_request_is_answered "${all[@]:1}"
    expect "out of order" "$disordered" 0
    expect_match "requests were relayed again" "$(total relay_replayed_total "${all[@]:1}")" '^[1-9]'
}

commanded_leader()
{
    start_five --relay-confirm replied
    stream_start "$rate" 600000 "${all[@]:1}"
    wait_until "traffic flows" delivers_more $((rate / 4)) "${all[0]}"
    lead "${all[2]}" "${all[1]}"
    wait_until "all follow the new leader" agree "${all[2]}" "${all[@]}"
    wait_until "the new leader is given requests" delivers_more $((rate / 4)) "${all[2]}"
    every_request_is_answered "${all[@]}"
}

# loss_between_pods OPTION...
loss_between_pods()
{
    local amount=2000
    timed eval amount=100000
    start_five --relay-confirm delivered "$@"
    net_loss 2
    stream_start "$rate" 600000 "${all[@]:1}"
    wait_until "$amount requests are delivered" delivers_more "$amount" "${all[0]}"
    every_request_is_answered "${all[@]}"
    expect "out of order" "$disordered" 0
    expect_match "frames were sent again" "$(total relay_resent_total "${all[@]}")" '^[1-9]'
    net_heal
}

run "SIGKILL of the leader with relay.confirm replied loses nothing" killed_leader
run "the same with route ordered" killed_leader --route ordered
run "a command with relay.confirm replied loses nothing" commanded_leader
run "2 % loss between pods with relay.confirm delivered loses nothing" loss_between_pods
run "the same with several workers" loss_between_pods --receivers 2 --workers 2
run "the same with route ordered" loss_between_pods --route ordered
finish
