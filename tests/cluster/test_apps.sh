#!/usr/bin/env bash
# UDP servers as the app: sessions, their expiry and their limit, missing apps, PROXY v2, IPv6,
# and replies from the requested address on wildcard sockets.
#
#   tests/cluster/test_apps.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.4.11 # leads
b=127.0.4.12
app=127.0.4.53:5300
app6="[::1]:15304"

# start_app MODE [ADDRESS]
start_app()
{
    app_start app "$tools/udp_app" "${2:-$app}" "$1"
}

# The address of a session, as the app sees it.
mux_source='from 127\.(12[89]|1[3-9][0-9]|2[0-9][0-9])\.[0-9]+\.[0-9]+:[0-9]+ hi'

mux_sessions()
{
    local first second
    start_app source
    pods_start "$a" "$b" -- --app "udp://$app" --leader "$a" "$@"
    first=$(ask -s 127.0.4.201:40001 "$a" hi)
    second=$(ask -s 127.0.4.202:40001 "$b" hi)
    expect_match "first client" "$first" "^$mux_source$"
    expect_match "second client" "$second" "^$mux_source$"
    [[ ${first%:*} != "${second%:*}" ]] || fail "two clients have one session: $first"
    expect "the first again" "$(ask -s 127.0.4.201:40001 "$a" hi)" "$first"
    expect "the second again" "$(ask -s 127.0.4.202:40001 "$b" hi)" "$second"
    # another port is another client, and so is the same port through another pod
    [[ $(ask -s 127.0.4.201:40002 "$a" hi) != "$first" ]] || fail "another port, same session"
    [[ $(ask -s 127.0.4.201:40001 "$b" hi) != "$first" ]] || fail "another pod, same session"
    expect "sessions" "$(metric "$a" sessions)" 4
    together_closes "$a" "$b"
}

# socat as the app.
socat_as_app()
{
    local size pid
    socat -b 65536 "UDP4-RECVFROM:5301,bind=127.0.4.53,fork" EXEC:cat 2>"$work/socat.log" &
    app_pids[socat]=$!
    pods_start "$a" "$b" -- --app "udp://127.0.4.53:5301" --leader "$a"
    for size in 1 1400 9000; do # it replies to each from a separate process: in any order
        expect "$size bytes" "$(ask_status -z "$size" -e "$b:12000")" 0
    done
    together_closes "$a" "$b"
    # fork: one process per datagram; they end by themselves
    for pid in $(pgrep -P "${app_pids[socat]}" || true); do
        kill "$pid" 2>/dev/null || true
    done
}

many_clients()
{
    start_app echo
    pods_start "$a" "$b" -- --app "udp://$app" --leader "$a" "$@"
    "$bench" send --to "$a:12000,$b:12000" --flows 200 --size 48-1400 --count 10000 \
        --outstanding 64 --timeout 60s --expect-all >"$work/bench.out" 2>&1 ||
        fail "not all replies arrived: $(grep -E 'answered|missing|corrupt|reordered' "$work/bench.out")"
    expect "sessions" "$(metric "$a" sessions)" 200
    expect "opened" "$(metric "$a" sessions_opened_total)" 200
    together_closes "$a" "$b"
}

ipv6_app()
{
    start_app source "$app6"
    pods_start "$a" "$b" -- --app "udp://$app6" --leader "$a" "$@"
    expect_match "through the leader" "$(ask "$a" hi)" '^from \[::1\]:[0-9]+ hi$'
    expect_match "through the follower" "$(ask "$b" hi)" '^from \[::1\]:[0-9]+ hi$'
    expect "session is kept" "$(ask -s 127.0.4.201:40001 "$b" hi)" \
        "$(ask -s 127.0.4.201:40001 "$b" hi)"
    expect "sessions" "$(metric "$a" sessions)" 3
    expect "series" "$(ask_status -k 50 "$b:12000" "x")" 0
    together_closes "$a" "$b"
}

# A client that was silent for longer than app.idle has the same address as before; other clients have not got it.
address_is_kept()
{
    local first second
    start_app source
    pods_start "$a" "$b" -- --app "udp://$app" --leader "$a" --app-idle 1s "$@"
    first=$(ask -s 127.0.4.201:40001 "$b" hi)
    metric_becomes "$a" sessions 0
    second=$(ask -s 127.0.4.202:40001 "$b" hi)
    [[ $second != "$first" ]] || fail "another client has the address: $second"
    expect "after a silence" "$(ask -s 127.0.4.201:40001 "$b" hi)" "$first"
    expect "opened" "$(metric "$a" sessions_opened_total)" 2
    expect "resumed" "$(metric "$a" sessions_resumed_total)" 1
    ledger_closes "$a" "$b"
}

