# For scripts/bench source: the cost of app.source client, compared with session, and where datagrams are lost at high
# rates. Sourced after lib_bench.sh.
#
# The pod leads; its app, at its loopback address, receives and discards. The client sends single datagrams of many
# flows in turn, so that no two neighbours have one source. Both modes run in pairs, in alternating order. Then client
# runs at the rates source_full_rates, each for source_seconds, and every datagram is accounted for.
# shellcheck shell=bash disable=SC2154 # set in scripts/bench and lib_bench.sh

source_rate=25000
source_full_rates=(50000 75000 100000)
source_clients=1000
source_many_clients=10000
source_seconds=4

# source_begin MODE CLIENTS RATE SECONDS: headlessd, and the sender, until every client has a session.
source_begin()
{
    # Of the same priority as the sender and the app: otherwise its losses are those of a program that may not run.
    begin forwarder pod nice -n -10 env -i "$headlessd" --self "$pod_out" --drain-time 10ms --log-format text --bind any \
        --app "udp://127.0.0.1:$echo_port" --app-source "$1" --rcvbuf max
    wait_until "headlessd" is_ready pod "$pod_out"
    begin sender client nice -n -10 "$limit" send --to "$pod_in:$port" --rate "$3" --size 100 --flows "$2" \
        --burst 1 --count $(($3 * $4))
    sleep 1
}

# source_end: sets given, and skipped (those of them that are sent at the end, because the sender was late), and waits for
# the last ones.
source_end()
{
    wait "${pids[sender]}" || true
    unset "pids[sender]"
    given=$(sed -n -E 's/.*"sent": ([0-9]+).*/\1/p' "$work/sender.out")
    skipped=$(sed -n -E 's/.*"skipped": ([0-9]+).*/\1/p' "$work/sender.out")
    ((given > 0)) || die "nothing was sent: $(<"$work/sender.log")"
    wait_until "all are delivered, or lost" source_rests
}

source_rests()
{
    [[ $(ask_pod pod "$pod_out" datagrams_queued) == 0 ]] && (($(source_waiting "$port") + $(source_waiting "$echo_port") == 0))
}

# ---- the cost

# source_cost MODE: sets cost (own CPU, ns a datagram).
source_cost()
{
    local own0 came0
    source_begin "$1" "$source_clients" "$source_rate" $((2 + ${span%.*}))
    source_read
    own0=$ret_own came0=$ret_came
    sleep "$span"
    source_read
    cost=$(((ret_own - own0) / (ret_came - came0 + 1)))
    source_end
    finish forwarder
}

source_read()
{
    local file ns
    ret_came=$(ask_pod pod "$pod_out" datagrams_delivered_total)
    ret_own=0
    for file in "/proc/${pids[forwarder]}/task/"*/schedstat; do
        read -r ns _ <"$file" && ret_own=$((ret_own + ns))
    done
}

# source_pair ROUND: "SESSION CLIENT", ns a datagram.
source_pair()
{
    local mode modes=(session client)
    local -A costs=()
    (($1 % 2)) || modes=(client session)
    for mode in "${modes[@]}"; do
        source_cost "$mode"
        costs[$mode]=$cost
    done
    echo "${costs[session]} ${costs[client]}"
}

# ---- the losses

# source_sockets PORT COLUMN: the sum of a column over the pod's sockets at a port.
source_sockets()
{
    local hex
    printf -v hex ':%04X$' "$1"
    awk -v port="$hex" -v column="$2" '$2 ~ port { print $column }' "/proc/${pids[host-pod]}/net/udp"{,6}
}

source_waiting()
{
    source_sockets "$1" 5 | awk -F : '{ n += $2 != "00000000" } END { print n + 0 }'
}

source_drops()
{
    source_sockets "$1" 13 | awk '{ n += $1 } END { print n + 0 }'
}

# CPU time of the three programs, ns: "THREAD NS" a line. Soft interrupts count for the thread in which they run: the way to
# headlessd's socket for the sender, the rules of app.source and the way to the app's socket for headlessd.
source_threads()
{
    local name task comm ns
    for name in sender forwarder app; do
        for task in "/proc/${pids[$name]}/task/"*; do
            read -r comm <"$task/comm" && read -r ns _ <"$task/schedstat" && echo "$name:${comm// /_} $ns"
        done
    done
}

