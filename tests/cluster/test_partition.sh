#!/usr/bin/env bash
# Faults of the network between the pods: partitions, one-way and partial failures; loss, duplication, reordering.
# Five pods in namespaces. tests/sim and CHECK_ALL check what must not happen within some milliseconds.
#
#   tests/cluster/test_partition.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

net_possible || {
    skip "partitions in namespaces" "needs root and network namespaces"
    finish
    exit
}
net_make 5
all=("${net_pods[@]}")
as_shipped

# start N OPTION...: starts the first N pods.
start()
{
    local count=$1 address pods
    shift
    pods=("${all[@]:0:count}")
    for address in "${pods[@]}"; do
        pod_launch "$address" --peers "$(IFS=,; echo "${pods[*]}")" --leader "${all[0]}" --app echo "$@"
    done
    for address in "${pods[@]}"; do
        pod_wait "$address"
    done
    wait_until "all follow the configured leader" agree "${all[0]}" "${pods[@]}"
}

# cut_sides "A..." "B...": drops all packets between the two sides.
cut_sides()
{
    local one other
    for one in $1; do
        for other in $2; do
            net_cut "$one" "$other"
        done
    done
}

# answer ADDRESS...: clients of these pods get replies, from any leader.
answer()
{
    local address
    for address in "$@"; do
        wait_until "$address answers" answers "$address"
    done
}

answers()
{
    [[ $(ask -t 1000 "$1" "hello") == hello ]]
}

# silent ADDRESS...: clients of these pods get none.
silent()
{
    local address
    for address in "$@"; do
        expect "answer of $address" "$(ask -t 300 "$address" "hello")" ""
    done
}

no_leader_at()
{
    local address
    for address in "$@"; do
        [[ $(leader_of "$address") == none ]] || return 1
    done
}

two_against_three()
{
    local leader
    start 5 --hold-time 0
    cut_sides "${all[*]:0:2}" "${all[*]:2}"
    wait_until "the three agree" agree_without "${all[0]}" "${all[@]:2}"
    wait_until "the two have no leader" no_leader_at "${all[@]:0:2}"
    answer "${all[@]:2}"
    silent "${all[@]:0:2}"
    expect "the former leader leads" "$(leaders "${all[0]}")" ""
    leader=$(leader_of "${all[2]}")
    net_heal
    wait_until "all agree after healing" agree any "${all[@]}"
    expect "the returned leader does not take the lead back" "$(leader_of "${all[0]}")" "$leader"
    answer "${all[@]}"
    ledger_closes "${all[@]}"
}

# The leader is in the majority: it stays the leader.
three_with_the_leader()
{
    start 5 --hold-time 0
    cut_sides "${all[*]:0:3}" "${all[*]:3}"
    wait_until "the two have no leader" no_leader_at "${all[@]:3}"
    expect "the leader" "$(leader_of "${all[1]}")" "${all[0]}"
    answer "${all[@]:0:3}"
    silent "${all[@]:3}"
    net_heal
    wait_until "all agree after healing" agree any "${all[@]}"
    ledger_closes "${all[@]}"
}

two_against_two()
{
    start 4 --hold-time 0
    cut_sides "${all[*]:0:2}" "${all[*]:2:2}"
    wait_until "no side leads" no_leader_at "${all[@]:0:4}"
    silent "${all[@]:0:4}"
    net_heal
    wait_until "all agree after healing" agree any "${all[@]:0:4}"
    answer "${all[@]:0:4}"
    ledger_closes "${all[@]:0:4}"
}

one_against_two()
{
    start 3 --hold-time 0
    net_alone "${all[0]}"
    wait_until "the two agree" agree_without "${all[0]}" "${all[@]:1:2}"
    wait_until "the one has no leader" no_leader_at "${all[0]}"
    net_heal
    wait_until "all agree after healing" agree any "${all[@]:0:3}"
    ledger_closes "${all[@]:0:3}"
}

# No pod receives the leader's messages, but it receives theirs: its lease ends, since no pod renews it.
leader_is_not_heard()
{
    local other
    start 3 --hold-time 0
    for other in "${all[@]:1:2}"; do
        net_cut_from "${all[0]}" "$other"
    done
    wait_until "the others agree" agree_without "${all[0]}" "${all[@]:1:2}"
    expect "the one that is not heard leads" "$(leaders "${all[0]}")" ""
    net_heal
    wait_until "all agree after healing" agree any "${all[@]:0:3}"
    ledger_closes "${all[@]:0:3}"
}

