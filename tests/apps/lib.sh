# Harness of the app tests: real servers behind three pods, each pod in a network namespace of its own with its server
# on 127.0.0.1, as in Kubernetes; a real client in a fourth. On top of the harness of the cluster tests.
#
# A file tests/apps/test_SERVER.sh reads this file, says "apps_need PROGRAM...", defines scenarios, runs each with
# "run NAME FUNCTION", states with "tell" the row of its server in docs/apps.md, and ends with "apps_finish": lib_row.sh.
#
#   serve POD NAME COMMAND...    starts a server in the pod's namespace, in the background: $work/NAME-N.log
#   each_pod FUNCTION            calls it for each pod
#   behind plain | proxy | client [OPTION...]   starts the pods in front of udp://127.0.0.1:$port; $a leads
#   at_client COMMAND...         runs it in the client's namespace, which has the addresses $client and $client2
#   client_open NAME COMMAND...  a client that stays; see there
#   move_lead POD                by command to a follower; returns when all pods follow
#   apps_close                   the ledgers are balanced, and the kernel dropped nothing
#   sessions_end_at POD          drain.sessions stay, before the end of a scenario; see there
#   expect_broken REASON COMMAND...   the wanted behaviour, which headlessd does not have: fails when it does
# shellcheck shell=bash disable=SC2034 # the files use what is set here
# shellcheck source=../cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib.sh"
# shellcheck source=../cluster/lib_net.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib_net.sh"
# shellcheck source=lib_row.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib_row.sh"

a=10.77.0.1 # leads at first
b=10.77.0.2
c=10.77.0.3
client=$net_client
client2=192.0.2.77 # in another network than the pods
port=5300
patience_ms=${PATIENCE_MS:-$patience_ms} # shorter for whoever writes a test
session_source='127\.(12[89]|1[3-9][0-9]|2[0-9][0-9])\.[0-9]+\.[0-9]+' # an address that an app sees

declare -A client_fds=()

# apps_need PROGRAM...: makes the network. Ends the file if something is missing.
apps_need()
{
    local program why=""
    net_possible || why="network namespaces are not permitted"
    for program in "$@"; do
        command -v "$program" >/dev/null || why="$program is not installed (scripts/setup apps)"
    done
    if [[ $why ]]; then
        skip "$(basename "$0" .sh)" "$why"
        finish
        exit
    fi
    net_make 3
    net_in "$client" ip addr add "$client2/32" dev lo
    each_pod apps_route
}

apps_route()
{
    net_in "$1" ip route add "$client2/32" via "$client"
}

# apps_certificate: makes $work/key.pem and $work/cert.pem for the name "server".
apps_certificate()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=server \
        -addext subjectAltName=DNS:server -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}

at_client()
{
    net_in "$client" "$@"
}

# at_pod POD COMMAND...
at_pod()
{
    net_in "$@"
}

serve()
{
    local pod=$1 name=$2-${1##*.}
    shift 2
    # No function: the process must be the server itself.
    ip netns exec "$(net_place "$pod")" "$@" >"$work/$name.log" 2>&1 </dev/null &
    app_pids[$name]=$!
}

each_pod()
{
    local pod
    for pod in "$a" "$b" "$c"; do
        "$1" "$pod"
    done
}

behind()
{
    local way=$1
    shift
    case $way in
    plain) ;;
    proxy) set -- --app-proxy-protocol v2 "$@" ;;
    client) set -- --app-source client "$@" ;;
    *) fail "behind: there is no way $way" ;;
    esac
    pods_start "$a" "$b" "$c" -- --app "udp://127.0.0.1:$port" "$@"
    move_lead "$a"
}

move_lead()
{
    wait_until "all follow $1" follow_after_command "$1"
}

# follow_after_command POD: sends the command again where the lead is elsewhere: no verdict about elections here.
follow_after_command()
{
    agree "$1" "$a" "$b" "$c" || {
        ask "$a" "{\"leader\":\"$1\"}" >/dev/null
        agree "$1" "$a" "$b" "$c"
    }
}

# sessions_end_at POD: with drain.sessions stay, no pod waits for sessions when it stops: the lead returns from a pod that
# has none to the one that has them, and the others stop.
sessions_end_at()
{
    move_lead "$a"
    wait_until "nothing stays" metric_is "$1" former_leader_serves 0
    pod_stop "$b"
    pod_stop "$c"
}

apps_close()
{
    together_closes "$a" "$b" "$c"
}

expect_broken()
{
    local reason=$1
    shift
    ! "$@" || fail "works now, so change this test and its row: $reason"
}

# client_open NAME COMMAND...: a client that stays; client_says NAME TEXT sends it a line, its output is in $work/NAME.out.
client_open()
{
    local name=$1 fd
    shift
    mkfifo "$work/$name.in"
    ip netns exec "$(net_place "$client")" "$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.log" &
    app_pids[$name]=$!
    exec {fd}>"$work/$name.in"
    client_fds[$name]=$fd
}

# serve_lines POD NAME COMMAND...: a server that sends the lines of server_says NAME-N TEXT; its output is in $work/NAME-N.out.
serve_lines()
{
    local pod=$1 name=$2-${1##*.} fd
    shift 2
    mkfifo "$work/$name.in"
    ip netns exec "$(net_place "$pod")" "$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.log" &
    app_pids[$name]=$!
    exec {fd}>"$work/$name.in"
    client_fds[$name]=$fd
}

client_says()
{
    echo "$2" >&"${client_fds[$1]}"
}

client_close()
{
    local fd=${client_fds[$1]}
    exec {fd}>&-
    app_stop "$1"
    rm "$work/$1.in"
}

# heard NAME TEXT: true when a client's output has this line.
heard()
{
    grep -qxF -- "$2" "$work/$1.out"
}

# listens POD: true when somebody there has the app's port.
listens()
{
    [[ $(at_pod "$1" ss -Hlun "sport = :$port") ]]
}

# log_says NAME REGEX: true when a line of $work/NAME.log matches.
log_says()
{
    grep -qE -- "$2" "$work/$1.log"
}

# delivered_by POD: requests that its app got.
delivered_by()
{
    metric "$1" datagrams_delivered_total
}
