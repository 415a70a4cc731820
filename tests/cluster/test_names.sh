#!/usr/bin/env bash
# Living pods with one name (a shared "name:" in a ConfigMap, a constant POD_NAME in a scaled compose file), and a
# named pod that returns at another address (a StatefulSet).
#
#   tests/cluster/test_names.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

a=127.0.93.11 b=127.0.93.12 c=127.0.93.13 d=127.0.93.14 e=127.0.93.15

launch()
{
    local address=$1
    shift
    pod_launch "$address" --peers "$list" --app echo "$@"
}

have_members()
{
    local count=$1 address
    shift
    for address in "$@"; do
        metric_is "$address" members_alive "$count" && metric_is "$address" has_leader 1 || return 1
    done
}

reports_name()
{
    [[ $(metric "$1" members_with_own_name) == "$2" ]]
}

# says_name POD NUMBER OTHER...: NUMBER other members have its name; it says so once, with the address of one.
says_name()
{
    local pod=$1 count=$2 line
    shift 2
    wait_until "$pod knows $count with its name" reports_name "$pod" "$count"
    expect_log "$pod" name_shared 1
    line=$(grep name_shared "$work/$pod.log" || true)
    expect_match "the log of $pod" "$line" "($(IFS='|'; echo "${*//./[.]}")).*\"x\""
    expect_match "/readyz of $pod" "$(http "$pod:8080/readyz")" "^ready; the member at ($(IFS='|'; echo "${*//./[.]}"))"
}

# The requests go through two pods that stay.
one_name()
{
    local term pod
    list=$a,$b,$c,$d
    for pod in "$a" "$b" "$c"; do
        launch "$pod" --name x
    done
    wait_until "three members" have_members 3 "$a" "$b" "$c"
    wait_until "settled" are_settled "$a" "$b" "$c"
    term=$(metric "$a" term)
    stream_start 400 600000 "$a" "$b"
    launch "$d" --name x
    wait_until "four members" have_members 4 "$a" "$b" "$c" "$d"
    pod_kill "$c"
    launch "$c" --name x
    wait_until "four members again" have_members 4 "$a" "$b" "$c" "$d"
    expect "through the fourth" "$(ask "$d" hello)" hello
    expect "through the restarted one" "$(ask "$c" hello)" hello
    says_name "$a" 3 "$b" "$c" "$d"
    says_name "$b" 3 "$a" "$c" "$d"
    says_name "$c" 3 "$a" "$b" "$d"
    says_name "$d" 3 "$a" "$b" "$c"
    stream_end
    expect "lost" "$lost" 0
    expect "leader and term" "$(leader_of "$c") $(metric "$c" term)" "$a $term"
    expect "by a shared name" "$(ask "$b" '{"leader":"x"}')" "not unique"
    expect "refused as" "$(metric "$b" 'control_messages_total{result="not_unique"}')" 1
    expect_match "headlessctl" "$("$headlessctl" --data "$b" leader set x 2>&1 || true)" "not unique"
    lead "$b" "$c"
    wait_until "all follow" agree "$b" "$a" "$b" "$c" "$d"
    ledger_closes "$a" "$b" "$c" "$d"
}

# Its predecessor's process is dead, and its row goes: four members, not five.
a_name_moves()
{
    local term
    list=$a,$b,$c,$d,$e
    launch "$a" --name a
    launch "$b" --name b
    launch "$c" --name c
    launch "$e" --name e
    wait_until "four members" have_members 4 "$a" "$b" "$c" "$e"
    wait_until "settled" are_settled "$a" "$b" "$c" "$e"
    term=$(metric "$a" term)
    pod_kill "$c"
    launch "$d" --name c
    wait_until "in the place of its predecessor" has_list "$a" "$b" "$d" "$e"
    wait_until "four members again" have_members 4 "$a" "$b" "$d" "$e"
    expect "term" "$(metric "$d" term)" "$term"
    wait_until "by its name" leads_as "$d" c
    expect "warnings" "$(cat "$work"/*.log | grep -c name_shared || true)" 0
    ledger_closes "$a" "$b" "$d" "$e"
}

# has_list ADDRESS...: the leader's list, in this order.
has_list()
{
    local is
    is=$(http "$a:8080/status" | jq -r '[.leader_list[].address] | join(" ")')
    [[ $is == "$*" ]]
}

leads_as()
{
    [[ $(ask "$a" "{\"leader\":\"$2\"}") == ok\ * ]] && agree "$1" "$1" "$a" "$b" "$e"
}

run "three pods with one name, a fourth joins, one is killed and returns" one_name
run "a name moves to another address" a_name_moves
finish
