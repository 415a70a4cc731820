#!/usr/bin/env bash
# Measures the failover time: five pods in network namespaces with the default settings, a client that sends
# continuously through the four followers; many runs of each fault.
#
#   tests/cluster/soak_failover.sh BUILD_DIR RUNS RATE OUT.tsv [FAULT...]
#
# A line per run: fault, gap in replies in ms, sent, lost, counted as lost by the pods, held meanwhile. Without clients
# the gap is the time from the kill to the log line of the last follower that follows the next leader.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

runs=${2:?"usage: $0 BUILD_DIR RUNS RATE OUT.tsv [FAULT...]"} rate=${3:?} out=${4:?}
wanted=" ${*:5} "
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
    [[ $3 != last ]] || targets=("${all[4]}")
    [[ $3 != all ]] || targets=("${all[@]}")
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

# The client uses only the last follower in the order of succession, at 700 requests a second.
last_run()
{
    rate=700 one_run last kill_it last
}

are_connected()
{
    [[ $(total peer_connections "${followers[@]}") == 4 ]]
}

# Milliseconds from a time of day in ms to the last line of a follower about the next leader.
last_change_after()
{
    local address line latest=0 at
    for address in "${followers[@]}"; do
        line=$(grep leader_changed "$work/$address.log" | tail -n 1)
        at=$(date -d "${line%% *}" +%s%3N)
        ((at <= latest)) || latest=$at
    done
    echo $((latest - $1))
}

idle_run()
{
    local killed_ms
    start_five
    wait_until "the followers have connections to the leader" are_connected
    killed_ms=$(now_ms)
    kill_it
    wait_until "the others agree on another" agree_without "${all[0]}" "${followers[@]}"
    printf 'idle\t%d\t0\t0\t0\t0\n' "$(last_change_after "$killed_ms")" >>"$out"
}

# soak NAME FAULT COMMAND...
soak()
{
    [[ $wanted == "  " || $wanted == *" $2 "* ]] || return 0
    run "$1, $i of $runs" "${@:3}"
}

: >"$out"
for ((i = 1; i <= runs; i++)); do
    soak "SIGKILL" killed one_run killed kill_it followers
    soak "SIGKILL, client at the last follower" last last_run
    soak "SIGKILL, idle" idle idle_run
    soak "SIGKILL, relay.confirm none" none one_run none kill_it followers --relay-confirm none
    soak "SIGKILL, relay.confirm replied" replied one_run replied kill_it followers --relay-confirm replied --workers 1
    soak "SIGKILL, mute host" mute one_run mute kill_it_mute followers
    soak "host gone" gone one_run gone unplug_it followers
    soak "host gone, 50 ms x 3" quick one_run quick unplug_it followers \
        --heartbeat-interval 50ms --heartbeat-misses 3
    soak "SIGTERM" stopped one_run stopped stop_it all
done
finish
