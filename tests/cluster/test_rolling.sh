#!/usr/bin/env bash
# A rolling update from an older version to this one, and back, under traffic: nothing is lost. OLD_HEADLESSD is the
# older program; without it the file is skipped.
#
#   OLD_HEADLESSD=FILE tests/cluster/test_rolling.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

a=127.0.84.11 # leads at first
b=127.0.84.12
c=127.0.84.13
pods=("$a" "$b" "$c")
new=$headlessd
old=${OLD_HEADLESSD:-}
new_options=() # that the older version does not know

app_of()
{
    echo "127.0.84.$((100 + ${1##*.})):5300"
}

# apps_up MODE: of each pod.
apps_up()
{
    local pod
    for pod in "${pods[@]}"; do
        app_start "app-$pod" "$tools/udp_app" "$(app_of "$pod")" "$1"
    done
}

# launch PROGRAM POD
launch()
{
    local options=()
    [[ $1 == "$old" ]] || options=("${new_options[@]}")
    headlessd=$1
    pod_launch "$2" --peers "$(IFS=,; echo "${pods[*]}")" --app "udp://$(app_of "$2")" --drain-time 2s "${options[@]}"
}

# start PROGRAM PROGRAM PROGRAM: of a, b and c.
start()
{
    local pod
    for pod in "${pods[@]}"; do
        launch "$1" "$pod"
        shift
    done
    wait_until "all agree" agree any "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
}

# replace PROGRAM POD: a stream to the other two loses nothing meanwhile.
replace()
{
    local others=() pod
    for pod in "${pods[@]}"; do
        [[ $pod == "$2" ]] || others+=("$pod")
    done
    stream_start 500 600000 "${others[@]}"
    pod_stop "$2"
    replies_come "${others[@]}"
    launch "$1" "$2"
    wait_until "$2 knows a leader" has_leader "$2"
    wait_until "all agree" agree any "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
    replies_come "${others[@]}"
    stream_end
    echo "> $scenario, $2: sent $sent, lost $lost, refused $refused, $(total replies_fenced_total "${pods[@]}") fenced in all," \
        "$gap_ms ms between two replies at most"
    expect "lost while $2 was replaced" "$lost" 0
    expect "refused" "$refused" 0
    ledger_closes "${pods[@]}"
    expect "malformed" "$(total 'datagrams_dropped_total{reason="malformed"}' "${pods[@]}")" 0
}

# First the leader; the last one of each round leads or not, as the elections went.
update_and_back()
{
    local program pod
    apps_up echo
    start "$old" "$old" "$old"
    lead "$a" "$b"
    for program in "$new" "$old"; do
        for pod in "${pods[@]}"; do
            replace "$program" "$pod"
        done
    done
}

update_and_back_stay()
{
    new_options=(--drain-sessions stay --app-idle 2s)
    update_and_back
    new_options=()
}

# tos_is POD TEXT: the app and the client see these TOS bytes.
tos_is()
{
    [[ $(ask -t 2000 -o 0xb9 "$1" hi) == "$2" ]]
}

# TOS bytes are carried once every member reads them.
tos_waits_for_all()
{
    local pod
    apps_up tos
    start "$new" "$new" "$old"
    lead "$a" "$b"
    if [[ $(metric "$c" tos_carried) =~ ^[01]$ ]]; then
        echo "> the older version reads TOS bytes, too"
        return 0
    fi
    for pod in "$b" "$c"; do
        expect_match "through $pod" "$(ask -o 0xb9 "$pod" hi)" '^00 tos 00 hi$'
    done
    pod_stop "$c"
    launch "$new" "$c"
    for pod in "$a" "$b" "$c"; do
        wait_until "carried through $pod" tos_is "$pod" "2e tos b9 hi"
    done
    pod_stop "$c"
    launch "$old" "$c"
    wait_until "not carried through $b" tos_is "$b" "00 tos 00 hi"
    wait_until "all agree" agree any "${pods[@]}"
    ledger_closes "${pods[@]}"
    expect "malformed" "$(total 'datagrams_dropped_total{reason="malformed"}' "${pods[@]}")" 0
}

is_refused()
{
    [[ $(ask_status -p -t 200 "$1:12000" lost) == 5 ]]
}

is_served()
{
    [[ $(ask -t 200 "$1" hello) == hello ]]
}

# Only pods of this version refuse clients, and only under a leader that says that all apps are down.
# sizes_pass SIZE...: datagrams of these sizes come back through each pod.
sizes_pass()
{
    local pod size
    for pod in "${pods[@]}"; do
        for size in "$@"; do
            expect "$size bytes through $pod" "$(ask_status -t 3000 -z "$size" -e "$pod:12000")" 0
        done
    done
}

