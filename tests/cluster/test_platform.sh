#!/usr/bin/env bash
# The client of the API server, with one that has faults (fake_api.py): what goes wrong is said in one line, nothing
# is concluded from it, and everything goes on when it is over.
#
#   tests/cluster/test_platform.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source-path=SCRIPTDIR source=lib_api.sh
. "$(dirname "$0")/lib_api.sh"

a=127.0.57.11
api_address=127.0.57.1

# slice TYPE NAME: one more event.
slice()
{
    echo '{"type":"'"$1"'","object":{"kind":"EndpointSlice","metadata":{"name":"'"$2"'"},"addressType":"IPv4","endpoints":[]}}' \
        >>"$api/events"
}

# pod_with_api OPTION...: the endpoints name no pod, so it is never ready.
pod_with_api()
{
    pod_start_alone "$a" --peers "$a" --app echo --log-level debug --discovery-kubernetes headless \
        --platform-api "https://$api_address:6443" --platform-token "$mount/token" --platform-ca "$mount/ca.crt" "$@"
}

# counts METRIC{LABELS} N: it is at least N.
counts()
{
    local value
    value=$(http "$a:8080/metrics" | grep -F "headlessd_$1 " | cut -d ' ' -f 2)
    ((${value:-0} >= $2))
}

is_up()
{
    [[ $(metric "$a" api_up) == "$1" ]]
}

# says TEXT-REGEX: the log, /status and /readyz.
says()
{
    wait_until "the log says $1" logged "$a" "api_failed: .*$1"
    wait_until "/status says $1" has_problem "$1"
    expect_match "/readyz" "$(curl -s --max-time 10 "http://$a:8080/readyz" || true)" "API server: .*$1"
}

has_no_problem()
{
    [[ $(http "$a:8080/status" | jq -r .api.problem) == "" ]] && is_up 1
}

recovers()
{
    faulty
    wait_until "it recovers" has_no_problem
    expect_match "the log" "$(<"$work/$a.log")" "api_restored"
    expect "secrets in the log" "$(grep -cE 'first|second' "$work/$a.log" || true)" 0
}

# ---- scenarios

lists_and_watches()
{
    world
    slice ADDED one
    api_start
    pod_with_api
    wait_until "it lists" logged "$a" 'slices: listed'
    wait_until "it watches" counts 'api_requests_total{verb="watch",code="200"}' 1
    slice ADDED two
    wait_until "it is told" logged "$a" 'slices: added'
    slice MODIFIED one
    wait_until "of a change" logged "$a" 'slices: modified'
    slice DELETED one
    wait_until "of an end" logged "$a" 'slices: deleted'
    expect "requests" "$(grep -c . "$api/requests")" 2
    expect_match "the list" "$(<"$api/requests")" \
        'list /apis/discovery.k8s.io/v1/namespaces/space/endpointslices\?labelSelector=kubernetes.io%2Fservice-name%3Dheadless&timeout=10000ms'
    expect_match "the watch" "$(<"$api/requests")" \
        'watch /apis/.*&watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=[345][0-9][0-9]'
    expect "api_up" "$(metric "$a" api_up)" 1
    expect_between "age of the token" "$(metric "$a" token_age_seconds)" 0 3600
    expect_match "/status" "$(http "$a:8080/status" | jq -c .api)" \
        "\"url\":\"https://$api_address:6443\",\"namespace\":\"space\",\"up\":true,\"problem\":\"\""
    [[ ${SANITIZED:-} ]] || expect "confined" "$(metric "$a" confined)" 1
}

# Each fault of the list: said, counted, and over. A watch that has expired makes it list again.
list_faults()
{
    local fault text code
    world
    slice ADDED one
    api_start
    pod_with_api
    wait_until "it lists" logged "$a" 'slices: listed'
    while IFS='|' read -r fault code text; do
        scenario="list $fault"
        replace_file "$api/fault" "list $fault" "watch gone"
        slice MODIFIED one
        wait_until "/status says $text" has_problem "$text"
        wait_until "it is counted" counts "api_requests_total{verb=\"list\",code=\"$code\"}" 1
        recovers
        wait_until "it is told of changes again" is_told_more "$(modified_times)"
    done <<'FAULTS'
403|403|cannot list endpointslices in namespace "space": 403: .*apiGroups: \["discovery.k8s.io"\], resources: \[endpointslices\], verbs: \[list\]
404|404|404: it does not exist
500|500|responds with 500
503|503|responds with 503
429:1|429|429: the API server limits
200:html|200|is not JSON
endless|200|too large
values|200|is not JSON
version|200|is not JSON
reset|none|the connection to .* failed
FAULTS
    scenario="a list has faults"
    logged "$a" 'api_failed: cannot list .*403' || fail "it is not logged"
}

