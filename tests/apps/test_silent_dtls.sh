#!/usr/bin/env bash
# DTLS sessions of GnuTLS and OpenSSL go on after a silence longer than app.idle.
#
#   tests/apps/test_silent_dtls.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.82.11 # leads
b=127.0.82.12

# client_open COMMAND...: a client that stays; client_says sends it a line, its output is in $work/client.out.
client_open()
{
    mkfifo "$work/client.in"
    "$@" <"$work/client.in" >"$work/client.out" 2>"$work/client.log" &
    app_pids[client]=$!
    exec {client_fd}>"$work/client.in"
}

client_says()
{
    echo "$1" >&"$client_fd"
}

client_close()
{
    exec {client_fd}>&-
    app_stop client
    rm "$work/client.in" "$work/client.out"
}

# True when a UDP socket is bound to port 5300. Servers buffer what they write to a file.
server_listens()
{
    grep -qi ':14b4 ' /proc/net/udp /proc/net/udp6
}

# start COMMAND...: the server, with an input that stays open, and the pods.
start()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=server \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    mkfifo "$work/server.in"
    "$@" <"$work/server.in" >"$work/server.out" 2>&1 &
    app_pids[server]=$!
    exec {server_fd}>"$work/server.in"
    wait_until "the server listens" server_listens
    pods_start "$a" "$b" -- --app udp://127.0.0.1:5300 --leader "$a" --app-idle 1s
}

# eight_of_eight FILE: where each line appears that the client sends.
eight_of_eight()
{
    local i
    client_says "line 0"
    wait_until "line 0 arrives" grep -qxF "line 0" "$1"
    metric_becomes "$a" sessions 0
    for i in {1..8}; do
        client_says "line $i"
        wait_until "line $i arrives after a silence" grep -qxF "line $i" "$1"
    done
    expect "addresses of the client" "$(metric "$a" sessions_opened_total)" 1
    client_close
    exec {server_fd}>&-
    app_stop server
    rm "$work/server.in"
    ledger_closes "$a" "$b"
}

# An echo server: the lines come back.
gnutls_goes_on()
{
    start gnutls-serv --udp --port 5300 --echo --x509keyfile "$work/key.pem" --x509certfile "$work/cert.pem"
    client_open gnutls-cli --udp --port 12000 --insecure "$b"
    eight_of_eight "$work/client.out"
    tell_more "GnuTLS \`gnutls-serv --udp\`" plain "sessions go on after a silence longer than \`app.idle\`"
}

# The server prints the lines.
openssl_goes_on()
{
    start openssl s_server -dtls1_2 -accept 127.0.0.1:5300 -quiet -key "$work/key.pem" -cert "$work/cert.pem"
    client_open openssl s_client -dtls1_2 -connect "$b:12000" -quiet
    eight_of_eight "$work/server.out"
    tell_more "OpenSSL \`s_server -dtls\`" plain "sessions go on after a silence longer than \`app.idle\`"
}

if ! command -v gnutls-serv >/dev/null || ! command -v gnutls-cli >/dev/null; then
    skip "GnuTLS" "gnutls-bin is not installed (scripts/setup apps)"
else
    run "a DTLS session of GnuTLS goes on after a silence" gnutls_goes_on
fi
run "a DTLS session of OpenSSL goes on after a silence" openssl_goes_on
apps_finish
