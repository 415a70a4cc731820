#!/usr/bin/env bash
# app.source client: the app sees each client's own address and port, through every pod; what it sends to others
# from its port leaves as before; nothing harmful is left behind.
#
#   tests/cluster/test_source.sh BUILD_DIR
#
# Open: nothing here depends on keys.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

net_possible || {
    skip "all of it" "network namespaces need root"
    finish
    exit
}
net_make 3
a=10.77.0.1 # leads
b=10.77.0.2
c=10.77.0.3
pods=("$a" "$b" "$c")
client=$net_client
for pod in "${pods[@]}" "$client"; do
    net_in "$pod" ip addr add "fd77::${pod##*.}/64" dev eth0 nodad
done
pod_places["[fd77::1]"]=${pod_places[$a]}
port=5300

# app_in POD ADDRESS MODE: an app at this address of the pod.
app_in()
{
    rm -f "$work/app-$1.log"
    app_start "app-$1" ip netns exec "$(net_place "$1")" "$tools/udp_app" "$2:$port" "$3"
}

# cluster BOUND TARGET MODE [OPTION...]: three pods, each with an app.
cluster()
{
    local bound=$1 target=$2 mode=$3 pod
    shift 3
    for pod in "${pods[@]}"; do
        app_in "$pod" "$bound" "$mode"
    done
    pods_start "${pods[@]}" -- --leader "$a" --app "udp://$target:$port" --app-source client "$@"
}

# one_pod BOUND TARGET MODE [OPTION...]
one_pod()
{
    app_in "$a" "$1" "$3"
    pods_start "$a" -- --app "udp://$2:$port" --app-source client "${@:4}"
}

# The last pods of a cluster that stops as a whole wait for replies of those that have ended: kill them.
end_cluster()
{
    local pod
    ((scenario_failures == 0)) || { show_logs && show_losses "${!pod_pids[@]}"; }
    pod_stop "$a"
    for pod in "${!pod_pids[@]}"; do
        pod_kill "$pod"
    done
}

# seen_as CLIENT POD: the leader's app sees the client as it is, and its reply comes from the pod.
seen_as()
{
    expect "$1 through $2" "$(ask -s "$1" "$2" hi)" "from $1 hi"
}

# from_pod SOURCE TO: a datagram of the pod a itself; prints its reply, for which it does not wait long.
from_pod()
{
    net_in "$a" "$tools/udp_ask" -t 1 -s "$1" "$2:12000" hi || true
}

# forged FROM: a datagram with this source to the pod a, over its loopback.
forged()
{
    net_in "$a" "$tools/raw_spoof" "$1" 127.0.0.1:12000 hi
}

# 5300 is the app's own port, 12000 the data port, 123 a privileged one.
ports_of_clients()
{
    local pod
    for pod in "${pods[@]}"; do
        for from in 4444 12000 12001 123 "$@"; do
            seen_as "$client:$from" "$pod"
        done
    done
}

# One session, and the replies go where its newest request came from.
one_client_through_two_pods()
{
    local opened
    opened=$(metric "$a" sessions_opened_total)
    seen_as "$client:5555" "$b"
    seen_as "$client:5555" "$c"
    seen_as "$client:5555" "$a"
    seen_as "$client:5555" "$b"
    expect "opened" "$(metric "$a" sessions_opened_total)" $((opened + 1))
    expect_match "listed" "$(http "$a:8080/sessions")" "\"client\":\"$client:5555\",[^}]*\"app_address\":\"$client\""
}

no_client_has_an_address_of_the_pod()
{
    local source n=0
    net_in "$a" ip addr add 10.77.0.50/32 dev lo # after the start
    for source in "$a:4444" 10.77.0.50:4444; do
        expect "$source" "$(from_pod "$source" "$a")" ""
        dropped_becomes "$a" source $((n += 1))
    done
    net_in "$a" ip addr del 10.77.0.50/32 dev lo
    for source in "$a:5" "127.0.0.1:$port" 127.1.2.3:53 10.77.0.255:4444 224.0.0.1:4444 0.0.0.0:4444; do
        forged "$source" && dropped_becomes "$a" source $((n += 1))
    done
    expect "other family" "$(ask -t 1 -s "[fd77::100]:4444" "[fd77::1]" hi)" ""
    dropped_becomes "$a" source $((n += 1))
    wait_until "logged" grep -q "source_refused" "$work/$a.log"
}

