#!/usr/bin/env bash
# Many new clients of a UDP app: none is refused, clients that are served keep their addresses, and memory is bounded.
#
#   tests/cluster/test_new_clients.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.79.11 # alone
app=127.0.79.53:5300

# start MODE_OF_APP OPTION...
start()
{
    app_start app "$tools/udp_app" "$app" "$1"
    pods_start "$a" -- --app "udp://$app" "${@:2}"
}

next_client=0
# flood N: N more new clients, one datagram each; the kernel may drop some.
flood()
{
    "$tools/new_clients" "$a:12000" "$next_client" "$1" 0 >/dev/null || fail "new_clients: status $?"
    next_client=$((next_client + $1))
}

# flood_until N: floods until N requests of new clients were delivered; the rest has been handled then.
flood_until()
{
    local before
    before=$(metric "$a" sessions_opened_total)
    until (($(metric "$a" sessions_opened_total) - before >= $1 || scenario_failures > 0)) ||
        (($(dropped "$a" session_cap) > 0)); do
        flood $(($1 / 10))
    done
    wait_until "all is handled" requests_are_done
}

# Each request was delivered or dropped.
requests_are_done()
{
    local received delivered
    read -r received delivered < <(metric "$a" 'datagrams_received_total{socket="data"}' datagrams_delivered_total)
    ((received == delivered + $(dropped "$a" session_cap)))
}

none_is_refused()
{
    start quiet --workers 2 --receivers 2 --app-max-sessions 65536
    flood_until 200000
    expect "refused" "$(dropped "$a" session_cap)" 0
    expect "a session for each" "$(metric "$a" sessions_opened_total)" "$(metric "$a" datagrams_delivered_total)"
    expect_between "open" "$(metric "$a" sessions)" 1 65536
    ledger_closes "$a"
}

# Also after a silence: a flood takes from its own kind.
established_client_keeps_its_address()
{
    local first
    start source --app-max-sessions 64 --app-idle 1s
    first=$(ask -s 127.0.79.201:40001 "$a" hi)
    expect "established" "$(ask -s 127.0.79.201:40001 "$a" hi)" "$first"
    flood 1000
    wait_until "all is handled" requests_are_done
    expect "during a flood" "$(ask -s 127.0.79.201:40001 "$a" hi)" "$first"
    metric_becomes "$a" sessions 0
    flood 1000
    wait_until "all is handled" requests_are_done
    expect "after a silence and a flood" "$(ask -s 127.0.79.201:40001 "$a" hi)" "$first"
    ledger_closes "$a"
}

# More clients than records, each of which sends again after its reply: new ones are served all the same.
two_datagrams_lock_nobody_out()
{
    local first i
    start source --app-max-sessions 320
    first=$(ask -s 127.0.79.201:40001 "$a" hi)
    for i in {10..39}; do
        "$tools/new_clients" "$a:12000" $((16 * i)) 16 0 2 >/dev/null || fail "new_clients: status $?"
        wait_until "all is handled" requests_are_done
        expect "client $i" "$(ask_status -s "127.0.79.202:410$i" "$a:12000" hi)" 0
        expect "a client from before" "$(ask -s 127.0.79.201:40001 "$a" hi)" "$first"
    done
    expect "refused" "$(dropped "$a" session_cap)" 0
    expect_lines "$a" 60 sessions_evicted
    ledger_closes "$a"
}

# Servers limit rates by network.
neighbours_are_in_different_networks()
{
    local i source
    start source
    for i in {1..20}; do
        source=$(ask -s "127.0.79.202:$((40000 + i))" "$a" hi)
        source=${source#from }
        echo "${source%.*}"
    done >"$work/networks"
    expect "networks of 20 clients" "$(sort -u "$work/networks" | wc -l)" 20
    ledger_closes "$a"
}

# resident: prints the memory of the pod in KiB.
resident()
{
    awk '/^VmRSS:/ { print $2 }' "/proc/${pod_pids[$a]}/status"
}

memory_is_bounded()
{
    local idle before after opened bytes
    start quiet
    http "$a:8080/status" >"$work/page"
    idle=$(resident)
    echo "> idle: $idle KiB"
    expect_between "KiB, idle" "$idle" 1 $((10 * 1024))
    flood_until 20000 # buffers are used
    before=$(resident)
    opened=$(metric "$a" sessions_opened_total)
    flood_until 200000
    after=$(resident)
    opened=$(($(metric "$a" sessions_opened_total) - opened))
    bytes=$(((after - before) * 1024 / opened))
    echo "> a session: $bytes bytes"
    expect_between "bytes a session" "$bytes" 1 96
    ledger_closes "$a"
}

# own_ns: prints the CPU time of the pod's threads, ns.
own_ns()
{
    awk '{ sum += $1 } END { printf "%.0f\n", sum }' "/proc/${pod_pids[$a]}/task/"*/schedstat
}

# 100,000 new clients a second for two minutes. docs/speed.md has the figures.
sustained()
{
    local sent delivered own
    start quiet --workers 2 --receivers 2
    own=$(own_ns)
    sent=$("$tools/new_clients" "$a:12000" 0 12000000 100000)
    wait_until "all is handled" requests_are_done
    own=$(($(own_ns) - own))
    delivered=$(metric "$a" datagrams_delivered_total)
    echo "> $sent; delivered $delivered, $((delivered / 1200)) of 10,000; refused $(dropped "$a" session_cap); the kernel" \
        "dropped $(metric "$a" 'socket_drops_total{socket="data"}'); own CPU $((own / delivered)) ns a new client"
    expect "refused" "$(dropped "$a" session_cap)" 0
    expect_between "of 12,000,000 the kernel dropped few" "$delivered" 10800000 12000000
    expect_between "milliseconds" "$(grep -oE '[0-9]+ ms' <<<"$sent" | cut -d' ' -f1)" 119000 126000
    ledger_closes "$a"
}

run "no new client is refused" none_is_refused
run "an established client keeps its address in a flood" established_client_keeps_its_address
run "clients with two datagrams each lock nobody out" two_datagrams_lock_nobody_out
run "20 new clients have addresses in 20 networks" neighbours_are_in_different_networks
if [[ -n ${SANITIZED:-} ]]; then
    skip "memory of sessions" "sanitizers need additional memory"
else
    run "memory: at most 10 MiB idle, 96 bytes a session" memory_is_bounded
fi
run_timed "100,000 new clients a second for two minutes" sustained
finish
