#!/usr/bin/env bash
# openssl s_server with DTLS as the app, one in each pod; openssl s_client is the client.
#
#   tests/apps/test_openssl.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

server_start()
{
    serve_lines "$1" server openssl s_server -dtls -accept "127.0.0.1:$port" -key "$work/key.pem" \
        -cert "$work/cert.pem" -quiet
    wait_until "s_server listens" listens "$1"
}

# client_start NAME: through the follower, with the server's certificate verified.
client_start()
{
    client_open "$1" openssl s_client -dtls -connect "$b:12000" -CAfile "$work/cert.pem" -verify_return_error \
        -verify_hostname server -quiet
}

plain()
{
    each_pod server_start
    behind plain
    client_start first
    client_says first "one"
    wait_until "the leader's server hears" heard server-1 "one"
    client_says server-1 "two"
    wait_until "the client hears" heard first "two"
    move_lead "$c"
    client_says first "three" # its session is not known there
    client_start second
    client_says second "four"
    wait_until "the new leader's server hears a new client" heard server-3 "four"
    client_says server-3 "five"
    wait_until "the new client hears" heard second "five"
    expect "what the servers heard" "$(cat "$work"/server-[123].out | xargs)" "one four"
    client_close first
    client_close second
    apps_close
    tell plain "works, one client at a time, as without headlessd"
    tell change "sessions end: clients need a new handshake, and notice that only by a timeout of their own"
}

apps_need openssl ss
apps_certificate
tell group "DTLS and QUIC"
tell server "OpenSSL \`s_server -dtls\`"
tell version "$(package_version openssl)"
run "s_server answers through a follower, and new clients after a leader change" plain
apps_finish
