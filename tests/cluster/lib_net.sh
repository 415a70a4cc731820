# Pods in network namespaces, on one bridge, with faults between them. Sourced after lib.sh.
#
#   net_make N           pods 10.77.0.1 to 10.77.0.N and a client at 10.77.0.100, which sends
#                        the requests
#   net_make_multicast   also IPv6 addresses, fd77::N, and a bridge that forwards a group only to
#                        links that have joined it
#   net_guest ADDRESS    a host on the bridge that is no pod; counts the bytes that pods send to it
#   net_heard ADDRESS    the IPv4 bytes sent to a guest so far
#   net_members GROUP    number of links that the bridge forwards the group to
#   net_cut A B          drops all packets between two pods
#   net_cut_from A B     drops all packets from A to B
#   net_alone A          drops all packets between A and the other pods; clients reach it
#   net_mute A           the host of A sends no ICMP port unreachable, and nothing on the connections of other pods
#   net_no_icmp A        the host of A sends no ICMP port unreachable
#   net_loss PERCENT     loss between pods, in each direction
#   net_shuffle PERCENT  percentage of packets between pods that are duplicated, and delayed
#   net_unplug A         sets the link of A down; net_plug A: up
#   net_heal             removes all faults
#
# All by nftables in the receiver's namespace. Needs root: see net_possible.
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh sets them, and uses what is set here

net_id=hd$$
net_pods=()
net_guests=()
net_client=10.77.0.100

net_possible()
{
    ((EUID == 0)) && ip netns add "$net_id-t" 2>/dev/null && ip netns del "$net_id-t"
}

# net_place ADDRESS: prints its namespace.
net_place()
{
    echo "$net_id-${1##*.}"
}

net_in()
{
    local address=$1
    shift
    ip netns exec "$(net_place "$address")" "$@"
}

net_add()
{
    local address=$1 place
    place=$(net_place "$address")
    ip netns add "$place"
    ip link add "p${1##*.}" netns "$net_id-sw" type veth peer name eth0 netns "$place"
    ip -n "$net_id-sw" link set "p${1##*.}" master br0 up
    ip -n "$place" link set lo up
    ip -n "$place" link set eth0 up
    ip -n "$place" addr add "$address/24" dev eth0
}

net_make()
{
    local i
    ip netns add "$net_id-sw"
    at_exit+=(net_unmake)
    ip -n "$net_id-sw" link add br0 type bridge
    ip -n "$net_id-sw" link set br0 up
    net_add "$net_client"
    for ((i = 1; i <= $1; i++)); do
        net_pods+=("10.77.0.$i")
        net_add "10.77.0.$i"
        pod_places[10.77.0.$i]="ip netns exec $net_id-$i"
    done
    pod_wrapper=(ip netns exec "$(net_place "$net_client")")
}

net_guest()
{
    net_guests+=("$1")
    net_add "$1"
    net_in "$1" nft -f - <<'RULES'
table inet watch {
    counter heard { }
    chain prerouting { type filter hook prerouting priority -300; }
}
add rule inet watch prerouting iifname eth0 meta pkttype host meta nfproto ipv4 counter name heard
RULES
}

net_heard()
{
    net_in "$1" nft list counter inet watch heard | sed -n -E 's/.*bytes ([0-9]+).*/\1/p'
}

# Like a switch with a querier: here the bridge itself sends the membership queries. Until the first reply
# it forwards to all links.
net_make_multicast()
{
    local address also
    ip -n "$net_id-sw" link set br0 type bridge mcast_snooping 1 mcast_query_response_interval 100 \
        mcast_igmp_version 3 mcast_mld_version 2 mcast_querier 1
    for address in "${net_pods[@]}" "$net_client"; do
        also="fd77::${address##*.}"
        net_in "$address" ip addr add "$also/64" dev eth0 nodad
        pod_places["[$also]"]="ip netns exec $(net_place "$address")"
    done
}

net_members()
{
    bridge -n "$net_id-sw" mdb show dev br0 | grep -c " port p[0-9]* grp $1 "
}

net_unmake()
{
    local address
    for address in "${net_pods[@]}" "${net_guests[@]}" "$net_client"; do
        ip netns del "$(net_place "$address")" || true
    done
    ip netns del "$net_id-sw" || true
}

# net_rule ADDRESS CHAIN RULE...: adds a rule in that pod's namespace.
net_rule()
{
    local address=$1 chain=$2
    shift 2
    net_in "$address" nft -f - <<RULES
table inet faults {
    chain input { type filter hook input priority 0; }
    chain output { type filter hook output priority 0; }
}
add rule inet faults $chain $*
RULES
}

net_cut_from()
{
    net_rule "$2" input ip saddr "$1" drop
}

net_cut()
{
    net_cut_from "$1" "$2"
    net_cut_from "$2" "$1"
}

net_alone()
{
    local other
    for other in "${net_pods[@]}"; do
        [[ $other == "$1" ]] || net_cut "$1" "$other"
    done
}

net_no_icmp()
{
    net_rule "$1" output icmp type destination-unreachable drop
}

net_mute()
{
    net_no_icmp "$1"
    net_rule "$1" output tcp sport 12002 drop
}

# Their counts are in $work/shuffle-ADDRESS.out when they have ended.
net_shuffle()
{
    local address
    for address in "${net_pods[@]}"; do
        app_start "shuffle-$address" ip netns exec "$(net_place "$address")" \
            "$tools/packet_shuffler" 7 "$1" "$1"
        net_in "$address" iptables -A OUTPUT "!" -d "$net_client" -m mark "!" --mark 1 \
            -p udp -j NFQUEUE --queue-num 7
    done
}

net_unshuffle()
{
    local address
    for address in "${net_pods[@]}"; do
        net_in "$address" iptables -F OUTPUT
        app_stop "shuffle-$address"
    done
}

net_loss()
{
    local address
    for address in "${net_pods[@]}"; do
        # A GSO batch counts as one packet unless the sender splits it.
        net_in "$address" ethtool -K eth0 tx-udp-segmentation off >/dev/null 2>&1 || true
        net_rule "$address" input iifname eth0 ip saddr "!=" "$net_client" numgen random mod 100 "<" "$1" drop
    done
}

net_unplug()
{
    ip -n "$net_id-sw" link set "p${1##*.}" down
}

net_plug()
{
    ip -n "$net_id-sw" link set "p${1##*.}" up
}

net_heal()
{
    local address
    for address in "${net_pods[@]}"; do
        net_in "$address" nft delete table inet faults 2>/dev/null || true
        net_plug "$address"
    done
}