app_on_loopback()
{
    cluster 127.0.0.1 127.0.0.1 source
    ports_of_clients "$port"
    one_client_through_two_pods
    no_client_has_an_address_of_the_pod
    lead "$c" "$b"
    wait_until "all follow" agree "$c" "${pods[@]}"
    ports_of_clients
    app_stop "app-$c" # its refusals reach the sockets of the sessions
    ask -n "$b" hi
    wait_until "another leads" agree_without "$c" "${pods[@]}"
    ports_of_clients
    ledger_closes "${pods[@]}"
    end_cluster
}

# called BY...: the peer got a call from each of these addresses.
called()
{
    wait_until "all calls arrive" test -s "$work/called/$#"
    expect "calls" "$(for call in "$work/called"/*; do cat "$call" && echo; done | sort)" \
        "$(printf 'from %s called\n' "$@" | sort)"
    rm -r "$work/called"
}

# peer_listens: somebody who is no client.
peer_listens()
{
    mkdir -p "$work/called"
    app_start peer ip netns exec "$(net_place "$client")" "$tools/udp_app" "$client:7777" source "$work/called"
}

# A SIP server calls from its own port somebody who is no client.
app_on_wildcard()
{
    peer_listens
    cluster 0.0.0.0 127.0.0.1 call --route all
    ports_of_clients "$port"
    expect "request" "$(ask -s "$client:4444" "$b" "call $client:7777")" "from $client:4444 call $client:7777"
    called "${pods[@]/%/:$port}"
    lead "$c" "$b"
    wait_until "all follow" agree "$c" "${pods[@]}"
    ports_of_clients
    ledger_closes "${pods[@]}"
    end_cluster
}

is_refused()
{
    (($(metric "$1" app_refused_total) > 0))
}

app_at_the_pods_address()
{
    peer_listens
    one_pod "$1" "$a" call
    seen_as "$client:4444" "$a"
    expect "request" "$(ask -s "$client:4444" "$a" "call $client:7777")" "from $client:4444 call $client:7777"
    called "$a:$port"
    app_stop "app-$a"
    ask -n -s "$client:4444" "$a" hi
    wait_until "refused" is_refused "$a"
}

large_datagrams()
{
    local size
    one_pod 127.0.0.1 127.0.0.1 echo
    for size in 0 1 1472 65507; do
        expect "$size bytes" "$(ask_same "$size")" same
    done
    ledger_closes "$a"
}

ask_same()
{
    "${pod_wrapper[@]}" "$tools/udp_ask" -e -z "$1" "$a:12000" && echo same
}

tos_both_ways()
{
    one_pod 127.0.0.1 127.0.0.1 tos
    expect "IPv4" "$(ask -o 0xb9 "$a" hi)" "2e tos b9 hi"
    pod_stop "$a"
    app_stop "app-$a"
    app_in "$a" "[::1]" tos
    pod_launch "[fd77::1]" --app "udp://[::1]:$port" --app-source client
    pod_wait "[fd77::1]"
    wait_until "it leads" has_leader "[fd77::1]"
    expect "IPv6" "$(ask -o 0xb9 "[fd77::1]" hi)" "2e tos b9 hi"
}

members_of()
{
    net_in "$1" nft list map ip "headlessd_$port" clients | sed -n 's/.*elements = { \(.*\) }/\1/p'
}

set_is_empty()
{
    [[ -z $(members_of "$1") ]]
}

# A request opens a session, which has its member in the map for as long.
opens_a_session()
{
    [[ $(ask -s "$client:4444" "$a" hi) == "from $client:4444 hi" &&
        $(members_of "$a") =~ ^$client\ .\ 4444\ :\ [0-9]+$ ]]
}