modified_times()
{
    grep -c 'slices: modified' "$work/$a.log" || true
}

# A change that was in the list already is not told. One that is told ends the back-off.
is_told_more()
{
    slice MODIFIED one
    (($(modified_times) > $1))
}

has_problem()
{
    grep -qE -- "$1" < <(http "$a:8080/status" | jq -r .api.problem)
}

# Each fault of the watch: counted, and the watch goes on: without a list, but after "expired".
watch_faults()
{
    local fault why number=1
    world
    slice ADDED one
    api_start
    pod_with_api
    wait_until "it watches" counts 'api_requests_total{verb="watch",code="200"}' 1
    while read -r fault why; do
        scenario="watch $fault"
        : >"$api/requests"
        faulty watch "$fault"
        slice MODIFIED one
        wait_until "it is counted" counts "watch_restarts_total{why=\"$why\"}" 1
        faulty
        slice MODIFIED one
        number=$(grep -c . "$api/events")
        slice DELETED one
        wait_until "it is told all" deleted_times "$(grep -c DELETED "$api/events")"
        wait_until "it recovers" has_no_problem
        [[ $fault == gone ]] || expect "lists" "$(grep -c ^list "$api/requests")" 0
    done <<'FAULTS'
end ended
gone expired
half lost
garbage bad
long bad
cut lost
FAULTS
    scenario="a watch has faults"
    expect "events" "$number" "$(($(grep -c . "$api/events") - 1))"
}

deleted_times()
{
    (($(grep -c 'slices: deleted' "$work/$a.log") >= $1))
}

lines_in_pieces()
{
    world
    faulty watch split
    api_start
    pod_with_api
    wait_until "it lists" logged "$a" 'slices: listed'
    slice ADDED one
    slice ADDED two
    wait_until "both are whole" added_twice
    expect "lists" "$(grep -c ^list "$api/requests")" 1
}

added_twice()
{
    (($(grep -c 'slices: added' "$work/$a.log") == 2))
}

token_is_replaced()
{
    world
    api_start
    pod_with_api
    wait_until "it lists" logged "$a" 'slices: listed'
    echo second >"$api/token" # before the pod has it: a 401
    faulty watch cut
    wait_until "the token is refused" counts 'api_requests_total{verb="watch",code="401"}' 1
    says '401: the API server refuses the token'
    give_token second
    recovers
}

# bad_file FILE COMMAND TEXT: COMMAND makes this file of the mount.
bad_file()
{
    world
    api_start
    rm "$mount/..data/$1"
    "$2" "$mount/..data/$1"
    pod_with_api
    says "$3"
    rm -rf "$mount/..data/$1"
    give_token first
    recovers
}

wrong_ca()
{
    world
    api_start other
    pod_with_api
    says "is not one that $mount/ca.crt \(platform.ca\) has signed"
    expect "requests" "$(<"$api/requests")" ""
    give_token first other
    recovers
}

# The API server's certificate is signed by a new CA, which reaches the pod a while later.
ca_is_replaced()
{
    world
    api_start
    pod_with_api
    wait_until "it lists" logged "$a" 'slices: listed'
    app_stop api
    api_start other
    says 'is not one that'
    give_token first other
    recovers
}

# It is frozen: its kernel still acknowledges, but not a byte comes. A bookmark is due each minute.
api_is_frozen()
{
    local patience_ms=150000
    world
    api_start
    pod_with_api
    wait_until "it watches" counts 'api_requests_total{verb="watch",code="200"}' 1
    kill -STOP "${app_pids[api]}"
    wait_until "it gives the watch up" counts 'watch_restarts_total{why="silent"}' 1
    wait_until "it is said" has_problem 'API|received|responded|connection'
    kill -CONT "${app_pids[api]}"
    recovers
}

