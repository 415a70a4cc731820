#!/usr/bin/env bash
# Apps that are down or do not keep up: clients are refused when no app is left, and drops at an app's own socket are
# counted.
#
#   tests/cluster/test_refuse.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.48.11 # leads
b=127.0.48.12
c=127.0.48.13
pods=("$a" "$b" "$c")

app_of()
{
    echo "127.0.48.$((100 + ${1##*.})):5300"
}

# app_up POD
app_up()
{
    app_start "app-$1" "$tools/udp_app" "$(app_of "$1")" echo
}

# start POD... -- OPTION...: each with its own app, which does not run yet.
start()
{
    local peers=() list pod
    while [[ $1 != -- ]]; do
        peers+=("$1")
        shift
    done
    shift
    list=$(IFS=,; echo "${peers[*]}")
    for pod in "${peers[@]}"; do
        pod_launch "$pod" --peers "$list" --leader "$a" --app "udp://$(app_of "$pod")" "$@"
    done
    for pod in "${peers[@]}"; do
        pod_wait "$pod"
        wait_until "$pod is settled" is_settled "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${peers[@]}"
}

# Asks once. True if the client is refused.
is_refused()
{
    [[ $(ask_status -p -t 200 "$1:12000" lost) == 5 ]]
}

is_served()
{
    [[ $(ask -t 200 "$1" hello) == hello ]]
}

logs()
{
    grep -c " $2: " "$work/$1.log" || true
}

log_has()
{
    (($(logs "$1" "$2") > 0))
}

# The client gets what it would get without headlessd, and is served when the app is back.
one_pod()
{
    start "$a" -- --hold-time 100ms
    wait_until "the client is refused" is_refused "$a"
    expect "refuses" "$(metric "$a" refusing_clients)" 1
    expect_log "$a" ' clients_refused: ' 1
    expect_match "a command is refused" "$("$headlessctl" --data "$a" leader set "$a" 2>&1)" "nothing listens there"
    ledger_closes "$a"
    app_up "$a"
    wait_until "the client is served" is_served "$a"
    expect "refuses" "$(metric "$a" refusing_clients)" 0
    expect_log "$a" ' clients_accepted: ' 1
    expect "a command" "$("$headlessctl" --data "$a" leader set "$a" >/dev/null && echo carried out)" "carried out"
    ledger_closes "$a"
    app_stop "app-$a"
    wait_until "the client is refused again" is_refused "$a"
    ledger_closes "$a"
    pod_stop "$a"
    expect "the pod ends while it refuses" "$(logs "$a" stopped)" 1
}

# Requests that are held go to an app that is back before hold.time is over; nobody is refused.
short_restart()
{
    local pid
    app_up "$a"
    start "$a" -- --hold-time 60s
    expect "before" "$(ask "$a" one)" one
    app_stop "app-$a"
    "$tools/udp_ask" -t 60000 "$a:12000" "lost" &
    pid=$!
    wait_until "the app is down" log_has "$a" app_down
    "$tools/udp_ask" -n -k 20 "$a:12000" two || fail "cannot send"
    wait_until "held" at_least "$a" datagrams_held 20
    kill "$pid"
    app_up "$a"
    wait_until "all is given to the app" metric_is "$a" datagrams_held 0
    expect "log" "$(logs "$a" clients_refused)" 0
    ledger_closes "$a"
}

at_least()
{
    (($(metric "$1" "$2") >= $3))
}

# The default of the version before.
holds()
{
    start "$a" -- --hold-time 100ms --app-down hold
    expect "asked" "$(ask -t 100 "$a" lost)" ""
    wait_until "the app is down" log_has "$a" app_down
    wait_until "requests expire" expires_more "$a" 20
    expect "refuses" "$(metric "$a" refusing_clients)" 0
    expect "log" "$(logs "$a" clients_refused)" 0
    ledger_closes "$a"
}

# expires_more POD N: sends one, for which nobody waits. True when N have expired.
expires_more()
{
    "$tools/udp_ask" -n "$1:12000" lost || return 1
    (($(dropped "$1" hold_expired) >= $2))
}