# A push of the app reaches a client that has been silent for longer than app.idle.
push_after_a_silence()
{
    app_start app "$tools/udp_app" "$app" burst
    pods_start "$a" -- --app "udp://$app" --app-idle 1s
    "$tools/udp_ask" -n -s 127.0.4.201:40001 "$a:12000" hi || fail "cannot send"
    metric_becomes "$a" sessions_opened_total 1
    metric_becomes "$a" sessions 0
    "$tools/udp_ask" -n "$app" go || fail "cannot send" # now it sends to the first
    wait_until "the app has sent" grep -q sent "$work/app.log"
    wait_until "each was received or dropped" replies_are "$a" 1000
    expect "resumed" "$(metric "$a" sessions_resumed_total)" 1
    expect "nobody's" "$(metric "$a" 'replies_dropped_total{reason="session_gone"}')" 0
    ledger_closes "$a"
}

# An app that has a socket for each client: the socket is closed, and the client gets another source port.
sockets_are_closed()
{
    local first
    start_app source "$app6"
    pods_start "$a" -- --app "udp://$app6" --app-idle 1s "$@"
    first=$(ask -s 127.0.4.201:40001 "$a" hi)
    metric_becomes "$a" sessions 0
    [[ $(ask -s 127.0.4.201:40001 "$a" hi) != "$first" ]] || fail "the source was used again"
    expect "opened" "$(metric "$a" sessions_opened_total)" 1
    expect "resumed" "$(metric "$a" sessions_resumed_total)" 1
    ledger_closes "$a"
}

# hashed: the same address at another pod, and after a restart.
address_is_hashed()
{
    local first
    start_app source
    pods_start "$a" "$b" -- --app "udp://$app" --leader "$a" --app-client-address hashed
    first=$(ask -s 127.0.4.201:40001 "$a" hi)
    expect "after a change of the leader" "$("$tools/udp_ask" "$a:12000" "{\"leader\":\"$b\"}")" "ok 2"
    expect_same_ip "from the other pod" "$(ask -s 127.0.4.201:40001 "$a" hi)" "$first"
    pods_stop
    pods_start "$a" "$b" -- --app "udp://$app" --leader "$a" --app-client-address hashed
    ask -s 127.0.4.203:40001 "$a" hi >/dev/null
    expect_same_ip "after a restart" "$(ask -s 127.0.4.201:40001 "$b" hi)" "$first"
    ledger_closes "$a" "$b"
}

# expect_same_ip WHAT IS SHOULD: of two lines "from IP:PORT hi".
expect_same_ip()
{
    expect "$1" "${2%:*}" "${3%:*}"
}

sessions_stay_when_used()
{
    local end
    start_app source
    pods_start "$a" -- --app "udp://$app" --app-idle 1s
    end=$(($(now_ms) + 1500))
    while (($(now_ms) < end)); do
        ask -s 127.0.4.201:40001 "$a" hi >/dev/null
        sleep 0.1 # the pace of this client
    done
    expect "opened" "$(metric "$a" sessions_opened_total)" 1
}

# A flood of new clients evicts only new sessions: established ones stay.
session_cap()
{
    local kept i opened evicted
    start_app source
    pods_start "$a" -- --app "udp://$app" --app-max-sessions 4
    kept=$(ask -s 127.0.4.201:40001 "$a" hi)
    expect "established" "$(ask -s 127.0.4.201:40001 "$a" hi)" "$kept"
    for i in {1..40}; do
        "$tools/udp_ask" -n -s "127.0.4.202:$((41000 + i))" "$a:12000" hi || fail "cannot send"
    done
    metric_becomes "$a" 'datagrams_received_total{socket="data"}' 42
    expect "the established one is kept" "$(ask -s 127.0.4.201:40001 "$a" hi)" "$kept"
    expect "sessions" "$(metric "$a" sessions)" 4
    opened=$(metric "$a" sessions_opened_total)
    evicted=$(metric "$a" sessions_evicted_total)
    expect "opened and not evicted" "$((opened - evicted))" 4
    expect "shed" "$(dropped "$a" session_cap)" "$((41 - opened))"
    ledger_closes "$a"
}