sessions_end()
{
    one_pod 0.0.0.0 127.0.0.1 source --app-idle 1s
    wait_until "a session" opens_a_session
    metric_becomes "$a" sessions 0
    wait_until "no member" set_is_empty "$a"
    wait_until "a session again" opens_a_session
}

ipv6()
{
    local self="[fd77::1]"
    app_in "$a" "$1" source
    pod_launch "$self" --app "udp://$2:$port" --app-source client
    pod_wait "$self"
    wait_until "it leads" has_leader "$self"
    seen_as "[fd77::100]:4444" "$self"
    seen_as "[fd77::100]:12000" "$self"
    expect "own" "$(from_pod "[fd77::1]:5" "$self")" ""
    dropped_becomes "$self" source 1
    app_stop "app-$a"
    ask -n -s "[fd77::100]:4444" "$self" hi
    wait_until "refused" is_refused "$self"
    pod_kill "$self"
}

# is_refused_as_own SOURCE: a request with it from the pod itself gets no reply, and is counted.
is_refused_as_own()
{
    local before after
    before=$(dropped "$a" source)
    net_in "$a" "$tools/udp_ask" -n -s "$1:4444" "$a:12000" hi
    after=$(dropped "$a" source)
    ((after > before))
}

# address_moves_to_the_pod IDLE: an address of a client that has a session, open or at rest, becomes one of the pod.
address_moves_to_the_pod()
{
    local source=10.77.0.60
    one_pod 127.0.0.1 127.0.0.1 source --app-idle "$1"
    net_in "$client" ip addr add "$source/24" dev eth0
    seen_as "$source:4444" "$a"
    [[ $1 != 1s ]] || metric_becomes "$a" sessions 0
    net_in "$client" ip addr del "$source/24" dev eth0
    net_in "$a" ip addr add "$source/32" dev lo
    wait_until "a client with it is refused" is_refused_as_own "$source"
    expect "own" "$(from_pod "$source:4444" "$a")" ""
    metric_becomes "$a" sessions 0
    net_in "$a" ip addr del "$source/32" dev lo
}

# send_one_way PORT...: a request of each through the leader, for two seconds.
send_one_way()
{
    local from
    for _ in 1 2 3 4; do
        for from in "$@"; do
            ask -n -s "$client:$from" "$a" hi
        done
        sleep 0.5 # longer than app.idle in all, shorter between two requests
    done
}

# Each client had a session of another worker through another pod, unless both pods' sessions are of one worker.
clients_return_from_another_pod()
{
    local from ports=({5001..5012})
    cluster 0.0.0.0 127.0.0.1 source --app-idle 1s --workers 2
    for from in "${ports[@]}"; do
        ask -n -s "$client:$from" "$a" hi
        ask -n -s "$client:$from" "$b" hi
    done
    kill -STOP "${app_pids["app-$a"]}" # so no reply keeps the second session
    send_one_way "${ports[@]}"
    kill -CONT "${app_pids["app-$a"]}"
    for from in "${ports[@]}"; do
        seen_as "$client:$from" "$a"
    done
    end_cluster
}

# rules_of POD: prints the IPv4 rules and routes that app.source has made.
rules_of()
{
    { net_in "$1" ip -4 rule; net_in "$1" ip -4 route show table all; } | grep 'proto 104' || true
}

has_no_table()
{
    [[ -z $(net_in "$1" nft list tables) ]]
}

# A rule and a route stay, and do nothing; the table ends with the process.
leftovers()
{
    local after
    for _ in 1 2; do
        one_pod 0.0.0.0 127.0.0.1 source
        seen_as "$client:4444" "$a"
        expect "table" "$(net_in "$a" nft list tables)" "table ip headlessd_$port"
        after=$(rules_of "$a")
        expect "rules and routes: $after" "$(wc -l <<<"$after")" 4
        pod_kill "$a"
        wait_until "no table" has_no_table "$a"
        app_stop "app-$a"
    done
    # Without headlessd, datagrams to the address of a client leave, also from the app's port.
    app_start peer ip netns exec "$(net_place "$client")" "$tools/udp_app" "$client:4444" source
    expect "after the end" "$(net_in "$a" "$tools/udp_ask" -s "$a:$port" "$client:4444" hi)" "from $a:$port hi"
    one_pod 0.0.0.0 127.0.0.1 source
    pod_stop "$a"
    expect "rules and routes" "$(rules_of "$a")" "$after"
    wait_until "no table" has_no_table "$a"
}