# One follower does not receive the leader's messages; all others do. It must not depose the leader.
one_follower_without_leader()
{
    local term
    start 5 --hold-time 0
    term=$(metric "${all[1]}" term)
    net_cut "${all[0]}" "${all[4]}"
    wait_until "it knows that it hears nobody" no_leader_at "${all[4]}"
    sleep 2 # longer than two detection times: the leader must not change
    expect "the leader" "$(leader_of "${all[1]}")" "${all[0]}"
    expect "term" "$(metric "${all[1]}" term)" "$term"
    net_heal
    wait_until "all agree after healing" agree "${all[0]}" "${all[@]}"
    ledger_closes "${all[@]}"
}

# 20 % of the packets between pods are lost: the leader stays.
loss_of_20_percent()
{
    local term
    start 5
    term=$(metric "${all[1]}" term)
    net_loss 20
    sleep 8 # ten detection times: the leader must not change
    wait_until "the leader leads" metric_is "${all[0]}" is_leader 1
    expect "term" "$(metric "${all[0]}" term)" "$term"
    net_heal
    wait_until "all agree" agree "${all[0]}" "${all[@]}"
    ledger_closes "${all[@]}"
}

# 50 %: leaders may change, but there are never two.
loss_of_50_percent()
{
    local end
    start 5
    net_loss 50
    end=$(($(now_ms) + 8000))
    while (($(now_ms) < end)); do
        two_at_once_never
    done
    net_heal
    wait_until "all agree" agree any "${all[@]}"
    ledger_closes "${all[@]}"
}

