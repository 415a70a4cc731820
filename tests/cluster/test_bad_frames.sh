#!/usr/bin/env bash
# Frames that no pod sends: broken, foreign and forged ones, and datagrams that could start a loop.
# Each is dropped under its reason, the process keeps running, the ledger is balanced.
#
#   tests/cluster/test_bad_frames.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Open: it sends open frames.
. "$(dirname "$0")/lib.sh"

a=127.0.3.11 # leads
b=127.0.3.12
c=127.0.3.13 # a member that does not run: the frames come from its address

# frame OPTION...: sends to the leader's relay port, from member c.
frame()
{
    "$tools/frame_send" -s "$c" "$@" "$a:12001" "payload" || fail "cannot send a frame"
}

# spoof FROM TO TEXT [COUNT]: sends to a data port, with a forged source.
spoof()
{
    "$tools/raw_spoof" "$@" || fail "cannot spoof"
}

# Frames have the address of c, which is a member.
# Without confirmations, which are frames, too.
start()
{
    pods_start "$a" "$b" "$c" -- --leader "$a" --relay-confirm none
}

still_serves()
{
    expect "echo through the leader" "$(ask_status -e "$a:12000" "still")" 0
    expect "echo through the follower" "$(ask_status -e "$b:12000" "alive")" 0
    ledger_closes "$a" "$b"
}

# refused REASON COUNT FRAME_SEND_OPTION...
refused()
{
    local reason=$1 count=$2 before
    shift 2
    before=$(dropped "$a" "$reason")
    frame "$@"
    dropped_becomes "$a" "$reason" $((before + count))
}

good_frames_are_taken()
{
    start
    frame
    frame -n 5 -k 3
    metric_becomes "$a" datagrams_delivered_total 16
    # the replies go to member c, which sent no request
    metric_becomes "$a" replies_relayed_total 16
    still_serves
}

broken_frames()
{
    local cut
    start
    for cut in 0 1 2 3 39 40 41 52 63 70; do
        refused malformed 1 -x "$cut"
    done
    refused malformed 1 -T 0
    refused malformed 1 -T 4
    refused route 3 -T 3 -n 3 # copies: not where the route is leader
    refused malformed 1 -H 0
    refused malformed 1 -n 0
    refused malformed 1 -l 1
    refused malformed 1 -l 60000
    refused malformed 1 -l -1
    refused malformed 1 -n 4 -l 1
    refused malformed 1 -p 4
    refused malformed 1 -p 100
    refused malformed 1 -C 127.0.0.1:0
    refused malformed 1 -k 1 -I 0.0.0.0
    expect "malformed" "$(dropped "$a" malformed)" 22
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 0
    still_serves
}

frames_of_other_versions_and_clusters()
{
    start
    refused version 3 -V 2 -k 3
    refused version 1 -V 0
    refused version 1 -V 255
    refused cluster 2 -c elsewhere -k 2
    refused cluster 1 -c ""
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 0
    still_serves
}

frames_that_were_relayed_too_often()
{
    start
    # above the protocol's limit: no valid frame
    refused malformed 1 -H 3
    refused malformed 1 -H 255
    # the leader accepts the second hop, a follower drops it
    frame -H 2 -I "$b"
    metric_becomes "$a" datagrams_delivered_total 1
    "$tools/frame_send" -s "$c" -H 2 -n 7 "$b:12001" || fail "cannot send"
    dropped_becomes "$b" hops 7
    # the first hop: only towards a higher term than the sender's
    "$tools/frame_send" -s "$c" -H 1 -e 1 -n 5 "$b:12001" || fail "cannot send"
    dropped_becomes "$b" hops 12
    "$tools/frame_send" -s "$c" -H 1 -e 99 "$b:12001" || fail "cannot send"
    dropped_becomes "$b" hops 13
    expect "relayed by the follower" "$(metric "$b" datagrams_relayed_total)" 0
    still_serves
}

flipped_bits()
{
    local seed
    start
    for seed in {1..20}; do # in portions that fit into a socket's buffer
        frame -f "$seed" -k 200 -n 2
        wait_until "200 more came" frames_came $((200 * seed))
    done
    # wherever the flips are: all are counted, and most of those in headers are detected
    ledger_closes "$a" "$b"
    expect_between "malformed, version, cluster" \
        "$(($(dropped "$a" malformed) + $(dropped "$a" version) + $(dropped "$a" cluster)))" \
        500 3000
    still_serves
}

frames_came()
{
    local in
    in=$(metric "$a" 'frames_total{direction="in"}' 'socket_drops_total{socket="relay"}')
    (($(("${in% *}" + "${in#* }")) == $1))
}

random_bytes()
{
    start
    for bytes in 1 40 64 200 1400; do
        head -c "$bytes" /dev/urandom | "$tools/udp_ask" -s "$c" -n "$a:12001" - ||
            fail "cannot send"
        head -c "$bytes" /dev/urandom | "$tools/udp_ask" -n "$a:12002" - || fail "cannot send"
    done
    dropped_becomes "$a" malformed 5
    metric_becomes "$a" 'peer_messages_dropped_total{reason="malformed"}' 5
    still_serves
}

