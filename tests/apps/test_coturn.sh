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

# reflexive: the client's address as the server tells it to the client.
reflexive()
{
    at_client turnutils_stunclient -p 12000 "$b" 2>&1 | sed -nE 's/.*reflexive addr: (.*)/\1/p' | tail -n 1
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

apps_need turnserver turnutils_stunclient ss
tell group "Media and telephony"
tell server "coturn"
tell version "$(package_version coturn)"
run "coturn answers with the session's address, and after a leader change" plain
apps_finish