# Records continue over frames once every member reads that; until then, large ones are sent as before.
parts_wait_for_all()
{
    local pod
    apps_up echo
    start "$new" "$new" "$old"
    lead "$a" "$b"
    if [[ $(metric "$c" records_split) =~ ^[01]$ ]]; then
        echo "> the older version reads records over frames, too"
        return 0
    fi
    sizes_pass 0 1400 9000 65000
    expect "split" "$(total records_split "$a" "$b")" 0
    pod_stop "$c"
    launch "$new" "$c"
    for pod in "${pods[@]}"; do
        wait_until "records are split at $pod" metric_is "$pod" records_split 1
    done
    sizes_pass 0 1400 9000 65507
    pod_stop "$c"
    launch "$old" "$c"
    wait_until "not split at $b" metric_is "$b" records_split 0
    wait_until "all agree" agree any "${pods[@]}"
    sizes_pass 0 1400 9000 65000
    ledger_closes "${pods[@]}"
    expect "malformed" "$(total 'datagrams_dropped_total{reason="malformed"}' "${pods[@]}")" 0
}

refusal_of_some()
{
    local pod
    new_options=(--hold-time 1s)
    start "$new" "$new" "$old"
    for pod in "${pods[@]}"; do
        wait_until "the app of $pod is found down" finds_app_down "$pod"
    done
    lead "$a" "$b"
    wait_until "$b refuses" is_refused "$b"
    wait_until "$a refuses" is_refused "$a"
    expect "the older one" "$(ask_status -p -t 200 "$c:12000" lost)" 1
    app_start "app-$c" "$tools/udp_app" "$(app_of "$c")" echo
    wait_until "the older pod leads" agree "$c" "${pods[@]}"
    wait_until "$a serves" is_served "$a"
    wait_until "$b serves" is_served "$b"
    app_stop "app-$c"
    wait_until "the older leader's app is down" grep -q app_down "$work/$c.log"
    app_start "app-$b" "$tools/udp_app" "$(app_of "$b")" echo
    wait_until "the pod with an app leads" led_to "$b"
    ledger_closes "${pods[@]}"
    new_options=()
}

# finds_app_down POD: a request lets a leader find that its app is down.
finds_app_down()
{
    grep -q app_down "$work/$1.log" || { ask -t 50 "$b" lost >/dev/null && false; }
}

# led_to POD: a request lets a leader find that its app is down.
led_to()
{
    ask -t 50 "$c" lost >/dev/null
    agree "$1" "${pods[@]}"
}

# Sessions stay with a former leader of this version under a leader of this version; clients of the older pod move.
sessions_stay_for_some()
{
    local pod
    new_options=(--drain-sessions stay --app-idle 60s)
    for pod in "${pods[@]}"; do
        app_start "app-$pod" "$tools/session_app" "$(app_of "$pod")" "app-${pod##*.}"
    done
    start "$new" "$new" "$old"
    lead "$a" "$b"
    expect "client 4001" "$(ask -s 127.0.84.99:4001 "$b" hello)" "app-11 welcome"
    expect "client 4002" "$(ask -s 127.0.84.99:4002 "$c" hello)" "app-11 welcome"
    wait_until "the leader knows of its sessions" metric_is "$a" sessions 2
    lead "$b" "$b"
    wait_until "$b asks the former leader first" metric_is "$b" former_leader_serves 1
    expect "a known client" "$(ask -s 127.0.84.99:4001 "$b" one)" "app-11 one"
    expect "a known client, through the older pod" "$(ask -s 127.0.84.99:4002 "$c" two)" "app-12 unknown"
    lead "$c" "$b"
    wait_until "nothing stays under the older leader" metric_is "$b" former_leader_serves 0
    expect "a known client" "$(ask -s 127.0.84.99:4001 "$b" three)" "app-13 unknown"
    ledger_closes "${pods[@]}"
    new_options=()
}

if [[ ! -x $old ]]; then
    skip "rolling update" "OLD_HEADLESSD names no program of an older version"
    finish
    exit
fi
run "three pods are replaced one by one, and back" update_and_back
run "the same with drain.sessions stay" update_and_back_stay
run "TOS bytes are carried once all pods are of this version" tos_waits_for_all
run "records continue over frames once all pods read that" parts_wait_for_all
run "pods of this version refuse clients while all apps are down" refusal_of_some
run "sessions stay among pods of this version" sessions_stay_for_some
finish
