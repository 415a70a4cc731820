# For scripts/bench confirm: the cost of relay.confirm: delivered, compared with none. Sourced after lib_bench.sh.
#
# A follower relays to the leader, which gives the requests to its app. Both modes run in pairs, in alternating order; a
# run measures the CPU time of both pods, in ns for each datagram that the leader delivered.
# shellcheck shell=bash disable=SC2154 # set in scripts/bench and lib_bench.sh

# FRAMED|APP|RATE|TEXT
confirm_cases=(
    "framed-1|discard|50000|requests, pipeline"
    "framed-1|discard|150000|requests, pipeline"
    "framed-0|discard|150000|requests, run to completion"
    "framed-1|echo|50000|requests and their replies, pipeline"
)

# confirm_own NAME: the CPU time of this pod's threads, ns.
confirm_own()
{
    awk '{ sum += $1 } END { printf "%.0f\n", sum }' "/proc/${pids[$1]}/task/"*/schedstat
}

# confirm_read: sets own_follower, own_leader, and came.
confirm_read()
{
    came=$(ask_pod leader "$leader" datagrams_delivered_total)
    own_follower=$(confirm_own forwarder)
    own_leader=$(confirm_own leader)
}

confirm_is_ready()
{
    [[ $(ask_pod pod "$pod_out" relay_confirms) == 1 ]]
}

# confirm_run FRAMED APP RATE MODE: prints "FOLLOWER LEADER PER_MILLE", ns a datagram, and delivered of sent.
confirm_run()
{
    local own_follower own_leader came follower0 leader0 came0 sent0
    start_framed "$1" "$2" --relay-confirm "$4"
    wait_until "the members that confirm" confirm_is_ready
    begin sender client nice -n -10 "$limit" send --to "$pod_in:$port" --rate "$3" --size 100 --flows 8 --gso 1 \
        --duration $((${span%.*} + 5))
    sleep "$warm"
    confirm_read
    udp_count client
    follower0=$own_follower leader0=$own_leader came0=$came sent0=$ret_out
    sleep "$span"
    confirm_read
    udp_count client
    finish sender
    stop_forwarder "$1"
    came=$((came - came0))
    ((came > 0)) || die "nothing was delivered: $(tail -qn 3 "$work"/*.log)"
    echo "$(((own_follower - follower0) / came)) $(((own_leader - leader0) / came)) $((came * 1000 / (ret_out - sent0)))"
}

# confirm_pair ROUND FRAMED APP RATE: "FOLLOWER LEADER PER_MILLE" of none, and of delivered.
confirm_pair()
{
    local mode modes=(none delivered)
    local -A costs=()
    (($1 % 2)) || modes=(delivered none)
    for mode in "${modes[@]}"; do
        costs[$mode]=$(confirm_run "${@:2}" "$mode")
    done
    echo "${costs[none]} ${costs[delivered]}"
}

# confirm_ratio FILE FIRST LAST: of these columns, delivered to none: the median of the ratios, and their range.
confirm_ratio()
{
    awk -v first="$2" -v last="$3" '{
            none = delivered = 0
            for (i = first; i <= last; i++) { none += $i; delivered += $(i + 3) }
            printf "%.4f\n", delivered / none
        }' "$1" | sort -n | awk '
        { ratio[NR] = $1 }
        END { printf "%.3f (%.3f..%.3f)\n", ratio[int((NR + 1) / 2)], ratio[1], ratio[NR] }'
}

# confirm_median FILE COLUMN
confirm_median()
{
    awk -v column="$2" '{ print $column }' "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# confirm_row TEXT RATE FILE
confirm_row()
{
    local both
    both=$(confirm_ratio "$3" 1 2)
    echo "| $1 | $2 | $(confirm_median "$3" 1) | $(confirm_ratio "$3" 1 1) | $(confirm_median "$3" 2) |" \
        "$(confirm_ratio "$3" 2 2) | $both | $(admin_verdict "${both%% *}" 1.05) |" \
        "$(($(confirm_median "$3" 3) / 10)), $(($(confirm_median "$3" 6) / 10)) |"
}

confirm_page()
{
    local round framed app rate text i
    for i in "${!confirm_cases[@]}"; do
        [[ ${confirm_cases[i]} =~ ${ONLY:-} ]] || unset "confirm_cases[$i]"
    done
    bench_open
    measure_other_load >&2
    for ((round = 1; round <= rounds; round++)); do
        for i in "${!confirm_cases[@]}"; do
            IFS='|' read -r framed app rate text <<<"${confirm_cases[i]}"
            confirm_pair "$round" "$framed" "$app" "$rate" >>"$work/pairs$i"
            echo "round $round of $rounds, $text, $rate/s: $(tail -n 1 "$work/pairs$i")" >&2
        done
    done
    cat <<PAGE
# The cost of confirmed relaying

Written by \`scripts/bench confirm\`: $rounds pairs of runs of $span s, \`relay.confirm: delivered\` and \`none\` in turn, 100 bytes, 8
flows; other programs used $busy % of the machine. Ratios: median (range) of delivered to none; the target is for both pods
together.

| | datagrams/s | follower, none, ns | follower, ratio | leader, none, ns | leader, ratio | both, ratio | <= 1.05 | delivered of sent, % |
|---|---|---|---|---|---|---|---|---|
PAGE
    for i in "${!confirm_cases[@]}"; do
        IFS='|' read -r framed app rate text <<<"${confirm_cases[i]}"
        confirm_row "$text" "$rate" "$work/pairs$i"
    done
}