# source_shares BEFORE AFTER SECONDS: the threads that took more than 1 % of a core.
source_shares()
{
    awk -v seconds="$3" 'NR == FNR { was[$1] += $2; next } { is[$1] += $2 }
        END { for (name in is) if ((share = (is[name] - was[name]) / seconds / 1e7) >= 1) printf "%s %.0f %%\n", name, share }' \
        "$1" "$2" | sed 's/^forwarder://; s/^\(sender\|app\):[^ ]*/\1/' | sort | paste -s -d , | sed 's/,/, /g'
}

# source_losses RATE: prints a row of the table; sets given, skipped, and got (by the app).
source_losses()
{
    local told0 drops0 received delivered ours lost shares
    told0=$(<"$work/told_app") drops0=$(source_drops "$echo_port")
    source_begin client "$source_many_clients" "$1" "$source_seconds"
    source_threads >"$work/threads0"
    sleep "$span"
    source_threads >"$work/threads"
    source_end
    read -r received delivered < <(ask_pod pod "$pod_out" 'datagrams_received_total{socket="data"}' datagrams_delivered_total)
    ours=$(source_drops "$port") lost=$(($(source_drops "$echo_port") - drops0))
    wait_until "the app has told" source_has_told $((told0 + delivered - lost))
    got=$(($(<"$work/told_app") - told0))
    shares=$(source_shares "$work/threads0" "$work/threads" "$span")
    finish forwarder
    echo "| $1 | $skipped | $given | $((given - received - ours)) | $ours | $((received - delivered)) |" \
        "$((delivered - lost - got)) | $lost | $got | $shares |"
}

# source_has_told COUNT: or it never will, after the wait of wait_until: the loss is in the table then.
source_has_told()
{
    (($(<"$work/told_app") >= $1 || ++source_tries >= 100))
}

source_page()
{
    local round ratio least greatest cost given skipped got rate source_tries
    ulimit -n "$(ulimit -Hn)" # a socket for each client of the sender
    bench_open
    begin app pod nice -n -10 "$limit" receive --pause 500 --tell "$work/told_app" --listen "127.0.0.1:$echo_port"
    wait_until "the app" bound pod "$echo_port"
    measure_other_load >&2
    for ((round = 1; round <= rounds; round++)); do
        source_pair "$round" | tee -a "$work/pairs" >&2
    done
    read -r ratio least greatest < <(admin_ratio)
    for rate in "${source_full_rates[@]}"; do
        source_tries=0
        source_losses "$rate" >"$work/row"
        tee -a "$work/losses" <"$work/row" >&2
        [[ $rate != "${source_full_rates[0]}" ]] || echo "$given $skipped $got" >"$work/full"
    done
    read -r given skipped got <"$work/full"
    cat <<PAGE
# The client's own address

Written by \`scripts/bench source\`: $rounds pairs of $span s, 100 bytes, single datagrams of clients in turn.

| | target | measured | |
|---|---|---|---|
| own CPU a datagram, \`app.source: client\` to \`session\`, $source_clients clients, $source_rate/s: median (range) | <= 1.15x | $ratio ($least..$greatest) | $(admin_verdict "$ratio" 1.15) |
| got by the app of $given, $source_many_clients clients, ${source_full_rates[0]}/s for $source_seconds s | all | $got | $(admin_verdict "$given" "$got") |
| of these the sender sent late | <= 1 % | $skipped | $(admin_verdict $((skipped * 100)) "$given") |

Losses of \`app.source: client\` with $source_many_clients clients. Late: sent after the last one was due, because the sender
was more than 2 ms behind. Each other column is a place at which datagrams end. CPU: shares of one of $cores cores, over
$span s.

| rate | late | sent | lost on the way | at headlessd's socket | by headlessd | on the way to the app | at the app's socket | got by the app | CPU |
|---|---|---|---|---|---|---|---|---|---|
$(<"$work/losses")
PAGE
}
