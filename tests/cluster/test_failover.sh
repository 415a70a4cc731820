#!/usr/bin/env bash
# The leader goes: killed, unplugged, stopped, frozen, stalled. Five pods in namespaces of their own
# with the settings as they ship, a client outside that sends through the followers all the while.
#
#   tests/cluster/test_failover.sh BUILD_DIR
#
# Alone: it measures gaps
#
# Bounds are of what a user may rely on, with room for a slow machine; figures are scripts/soak's.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

net_possible || {
    skip "failover in namespaces" "needs root and network namespaces"
    finish
    exit
}
net_make 5
all=("${net_pods[@]}")
pod_environment+=(HEADLESSD_HEARTBEAT_INTERVAL=200ms)

start_five()
{
    local address
    for address in "${all[@]}"; do
        pod_launch "$address" --peers "$(IFS=,; echo "${all[*]}")" --leader "${all[0]}" \
            --app echo --hold-time 10s "$@"
    done
    for address in "${all[@]}"; do
        pod_wait "$address"
    done
    wait_until "all follow the configured leader" 6000 agree "${all[0]}" "${all[@]}"
}

# survivors_agree LIMIT_MS: all but the first, on one of them.
survivors_agree()
{
    wait_until "the others agree on another" "$1" agree_without "${all[0]}" "${all[@]:1}"
}

unconfirmed()
{
    total relay_lost_total "${all[@]:1}"
}

killed_leader()
{
    start_five
    stream_start 2000 30000 "${all[@]:1}"
    wait_until "traffic flows" 3000 delivers_more 500 "${all[0]}"
    pod_kill "${all[0]}"
    survivors_agree 3000
    answers_come "${all[@]:1}"
    stream_end
    expect_between "gap in answers, ms" "$gap_ms" 0 $((1500 * slow))
    # what had been handed to the dead one is lost, and is a number
    expect_between "lost, as told by the pods" "$(unconfirmed)" "$lost" 4000
    expect "by evidence" "$(leader_cause "${all[1]}")" evidence
    ledger_closes "${all[@]:1}"
}

killed_leader_of_a_mute_host()
{
    start_five
    stream_start 2000 30000 "${all[@]:1}"
    wait_until "traffic flows" 3000 delivers_more 500 "${all[0]}"
    net_mute "${all[0]}"
    pod_kill "${all[0]}"
    survivors_agree 6000
    answers_come "${all[@]:1}"
    stream_end
    expect_between "gap in answers, ms" "$gap_ms" 300 $((4000 * slow))
    expect "by verdict" "$(leader_cause "${all[1]}")" verdict
    net_heal
    ledger_closes "${all[@]:1}"
}

host_gone()
{
    start_five
    stream_start 2000 30000 "${all[@]:1}"
    wait_until "traffic flows" 3000 delivers_more 500 "${all[0]}"
    net_unplug "${all[0]}"
    survivors_agree 6000
    answers_come "${all[@]:1}"
    stream_end
    expect_between "gap in answers, ms" "$gap_ms" 300 $((4000 * slow))
    net_heal
    wait_until "the old leader follows when it is back" 5000 agree any "${all[@]}"
    ledger_closes "${all[@]}"
}

# Nothing is lost, also not of what a client goes on sending to the pod that ends.
stopped_leader()
{
    start_five --drain-time 2s
    stream_start 2000 30000 "${all[@]}"
    wait_until "traffic flows" 3000 delivers_more 500 "${all[0]}"
    pod_stop "${all[0]}"
    survivors_agree 6000
    answers_come "${all[@]:1}"
    stream_end
    expect "lost" "$lost" 0
    expect "handed over in order" "$(leader_cause "${all[1]}")" resign
    ledger_closes "${all[@]:1}"
}

stopped_follower()
{
    start_five --drain-time 2s
    stream_start 2000 30000 "${all[@]}"
    wait_until "traffic flows" 3000 delivers_more 500 "${all[0]}"
    pod_stop "${all[4]}"
    wait_until "it has left the list" 3000 metric_is "${all[0]}" members_alive 4
    stream_end
    expect "lost" "$lost" 0
    expect "the leader stays" "$(leader_of "${all[1]}")" "${all[0]}"
    ledger_closes "${all[@]:0:4}"
}

# frozen MS: the whole process, and it comes back.
frozen_leader()
{
    local ms=$1 started
    start_five
    started=$(now_ms)
    pod_freeze "${all[0]}"
    sleep "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))" # what is tested is a pause of this length
    pod_thaw "${all[0]}"
    ms=$(($(now_ms) - started)) # a slow machine makes it longer
    wait_until "all agree again" 5000 agree any "${all[@]}"
    (($(leaders "${all[@]}" | wc -l) == 1)) || fail "led by: $(leaders "${all[@]}" | xargs)"
    if ((ms < 450)); then
        expect "too short to depose it" "$(leader_of "${all[1]}")" "${all[0]}"
    elif ((ms > 2000)); then
        [[ $(leader_of "${all[1]}") != "${all[0]}" ]] || fail "frozen for $ms ms, and still leads"
    fi
    expect "answers" "$(ask "${all[0]}" "hello")" hello
    ledger_closes "${all[@]}"
}

# A supervisor that stands still must not leave its data threads leading.
stalled_supervisor()
{
    start_five
    app_start stall "$tools/stall_thread" "${pod_pids[${all[0]}]}" supervisor 20000
    survivors_agree 6000
    expect "the old one leads" "$(leaders "${all[0]}")" ""
    answers_come_through "${all[1]}"
    app_stop stall
    wait_until "all agree again" 5000 agree any "${all[@]}"
    ledger_closes "${all[@]}"
}

answers_come_through()
{
    expect "answer through $1" "$(ask "$1" "through")" through
}

# Workers that stand still deliver nothing: the supervisor sees it and gives the lead away.
stalled_workers()
{
    start_five
    app_start stall "$tools/stall_thread" "${pod_pids[${all[0]}]}" worker 20000
    survivors_agree 6000
    answers_come_through "${all[1]}"
    app_stop stall
    wait_until "all agree again" 5000 agree any "${all[@]}"
    ledger_closes "${all[@]}"
}

run "SIGKILL of the leader: its host tells, and the next one leads" killed_leader
run "SIGKILL of the leader, its host is mute" killed_leader_of_a_mute_host
run "the leader's host is gone, and returns" host_gone
run "SIGTERM of the leader loses nothing" stopped_leader
run "SIGTERM of a follower loses nothing" stopped_follower
run "the leader frozen for 300 ms" frozen_leader 300
run_long "the leader frozen for 1 s" frozen_leader 1000
run "the leader frozen for 5 detection times" frozen_leader 4000
run "only the leader's supervisor stands still" stalled_supervisor
run "only the leader's workers stand still" stalled_workers
finish