# fails WORDS... -- OPTION...: the pod ends with status 1; prints its lines.
fails()
{
    local status=0 words=()
    while [[ $1 != -- ]]; do
        words+=("$1")
        shift
    done
    shift
    net_in "$a" env -i "${pod_environment[@]}" "${words[@]}" "$headlessd" --self "$a" --app "udp://127.0.0.1:$port" \
        --app-source client "$@" >"$work/fails.out" 2>&1 || status=$?
    expect "exit status" "$status" 1
    cat "$work/fails.out"
}

does_not_start()
{
    local table=$((0x68640000 + port))
    expect_match "without the capability" "$(fails setpriv --bounding-set -net_admin --)" \
        'source_failed.*CAP_NET_ADMIN is missing.*capabilities.add'
    net_in "$a" sysctl -q -w net.ipv4.ip_nonlocal_bind=1
    expect_match "nonlocal" "$(fails --)" 'source_failed.*net.ipv4.ip_nonlocal_bind must be 0'
    net_in "$a" sysctl -q -w net.ipv4.ip_nonlocal_bind=0
    net_in "$a" ip rule add from 192.0.2.1 lookup "$table"
    expect_match "rule" "$(fails --)" "source_failed.*routing table $table is in use"
    net_in "$a" ip rule del from 192.0.2.1
    net_in "$a" nft add table ip "headlessd_$port"
    expect_match "table" "$(fails --)" "source_failed.*nftables table headlessd_$port exists"
    net_in "$a" nft delete table ip "headlessd_$port"
    one_pod 127.0.0.1 127.0.0.1 source
    expect_match "second" "$(fails -- --peer-port 1 --data-port 2 --relay-port 3 --admin-listen none)" \
        "source_failed.*belongs to another running process"
}

# capabilities PID: prints all of its sets but the bounding set, of all threads. The runtime of TSan has a thread that starts
# before main() and keeps what it had.
capabilities()
{
    local threads thread
    mapfile -t threads < <(find "/proc/$1/task" -mindepth 1 -maxdepth 1 -printf "%f\n" | sort -n)
    [[ $build != *-tsan ]] || unset 'threads[1]'
    for thread in "${threads[@]}"; do
        sed -n -E 's/^Cap(Inh|Prm|Eff|Amb):[[:space:]]*//p' "/proc/$1/task/$thread/status"
    done | sort -u
}

without_root()
{
    local sets=-all,+net_admin
    local place=${pod_places[$a]}
    app_in "$a" 127.0.0.1 source
    pod_places[$a]="$place setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=$sets --ambient-caps=$sets"
    chmod 755 "$work"
    pods_start "$a" -- --app "udp://127.0.0.1:$port" --app-source client
    pod_places[$a]=$place
    seen_as "$client:4444" "$a"
    expect "capabilities" "$(capabilities "${pod_pids[$a]}")" 0000000000000000
}

run "app on loopback" app_on_loopback
run "app on the wildcard, route all" app_on_wildcard
run "app at the pod's address" app_at_the_pods_address "$a"
run "app on the wildcard, at the pod's address" app_at_the_pods_address 0.0.0.0
run "IPv6" ipv6 "[::1]" "[::1]"
run "IPv6, app on the wildcard" ipv6 "[::]" "[::1]"
run "IPv6, app at the pod's address" ipv6 "[fd77::1]" "[fd77::1]"
run "up to 65,507 bytes" large_datagrams
run "the TOS byte, both ways" tos_both_ways
run "sessions end" sessions_end
run "the address of a client at rest becomes the pod's" address_moves_to_the_pod 1s
run "the address of a client with an open session becomes the pod's" address_moves_to_the_pod 1h
run "several workers, and clients that return from another pod" clients_return_from_another_pod
run "leftovers" leftovers
run "does not start" does_not_start
run "without root, and with CAP_NET_ADMIN at the start only" without_root
finish
