#!/usr/bin/env bash
# Apps that see a client in their own way: with a socket that is connected to one client (nc -u -l), and with replies
# from elsewhere than app.target.
#
#   tests/cluster/test_app_clients.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.28.11 # leads
b=127.0.28.12
c=127.0.28.13
pods=("$a" "$b" "$c")
app=127.0.28.53:5300
first=127.0.28.201:40001  # the client that nc serves
second=127.0.28.202:40002 # another one

app_of()
{
    echo "127.0.28.$((100 + ${1##*.}))"
}

# nc_start NAME ADDRESS: a server that connects its socket to its first client.
nc_start()
{
    # its input has no end, and no writer
    [[ -p $work/input ]] || mkfifo "$work/input"
    nc -n -v -u -l "$2" 5300 <>"$work/input" >"$work/$1.out" 2>"$work/$1.log" &
    app_pids[$1]=$!
    wait_until "$1 is bound" grep -q Bound "$work/$1.log"
}

# say CLIENT POD TEXT
say()
{
    "$tools/udp_ask" -n -s "$1" "$2:12000" "$3"$'\n' || fail "cannot send"
}

# given NAME TEXT: the server has this line.
given()
{
    grep -qx "$2" "$work/$1.out"
}

refused_clients_are_dropped()
{
    (($(dropped "$a" app_refuses_client) >= $1))
}

# Three pods, each with a server that serves one client.
start_with_nc()
{
    local pod peers
    peers=$(IFS=,; echo "${pods[*]}")
    for pod in "${pods[@]}"; do
        nc_start "nc-$pod" "$(app_of "$pod")"
        pod_launch "$pod" --peers "$peers" --leader "$a" --app "udp://$(app_of "$pod"):5300" "$@"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
}

# Client A sends twice, B once, then both. A is served as without headlessd, and the lead stays.
connected_app()
{
    local i term
    start_with_nc "$@"
    term=$(metric "$b" term)
    for i in 1 2; do
        say "$first" "$b" "first $i"
        wait_until "datagram $i of the first client arrives" given "nc-$a" "first $i"
    done
    say "$second" "$b" "second"
    wait_until "the refusal is known" metric_is "$a" app_refused_clients_total 1
    for i in {3..10}; do
        say "$first" "$b" "first $i"
        say "$second" "$b" "second"
        wait_until "datagram $i of the first client arrives" given "nc-$a" "first $i"
    done
    wait_until "the second client's end in their own reason" refused_clients_are_dropped 1
    ledger_closes "${pods[@]}"
    expect "lines" "$(wc -l <"$work/nc-$a.out")" 10
    # On a machine that starves a thread for long, the lead moves for that reason.
    if ! grep -q threads_stuck "$work"/127*.log; then
        expect "leader" "$(leaders "${pods[@]}")" "$a"
        expect "term" "$(metric "$b" term)" "$term"
    fi
    expect "given, refused or dropped" \
        "$(($(metric "$a" app_refused_clients_total) + $(dropped "$a" app_refuses_client)))" 9
    expect_lines "$a" 60 app_connected
    expect "refusals that concern everybody" "$(total app_refused_total "${pods[@]}")" 0
    expect "app_down" "$(cat "$work"/127*.log | grep -c app_down)" 0
}

# No health check may be the first client of a server that starts late. One pod: the lead must not move.
connected_app_starts_late()
{
    pods_start "$a" -- --app "udp://$(app_of "$a"):5300" --hold-time 60s
    say "$first" "$a" "lost"
    wait_until "the app is down" grep -q app_down "$work/$a.log"
    say "$first" "$a" "held"
    metric_becomes "$a" datagrams_held 1
    nc_start nc "$(app_of "$a")"
    wait_until "the held datagram arrives" given nc held
    say "$first" "$a" "next"
    wait_until "the next one arrives" given nc next
    ledger_closes "$a"
    expect "lines" "$(wc -l <"$work/nc.out")" 2
}

# The server ends while it serves: the next pod's serves.
connected_app_ends()
{
    local next
    start_with_nc
    say "$first" "$b" "one"
    wait_until "it arrives" given "nc-$a" one
    say "$second" "$b" "second"
    wait_until "the refusal is known" metric_is "$a" app_refused_clients_total 1
    app_stop "nc-$a"
    say "$first" "$b" "refused"
    wait_until "another leads" agree_without "$a" "${pods[@]}"
    next=$(leader_of "$c")
    say "$first" "$c" "two"
    wait_until "another server serves" given "nc-$next" two
    ledger_closes "${pods[@]}"
}