# A fifth client gets the session of the one that has been silent longest, and replies to all that it sends.
session_cap_fifth_client()
{
    local i
    start_app source
    pods_start "$a" -- --app "udp://$app" --app-max-sessions 4
    for i in 1 1 2 2 3 3 4 4 5 5 5; do
        expect "a question of client $i" "$(ask_status -s 127.0.4.201:4000$i "$a:12000" hi)" 0
    done
    expect "sessions of clients in use that ended" "$(metric "$a" sessions_evicted_in_use_total)" 1
    expect "refused" "$(dropped "$a" session_cap)" 0
    expect_lines "$a" 60 'sessions_evicted.*app\.max_sessions \(4\)'
    ledger_closes "$a"
}

# The app's datagram to an address that no client has is counted, and a log line has the address.
reply_to_no_client()
{
    local port
    start_app source
    pods_start "$a" -- --app "udp://$app" "$@"
    port=$(ask "$a" hi)
    port=${port% hi}
    app_stop app
    "$tools/udp_ask" -n -s "$app" "127.199.1.1:${port##*:}" hi || fail "cannot send"
    metric_becomes "$a" 'replies_dropped_total{reason="session_gone"}' 1
    wait_until "said so" grep -q 'session_gone.*127\.199\.1\.1' "$work/$a.log"
    ledger_closes "$a"
}

# requests_are_done ADDRESS: each request was delivered or dropped.
requests_are_done()
{
    local received delivered
    read -r received delivered < <(metric "$1" 'datagrams_received_total{socket="data"}' datagrams_delivered_total)
    ((received == delivered + $(dropped "$1" session_cap)))
}

# replies_are ADDRESS N: true if the received replies and the kernel's drops add up to N.
replies_are()
{
    local dropped received
    read -r dropped received < <(metric "$1" 'socket_drops_total{socket="app"}' 'replies_received_total{from="app"}')
    [[ $dropped$received =~ ^[0-9]+$ ]] && ((dropped + received == $2))
}

# Drops at the socket of one session are counted when it ends; a shared socket does not end.
app_answers_a_stopped_pod()
{
    local dropped
    start_app burst "$1"
    pods_start "$a" -- --app "udp://$1" --app-idle 5s --rcvbuf 4KiB "${@:2}"
    "$tools/udp_ask" -n "$a:12000" hi || fail "cannot send"
    metric_becomes "$a" datagrams_delivered_total 1
    pod_freeze "$a"
    "$tools/udp_ask" -n "$1" go || fail "cannot send"
    wait_until "the app has replied" grep -q sent "$work/app.log"
    pod_thaw "$a"
    metric_becomes "$a" sessions 0
    wait_until "each reply was received or dropped" replies_are "$a" 1000
    dropped=$(metric "$a" 'socket_drops_total{socket="app"}')
    expect_between "dropped by the kernel" "$dropped" 900 1000
    expect "app, in headlessctl status" "$("$headlessctl" --admin "$a" status | grep -oE '^ +app +[0-9]+ ' | xargs)" "app $dropped"
    ledger_closes "$a"
}

app_is_not_there()
{
    local target=$1
    pods_start "$a" "$b" -- --app "udp://$target" --leader "$a"
    "$tools/udp_ask" -n -k 20 "$b:12000" "nobody" || fail "cannot send"
    wait_until "20 came" twenty_came # more, if they are refused, and sent again
    wait_until "refusals are counted" app_was_refused
    ledger_closes "$a" "$b"
    expect_log "$a" app_refused
    # when the app starts, it is used
    start_app echo "$target"
    expect "answer of the late app" "$(ask_status -e "$b:12000" "now")" 0
    expect "and again, through the leader" "$(ask_status -k 20 -e "$a:12000" "now")" 0
    ledger_closes "$a" "$b"
}

twenty_came()
{
    (($(metric "$a" 'datagrams_received_total{socket="relay"}') >= 20))
}

app_was_refused()
{
    (($(metric "$a" app_refused_total) > 0))
}

app_restarts()
{
    start_app echo "$1"
    pods_start "$a" "$b" -- --app "udp://$1" --leader "$a"
    expect "before" "$(ask_status -s 127.0.4.201:40001 -e "$b:12000" "one")" 0
    app_stop app
    expect "gone" "$(ask_status -t 100 -s 127.0.4.201:40001 -e "$b:12000" "two")" 1
    start_app echo "$1"
    expect "after" "$(ask_status -s 127.0.4.201:40001 -e "$b:12000" "three")" 0
    ledger_closes "$a" "$b"
}

