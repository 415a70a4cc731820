#!/usr/bin/env bash
# An app on another host that a pod cannot reach: no route, a firewall of its own, a host that is off. It is logged with
# its reason, and the lead goes to a pod that reaches the app.
#
#   tests/cluster/test_unreachable.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

net_possible || {
    skip "apps that cannot be reached" "needs root and network namespaces"
    finish
    exit
}
net_make 3
pods=("${net_pods[@]}")
a=${pods[0]} # leads
router=10.77.0.50
nobody=10.77.0.51
net_add "$router"
at_exit+=("ip netns del $(net_place "$router")")
net_in "$router" ip address add 203.0.113.5/32 dev lo
app=203.0.113.5:5353
asked=0

# start: three pods with one app, which the first cannot reach yet: it has no route.
start()
{
    local pod
    app_start app ip netns exec "$(net_place "$router")" "$tools/udp_app" "$app" echo
    for pod in "${pods[@]:1}"; do
        net_in "$pod" ip route replace 203.0.113.5 via "$router"
    done
    pods_start "${pods[@]}" -- --leader "$a" --app "udp://$app" --app-fail 10s
}

says()
{
    grep -q "$2" "$work/$1.log"
}

# is_served: one request; counts it.
is_served()
{
    asked=$((asked + 1))
    [[ $(ask -t 500 "$a" hello) == hello ]]
}

# lead_leaves REASON: clients are served by another pod, and the log of the first one says why.
lead_leaves()
{
    wait_until "clients are served" is_served
    wait_until "another pod leads" agree_without "$a" "${pods[@]}"
    wait_until "the log has the reason" says "$a" "app_unreachable: the app at $app .*: $1"
    expect "app_up" "$(metric "$a" app_up)" 0
    expect_lines "$a" 60 ' app_unreachable: '
}

comes_back()
{
    net_in "$a" nft delete table inet faults 2>/dev/null || true
    net_in "$a" ip route replace 203.0.113.5 via "$router"
    metric_becomes "$a" app_up 1
    lead "$a" "$a"
    wait_until "clients are served" is_served
    expect "the first pod leads" "$(leader_of "$a")" "$a"
    ledger_closes "${pods[@]}"
}

# No request opens a session, and each is dropped once, at most.
no_route()
{
    local asked=0
    start
    lead_leaves "Network is unreachable"
    expect_between "dropped" "$(dropped "$a" app_unreachable)" 1 "$asked"
    expect "session_cap" "$(dropped "$a" session_cap)" 0
    comes_back
}

# The sessions have their sockets when the firewall begins to deny.
firewall()
{
    net_in "$a" ip route replace 203.0.113.5 via "$router"
    start
    wait_until "clients are served" is_served
    net_rule "$a" output ip daddr 203.0.113.5 drop
    lead_leaves "Operation not permitted"
    comes_back
}

# Its neighbour does not answer ARP: the kernel reports it only in the error queue.
host_is_off()
{
    net_in "$a" ip route replace 203.0.113.5 via "$nobody"
    start
    lead_leaves "No route to host"
    comes_back
}

run "a pod without a route to the app gives up the lead" no_route
run "a pod whose firewall denies the app gives up the lead" firewall
run_long "a pod gives up the lead when the app's host is off" host_is_off
finish
