#!/usr/bin/env bash
# A killed leader is found by evidence, also by the pods that have none themselves. Five pods in network namespaces.
#
#   tests/cluster/test_evidence.sh BUILD_DIR
#
# With heartbeats of 2 s, so that a pod that learns of the death from late heartbeats says so: "by silence".
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

net_possible || {
    skip "evidence in namespaces" "needs root and network namespaces"
    finish
    exit
}
net_make 5
all=("${net_pods[@]}")
first=${all[0]}
followers=("${all[@]:1}")
last=${all[4]}
pod_environment+=(HEADLESSD_HEARTBEAT_INTERVAL=2s HEADLESSD_HEARTBEAT_MISSES=2 HEADLESSD_LOG_LEVEL=debug)

start_five()
{
    pods_start "${all[@]}" -- --leader "$first" --app echo --hold-time 60s
}

# The next one in the list leads, and nobody waited for a heartbeat.
found_by_evidence()
{
    local address
    wait_until "the next one leads" agree "${all[1]}" "${followers[@]}"
    expect "its cause" "$(leader_cause "${all[1]}")" evidence
    for address in "${followers[@]}"; do
        expect "pod $address noticed a late heartbeat" \
            "$(grep -c 'suspect, by silence' "$work/$address.log" || true)" 0
    done
}

is_answered()
{
    [[ $(ask "$1" x) == x ]]
}

# A relayed datagram is refused, and the next one to the same pod reports it.
says_that_it_was_refused()
{
    ask -n "$1" x >/dev/null
    (($(total evidence_told_total "$1") > 0))
}

no_connections()
{
    local address
    for address in "${all[@]}"; do
        net_rule "$address" input tcp dport 12002 drop
    done
}

are_connected()
{
    [[ $(total peer_connections "${followers[@]}") == 4 && $(metric "$first" peer_connections) == 4 ]]
}

# evidence_at ADDRESS OF: prints what /status of a pod says of this member.
evidence_at()
{
    http "$1:8080/status" | jq -r ".members[] | select(.address == \"$2\") | .evidence"
}

# Only the last follower, which the client uses, is refused; the first in line gets no datagram.
client_at_the_last_follower()
{
    no_connections
    start_five
    expect "the evidence" "$(evidence_at "$last" "$first")" refusal
    wait_until "the client is answered" is_answered "$last"
    pod_kill "$first"
    wait_until "the last one is refused" says_that_it_was_refused "$last"
    found_by_evidence
    expect "the first in line was told" "$(($(total 'evidence_hints_total{source="member"}' "${all[1]}") > 0))" 1
    wait_until "the client is answered again" is_answered "$last"
    net_heal
}

# kernel_hints ADDRESS...
kernel_hints()
{
    total 'evidence_hints_total{source="connection"}' "$@"
}

# Nothing is sent but heartbeats: the kernel closes the connections to the dead process.
idle()
{
    local before
    expect "the evidence" "$(evidence_at "$last" "$first")" connection
    expect "the evidence at the leader" "$(evidence_at "$first" "$last")" connection
    expect_match "headlessctl status" "$("${pod_wrapper[@]}" "$headlessctl" --admin "$first:8080" status)" \
        'evidence   4 by connection'
    before=$(kernel_hints "${followers[@]}")
    pod_kill "$first"
    found_by_evidence
    expect "followers were told by their kernel" "$(($(kernel_hints "${followers[@]}") > before))" 1
}

# The dead process's host sends no ICMP error: new connections are refused.
idle_and_mute()
{
    start_five
    wait_until "each follower has a connection to the leader" are_connected
    net_no_icmp "$first"
    pod_kill "$first"
    found_by_evidence
    net_heal
}

# A third party closes all connections: the leader leads on, and the connections are open again.
reset_connections()
{
    start_five
    wait_until "each follower has a connection to the leader" are_connected
    net_in "$first" ss --kill state established sport = :12002 >/dev/null
    wait_until "the followers probe" were_told_by_the_kernel
    wait_until "each follower has a connection again" are_connected
    expect "the leader" "$(leader_of "$last")" "$first"
    expect "elections" "$(metric "$last" 'leader_changes_total{cause="evidence"}')" 0
}

were_told_by_the_kernel()
{
    (($(kernel_hints "${followers[@]}") >= 4))
}

# Of a host that is no pod: closed at once, and counted.
strangers()
{
    local i
    for i in 1 2 3; do
        "${pod_wrapper[@]}" bash -c "exec 3<>/dev/tcp/$first/12002; ! read -r -t 30 <&3" 2>/dev/null ||
            fail "connection $i was not closed"
    done
    metric_becomes "$first" 'peer_connections_refused_total{reason="stranger"}' 3
    wait_until "the members have theirs" are_connected
}

are_connected_to_the_next()
{
    [[ $(metric "${all[1]}" peer_connections) == 3 ]]
}

has_successor()
{
    agree any "${all[@]:2}" && [[ $agreed != "${all[1]}" ]]
}

stopped()
{
    local before
    wait_until "each follower has a connection to the next leader" are_connected_to_the_next
    before=$(kernel_hints "${all[@]:2}")
    pod_stop "${all[1]}"
    wait_until "one of the others leads" has_successor
    expect "its cause" "$(leader_cause "$last")" resign
    expect "hints" "$(($(kernel_hints "${all[@]:2}") > before))" 0
}

# One start of five pods for four cases.
whole_life()
{
    reset_connections
    strangers
    idle
    stopped
}

run "SIGKILL, client at the last follower, no connections" client_at_the_last_follower
run "connections reset by a third party, strangers, SIGKILL, idle, and SIGTERM" whole_life
run "SIGKILL, idle, no ICMP" idle_and_mute
finish