# Every pod refuses; when the app of a follower is back, it gets the lead and all of them serve.
three_pods()
{
    local pod
    start "${pods[@]}" -- --hold-time 100ms "$@"
    for pod in "${pods[@]}"; do
        wait_until "$pod refuses" is_refused "$pod"
    done
    for pod in "${pods[@]}"; do
        wait_until "$pod says so" metric_is "$pod" refusing_clients 1
    done
    ledger_closes "${pods[@]}"
    app_up "$c"
    wait_until "the pod with an app leads" agree "$c" "${pods[@]}"
    for pod in "${pods[@]}"; do
        wait_until "$pod serves" is_served "$pod"
        expect "$pod refuses" "$(metric "$pod" refusing_clients)" 0
    done
    ledger_closes "${pods[@]}"
}

# The only app that is up is a stopping leader's: the others go on relaying to it.
stopping_leader()
{
    app_up "$a"
    start "${pods[@]}" -- --hold-time 100ms --drain-time 60s
    lead "$b" "$a"
    wait_until "the app of $b is found down, and $c leads" finds_app_down "$b"
    wait_until "the app of $c is found down" finds_app_down "$c"
    wait_until "$a leads again" agree "$a" "${pods[@]}"
    kill -TERM "${pod_pids[$a]}"
    wait_until "it is stopping" log_has "$a" stopping
    wait_until "its app gets more" delivers_without_refusal "$b" "$a" \
        $(($(metric "$a" datagrams_delivered_total) + 20))
    expect "refused" "$(logs "$b" clients_refused)" 0
    app_stop "app-$a"
    wait_until "$b refuses" is_refused "$b"
    ledger_closes "$b" "$c"
}

finds_app_down()
{
    log_has "$1" app_down || { ask -t 50 "$1" lost >/dev/null && false; }
}

# delivers_without_refusal VIA LEADER N
delivers_without_refusal()
{
    ! is_refused "$1" || fail "$1 refuses while the leader's app is up"
    (($(metric "$2" datagrams_delivered_total) >= $3))
}

# The app reads nothing: what its own socket drops is counted, the old socket's drops and the new one's.
app_does_not_read()
{
    local first
    quiet_app
    start "$a" --
    freeze_app
    wait_until "its socket drops" drops_more "$a" 1
    expect_log "$a" " app_drops: .*$(app_of "$a") was full"
    first=$(metric "$a" app_socket_drops_total)
    kill -KILL "${app_pids[app-$a]}"
    wait "${app_pids[app-$a]}" 2>/dev/null || true
    unset "app_pids[app-$a]"
    quiet_app
    wait_until "the new app gets a request" delivers_more "$a" \
        $(($(metric "$a" datagrams_delivered_total) + 1))
    expect_between "not less after a restart" "$(metric "$a" app_socket_drops_total)" "$first" 1000000
    first=$(metric "$a" app_socket_drops_total)
    freeze_app
    wait_until "its socket drops" drops_more "$a" $((first + 1))
    kill -CONT "${app_pids[app-$a]}"
    expect "our own sockets dropped" "$(kernel_drops "$a")" 0
    ledger_closes "$a"
}

quiet_app()
{
    app_start "app-$a" "$tools/udp_app" "$(app_of "$a")" quiet
}

freeze_app()
{
    kill -STOP "${app_pids[app-$a]}"
    wait_until "the app stands still" pod_stands "${app_pids[app-$a]}"
}

# delivers_more POD N: sends one. True when N were delivered.
delivers_more()
{
    "$tools/udp_ask" -n "$1:12000" more || return 1
    (($(metric "$1" datagrams_delivered_total) >= $2))
}

# drops_more POD N: sends 180 kB, less than a socket of the pod has room for, and waits until the pod has read it. True
# when N were dropped.
drops_more()
{
    local before
    before=$(metric "$1" 'datagrams_received_total{socket="data"}')
    "$tools/udp_ask" -n -k 3 -z 60000 "$1:12000" || return 1
    wait_until "the pod has read them" has_received "$1" $((before + 3))
    (($(metric "$1" app_socket_drops_total) >= $2))
}

has_received()
{
    (($(metric "$1" 'datagrams_received_total{socket="data"}') >= $2))
}

run "one pod refuses clients while its app is down" one_pod
run "a restart of the app within hold.time refuses nobody" short_restart
run "app.down: hold" holds
run "three pods refuse clients while all apps are down" three_pods
run "three pods, route: all" three_pods --route all
run "the app of a stopping leader counts" stopping_leader
run "drops at the app's own socket" app_does_not_read
finish
