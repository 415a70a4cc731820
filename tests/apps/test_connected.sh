#!/usr/bin/env bash
# openssl s_server -dtls -listen: answers each new client with a cookie, and connects its socket to the first one that
# returns it. That client is served whatever others send, and the lead stays.
#
#   tests/apps/test_connected.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR/../cluster source=lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.30.11 # leads
b=127.0.30.12
c=127.0.30.13
pods=("$a" "$b" "$c")

app_of()
{
    echo "127.0.30.$((100 + ${1##*.}))"
}

# s_server_start NAME ADDRESS: its input has no end, and no writer.
s_server_start()
{
    [[ -p $work/input ]] || mkfifo "$work/input"
    openssl s_server -dtls -listen -accept "$2:5684" -cert "$work/cert.pem" -key "$work/key.pem" \
        <>"$work/input" >"$work/$1.out" 2>"$work/$1.log" &
    app_pids[$1]=$!
    wait_until "$1 accepts" grep -q ACCEPT "$work/$1.out"
}

# s_client_start NAME POD: sends the lines that are written to its descriptor, in client_fd.
declare -A client_fd=()
s_client_start()
{
    local fd
    mkfifo "$work/$1.in"
    openssl s_client -dtls -connect "$2:12000" -quiet <"$work/$1.in" >"$work/$1.out" 2>"$work/$1.log" &
    app_pids[$1]=$!
    exec {fd}>"$work/$1.in"
    client_fd[$1]=$fd
}

# given NAME TEXT: the server has this line.
given()
{
    grep -qx "$2" "$work/$1.out"
}

# OpenSSL repeats its hello after 1, 2 and 4 s, so each of them may be the one a second that is tried.
client_is_refused()
{
    (($(metric "$a" app_refused_clients_total) >= 1))
}

dtls_client_is_served()
{
    local i pod
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=server \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    for pod in "${pods[@]}"; do
        s_server_start "s_server-$pod" "$(app_of "$pod")"
        pod_launch "$pod" --peers "$(IFS=,; echo "${pods[*]}")" --leader "$a" --app "udp://$(app_of "$pod"):5684"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
    s_client_start first "$b"
    echo "first 1" >&"${client_fd[first]}"
    wait_until "its first line arrives" given "s_server-$a" "first 1"
    s_client_start second "$b" # repeats its hello
    wait_until "the second client is refused" client_is_refused
    for i in {2..9}; do
        echo "first $i" >&"${client_fd[first]}"
        wait_until "line $i arrives" given "s_server-$a" "first $i"
    done
    ledger_closes "${pods[@]}"
    expect "app_down" "$(cat "$work"/127*.log | grep -c app_down)" 0
    expect_lines "$a" 60 app_connected
    # On a machine that starves a thread for long, the lead moves for that reason.
    grep -q threads_stuck "$work"/127*.log || expect "leader" "$(leaders "${pods[@]}")" "$a"
    tell_more "OpenSSL \`s_server -dtls\`" plain "\`-listen\`: the client that returns its cookie first is served, others are refused and counted (\`app_refused_clients_total\`)"
}

command -v openssl >/dev/null || {
    skip "openssl s_server -dtls -listen" "openssl is not installed (scripts/setup test)"
    finish
    exit
}
run "openssl s_server -dtls -listen serves its client, whatever others send" dtls_client_is_served
apps_finish
