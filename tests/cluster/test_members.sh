#!/usr/bin/env bash
# Pods start and stop: all at once, one by one, killed together, with store files of former instances.
#
#   tests/cluster/test_members.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

all=(127.0.11.1 127.0.11.2 127.0.11.3 127.0.11.4 127.0.11.5)
many=(127.0.11.{1..10})
as_shipped
stores=$work/stores
mkdir "$stores"

# launch ADDRESS... -- OPTION...: starts pods with a store each, and $known as peers.
launch()
{
    local addresses=() address
    while (($# > 0)) && [[ $1 != -- ]]; do
        addresses+=("$1")
        shift
    done
    shift || true
    for address in "${addresses[@]}"; do
        pod_launch "$address" --peers "$known" --app echo \
            --store "$stores/$address" "$@"
    done
}

peers_are()
{
    known=$(IFS=,; echo "$*")
    rm -f "$stores"/*
}

members_of()
{
    metric "$1" members_alive
}

all_in()
{
    local count=$1 address
    shift
    for address in "$@"; do
        [[ $(members_of "$address") == "$count" ]] || return 1
    done
}

kill_pods()
{
    local address
    for address in "$@"; do
        kill -KILL "${pod_pids[$address]}"
    done
    for address in "$@"; do
        wait "${pod_pids[$address]}" 2>/dev/null || true
        unset "pod_pids[$address]"
    done
}

all_at_once()
{
    local started
    peers_are "${all[@]}"
    started=$(now_ms)
    launch "${all[@]}"
    wait_until "all agree" agree any "${all[@]}"
    [[ -z ${V:-} ]] || echo "  agreed after $(($(now_ms) - started)) ms"
    expect "the lowest address leads" "$(leader_of "${all[3]}")" "${all[0]}"
    wait_until "all are in the list" all_in 5 "${all[@]}"
    expect "echo through each" "$(ask "${all[4]}" hello)" hello
    ledger_closes "${all[@]}"
}

# A pod that joins a running cluster needs no command.
late_joiner()
{
    local started
    peers_are "${all[@]}"
    launch "${all[@]:0:4}"
    wait_until "four agree" agree any "${all[@]:0:4}"
    started=$(now_ms)
    launch "${all[4]}"
    wait_until "it knows the leader" has_leader "${all[4]}"
    # the time includes the start of the process, and the polls of this script
    timed expect_between "milliseconds until it knew" "$(($(now_ms) - started))" 0 1500
    wait_until "it is in the list" all_in 5 "${all[@]}"
    ledger_closes "${all[@]}"
}

# The order of leader_list is the order of succession, whatever the order of start.
succession_by_list()
{
    peers_are "${all[@]}"
    launch "${all[@]}" -- --leader-list "${all[3]},${all[1]}"
    wait_until "the first of the list leads" agree "${all[3]}" "${all[@]}"
    wait_until "all are in the list" all_in 5 "${all[@]}"
    kill_pods "${all[3]}"
    wait_until "the second follows" agree "${all[1]}" "${all[0]}" "${all[1]}" \
        "${all[2]}" "${all[4]}"
    expect "the list" "$(http "${all[0]}:8080/leader" | jq -r '.leader_list[:2][].address' | xargs)" \
        "${all[3]} ${all[1]}"
    ledger_closes "${all[0]}" "${all[1]}" "${all[2]}" "${all[4]}"
}

# Each is stopped and started again, like a rolling update; a client never waits for long.
rolling_restart()
{
    local address
    peers_are "${all[@]}"
    launch "${all[@]}"
    wait_until "all agree" agree any "${all[@]}"
    for address in "${all[@]}"; do
        pod_stop "$address"
        launch "$address"
        wait_until "$address is back" has_leader "$address"
        wait_until "all agree" agree any "${all[@]}"
        expect "echo through $address" "$(ask "$address" hello)" hello
    done
    wait_until "all are in the list" all_in 5 "${all[@]}"
    (($(leaders "${all[@]}" | wc -l) == 1)) || fail "led by: $(leaders "${all[@]}" | xargs)"
    ledger_closes "${all[@]}"
}

scale_5_2_5()
{
    local address
    peers_are "${all[@]}"
    launch "${all[@]}"
    wait_until "all agree" agree any "${all[@]}"
    for address in "${all[4]}" "${all[3]}" "${all[2]}"; do
        pod_stop "$address"
        wait_until "the others agree" agree any "${all[@]:0:2}"
    done
    expect "echo through the last" "$(ask "${all[1]}" hello)" hello
    launch "${all[@]:2}"
    wait_until "all agree" agree any "${all[@]}"
    wait_until "all are in the list" all_in 5 "${all[@]}"
    ledger_closes "${all[@]}"
}

# A process is killed and restarts at once, with its address and a new instance.
restart_with_the_same_address()
{
    peers_are "${all[@]:0:3}"
    launch "${all[@]:0:3}"
    wait_until "all agree" agree any "${all[@]:0:3}"
    kill_pods "${all[0]}" # the leader
    launch "${all[0]}"
    wait_until "all agree" agree any "${all[@]:0:3}"
    wait_until "all are in the list" all_in 3 "${all[@]:0:3}"
    expect "echo through it" "$(ask "${all[0]}" hello)" hello
    kill_pods "${all[2]}" # a follower
    launch "${all[2]}"
    wait_until "all agree" agree any "${all[@]:0:3}"
    wait_until "all are in the list" all_in 3 "${all[@]:0:3}"
    ledger_closes "${all[@]:0:3}"
}

ten_killed_together()
{
    local term again
    peers_are "${many[@]}"
    launch "${many[@]}"
    wait_until "ten agree" agree any "${many[@]}"
    wait_until "their votes count" are_settled "${many[@]}"
    term=$(metric "${many[2]}" term)
    expect "a command" "$(ask "${many[2]}" "{\"leader\":\"${many[7]}\"}")" "ok $((term + 1))"
    wait_until "ten agree" agree "${many[7]}" "${many[@]}"
    term=$(metric "${many[0]}" term)
    kill_pods "${many[@]}"
    # stale: an old one, one of another cluster, one that is no store, and a missing one
    printf 'headlessd 1\ncluster headless\nterm 1\n' >"$stores/${many[1]}"
    printf 'headlessd 1\ncluster other\nterm 900\n' >"$stores/${many[2]}"
    head -c 100 /dev/urandom >"$stores/${many[3]}"
    rm -f "$stores/${many[4]}"
    launch "${many[@]}"
    wait_until "ten agree again" agree any "${many[@]}"
    again=$(metric "${many[0]}" term)
    ((again > term)) || fail "the term fell from $term to $again"
    expect "echo" "$(ask "${many[9]}" hello)" hello
    ledger_closes "${many[@]}"
}

# The file cannot be written; the pod works otherwise.
store_cannot_be_written()
{
    peers_are "${all[@]:0:3}"
    mkdir -p "$work/sealed"
    mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs "$work/sealed" 2>/dev/null || {
        echo "  no mount here: a directory in the file's place"
        mkdir "$work/sealed/term.tmp"
    }
    : >"$work/sealed/full" 2>/dev/null || true # the last inode
    for address in "${all[@]:0:3}"; do
        pod_launch "$address" --peers "$known" --store "$work/sealed/term" --app echo
    done
    wait_until "all agree" agree any "${all[@]:0:3}"
    wait_until "their votes count" are_settled "${all[@]:0:3}"
    expect_log "${all[0]}" store_failed
    expect_between "counted" "$(metric "${all[0]}" store_failures_total)" 1 100
    term=$(metric "${all[0]}" term)
    expect "a command" "$(ask "${all[0]}" "{\"leader\":\"${all[1]}\"}")" "ok $((term + 1))"
    ledger_closes "${all[@]:0:3}"
    pods_stop
    umount "$work/sealed" 2>/dev/null || true
}

# Ineligible pods never lead; if no other is left, requests are held.
only_one_is_eligible()
{
    peers_are "${all[@]:0:3}"
    launch "${all[@]:1:2}" -- --eligible false --hold-time 1m
    launch "${all[0]}"
    wait_until "all agree" agree "${all[0]}" "${all[@]:0:3}"
    expect "a command" "$(ask "${all[0]}" "{\"leader\":\"${all[1]}\"}")" "no member"
    kill_pods "${all[0]}"
    wait_until "no leader" metric_is "${all[1]}" has_leader 0
    "$tools/udp_ask" -n -k 10 "${all[1]}:12000" "patience" || fail "cannot send"
    metric_becomes "${all[1]}" datagrams_held 10
    expect "leads" "$(leaders "${all[@]:1:2}")" ""
    # its next instance finds a cluster without a member that may admit it
    launch "${all[0]}"
    wait_until "all agree on its next instance" agree "${all[0]}" "${all[@]:0:3}"
    metric_becomes "${all[0]}" datagrams_delivered_total 10
    ledger_closes "${all[@]:0:3}"
}

run "five pods started together agree on a leader" all_at_once
run "a pod that joins later learns the leader" late_joiner
run "leader_list is the order of succession" succession_by_list
run "a client is served during a rolling restart" rolling_restart
run "scaling from 5 to 2 and to 5" scale_5_2_5
run "a killed pod restarts with the same address" restart_with_the_same_address
run "ten pods killed and restarted together, with stale files, agree" ten_killed_together
run "a store that cannot be written is reported" store_cannot_be_written
run "only an eligible pod leads" only_one_is_eligible
finish
