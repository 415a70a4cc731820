#!/usr/bin/env bash
# coturn as the app, one in each pod; turnutils_stunclient asks it for its own address.
#
#   tests/apps/test_coturn.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

turn_start()
{
    local dir=$work/turn-${1##*.}
    mkdir -p "$dir"
    serve "$1" turn turnserver -n --listening-ip=127.0.0.1 --relay-ip="$1" --listening-port="$port" --no-tcp --no-tls \
        --no-dtls --no-cli --log-file=stdout --pidfile="$dir/pid" --userdb="$dir/db" --realm=test
    wait_until "turnserver listens" listens "$1"
}

# reflexive [OPTION...]: the client's address as the server tells it to the client.
reflexive()
{
    at_client turnutils_stunclient "$@" -p 12000 "$b" 2>&1 | sed -nE 's/.*reflexive addr: (.*)/\1/p' | tail -n 1
}

told_a_session()
{
    reflexive >"$work/reflexive"
    [[ $(cat "$work/reflexive") =~ ^$session_source:[0-9]+$ ]]
}

plain()
{
    each_pod turn_start
    behind plain
    wait_until "the leader's turnserver answers" told_a_session
    move_lead "$c"
    wait_until "the new leader's turnserver answers" told_a_session
    apps_close
    expect "the new leader's was asked" "$(($(delivered_by "$c") > 0))" 1
    tell plain "STUN does not serve its purpose: the reflexive address is the session's (127.128.0.0/9), not the client's"
    tell change "allocations (TURN) are the former leader's: the client must allocate again"
}

told_itself()
{
    [[ $(reflexive -L "$client2") =~ ^$client2:[0-9]+$ ]]
}

# stun_request: prints the address and port that a binding request from a known port gets as its reflexive one.
stun_request()
{
    at_client python3 - "$client" "$1" "$b" <<'END'
import socket, struct, sys
me, port, to = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind((me, port))
    s.settimeout(5)
    request = struct.pack(">HHI12s", 1, 0, 0x2112A442, b"transaction1")
    for _ in range(10):
        s.sendto(request, (to, 12000))
        try:
            reply = s.recv(1500)
            break
        except TimeoutError:
            pass
at = 20
while at < len(reply):
    kind, size = struct.unpack_from(">HH", reply, at)
    if kind == 0x20: # XOR-MAPPED-ADDRESS
        x, y = struct.unpack_from(">HI", reply, at + 6)
        print(socket.inet_ntoa(struct.pack(">I", y ^ 0x2112A442)), x ^ 0x2112, sep=":")
    at += 4 + (size + 3 & ~3)
END
}

own_address()
{
    each_pod turn_start
    behind client
    wait_until "the leader's turnserver answers" told_itself
    expect "address and port" "$(stun_request 44444)" "$client:44444"
    move_lead "$c"
    wait_until "the new leader's turnserver answers" told_itself
    expect "address and port" "$(stun_request 44444)" "$client:44444"
    apps_close
    expect "the new leader's was asked" "$(($(delivered_by "$c") > 0))" 1
    tell client "STUN works: the reflexive address is the client's own address and port"
}

apps_need turnserver turnutils_stunclient python3 ss
tell group "Media and telephony"
tell server "coturn"
tell version "$(package_version coturn)"
run "coturn answers with the session's address, and after a leader change" plain
run "app.source client: coturn answers with the client's address and port, and after a leader change" own_address
apps_finish