# Datagrams of a third process to a session's address must not reach the client.
other_processes_are_ignored()
{
    local source
    start_app source
    pods_start "$a" -- --app "udp://$app"
    source=$(ask -s 127.0.4.201:40001 "$a" hi)
    source=${source#from }
    source=${source% hi}
    "$tools/udp_ask" -n -s 127.0.4.99:5300 "$source" "not from the app" || fail "cannot send"
    metric_becomes "$a" 'replies_dropped_total{reason="stranger"}' 1
    # the app itself, to a session that never existed
    "$tools/udp_ask" -n "127.255.255.254:${source#*:}" "nobody" || fail "cannot send"
    metric_becomes "$a" 'replies_dropped_total{reason="stranger"}' 2
    expect "sent" "$(metric "$a" replies_sent_total)" 1
    ledger_closes "$a"
}

proxy_tells_the_client()
{
    start_app proxy "$1"
    pods_start "$a" "$b" -- --app "udp://$1" --leader "$a" --app-proxy-protocol v2
    expect "through the follower" "$(ask -s 127.0.4.201:40001 "$b" hi)" \
        "client 127.0.4.201:40001 asked $b:12000 hi"
    expect "through the leader" "$(ask -s 127.0.4.202:40002 "$a" ho)" \
        "client 127.0.4.202:40002 asked $a:12000 ho"
    expect "no payload" "$(ask -s 127.0.4.203:40003 "$b" "")" \
        "client 127.0.4.203:40003 asked $b:12000 "
    expect "series" "$(ask_status -k 50 "$b:12000" "x")" 0
    # datagrams that the header makes too large
    "$tools/udp_ask" -n -z 65507 "$a:12000" || fail "cannot send"
    dropped_becomes "$a" oversize 1
    together_closes "$a" "$b"
}

# One pod on wildcard sockets, on its own ports: the client's sockets are connected, so a reply from another address
# than the requested one is not received.
wildcard()
{
    local asked self=127.0.4.31
    pod_launch "$self" --bind any --data-port 12400 --relay-port 12401 --peer-port 12402 \
        --admin-listen "$self:8080" --app whoami "$@"
    pod_wait "$self"
    for asked in 127.0.4.31 127.0.4.32 127.0.4.201 127.99.1.1; do
        expect_match "asked at $asked" \
            "$("$tools/udp_ask" "$asked:12400" "$(printf 'x%.0s' {1..99})" || true)" \
            "^$self $self leader term 1 via $self you 127\.0\.0\.1:[0-9]+$"
    done
    expect_match "asked at ::1" \
        "$("$tools/udp_ask" "[::1]:12400" "$(printf 'x%.0s' {1..99})" || true)" \
        "^$self $self leader term 1 via $self you \[::1\]:[0-9]+$"
    expect "a command to another address" \
        "$("$tools/udp_ask" "127.0.4.33:12400" "{\"leader\":\"$self\"}" || true)" "ok 1"
    expect "a broken one to another address" \
        "$("$tools/udp_ask" "127.0.4.34:12400" "{\"leader\":1 }" || true)" "bad json"
    expect "a series" "$(ask_status -k 50 "[::1]:12400" "$(printf 'x%.0s' {1..99})")" 0
    ledger_closes "$self"
}

# Two pods with wildcard sockets need two networks: namespaces, connected by a veth pair.
# (Their addresses are used nowhere else.)
wildcard_followers()
{
    local ns1=headless-$$-1 ns2=headless-$$-2
    ip netns add "$ns1"
    at_exit+=("ip netns delete $ns1")
    ip netns add "$ns2"
    at_exit+=("ip netns delete $ns2")
    ip -n "$ns1" link add cable type veth peer name cable netns "$ns2"
    plug "$ns1" 1
    plug "$ns2" 2
    pod_in "$ns1" 10.99.4.1
    pod_in "$ns2" 10.99.4.2
    wait_until "the first leads" follows_in "$ns1" 10.99.4.1 10.99.4.1
    wait_until "the second follows" follows_in "$ns2" 10.99.4.2 10.99.4.1
    # clients in the leader's network use two of the follower's addresses, IPv4 and IPv6
    for asked in 10.99.4.2 10.99.4.102 "[fd99::2]" "[fd99::102]"; do
        expect_match "follower asked at $asked" \
            "$(ip netns exec "$ns1" "$tools/udp_ask" "$asked:12000" "$(printf 'x%.0s' {1..99})")" \
            "^10.99.4.1 10.99.4.1 leader term 1 via 10.99.4.2 you (10\.99\.4\.1|\[fd99::1(01)?\]):[0-9]+$"
    done
    for asked in 10.99.4.1 10.99.4.101 "[fd99::1]" "[fd99::101]"; do
        expect_match "leader asked at $asked" \
            "$(ip netns exec "$ns2" "$tools/udp_ask" "$asked:12000" "$(printf 'x%.0s' {1..99})")" \
            "^10.99.4.1 10.99.4.1 leader term 1 via 10.99.4.1 you (10\.99\.4\.2|\[fd99::(2|102)\]):[0-9]+$"
    done
}

# plug NAMESPACE N: adds two addresses of each family.
plug()
{
    ip -n "$1" link set lo up
    ip -n "$1" link set cable up
    ip -n "$1" address add "10.99.4.$2/24" dev cable
    ip -n "$1" address add "10.99.4.10$2/24" dev cable
    ip -n "$1" address add "fd99::$2/64" dev cable nodad
    ip -n "$1" address add "fd99::10$2/64" dev cable nodad
}

pod_in()
{
    pod_wrapper=(ip netns exec "$1")
    pod_launch "$2" --peers 10.99.4.1,10.99.4.2 --leader 10.99.4.1 --app whoami
    pod_wrapper=()
    wait_until "pod $2 says started" grep -q 'started:' "$work/$2.log"
}

# follows_in NAMESPACE ADDRESS LEADER
follows_in()
{
    local pod_wrapper=(ip netns exec "$1")
    [[ $(leader_of "$2") == "$3" ]]
}

run "each client has one session, with its own source address" mux_sessions
run "each client has one session, without rings" mux_sessions --workers 0
run "socat is the app" socat_as_app
run "200 clients have 200 sessions" many_clients
run "200 clients have 200 sessions, without rings" many_clients --workers 0
run "200 clients have 200 sessions, two workers" many_clients --workers 2
run "an IPv6 app replies" ipv6_app
run "an IPv6 app replies, without rings" ipv6_app --workers 0
run "a client keeps its address after a silence" address_is_kept
run "a client keeps its address after a silence, without rings" address_is_kept --workers 0
run "a client keeps its hashed address after a silence" address_is_kept --app-client-address hashed
run "the app's datagrams to a silent client leave" push_after_a_silence
run "sockets of silent clients are closed, IPv6" sockets_are_closed
run "sockets of silent clients are closed, IPv6, without rings" sockets_are_closed --workers 0
run "a hashed address is the same at all pods" address_is_hashed
run_timed "sessions in use do not expire" sessions_stay_when_used
run "app.max_sessions limits the sessions" session_cap
run "a datagram of the app to no client is reported" reply_to_no_client
run "a fifth client of four gets the longest silent one's session" session_cap_fifth_client
run "the app of a stopping pod replies, IPv4" app_answers_a_stopped_pod "$app"
run "the app of a stopping pod replies, IPv6" app_answers_a_stopped_pod "$app6"
run "the app of a stopping pod replies, without rings" app_answers_a_stopped_pod "$app6" --workers 0
run "a missing app is reported, IPv4" app_is_not_there "$app"
run "a missing app is reported, IPv6" app_is_not_there "$app6"
run "the app restarts, IPv4" app_restarts "$app"
run "the app restarts, IPv6" app_restarts "$app6"
run "datagrams of other processes are not relayed as replies" other_processes_are_ignored
run "PROXY v2 has the client's address, IPv4" proxy_tells_the_client "$app"
run "PROXY v2 has the client's address, IPv6" proxy_tells_the_client "$app6"
run "wildcard: the reply comes from the requested address" wildcard
run "wildcard: the reply comes from the requested address, without rings" wildcard --workers 0
if ip netns add "headless-$$-0" 2>/dev/null; then
    ip netns delete "headless-$$-0"
    run "wildcard followers reply from the requested address" wildcard_followers
else
    skip "wildcard followers reply from the requested address" "network namespaces are not permitted"
fi
finish
