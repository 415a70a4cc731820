# A client of a headless Service that sends continuously. Sourced after lib.sh.
#
#   client_start NAME     begins in the background, in the client's namespace
#   client_goes_on N      waits for N more echoes
#   client_end            sets sent, answered, lost, refused, duplicated, foreign, and checks what must be 0
#   with_settings APP REPLICAS SETTING=VALUE...   prints lines of a kustomization
#   as_echo REPLICAS SETTING=VALUE...   the same: the app is echo, and no pod is taken for dead on a busy machine
# With client_options=(terms) the app is whoami, and the client checks that no two leaders reply at one moment.
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh sets them; others use them

sent=0 answered=0 lost=0 refused=0 duplicated=0 foreign=0 late=0 split=0 stale=0 terms=0
client_options=()

client_start()
{
    rm -f "$work/client.echoes"
    app_pids[client]="" # until it runs
    "${pod_wrapper[@]}" python3 "$sources/udp_client.py" "$name_server" "$1.$namespace.svc.cluster.local" 12000 4 \
        "$work/client.echoes" "${client_options[@]}" >"$work/client.out" 2>"$work/client.log" &
    app_pids[client]=$!
    client_goes_on 100
}

client_has()
{
    (($(cat "$work/client.echoes" 2>/dev/null || echo 0) >= $1))
}

client_goes_on()
{
    wait_until "the client gets $1 more echoes" client_has $(($(cat "$work/client.echoes" 2>/dev/null || echo 0) + $1))
}

# losses_told: how many requests may have no echo; a file that sources this one may have another.
losses_told()
{
    echo 0
}

# No reply is missing, foreign, or of a former leader. relay.confirm: delivered (the default) may send a request again when the
# leader changes: the line of the scenario has how many were echoed twice.
client_end()
{
    local name value
    kill -TERM "${app_pids[client]}"
    wait "${app_pids[client]}" || fail "the client failed: $(<"$work/client.log")"
    unset "app_pids[client]"
    while read -r name value; do
        declare -g "$name=$value"
    done < <(tr ' ' '\n' <"$work/client.out" | paste -d ' ' - -)
    echo "> $scenario: $(<"$work/client.out")"
    [[ ! -s $work/client.log ]] || sed 's/^/  /' "$work/client.log"
    ((lost == 0 || lost <= $(losses_told))) || fail "$lost datagrams without an echo"
    expect "echoed" "$answered" $((sent - lost))
    expect "foreign replies" "$foreign" 0
    expect "replies of two leaders in one term" "$split" 0
    expect "replies of a leader after one of a later term" "$stale" 0
}

with_settings()
{
    local app=$1 replicas=$2 setting
    shift 2
    printf '%s\n' "patches:" "  - target: {kind: StatefulSet}" "    patch: |" \
        "      - {op: replace, path: /spec/replicas, value: $replicas}"
    for setting in "APP_TARGET=$app" "QUORUM_EXPECT=$replicas" "$@"; do
        printf '%s\n' "      - op: add" "        path: /spec/template/spec/containers/0/env/-" \
            "        value: {name: HEADLESSD_${setting%%=*}, value: \"${setting#*=}\"}"
    done
}

# The stopping pod serves for as long as its address may be in use, however slow the cluster is.
as_echo()
{
    local replicas=$1
    shift
    with_settings echo "$replicas" DRAIN_TIME=20s HOLD_TIME=1m HEARTBEAT_INTERVAL=250ms HEARTBEAT_MISSES=12 "$@"
}
