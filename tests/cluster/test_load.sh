#!/usr/bin/env bash
# Load through two followers: no loss, no reordering, no damage, every ledger balanced to the datagram, constant
# memory. 300,000 datagrams, a fifth of it with sanitizers; 3,000,000 with CHECK_ALL=1.
#
#   tests/cluster/test_load.sh BUILD_DIR
#
# Alone: it counts every datagram of a full load
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.8.11 # leads
b=127.0.8.12
c=127.0.8.13
pods=("$a" "$b" "$c")
pod_environment+=(HEADLESSD_HOLD_TIME=1m)
datagrams=300000
[[ -z ${SANITIZED:-} ]] || datagrams=60000
[[ -z ${CHECK_ALL:-} ]] || datagrams=3000000
growth_most_kib=$(((5 + 4) * 1024)) # 4 MiB: relay.keep, here and below
if [[ -n ${SANITIZED:-} ]]; then
    # After the third of a short load, not every buffer has been used once, and ASan adds to each. It would also keep what
    # is freed, up to 256 MiB: 200 KiB for each request to the admin port.
    growth_most_kib=$(((6 + 4) * 1024))
    pod_environment+=(ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=64)
fi

# load COUNT OPTION...: starts a closed loop in the background; its result goes to $work/bench.out.
load()
{
    local count=$1
    shift
    "$bench" send --flows 64 --size 64-1400 --count "$count" --timeout 60s --json "$@" \
        >"$work/bench.out" 2>"$work/bench.err" &
    bench_pid=$!
}

# count NAME: prints a figure of the report.
count()
{
    jq -r ".counts.$1" "$work/bench.out"
}

# all_came COUNT: all figures of the report are those of a run without loss.
all_came()
{
    local figure
    wait "$bench_pid" || fail "headless-bench ends with $?: $(tail -n 1 "$work/bench.err")"
    expect sent "$(count sent)" "$1"
    expect answered "$(count answered)" "$1"
    for figure in missing late duplicate reordered corrupt misrouted foreign own_drops; do
        expect "$figure" "$(count "$figure")" 0
    done
}

# figures_agree COUNT: the pods' counters add up to the datagrams sent, and both followers relayed some.
figures_agree()
{
    together_closes "${pods[@]}"
    expect "received from clients" \
        "$(total 'datagrams_received_total{socket="data"}' "${pods[@]}")" "$1"
    expect "delivered by the leader" "$(metric "$a" datagrams_delivered_total)" "$1"
    expect "sent to clients" "$(total replies_sent_total "${pods[@]}")" "$1"
    expect "bytes from clients" "$(total 'received_bytes_total{socket="data"}' "${pods[@]}")" \
        "$(count sent_bytes)"
    expect_between "through one follower" "$(metric "$b" datagrams_relayed_total)" \
        $(($1 / 4)) $(($1 * 3 / 4))
}

rss_kib()
{
    awk '/^VmRSS:/ { print $2 }' "/proc/${pod_pids[$1]}/status"
}

has_delivered()
{
    (($(metric "$a" datagrams_delivered_total) >= $1)) || has_ended "$bench_pid"
}

# nothing_is_lost COUNT OPTION...: and no pod's memory grows after the first third.
nothing_is_lost()
{
    local count=$1 pod growth
    local -A third=()
    shift
    # A dense stream uses all of the ring of kept frames in time.
    pods_start "${pods[@]}" -- --app echo --leader "$a" --rcvbuf max --relay-keep 4MiB "$@"
    load "$count" --to "$b:12000,$c:12000" --outstanding 512 --expect-all
    wait_until "a third is delivered" has_delivered $((count / 3))
    for pod in "${pods[@]}"; do
        third[$pod]=$(rss_kib "$pod")
    done
    all_came "$count"
    figures_agree "$count"
    for pod in "${pods[@]}"; do
        growth=$(($(rss_kib "$pod") - third[$pod]))
        ((growth <= growth_most_kib)) ||
            fail "$pod grew by $growth KiB, from ${third[$pod]} KiB, in two thirds of the load"
    done
    [[ -z ${V:-} ]] || echo "  $(jq -r '.answered_per_second | floor' "$work/bench.out")" \
        "round trips/s, $(rss_kib "$a") KiB at the leader"
}

# With the default buffers of pods: the missing datagrams are exactly the kernel's drops.
losses_are_accounted_for()
{
    local at_sockets between
    pods_start "${pods[@]}" -- --app echo --leader "$a" --rcvbuf 208KiB --relay-confirm none
    load 60000 --to "$b:12000,$c:12000" --outstanding 4096 --burst 64 --timeout 300ms "$@"
    wait "$bench_pid" || true
    ledger_closes "${pods[@]}"
    at_sockets=$(total 'socket_drops_total{socket="data"}' "${pods[@]}")
    # relay sockets drop frames; their records were relayed and never received, since they are not sent again
    between=$(($(total datagrams_relayed_total "${pods[@]}") + \
        $(total replies_relayed_total "${pods[@]}") - \
        $(total 'datagrams_received_total{socket="relay"}' "${pods[@]}") - \
        $(total 'replies_received_total{from="relay"}' "${pods[@]}")))
    expect "missing" "$(count missing)" "$((at_sockets + between + $(count own_drops)))"
    if (($(total 'socket_drops_total{socket="relay"}' "${pods[@]}") == 0)); then
        expect "lost between pods whose sockets dropped nothing" "$between" 0
    fi
    for figure in duplicate reordered corrupt misrouted foreign; do
        expect "$figure" "$(count "$figure")" 0
    done
    [[ -z ${V:-} ]] || echo "  missing $(count missing): $at_sockets at data sockets," \
        "$between between pods, $(count own_drops) at the generator"
}

# The command goes to the new leader first, then to the others: there is always a leader.
lead_moves_under_load()
{
    local leader
    # Each request once: on a busy machine, a leader that stepped down may confirm too late.
    pods_start "${pods[@]}" -- --app echo --leader "$a" --rcvbuf max --relay-confirm none
    load 1000000 --to "$a:12000,$b:12000,$c:12000" --outstanding 128 --expect-all
    for leader in "$b" "$c" "$a" "$b" "$a" "$c" "$b" "$a" "$c" "$a"; do
        lead "$leader" "$leader"
        lead "$leader" "${pods[@]}"
    done
    kill -TERM "$bench_pid" 2>/dev/null || true # it waits for datagrams in transit, or has ended
    wait "$bench_pid" || true
    expect_between answered "$(count answered)" 100 1000000
    expect "answered, of those sent" "$(count answered)" "$(count sent)"
    for figure in missing duplicate corrupt misrouted foreign; do
        expect "$figure" "$(count "$figure")" 0
    done
    together_closes "${pods[@]}"
    expect "delivered, all pods" "$(total datagrams_delivered_total "${pods[@]}")" \
        "$(count sent)"
    expect "term" "$(metric "$a" term)" 11
    [[ -z ${V:-} ]] || echo "  $(count sent) datagrams during 10 changes"
}

run_longer "$datagrams datagrams" nothing_is_lost "$datagrams"
run_longer "$((datagrams / 3)) datagrams, without rings" nothing_is_lost $((datagrams / 3)) --workers 0
run_longer "$((datagrams / 3)) datagrams, two receivers and two workers" \
    nothing_is_lost $((datagrams / 3)) --receivers 2 --workers 2
run_timed "small buffers: the missing datagrams are the kernel's drops" losses_are_accounted_for
run "the leader changes ten times under load" lead_moves_under_load
finish
