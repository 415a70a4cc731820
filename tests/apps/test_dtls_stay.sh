#!/usr/bin/env bash
# openssl s_server with DTLS as the app of each pod, and drain.sessions stay: a session goes on with the former leader's
# server after the lead has moved, and a new one begins at the next leader's.
#
#   tests/apps/test_dtls_stay.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.41.11 # leads at first
b=127.0.41.12
c=127.0.41.13
pods=("$a" "$b" "$c")
declare -A inputs=()

# interactive NAME COMMAND...: in the background; "type_in NAME TEXT" is its input, $work/NAME.out its output.
interactive()
{
    local name=$1 fd
    shift
    mkfifo "$work/$name.in"
    "$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.log" &
    app_pids[$name]=$!
    exec {fd}>"$work/$name.in"
    inputs[$name]=$fd
}

type_in()
{
    echo "$2" >&"${inputs[$1]}"
}

heard()
{
    grep -qx "$2" "$work/$1.out"
}

listens()
{
    grep -q . < <(ss -Hluna "src $1:5300")
}

servers_and_pods()
{
    local pod app
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=server \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    for pod in "${pods[@]}"; do
        app=127.0.41.$((100 + ${pod##*.}))
        interactive "server-${pod##*.}" openssl s_server -dtls -accept "$app:5300" -key "$work/key.pem" \
            -cert "$work/cert.pem" -quiet
        wait_until "s_server listens" listens "$app"
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --app "udp://$app:5300" --app-idle 5m "$@"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
}

client_start()
{
    interactive "$1" openssl s_client -dtls -connect "$c:12000" -CAfile "$work/cert.pem" -quiet
}

session_stays()
{
    servers_and_pods --drain-sessions stay --drain-time 1m --reply-grace 500ms
    client_start first
    type_in first one
    wait_until "the leader's server hears" heard server-11 one
    type_in server-11 two
    wait_until "the client hears" heard first two
    lead "$b" "$c"
    wait_until "all ask the former leader first" metric_is "$c" former_leader_serves 1
    type_in first three
    wait_until "the former leader's server hears" heard server-11 three
    client_start second
    type_in second four
    wait_until "the new leader's server hears a new client" heard server-12 four
    type_in server-12 five
    wait_until "the new client hears" heard second five
    wait_until "reply.grace is over" grace_is_over
    type_in server-11 six
    wait_until "the first client hears" heard first six
    type_in first seven
    wait_until "the former leader's server hears" heard server-11 seven
    ledger_closes "${pods[@]}"
    # Pod c has no sessions, so that none stay after it has led, and no pod waits for them when it stops.
    lead "$c" "$b"
    lead "$a" "$b"
    wait_until "nothing stays" metric_is "$b" former_leader_serves 0
    pod_stop "$b"
    pod_stop "$c"
    tell_more "OpenSSL \`s_server -dtls\`" change "with \`drain.sessions: stay\` they go on with the former leader's server"
}

grace_is_over()
{
    [[ $(http "$c:8080/status") =~ \"leader_age_ms\":([0-9]+) ]] && ((BASH_REMATCH[1] > 1000))
}

if command -v openssl >/dev/null && command -v ss >/dev/null; then
    run "a DTLS session stays, and a new one begins at the next leader" session_stays
else
    skip "openssl" "openssl or ss is not installed (scripts/setup apps)"
fi
apps_finish
