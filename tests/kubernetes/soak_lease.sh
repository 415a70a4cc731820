#!/usr/bin/env bash
# Measures the failover time of pods on a real API server: election lease, and election peers beside it, with the default
# settings; a client sends continuously. scripts/soak lease writes the table.
#
#   tests/kubernetes/soak_lease.sh BUILD_DIR RUNS RATE OUT.tsv [FAULT...]
#
# A line per run: fault, pods, election, gap in replies in ms, requests lost, sent, and ms from the last renewal of the Lease
# to the last reply (fault away). Faults: killed, stopped, minute (RUNS / 10 times), away (RUNS / 4 times).
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"
# shellcheck source-path=SCRIPTDIR source=../cluster/lib_stream.sh
. "$(dirname "$0")/../cluster/lib_stream.sh"

runs=${2:?"usage: $0 BUILD_DIR RUNS RATE OUT.tsv [FAULT...]"} rate=${3:?} out=${4:?}
wanted=" ${*:5} "
kubelet_options=(--back-off 0.5) # or a pod would wait for 10 s after its fifth run
stream_options=(-l 3000)
leader="" others=()
gap_at_ms=0 # of lib_stream.sh

is_wanted()
{
    [[ $wanted == "  " || $wanted == *" $1 "* ]]
}

# The leader of this run, and the others.
look()
{
    local address agreed=""
    wait_until "all follow one leader, and their votes count" are_one "${all[@]}"
    agree any "${all[@]}" || fail "the pods do not agree"
    leader=$agreed
    others=()
    for address in "${all[@]}"; do
        [[ $address == "$leader" ]] || others+=("$address")
    done
}

# begin_run TARGET...
begin_run()
{
    stream_start "$rate" 300000 "$@"
    wait_until "traffic flows" delivers_more $(($(total datagrams_delivered_total "$leader") + rate / 2)) "$leader"
}

# Of a fault after which nothing should be lost.
show_loss()
{
    ((lost == 0)) || show_losses "${all[@]}"
}

# end_run FAULT ELECTION [MS]
end_run()
{
    stream_end
    [[ $1 == killed ]] || show_loss
    printf '%s\t%d\t%s\t%d\t%d\t%d\t%d\n' "$1" "${#all[@]}" "$2" "$gap_ms" "$lost" "$sent" "${3:-0}" >>"$out"
}

killed()
{
    look
    begin_run "${others[@]}"
    kill -KILL "$(pod_process "$(pod_of "$leader")")"
    wait_until "the others agree on another" agree_without "$leader" "${others[@]}"
    replies_come "${others[@]}"
    end_run killed "$1"
}

# The client sends to the pod that stops as well, until its host refuses.
stopped()
{
    local pid
    look
    begin_run "${all[@]}"
    pid=$(pod_process "$(pod_of "$leader")")
    kill -TERM "$pid"
    wait_until "the others agree on another" agree_without "$leader" "${others[@]}"
    wait_until "it has ended" has_ended "$pid"
    replies_come "${others[@]}"
    end_run stopped "$1"
}

minute()
{
    look
    begin_run "${all[@]}"
    api_cut "${all[@]}"
    sleep 60 # the time without the API server, which is the condition of this measurement
    expect "the leader" "$(leader_of "$leader")" "$leader"
    replies_come "${all[@]}"
    api_heal
    wait_until "the Lease can be renewed again" is_renewed
    end_run minute "$1"
}

is_renewed()
{
    [[ $(metric "$leader" api_up) == 1 && $(metric "$leader" lease_age_seconds) =~ ^[0-9](\.|$) ]]
}

is_without_leader()
{
    local address
    for address in "${all[@]}"; do
        [[ $(metric "$address" has_leader) == 0 ]] || return 1
    done
}

away()
{
    local renewed
    look
    begin_run "${all[@]}"
    api_cut "${all[@]}"
    renewed=$(date -d "$(lease_field .spec.renewTime)" +%s%3N)
    wait_until "nobody leads" is_without_leader
    api_heal
    wait_until "there is a leader" agree any "${all[@]}"
    replies_come "${all[@]}"
    stream_end
    show_loss
    printf 'away\t%d\t%s\t%d\t%d\t%d\t%d\n' "${#all[@]}" "$1" "$gap_ms" "$lost" "$sent" $((gap_at_ms - renewed)) >>"$out"
}

# times N ELECTION FAULT: so many runs of it.
times()
{
    local i
    is_wanted "$3" || return 0
    for ((i = 1; i <= $1 && scenario_failures == 0; i++)); do
        "$3" "$2"
        echo "> $scenario: $3 $i of $1: $(tail -n 1 "$out")"
    done
}

settings=(HOLD_TIME=1m RCVBUF=max)

kills()
{
    local election=$1 replicas=$2
    pods_apply "$election-$replicas" "$election" "$replicas" echo "${settings[@]}"
    times "$runs" "$election" killed
    ((replicas == 2)) || times "$runs" "$election" stopped
}

outage()
{
    pods_apply outage lease 3 echo "${settings[@]}" LEASE_DURATION=137s
    times $(((runs + 9) / 10)) lease minute
}

for_good()
{
    pods_apply for-good lease 3 echo "${settings[@]}"
    times $(((runs + 3) / 4)) lease away
}

: >"$out"
cluster_start
for replicas in 3 5 2; do
    for election in lease peers; do
        if is_wanted killed || { is_wanted stopped && ((replicas > 2)); }; then
            run_in "$election-$replicas" restricted "election $election, $replicas pods" kills "$election" "$replicas"
        fi
    done
done
! is_wanted minute || run_in minute restricted "the API server away for a minute" outage
! is_wanted away || run_in away restricted "the API server away for good" for_good
finish
