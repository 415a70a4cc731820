#!/usr/bin/env bash
# The TOS byte (IPv4) or traffic class (IPv6), both ways: from the client to the app, and from the app to the client.
#
#   tests/cluster/test_tos.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

a=127.0.47.11 # leads
b=127.0.47.12
c=127.0.47.13
pods=("$a" "$b" "$c")

# reply_is ADDRESS TOS TEXT: the client sends with this TOS byte, and gets this reply.
reply_is()
{
    [[ $(ask -t 2000 -o "$2" "$1" hi) == "$3" ]]
}

# both_ways ADDRESS: 0xb9 is DSCP EF with ECT(1), 0x2e, from the app, DSCP 11 with ECT(0), and 0x03 the ECN bits CE
# alone. Until the version of every member is known, TOS bytes are 0.
both_ways()
{
    wait_until "carried both ways through $1" reply_is "$1" 0xb9 "2e tos b9 hi"
    expect "no TOS byte of the client, through $1" "$(ask -o 0 "$1" hi)" "2e tos 00 hi"
    expect "another one, through $1" "$(ask -o 0x03 "$1" hi)" "2e tos 03 hi"
}

# pods_with_apps OPTION...: each pod has an app, which writes its replies to a directory.
pods_with_apps()
{
    local pod app
    for pod in "${pods[@]}"; do
        app=127.0.47.$((100 + ${pod##*.})):5300
        rm -rf "${work:?}/replies-$pod"
        mkdir "$work/replies-$pod"
        app_start "app-$pod" "$tools/udp_app" "$app" tos "$work/replies-$pod"
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --app "udp://$app" "$@"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
}

to_the_leaders_app()
{
    local pod
    pods_with_apps "$@"
    for pod in "${pods[@]}"; do
        both_ways "$pod"
    done
    ledger_closes "${pods[@]}"
    expect "malformed" "$(total 'datagrams_dropped_total{reason="malformed"}' "${pods[@]}")" 0
    pods_stop # before their apps: a pod whose app is down takes longer
}

to_every_app()
{
    local pod
    pods_with_apps "$@"
    both_ways "$b"
    for pod in "${pods[@]}"; do
        wait_until "the app of $pod gets the TOS byte" grep -q -r "tos 03 hi" "$work/replies-$pod"
    done
    ledger_closes "${pods[@]}"
    pods_stop
}

# The client's datagram leaves for a leader outside the cluster with its TOS byte.
outside()
{
    mkdir -p "$work/seen"
    app_start sink "$tools/udp_app" "$c:9100" tos "$work/seen"
    pod_launch "$a" --relay-format "$1" --leader "$c:9100"
    pod_wait "$a"
    ask -n -o 0xb9 "$a" hi
    wait_until "relayed with its TOS byte" grep -q -r "^tos b9 " "$work/seen"
    rm -rf "$work/seen"
}

# Dual-stack sockets: of one socket, IPv4 datagrams report IP_TOS, and IPv6 datagrams IPV6_TCLASS. The app is on IPv6: each
# session has a connected socket.
both_families()
{
    local pod asked
    app_start app ip netns exec "$(net_place 10.77.0.1)" "$tools/udp_app" "$1" tos
    for pod in 10.77.0.1 10.77.0.2; do
        pod_launch "$pod" --bind 0.0.0.0 --peers 10.77.0.1,10.77.0.2 --leader 10.77.0.1 --app "udp://$1"
    done
    for pod in 10.77.0.1 10.77.0.2; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree 10.77.0.1 10.77.0.1 10.77.0.2
    for asked in 10.77.0.1 10.77.0.2 "[fd77::1]" "[fd77::2]"; do
        both_ways "$asked"
    done
    ledger_closes 10.77.0.1 10.77.0.2
    pods_stop
}

run "leader and followers carry the TOS byte both ways" to_the_leaders_app
run "the same without rings" to_the_leaders_app --workers 0
run "route all: every app gets the TOS byte" to_every_app --route all
run "route ordered: every app gets the TOS byte" to_every_app --route ordered
run "raw relaying keeps the TOS byte" outside raw
run "relaying with PROXY v2 keeps the TOS byte" outside proxy-v2
if net_possible; then
    net_make 2
    net_make_multicast
    run "IPv4 and IPv6 clients, an IPv6 app" both_families "[::1]:5300"
    run "IPv4 and IPv6 clients, an IPv4 app" both_families 127.0.0.1:5300
else
    skip "IPv4 and IPv6 clients" "no network namespaces"
fi

finish
