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

# Only the last follower, which the client uses, is refused; the first in line gets no datagram.
client_at_the_last_follower()
{
    start_five
    wait_until "the client is answered" is_answered "$last"
    pod_kill "$first"
    wait_until "the last one is refused" says_that_it_was_refused "$last"
    found_by_evidence
    expect "the first in line was told" "$(($(total 'evidence_hints_total{source="member"}' "${all[1]}") > 0))" 1
    wait_until "the client is answered again" is_answered "$last"
}

run "SIGKILL, client at the last follower" client_at_the_last_follower
finish