# Two pods may report to lead when they are asked one after the other; then their terms differ, and at the next
# request the one with the lower term has stopped.
two_at_once_never()
{
    local led again
    mapfile -t led < <(leaders "${all[@]}")
    ((${#led[@]} > 1)) || return 0
    mapfile -t again < <(leaders "${led[@]}")
    ((${#again[@]} < 2)) || fail "both lead: ${again[*]}"
}

# A pod that was isolated for so long that it is no longer in the list must ask to join again; so must a former
# leader.
returns_from_long_isolation()
{
    local gone=$1
    start 5 --member-forget 5s --hold-time 0
    net_alone "$gone"
    wait_until "the others are four" members_are 4 "$gone"
    net_heal
    wait_until "all are five again" members_are 5 none
    wait_until "all agree" agree any "${all[@]}"
    expect "leaders" "$(leaders "${all[@]}")" "$agreed"
    answer "${all[@]}"
    ledger_closes "${all[@]}"
}

# members_are N BUT: true if the lists of all but one have N members.
members_are()
{
    local address
    for address in "${all[@]}"; do
        [[ $address == "$2" ]] ||
            [[ $(http "$address:8080/status" | jq '.members | length') == "$1" ]] || return 1
    done
}

# A network may duplicate and reorder heartbeats, votes, frames. Without loss, nothing may change.
doubled_and_shuffled()
{
    local term address i sum=0
    start 5
    term=$(metric "${all[1]}" term)
    net_shuffle 30
    for ((i = 0; i < 40; i++)); do
        for address in "${all[@]}"; do
            [[ $(ask "$address" "number $i") != "number $i" ]] || sum=$((sum + 1))
        done
    done
    expect "answered" "$sum" 200
    expect "the leader" "$(metric "${all[0]}" is_leader)" 1
    expect "term" "$(metric "${all[0]}" term)" "$term"
    net_unshuffle
    for address in "${all[@]}"; do
        read -r _ _ doubled _ delayed _ <"$work/shuffle-$address.out"
        expect_between "doubled at $address" "$doubled" 10 100000
        expect_between "delayed at $address" "$delayed" 10 100000
    done
    ledger_closes "${all[@]}"
}

# A leader change in such a network, with old heartbeats and votes.
elected_while_shuffled()
{
    start 5
    net_shuffle 30
    pod_kill "${all[0]}"
    wait_until "the others agree" agree_without "${all[0]}" "${all[@]:1}"
    two_at_once_never
    net_unshuffle
    wait_until "they still agree" agree any "${all[@]:1}"
    ledger_closes "${all[@]:1}"
}

# A chain in which no pod reaches both ends. The leader, at one end, still has a majority; pods that do not receive
# its messages reach others that do.
chain()
{
    local term
    start 5
    term=$(metric "${all[0]}" term)
    net_cut "${all[0]}" "${all[3]}"
    net_cut "${all[0]}" "${all[4]}"
    net_cut "${all[1]}" "${all[4]}"
    sleep 3 # almost four detection times: the leader must not change
    wait_until "those that hear the leader follow it" agree "${all[0]}" "${all[@]:0:3}"
    expect "leaders" "$(leaders "${all[@]}")" "${all[0]}"
    expect "term" "$(metric "${all[0]}" term)" "$term"
    net_heal
    wait_until "all agree after healing" agree any "${all[@]}"
    ledger_closes "${all[@]}"
}

# A host that is no member floods the leader's relay and peer ports with invalid datagrams.
flood_from_outside()
{
    local term port before i sum=0 floods=()
    start 5 --rcvbuf max # ten milliseconds of the flood fill a smaller buffer
    term=$(metric "${all[0]}" term)
    before=$(metric "${all[0]}" 'peer_messages_dropped_total{reason="malformed"}')
    for port in 12001 12002; do
        "${pod_wrapper[@]}" "$build/bench/limit/udp-limit" send --to "${all[0]}:$port" --size 100 \
            --rate 50000 --flows 4 --duration 4 >"$work/flood-$port.out" 2>&1 &
        floods+=($!)
    done
    for ((i = 0; i < 50; i++)); do
        [[ $(ask -t 1000 "${all[1 + i % 4]}" "number $i") != "number $i" ]] || sum=$((sum + 1))
    done
    wait "${floods[@]}" || fail "the flood failed: $(cat "$work"/flood-*.out)"
    expect_between "answered during the flood" "$sum" 45 50
    wait_until "all follow the leader" agree "${all[0]}" "${all[@]}"
    expect "term" "$(metric "${all[0]}" term)" "$term"
    expect_between "messages that were none" \
        $(($(metric "${all[0]}" 'peer_messages_dropped_total{reason="malformed"}') - before)) 1000 1000000
    ledger_closes "${all[@]}"
}

force()
{
    ip netns exec "$(net_place "$1")" "$headlessctl" --data "$2" leader set "$3" --force
}

# The operator knows that the other two will not return.
forced_without_majority()
{
    local leader
    start 3 --hold-time 10s
    leader=${all[1]}
    pod_kill "${all[0]}"
    pod_kill "${all[2]}"
    wait_until "one of three has no leader" no_leader_at "$leader"
    expect "not from outside" "$(status_of "${pod_wrapper[@]}" "$headlessctl" --data "$leader" \
        leader set "$leader" --force)" 1
    expect "a command without force" "$(status_of force_not "$leader")" 1
    expect "still nobody" "$(leader_of "$leader")" none
    wait_until "it can be forced" force "$leader" 127.0.0.1 "$leader" >/dev/null
    expect "the leader" "$(leader_of "$leader")" "$leader"
    expect "why" "$(leader_cause "$leader")" force
    answer "$leader"
    pod_start_alone "${all[0]}" --peers "$(IFS=,; echo "${all[*]:0:3}")" --app echo
    wait_until "one that returns follows it" agree "$leader" "$leader" "${all[0]}"
    ledger_closes "$leader" "${all[0]}"
}

force_not()
{
    ip netns exec "$(net_place "$1")" "$headlessctl" --data 127.0.0.1 leader set "$1"
}

status_of()
{
    local status=0
    "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}

run "2 | 3, the leader on the side of two" two_against_three
run_long "3 | 2, the leader on the side of three" three_with_the_leader
run "2 | 2: no side leads" two_against_two
run "1 | 2: the two lead" one_against_two
run "a leader whose messages are lost is deposed" leader_is_not_heard
run_timed "one follower without the leader's messages does not depose it" one_follower_without_leader
run_timed "20 % loss changes nothing" loss_of_20_percent
run_long "50 % loss makes no two leaders" loss_of_50_percent
run_long "a follower returns after a long isolation" returns_from_long_isolation "${all[4]}"
run "a leader returns after a long isolation" returns_from_long_isolation "${all[0]}"
run "duplicated and reordered packets change nothing" doubled_and_shuffled
run_long "an election with duplicated and reordered packets" elected_while_shuffled
run_timed "in a chain of pods the leader stays" chain
run_timed "a flood from outside does not change the leader" flood_from_outside
run "one of three leads by a forced command" forced_without_majority
finish