# ---- replies from elsewhere

# One client's transfer: the reply to its first datagram comes from a new port, and the rest goes there.
transfer()
{
    local client=127.0.28.203:40003
    app_start app "$tools/udp_app" "$app" transfer
    pods_start "${pods[@]}" -- --app "udp://$app" --leader "$a" --app-reply-from port "$@"
    expect "reply from a new port" "$(ask -s "$client" "$b" begin)" "new begin"
    expect "it is sent the next" "$(ask -s "$client" "$b" next)" "more next"
    expect "another client has its own" "$(ask -s 127.0.28.204:40004 "$c" other)" "new other"
    expect "the last" "$(ask -s "$client" "$b" end)" "more end"
    # the process at that port ends: the datagram that it refuses goes to the app
    wait_until "the client begins again" begins_again "$client"
    expect "in a new transfer" "$(ask -s "$client" "$b" after)" "more after"
    expect "strangers" "$(metric "$a" 'replies_dropped_total{reason="stranger"}')" 0
    expect "refused" "$(metric "$a" app_refused_total)" 0
    together_closes "${pods[@]}"
    transfers_end
}

begins_again()
{
    [[ $(ask -t 1000 -s "$1" "$b" again) == "new again" ]]
}

# One process for each transfer that is not over.
transfers_end()
{
    local pid
    for pid in $(pgrep -P "${app_pids[app]}" || true); do
        kill "$pid" 2>/dev/null || true
    done
}

# By default such replies are dropped, and a log line has both addresses and the way out.
reply_from_a_new_port()
{
    app_start app "$tools/udp_app" "$app" transfer
    pods_start "$a" -- --app "udp://$app" "$@"
    expect "no reply" "$(ask -t 200 "$a" one)" ""
    expect "no reply" "$(ask -t 200 "$a" two)" ""
    metric_becomes "$a" 'replies_dropped_total{reason="stranger"}' 2
    expect_lines "$a" 60 app_replies_elsewhere
    expect_match "with both addresses" "$(grep app_replies_elsewhere "$work/$a.log")" \
        "from 127\.0\.28\.53:[0-9]+ .* app\.target is $app: app\.reply_from port takes them"
    ledger_closes "$a"
    transfers_end
}

# A server on the wildcard replies from the address that the kernel chooses.
reply_from_another_address()
{
    app_start app "$tools/udp_app" 0.0.0.0:5301 echo
    pods_start "$a" -- --app "udp://127.0.28.54:5301" "$@"
}

wildcard_is_reported()
{
    reply_from_another_address
    expect "no reply" "$(ask -t 200 "$a" one)" ""
    metric_becomes "$a" 'replies_dropped_total{reason="stranger"}' 1
    expect_log "$a" \
        "app_replies_elsewhere.* from 127\.0\.0\.1:5301 .* app\.target is 127\.0\.28\.54:5301: .* app\.reply_from any takes them"
    ledger_closes "$a"
}

wildcard_is_taken()
{
    reply_from_another_address --app-reply-from any "$@"
    expect "reply" "$(ask -s 127.0.28.203:40003 "$a" one)" one
    expect "and again" "$(ask -s 127.0.28.203:40003 "$a" two)" two
    ledger_closes "$a"
}

needs_loopback()
{
    expect_match "refused" "$("$headlessd" --check-config --app "udp://[::1]:5300" --app-reply-from port 2>&1 || true)" \
        "app.reply_from must be same unless app.target is on IPv4 loopback"
}

run "an app that serves one client serves it, whatever others send" connected_app
run "an app that serves one client, without rings" connected_app --workers 0
run "an app that serves one client, two workers" connected_app --workers 2
run "a health check is not the first client of a late app" connected_app_starts_late
run "after an app that served one client, the next pod's serves" connected_app_ends
run "an app replies from a new port for each transfer" transfer
run "an app replies from a new port, without rings" transfer --workers 0
run "replies from another port are dropped and reported" reply_from_a_new_port
run "replies from another address are dropped and reported" wildcard_is_reported
run "replies from another address are taken with app.reply_from any" wildcard_is_taken
run "app.reply_from needs an app on IPv4 loopback" needs_loopback
finish
