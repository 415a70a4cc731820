#!/usr/bin/env bash
# A leader or an app that leads back to a pod: refused where the address is one of its own, and otherwise one datagram
# makes few passes.
#
#   tests/cluster/test_loops.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

net_possible || {
    skip "circles of datagrams" "needs root and network namespaces"
    finish
    exit
}
net_make 3
pods=("${net_pods[@]}")
a=${pods[0]}
b=${pods[1]}
second=10.77.0.201 # another address of the first pod
net_in "$a" ip address add "$second/24" dev eth0
router=10.77.0.50
net_add "$router"
at_exit+=("ip netns del $(net_place "$router")")
service=203.0.113.5
passes=5 # receptions of a datagram: the first, and four passes

# checked OPTION...: what --check-config of the first pod prints.
checked()
{
    net_in "$a" env -i "$headlessd" --check-config --self "$a" "$@" 2>&1 || true
}

own_addresses()
{
    local refused="is a port of this pod itself, datagrams would go in circles"
    expect_match "leader" "$(checked --relay-format raw --leader "$second:12000")" "$refused"
    expect_match "leader without a port" "$(checked --relay-format raw --leader "$second")" "$refused"
    expect_match "app" "$(checked --app "udp://$second:12000")" "$refused"
    expect_match "app at the relay port" "$(checked --app "udp://$second:12001")" "$refused"
    expect_match "app at loopback" "$(checked --app "udp://127.5.5.5:12000")" "$refused"
    expect "an app of its own port" "$(checked --app "udp://$second:5353")" ok
    expect "another pod" "$(checked --relay-format raw --leader "$b:12000")" ok
    net_in "$a" sysctl -q net.ipv4.ip_nonlocal_bind=1
    expect "another pod, where any address can be bound" "$(checked --relay-format raw --leader "$b:12000")" ok
    net_in "$a" sysctl -q net.ipv4.ip_nonlocal_bind=0
}

# A reload sees the addresses of that moment.
own_address_at_a_reload()
{
    local file=$work/reload.yaml
    replace_file "$file" "relay.format: raw" "leader: $b:9100"
    pod_launch "$a" -c "$file"
    pod_wait "$a"
    replace_file "$file" "relay.format: raw" "leader: 10.77.0.202:12000"
    wait_until "the leader changes" grep -q "option_reloaded: leader" "$work/$a.log"
    net_in "$a" ip address add 10.77.0.202/24 dev eth0
    replace_file "$file" "relay.format: raw" "leader: 10.77.0.202:12000" "hold.time: 2s"
    wait_until "the reload is refused" grep -q "config_error: .*10.77.0.202:12000.* would go in circles" "$work/$a.log"
    net_in "$a" ip address del 10.77.0.202/24 dev eth0
}

# circle_ends POD...: one datagram, sent to the first pod, ends after a few passes.
circle_ends()
{
    "${pod_wrapper[@]}" "$tools/udp_ask" -n "$1:12000" hello
    wait_until "it ends" is_total 1 'datagrams_dropped_total{reason="ttl"}' "$@"
    expect "receptions" "$(total 'datagrams_received_total{socket="data"}' "$@")" "$passes"
    wait_until "it is logged" grep -q " forwarding_loop: " "$work"/*.log
    expect "lines of the log" "$(cat "$work"/*.log | grep -c " forwarding_loop: ")" 1
    ledger_closes "$@"
}

# is_total NUMBER METRIC POD...
is_total()
{
    [[ $(total "${@:2}") == "$1" ]]
}

# two ADDRESS ADDRESS OPTION...: two pods, alone; the first gets the option with the second's address, and vice versa.
two()
{
    local first=$1 second=$2
    shift 2
    pod_launch "$first" "${@//OTHER/$second:12000}"
    pod_launch "$second" "${@//OTHER/$first:12000}"
    pod_wait "$first"
    pod_wait "$second"
}

raw()
{
    two "$a" "$b" --relay-format "$1" --leader OTHER
    circle_ends "$a" "$b"
}

app_of_each_other()
{
    two "$a" "$b" --app udp://OTHER
    wait_until "both lead" is_total 2 is_leader "$a" "$b"
    circle_ends "$a" "$b"
}

on_loopback()
{
    local pod_wrapper=()
    two 127.0.49.11 127.0.49.12 --app udp://OTHER
    wait_until "both lead" is_total 2 is_leader 127.0.49.11 127.0.49.12
    circle_ends 127.0.49.11 127.0.49.12
}

# The router's address of the Service leads to any pod, with the router's own address as the source.
service()
{
    local pod
    net_in "$router" sysctl -q net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0
    net_in "$router" nft -f - <<RULES
table ip service {
    chain prerouting {
        type nat hook prerouting priority -100;
        ip daddr $service udp dport 53 dnat to numgen inc mod 3 map { 0: 10.77.0.1, 1: 10.77.0.2, 2: 10.77.0.3 }:12000
    }
    chain postrouting {
        type nat hook postrouting priority 100;
        masquerade
    }
}
RULES
    for pod in "${pods[@]}"; do
        net_in "$pod" ip route replace "$service" via "$router"
    done
    pods_start "${pods[@]}" -- --app "udp://$service:53" "$@"
    circle_ends "${pods[@]}"
    net_in "$router" nft delete table ip service
}

run "an address of this machine with a port of this pod is refused" own_addresses
run "and at a reload, after it became one" own_address_at_a_reload
run "raw: a circle of two leaders outside ends" raw raw
run "proxy-v2: a circle of two leaders outside ends" raw proxy-v2
run "a circle of two apps ends" app_of_each_other
run "a circle of two apps on loopback ends" on_loopback
run "a circle through a Service, NAT and followers ends" service
finish
