#!/usr/bin/env bash
# Measures the failover time: five pods in network namespaces with the default settings, a client that sends
# continuously through the four followers; many runs of each fault.
#
#   tests/cluster/soak_failover.sh BUILD_DIR RUNS RATE OUT.tsv
#
# A line per run: fault, gap in replies in ms, sent, lost, counted as lost by the pods, held meanwhile.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

runs=${2:?"usage: $0 BUILD_DIR RUNS RATE OUT.tsv"} rate=${3:?} out=${4:?}
net_possible || {
    echo "needs root and network namespaces" >&2
    exit 1
}
net_make 5
all=("${net_pods[@]}")
followers=("${all[@]:1}")
pod_environment=(PATH="$PATH" HEADLESSD_LOG_FORMAT=text) # default settings

start_five()
{
    local address
    for address in "${all[@]}"; do
        pod_launch "$address" --peers "$(IFS=,; echo "${all[*]}")" --leader "${all[0]}" \
            --app echo "$@"
    done
    for address in "${all[@]}"; do
        pod_wait "$address"
    done
    wait_until "all follow the configured leader" agree "${all[0]}" "${all[@]}"
}

kill_it()
{
    pod_kill "${all[0]}"
}

kill_it_mute()
{
    net_mute "${all[0]}"
    pod_kill "${all[0]}"
}

unplug_it()
{
    net_unplug "${all[0]}"
}

stop_it()
{
    pod_stop "${all[0]}"
}

# From the followers' log lines of the last leader change.
held_meanwhile()
{
    local address sum=0
    for address in "${followers[@]}"; do
        sum=$((sum + $(sed -nE 's/.*leader_changed: .* ([0-9]+) held.*/\1/p' "$work/$address.log" |
            tail -n 1)))
    done
    echo "$sum"
}

# one_run NAME FAULT TARGETS OPTION...: writes one line of the table.
one_run()
{
    local name=$1 fault=$2 targets=("${followers[@]}") told held
    [[ $3 == followers ]] || targets=("${all[@]}")
    shift 3
    start_five "$@"
    stream_start "$rate" 30000 "${targets[@]}"
    wait_until "traffic flows" delivers_more $((rate / 2)) "${all[0]}"
    "$fault"
    wait_until "the others agree on another" agree_without "${all[0]}" "${followers[@]}"
    replies_come "${followers[@]}"
    told=$(total relay_lost_total "${followers[@]}")
    held=$(held_meanwhile)
    stream_end
    printf '%s\t%d\t%d\t%d\t%d\t%d\n' "$name" "$gap_ms" "$sent" "$lost" "$told" "$held" >>"$out"
    net_heal
}

: >"$out"
for ((i = 1; i <= runs; i++)); do
    run "SIGKILL, $i of $runs" one_run killed kill_it followers
    run "SIGKILL, mute host, $i of $runs" one_run mute kill_it_mute followers
    run "host gone, $i of $runs" one_run gone unplug_it followers
    run "host gone, 50 ms x 3, $i of $runs" one_run quick unplug_it followers \
        --heartbeat-interval 50ms --heartbeat-misses 3
    run "SIGTERM, $i of $runs" one_run stopped stop_it all
done
finish