# A client with source port 0 cannot be encoded in a frame. Its datagram must not affect the others.
source_port_0()
{
    local i pid
    start
    for i in 1 2 3; do
        spoof 127.0.0.1:0 "$b:12000" "no port $i"
    done
    metric_becomes "$b" 'datagrams_received_total{socket="data"}' 3
    expect "malformed at the leader" "$(dropped "$a" malformed)" 0
    dropped_becomes "$b" malformed 3
    spoof 127.0.0.1:0 "$a:12000" "no port" 3
    dropped_becomes "$a" malformed 3
    # among valid ones, in the same batches
    for i in {1..10}; do
        spoof 127.0.0.1:0 "$b:12000" "bad" 50 &
        pid=$!
        expect "series $i" "$(ask_status -e -k 50 "$b:12000" "good")" 0
        wait "$pid" || fail "cannot spoof"
    done
    dropped_becomes "$b" malformed 503
    expect "malformed at the leader" "$(dropped "$a" malformed)" 3
    still_serves
}

frames_of_unknown_sources()
{
    start
    "$tools/frame_send" -s 127.0.3.99 -n 3 -k 4 "$a:12001" || fail "cannot send"
    dropped_becomes "$a" acl 4
    "$tools/frame_send" -s 127.0.3.99 -T 2 "$b:12001" || fail "cannot send"
    dropped_becomes "$b" acl 1
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 0
    still_serves
}

# Forged replies from the leader's address would make a pod send to any address in the record.
forged_answers()
{
    local heard
    start
    "$tools/udp_app" 127.0.3.200:40000 quiet "$work" 2>"$work/victim.log" &
    app_pids[victim]=$!
    wait_until "victim listens" grep -q listening "$work/victim.log"
    "$tools/frame_send" -s "$a" -T 2 -C 127.0.3.200:40000 -L "$b:12000" -n 3 -k 5 "$b:12001" ||
        fail "cannot send"
    metric_becomes "$b" 'replies_dropped_total{reason="tag"}' 15
    "$tools/frame_send" -s "$a" -T 2 -g 0xffffffffffffffff -C 127.0.3.200:40000 "$b:12001" ||
        fail "cannot send"
    metric_becomes "$b" 'replies_dropped_total{reason="tag"}' 16
    heard=$(find "$work" -name '[0-9]*' -type f ! -name '*.log' | wc -l)
    expect "datagrams at the victim" "$heard" 0
    expect "sent" "$(metric "$b" replies_sent_total)" 0
    still_serves
}

# A request with an ingress address that is no member: no reply must be sent there.
unknown_ingress_address()
{
    start
    "$tools/udp_app" 127.0.3.200:12001 quiet "$work" 2>"$work/victim.log" &
    app_pids[victim]=$!
    wait_until "victim listens" grep -q listening "$work/victim.log"
    frame -H 2 -I 127.0.3.200 -k 5
    dropped_becomes "$a" acl 5
    ledger_closes "$a" "$b"
    expect "answers relayed" "$(metric "$a" replies_relayed_total)" 0
    # our own address is a member's, but a reply to us must have our tag
    frame -H 2 -I "$a" -k 5
    dropped_becomes "$a" tag 5
    still_serves
}

# The reply to a datagram with a member's port as its source would start a loop.
spoofed_loop()
{
    local port
    start
    for port in 12000 12001 12002; do
        spoof "$b:$port" "$a:12000" "ping"
    done
    dropped_becomes "$a" loop 3
    spoof "$a:12000" "$b:12000" "ping"
    dropped_becomes "$b" loop 1
    spoof "$a:12000" "$a:12000" "to itself"
    dropped_becomes "$a" loop 4
    spoof "$b:12000" "$a:12000" "{\"leader\":\"$b\"}"
    dropped_becomes "$a" loop 5
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 0
    expect "received, all pods" \
        "$(total 'datagrams_received_total{socket="data"}' "$a" "$b")" 6
    expect "leader" "$(metric "$a" is_leader)" 1
    # a member's address with another port is no loop: its other processes may be clients
    expect "from a member's address" "$(ask_status -s "$b" -e "$a:12000" "client")" 0
    still_serves
}

# Ports of servers that reply to any datagram: echo, chargen, DNS, and other pods.
server_ports_get_no_reply()
{
    local port
    start
    for port in 7 19 53 1023 12000; do
        expect "from port $port" "$(ask_status -t 100 -s "127.0.3.200:$port" "$a:12000" "hi")" 1
        expect "from port $port" "$(ask_status -t 100 -s "127.0.3.200:$port" "$b:12000" "hi")" 1
    done
    metric_becomes "$a" replies_withheld_total 10
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 10
    expect "from port 1024" "$(ask_status -s 127.0.3.200:1024 -e "$a:12000" "hi")" 0
    still_serves
}

run "valid frames are accepted" good_frames_are_taken
run "broken frames are dropped" broken_frames
run "frames of other versions and clusters are dropped" frames_of_other_versions_and_clusters
run "frames with too many hops are dropped" frames_that_were_relayed_too_often
run "frames with flipped bits are dropped" flipped_bits
run "random bytes are dropped" random_bytes
run "frames of unknown sources are dropped" frames_of_unknown_sources
run "forged replies are dropped" forged_answers
run "a request with an unknown ingress address gets no reply" unknown_ingress_address
status=0
"$tools/raw_spoof" 127.0.3.200:1 127.0.3.201:9 x || status=$?
if ((status == 77)); then
    skip "forged sources" "raw sockets are not permitted"
else
    run "source port 0 affects no other datagram" source_port_0
    run "a forged member address starts no loop" spoofed_loop
fi
run "ports of well-known servers get no reply" server_ports_get_no_reply
finish
