#!/usr/bin/env bash
# Between pods no datagram makes IP fragments, whatever its size: with MTUs of 1,500 and 1,280, IPv4 and IPv6, sealed and
# not, through the leader and a follower, both ways. The client is in the pod's own network, where nothing is fragmented.
#
#   tests/cluster/test_fragments.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

a=10.77.0.1 # leads
b=10.77.0.2
# Around what fits into a frame of each MTU, and UDP's maximum.
sizes=(0 1 100 1140 1176 1200 1224 1232 1280 1296 1372 1400 1472 1500 2048 2700 9000 30000 65000 65443)
largest=65507

# fragments ADDRESS: IP fragments that this pod's network made.
fragments()
{
    # shellcheck disable=SC2016 # these are awk's
    net_in "$1" awk '/^Ip: [0-9]/ { sum += $20 } /^Ip6FragCreates/ { sum += $2 } END { print sum + 0 }' \
        /proc/net/snmp /proc/net/snmp6
}

# from_inside POD ADDRESS SIZE: a client in the pod's network sends to it; prints the exit code of udp_ask.
from_inside()
{
    local status=0
    net_in "$1" "$tools/udp_ask" -t 3000 -z "$3" -e "$2:12000" >/dev/null 2>&1 || status=$?
    echo "$status"
}

# echoed POD ADDRESS SIZE...
echoed()
{
    local pod=$1 address=$2 size
    shift 2
    for size in "$@"; do
        expect "$size bytes through $address" "$(from_inside "$pod" "$address" "$size")" 0
    done
}

mtu_is()
{
    local pod
    for pod in "$a" "$b"; do
        net_in "$pod" ip link set eth0 mtu "$1"
        ip -n "$net_id-sw" link set "p${pod##*.}" mtu "$1"
    done
}

# start LEADER FOLLOWER OPTION...: IPv6 addresses are in brackets.
start()
{
    local pod options=(--peers "${1//[][]/},${2//[][]/}" --leader "${1//[][]/}" --app echo "${@:3}")
    pod_launch "$1" "${options[@]}"
    pod_launch "$2" "${options[@]}"
    for pod in "$1" "$2"; do
        pod_wait "$pod"
        wait_until "$pod follows the configured leader" agree "${1//[][]/}" "$pod"
        wait_until "records are split at $pod" metric_is "$pod" records_split 1
    done
}

# no_fragments MTU LEADER FOLLOWER OPTION...: addresses as pods have them.
no_fragments()
{
    local mtu=$1 leader=$2 follower=$3
    shift 3
    mtu_is "$mtu"
    local before_a before_b
    before_a=$(fragments "$a") before_b=$(fragments "$b")
    start "$leader" "$follower" --relay-mtu 9000 "$@"
    echoed "$b" "$follower" "${sizes[@]}" "$largest"
    echoed "$a" "$leader" 0 1400 "$largest"
    expect "IP fragments of the leader, MTU $mtu" "$(($(fragments "$a") - before_a))" 0
    expect "IP fragments of the follower, MTU $mtu" "$(($(fragments "$b") - before_b))" 0
    expect "delivered" "$(metric "$leader" datagrams_delivered_total)" $((${#sizes[@]} + 4))
    expect "not put together" "$(total 'datagrams_dropped_total{reason="incomplete"}' "$leader" "$follower")" 0
    together_closes "$leader" "$follower"
    pods_stop
}

with_keys()
{
    mkdir -p "$work/keys"
    head -c 32 /dev/urandom | base64 >"$work/keys/one"
    no_fragments 1500 "$a" "$b" --keys "$work/keys"
    no_fragments 1280 "$a" "$b" --keys "$work/keys" --workers 0
}

without_keys()
{
    local before
    before=$(fragments "$b")
    net_in "$b" "$tools/udp_ask" -z 9000 -n "$a:9" || true
    expect "a large datagram is counted" "$(($(fragments "$b") > before))" 1
    no_fragments 1500 "$a" "$b"
    no_fragments 1280 "$a" "$b" --workers 0
    no_fragments 9000 "$a" "$b" # larger than a slot
}

ipv6()
{
    largest=65488 # the loopback device's MTU is 65,536: the client's own datagrams are not to be fragmented
    no_fragments 1500 "[fd77::1]" "[fd77::2]"
    no_fragments 1280 "[fd77::1]" "[fd77::2]" --keys "$work/keys"
}

# sends_whole SIZE: one datagram of it comes back without an IP fragment.
sends_whole()
{
    local before
    before=$(fragments "$a")$(fragments "$b")
    [[ $(from_inside "$b" "$b" "$1") == 0 && $(fragments "$a")$(fragments "$b") == "$before" ]]
}

# The path becomes narrower while the pods run, and wider again.
mtu_changes()
{
    mtu_is 1500
    start "$a" "$b" --relay-mtu 1500
    expect "without IP fragments at first" "$(sends_whole 9000; echo $?)" 0
    mtu_is 1300
    expect "with a smaller MTU, 9000 bytes" "$(from_inside "$b" "$b" 9000)" 0
    wait_until "without IP fragments with a smaller MTU" sends_whole 9000
    mtu_is 1500
    expect "65507 bytes" "$(from_inside "$b" "$b" 65507)" 0
    together_closes "$a" "$b"
    pods_stop
}

# copies ROUTE OPTION...: each app gets each datagram, in frames as small as the narrowest link needs.
copies()
{
    local route=$1
    shift
    mtu_is 1500
    net_in "$b" ip link set eth0 mtu 1280
    net_in "$a" ip route add "$b" dev eth0 mtu 1280
    local before
    before=$(fragments "$a")$(fragments "$b")
    start "$a" "$b" --route "$route" "$@"
    echoed "$b" "$b" 0 1400 9000 65507
    echoed "$a" "$a" 0 1400 9000 65507
    metric_becomes "$a" datagrams_delivered_total 8
    metric_becomes "$b" datagrams_delivered_total 8
    expect "IP fragments" "$(fragments "$a")$(fragments "$b")" "$before"
    ledger_closes "$a" "$b"
    pods_stop
    net_in "$a" ip route del "$b" dev eth0 mtu 1280
}

if ! net_possible; then
    skip "needs root and network namespaces"
    finish
    exit
fi
net_make 2
net_make_multicast
run "no size makes IP fragments between pods" without_keys
run "no size makes IP fragments between pods with keys" with_keys
run "no size makes IP fragments over IPv6" ipv6
run "frames follow the MTU of a path that changes" mtu_changes
run "copies of any size make no IP fragments" copies all
run "entries of any size make no IP fragments" copies ordered
finish
