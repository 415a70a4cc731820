#!/usr/bin/env bash
# ngtcp2's example server (QUIC, HTTP/3) as the app, one in each pod; gtlsclient is the client.
#
#   tests/apps/test_ngtcp2.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

quic_start()
{
    local dir=$work/quic-${1##*.}
    mkdir -p "$dir"
    echo "quic of $1" >"$dir/page"
    serve "$1" quic gtlsserver -q -d "$dir" 127.0.0.1 "$port" "$work/key.pem" "$work/cert.pem"
    wait_until "gtlsserver listens" listens "$1"
}

# fetch: a page through the follower, by a new connection.
fetch()
{
    rm -rf "$work/got"
    mkdir "$work/got"
    at_client timeout 30 gtlsclient -q --exit-on-all-streams-close --download="$work/got" "$b" 12000 \
        "https://server/page" >"$work/fetch.out" 2>&1 || true
    cat "$work/got/page" 2>/dev/null || true
}

plain()
{
    each_pod quic_start
    behind plain
    expect "the leader's page" "$(fetch)" "quic of $a"
    move_lead "$c"
    expect "the new leader's page" "$(fetch)" "quic of $c"
    apps_close
    tell plain "works"
    tell change "connections end by their idle timeout: clients must connect again"
}

# drain.sessions stay: the handshake is with the leader's server, and the request comes after the lead has moved.
connection_stays()
{
    each_pod quic_start
    behind plain --drain-sessions stay --drain-time 1m
    rm -rf "$work/got"
    mkdir "$work/got"
    serve "$client" gtlsclient gtlsclient -q --exit-on-all-streams-close --timeout=5m --delay-stream=5s \
        --download="$work/got" "$b" 12000 "https://server/page"
    wait_until "the leader's server has the client" metric_is "$a" sessions 1
    kill -STOP "${app_pids[gtlsclient-100]}" # however long the next steps take
    move_lead "$c"
    wait_until "all ask the former leader first" metric_is "$b" former_leader_serves 1
    kill -CONT "${app_pids[gtlsclient-100]}"
    wait_until "the client has its page" has_page
    expect "the page" "$(<"$work/got/page")" "quic of $a"
    app_stop gtlsclient-100
    apps_close
    sessions_end_at "$b"
    tell change "with \`drain.sessions: stay\` connections go on with the former leader's server"
}

has_page()
{
    [[ -s $work/got/page ]]
}

apps_need gtlsserver gtlsclient openssl ss
apps_certificate
tell group "DTLS and QUIC"
tell server "ngtcp2 \`gtlsserver\` (QUIC)"
tell version "$(package_version ngtcp2-server)"
run "gtlsserver serves through a follower, and new connections after a leader change" plain
run "a QUIC connection stays with the former leader's server" connection_stays
apps_finish
