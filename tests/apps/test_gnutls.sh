#!/usr/bin/env bash
# gnutls-serv with DTLS as the app, one in each pod; gnutls-cli is the client. The server's cookies hold the client's
# address.
#
#   tests/apps/test_gnutls.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

server_start()
{
    serve "$1" server gnutls-serv --udp --port "$port" --echo --x509keyfile "$work/key.pem" \
        --x509certfile "$work/cert.pem"
    wait_until "gnutls-serv listens" listens "$1"
}

client_start()
{
    client_open "$1" gnutls-cli --udp --port 12000 --x509cafile "$work/cert.pem" --sni-hostname server \
        --verify-hostname server "$b"
}

plain()
{
    each_pod server_start
    behind plain
    client_start first
    client_says first "one"
    wait_until "the client hears" heard first "one"
    client_close first
    move_lead "$c"
    client_start second
    client_says second "three"
    wait_until "a new client hears from the new leader" heard second "three"
    client_close second
    apps_close
    tell plain "works, one client at a time, as without headlessd"
    tell change "sessions end: clients need a new handshake, and notice that only by a timeout of their own"
}

apps_need gnutls-serv gnutls-cli openssl ss
apps_certificate
tell group "DTLS and QUIC"
tell server "GnuTLS \`gnutls-serv --udp\`"
tell version "$(package_version gnutls-bin)"
run "gnutls-serv answers through a follower, and new clients after a leader change" plain
apps_finish