# A router forgets the connection: nothing arrives any more, no reset either. Keepalive finds that, after 35 s.
connection_is_dropped()
{
    local port
    world
    api_start
    pod_with_api
    wait_until "it watches" counts 'api_requests_total{verb="watch",code="200"}' 1
    port=$(ss -Htn state established dst "$api_address:6443" | head -n 1 | awk '{ print $3 }')
    nft "add table ip drops; add chain ip drops in { type filter hook input priority 0; }
        add rule ip drops in tcp sport ${port##*:} drop; add rule ip drops in tcp dport ${port##*:} drop"
    at_exit+=("nft delete table ip drops")
    wait_until "it gives it up" counts 'watch_restarts_total{why="lost"}' 1
    slice ADDED one
    wait_until "it watches by another connection" logged "$a" 'slices: (added|listed)'
    wait_until "it recovers" has_no_problem
}

nobody_is_there()
{
    world
    pod_with_api
    says 'Connection refused'
    wait_until "api_up is 0" is_up 0
    is_alive "$a" || fail "the pod does not answer"
    api_start
    recovers
}

# The filter allows all that libcurl and its TLS library need: a handshake, a lost connection, a wrong certificate.
no_call_is_refused()
{
    traced "$a"
    world
    api_start
    pod_with_api --failover-on-refused timeout # it needs TCP, too
    wait_until "it watches" counts 'api_requests_total{verb="watch",code="200"}' 1
    faulty watch cut
    wait_until "it is cut off" counts 'watch_restarts_total{why="lost"}' 1
    app_stop api
    wait_until "the API server is down" has_problem 'Connection refused'
    faulty
    api_start other
    wait_until "it is another one" has_problem 'has signed for it'
    app_stop api
    api_start
    recovers
    pod_stop "$a"
    no_refused_call "$a"
}

# A volume that does not respond: its reader sleeps in the kernel until the pipe has a writer.
stops_while_a_file_hangs()
{
    local pid
    world
    api_start
    rm "$mount/..data/ca.crt"
    mkfifo "$mount/..data/ca.crt"
    pod_with_api
    pid=${pod_pids[$a]}
    wait_until "the platform thread hangs" hangs_in_open "$pid"
    is_alive "$a" || fail "the pod does not answer"
    pod_stop "$a"
}

hangs_in_open()
{
    local task
    for task in /proc/"$1"/task/*; do
        if [[ $(<"$task/comm") == platform ]]; then
            grep -qE 'wait_for_partner|fifo' "$task/wchan"
            return
        fi
    done
    return 1
}

refuses_to_start()
{
    local output status=0
    output=$(env -i PATH="$PATH" "$headlessd" --self "$a" "$@" 2>&1) || status=$?
    echo "$output"
    return "$status"
}

cannot_be_found()
{
    expect_match "no cluster" "$(refuses_to_start --discovery-kubernetes x || true)" 'set platform.api'
    expect_match "a name" "$(refuses_to_start --discovery-kubernetes x --platform-api https://api.example:443 || true)" \
        'use the IP address'
}

certificate ca
certificate other
run "lists, then watches" lists_and_watches
run "a list has faults" list_faults
run "a watch has faults" watch_faults
run "lines are sent in pieces" lines_in_pieces
run "the token is replaced" token_is_replaced
run "no token" bad_file token true 'no token: .*No such file'
run "an empty token" bad_file token touch 'no token: .*it is empty'
run "a token that is a directory" bad_file token mkdir 'no token: .*directory'
run "no CA" bad_file ca.crt true 'cannot read certificates'
run "the wrong CA" wrong_ca
run "the CA is replaced" ca_is_replaced
run_long "the API server is frozen" api_is_frozen
if nft list tables >/dev/null 2>&1; then
    run_long "a connection is dropped" connection_is_dropped
fi
run "no API server" nobody_is_there
run "it stops while a file hangs" stops_while_a_file_hangs
run "no address" cannot_be_found
[[ ${SANITIZED:-} ]] || run "the seccomp filter refuses nothing" no_call_is_refused
finish
