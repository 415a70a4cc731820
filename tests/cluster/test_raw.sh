#!/usr/bin/env bash
# relay.format raw and proxy-v2, to a leader outside the cluster: datagrams arrive unchanged.
#
#   tests/cluster/test_raw.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.6.11
b=127.0.6.12
outside=127.0.6.99:9100
out=$work/came # datagrams of the outside leader, a file each

# start_outside MODE [ADDRESS]
start_outside()
{
    rm -rf "$out"
    mkdir "$out"
    app_start outside "$tools/udp_app" "${2:-$outside}" "$1" "$out"
}

# came NUMBER: true if the NUMBER-th datagram has arrived.
came()
{
    [[ -e $out/$1 ]]
}

# arrives NUMBER FILE: waits for the NUMBER-th datagram, which must equal the file.
arrives()
{
    wait_until "datagram $1 arrives" came "$1"
    cmp -s "$out/$1" "$2" || fail "datagram $1 is not as it was sent ($(wc -c <"$2") bytes)"
}

# start_pods TARGET OPTION...: starts two pods that relay to it; with an IPv6 target one, at the only IPv6
# loopback address. Sets pods, first and last.
start_pods()
{
    local target=$1
    shift
    pods=("$a" "$b")
    [[ $target != \[* ]] || pods=("[::1]")
    first=${pods[0]}
    last=${pods[-1]}
    if ((${#pods[@]} > 1)); then
        pods_start "${pods[@]}" -- --leader "$target" "$@"
    else
        pod_launch "$first" --leader "$target" "$@"
        pod_wait "$first"
    fi
}

bytes_are_the_same()
{
    local size number=0 target=$1
    shift
    start_outside quiet "$target"
    start_pods "$target" --relay-format raw "$@"
    for size in 0 1 47 1400 1472 1473 2048 2049 9000 65507; do
        head -c "$size" /dev/urandom >"$work/sent"
        "$tools/udp_ask" -n "$first:12000" - <"$work/sent" || fail "cannot send"
        number=$((number + 1))
        arrives "$number" "$work/sent"
    done
    expect "relayed" "$(metric "$first" datagrams_relayed_total)" "$number"
    expect "role of both" "$(total is_leader "${pods[@]}")" 0
    ledger_closes "${pods[@]}"
}

leader_without_port_is_asked_at_the_data_port()
{
    start_outside quiet 127.0.6.98:12000
    pods_start "$a" "$b" -- --relay-format raw --leader 127.0.6.98
    printf 'where to?' >"$work/sent"
    "$tools/udp_ask" -n "$b:12000" - <"$work/sent" || fail "cannot send"
    arrives 1 "$work/sent"
    ledger_closes "$a" "$b"
}

one_client_stays_in_order()
{
    local i
    start_outside quiet
    pods_start "$a" "$b" -- --relay-format raw --leader "$outside"
    for i in {1..10}; do
        "$tools/udp_ask" -n -k 100 "$b:12000" "series $i, number" || fail "cannot send"
        metric_becomes "$b" datagrams_relayed_total $((100 * i))
    done
    wait_until "1000 came" came 1000
    expect "in order" "$(cd "$out" && awk 1 {1..1000} | md5sum)" \
        "$(for s in {1..10}; do printf "series $s, number %d\n" {1..100}; done | md5sum)"
    ledger_closes "$a" "$b"
}

socat_as_leader()
{
    socat -u "UDP4-RECV:9101,bind=127.0.6.99" "CREATE:$work/socat.bytes" 2>"$work/socat.log" &
    app_pids[socat]=$!
    pods_start "$a" "$b" -- --relay-format raw --leader 127.0.6.99:9101
    head -c 1400 /dev/urandom >"$work/sent"
    "$tools/udp_ask" -n "$a:12000" - <"$work/sent" || fail "cannot send"
    wait_until "socat wrote what was sent" cmp -s "$work/sent" "$work/socat.bytes"
    ledger_closes "$a" "$b"
}

proxy_header_tells_the_client()
{
    local target=$1 client=127.0.6.201
    start_outside proxy "$target"
    start_pods "$target" --relay-format proxy-v2
    ((${#pods[@]} > 1)) || client="[::1]"
    "$tools/udp_ask" -n -s "$client:40001" "$first:12000" "through a" || fail "cannot send"
    printf 'client %s:40001 asked %s:12000 through a' "$client" "$first" >"$work/expected"
    arrives 1 "$work/expected"
    "$tools/udp_ask" -n -s "$client:40002" "$last:12000" "through b" || fail "cannot send"
    printf 'client %s:40002 asked %s:12000 through b' "$client" "$last" >"$work/expected"
    arrives 2 "$work/expected"
    "$tools/udp_ask" -n -s "$client:40003" "$last:12000" "" || fail "cannot send"
    printf 'client %s:40003 asked %s:12000 ' "$client" "$last" >"$work/expected"
    arrives 3 "$work/expected"
    # many in one batch, each with its own header
    "$tools/udp_ask" -n -s "$client:40004" -k 50 "$last:12000" "x" || fail "cannot send"
    wait_until "50 more came" came 53
    printf 'client %s:40004 asked %s:12000 x 50' "$client" "$last" >"$work/expected"
    arrives 53 "$work/expected"
    # with the header it is larger than a UDP datagram can be; one that just fits arrives
    "$tools/udp_ask" -n -z 65507 "$last:12000" || fail "cannot send"
    dropped_becomes "$last" oversize 1
    "$tools/udp_ask" -n -z 65455 "$last:12000" || fail "cannot send"
    wait_until "the largest came" came 54
    ledger_closes "${pods[@]}"
}

# A leader outside was not elected, and no vote deposes it.
leader_outside_is_the_configurations()
{
    start_outside quiet
    pods_start "$a" "$b" -- --relay-format raw --leader "$outside" --app echo
    expect "answer" "$(ask "$a" "{\"leader\":\"$a\"}")" "no member"
    expect "outside is no member" "$(ask "$b" "{\"leader\":\"127.0.6.99\"}")" "no member"
    expect "outside is no member" "$(ask "$b" "{\"leader\":\"$outside\"}")" "no member"
    ledger_closes "$a" "$b"
}

# Between members, a datagram from a member's address is a client's, whatever its content.
commands_of_members_are_data()
{
    local text="{\"leader\":\"$b\"}"
    pod_launch "$a" --peers "$a,$b" --relay-format raw --leader "$a" --app echo
    pod_launch "$b" --peers "$a,$b" --relay-format raw --leader "$a" --app echo \
        --control-accept none
    pod_wait "$a"
    pod_wait "$b"
    wait_until "their votes count" are_settled "$a" "$b"
    "$tools/udp_ask" -n "$b:12000" "$text" || fail "cannot send" # b relays it
    metric_becomes "$a" datagrams_delivered_total 1
    expect "from a member's address" "$(ask_status -s "$b" -e "$a:12000" "$text")" 0
    expect "broken, from a member's address" \
        "$(ask_status -s "$b" -e "$a:12000" '{"leader":1}')" 0
    expect "leader" "$(metric "$a" is_leader)" 1
    expect "obeyed" "$(metric "$a" 'control_messages_total{result="ok"}')" 0
    expect "from a client" "$(ask "$a" "$text")" "ok 2"
    ledger_closes "$a" "$b"
}

outside_leader_is_not_there()
{
    pods_start "$a" "$b" -- --relay-format raw --leader "$outside"
    "$tools/udp_ask" -n -k 200 "$a:12000" "nobody there" || fail "cannot send"
    metric_becomes "$a" 'datagrams_received_total{socket="data"}' 200
    ledger_closes "$a" "$b"
    start_outside quiet
    printf 'now' >"$work/sent"
    "$tools/udp_ask" -n "$a:12000" - <"$work/sent" || fail "cannot send"
    arrives 1 "$work/sent"
    ledger_closes "$a" "$b"
}

# Frames go to members only.
outside_needs_raw()
{
    pods_start "$a" "$b" -- --leader 127.0.6.98
    expect_log "$a" leader_unknown
    "$tools/udp_ask" -k 3 "$b:12000" "where to?" >/dev/null || fail "no answer"
    expect "delivered to members" "$(total datagrams_delivered_total "$a" "$b")" 3
    ledger_closes "$a" "$b"
}

run "raw: the bytes are the same" bytes_are_the_same "$outside"
run "raw: the bytes are the same, without rings" bytes_are_the_same "$outside" --workers 0
run "raw: the bytes are the same, IPv6" bytes_are_the_same "[::1]:15306"
run "raw: a leader without port is used at the data port" leader_without_port_is_asked_at_the_data_port
run "raw: one client's datagrams stay in order" one_client_stays_in_order
run "raw: socat is the leader" socat_as_leader
run "raw: no command replaces the outside leader" leader_outside_is_the_configurations
run "raw: commands of members are data" commands_of_members_are_data
run "raw: a missing outside leader is reported" outside_leader_is_not_there
run "proxy-v2: the header has the client's address" proxy_header_tells_the_client "$outside"
run "proxy-v2: the header has the client's address, IPv6" proxy_header_tells_the_client "[::1]:15306"
run "frames are not sent to an outside leader" outside_needs_raw
finish
