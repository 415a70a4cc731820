#!/usr/bin/env bash
# Pods whose addresses are IPv6 link-local (fe80::N), which need a zone: three hosts on one bridge. Messages between
# pods carry no zone, so a leader change needs that of the receiver's own interface.
#
#   tests/cluster/test_link_local.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

net_possible || {
    skip "pods with link-local addresses" "needs root and network namespaces"
    finish
    exit
}
net_make 3
for address in "${net_pods[@]}" "$net_client"; do
    net_in "$address" ip addr add "fe80::${address##*.}/64" dev eth0 nodad
done
all=("${net_pods[@]}")
a=${all[0]} b=${all[1]} c=${all[2]}

# start PEERS OPTION...: the three pods, with their admin ports at 10.77.0.N.
start()
{
    local address list=$1
    shift
    for address in "${all[@]}"; do
        ip netns exec "$(net_place "$address")" env -i "${pod_environment[@]}" "$headlessd" --self "fe80::${address##*.}%eth0" \
            --peers "$list" --leader fe80::1 --admin-listen "$address:8080" "$@" >"$work/$address.log" 2>&1 &
        pod_pids[$address]=$!
    done
    for address in "${all[@]}"; do
        pod_wait "$address"
        wait_until "pod $address has a leader, and is settled" is_settled "$address"
    done
}

leads()
{
    [[ $(metric "$1" is_leader) == 1 ]]
}

serves()
{
    local address
    for address in "$@"; do
        expect "reply through $address" "$(ask "$address" "hello")" hello
        expect "reply to a link-local client of $address" \
            "$(ask "[fe80::${address##*.}%eth0]" "hello")" hello
    done
}

# The first leader has the lowest address, and so on.
leader_is_stopped_and_killed()
{
    start "a=fe80::1%eth0,b=fe80::2%eth0,c=fe80::3%eth0"
    wait_until "the first leads" leads "$a"
    serves "${all[@]}"
    pod_stop "$a"
    wait_until "the second leads" leads "$b"
    serves "$b" "$c"
    expect "a command" "$(ask "$b" '{"leader":"fe80::3%eth9"}')" "ok 3"
    wait_until "the third leads" leads "$c"
    serves "$b" "$c"
    expect "a command by name" "$(ask "$b" '{"leader":"b"}')" "ok 4"
    serves "$b" "$c"
    ledger_closes "$b" "$c"
    pods_stop
}

# A stream from a link-local client through all three, also to the pod that stops, until its host sends port unreachable.
stream_survives_the_stop()
{
    start "a=fe80::1%eth0,b=fe80::2%eth0,c=fe80::3%eth0" --drain-time 5s
    wait_until "the first leads" leads "$a"
    stream_start 500 600000 "[fe80::1%eth0]" "[fe80::2%eth0]" "[fe80::3%eth0]"
    wait_until "traffic flows" delivers_more 500 "$a"
    pod_stop "$a"
    wait_until "the second leads" leads "$b"
    wait_until "it is given requests" delivers_more 1000 "$b"
    stream_end
    echo "> sent $sent, answered $answered, $gap_ms ms between two replies at most"
    expect "lost" "$lost" 0
    expect "out of order" "$disordered" 0
    ledger_closes "$b" "$c"
    pods_stop
}

# Copies, entries of the common log and handshakes name members, too.
other_routes()
{
    mkdir -m 700 "$work/keys"
    "$headlessctl" key new "$work/keys/1" >"$work/key.out"
    start "fe80::1,fe80::2,fe80::3" --route ordered --keys "$work/keys"
    serves "${all[@]}"
    pod_stop "$a"
    wait_until "another leads" leads "$b"
    serves "$b" "$c"
    pods_stop
}

run "the leader among link-local pods is stopped, and moved by a command" leader_is_stopped_and_killed
run "a stream among link-local pods loses nothing when the leader is stopped" stream_survives_the_stop
run "route ordered and keys among link-local pods" other_routes
finish
