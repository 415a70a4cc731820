# For scripts/bench source: the cost of app.source client, compared with session. Sourced after lib_bench.sh.
#
# The pod leads; its app, at its loopback address, receives and discards. The client sends single datagrams of many
# flows in turn, so that no two neighbours have one source. Both modes run in pairs, in alternating order.
# shellcheck shell=bash disable=SC2154 # set in scripts/bench and lib_bench.sh

source_rate=25000
source_full_rate=50000
source_clients=1000
source_many_clients=10000

# source_run MODE CLIENTS RATE: sets cost (own CPU, ns a datagram), given and delivered.
source_run()
{
    local own0 came0
    daemon forwarder pod "$pod_out" --bind any --app "udp://127.0.0.1:$echo_port" --app-source "$1" --rcvbuf max
    wait_until "headlessd" is_ready pod "$pod_out"
    begin sender client nice -n -10 "$limit" send --to "$pod_in:$port" --rate "$3" --size 100 --flows "$2" \
        --burst 1 --count $(($3 * (2 + ${span%.*})))
    sleep 1 # every client has a session
    source_read
    own0=$ret_own came0=$ret_came
    sleep "$span"
    source_read
    cost=$(((ret_own - own0) / (ret_came - came0 + 1)))
    wait "${pids[sender]}" || true
    unset "pids[sender]"
    given=$(sed -n -E 's/.*"sent": ([0-9]+).*/\1/p' "$work/sender.out")
    wait_until "all are delivered, or lost" source_rests
    delivered=$(ask_pod pod "$pod_out" datagrams_delivered_total)
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

source_rests()
{
    [[ $(ask_pod pod "$pod_out" datagrams_queued) == 0 ]]
}

# source_pair ROUND: "SESSION CLIENT", ns a datagram.
source_pair()
{
    local mode modes=(session client)
    local -A costs=()
    (($1 % 2)) || modes=(client session)
    for mode in "${modes[@]}"; do
        source_run "$mode" "$source_clients" "$source_rate"
        costs[$mode]=$cost
    done
    echo "${costs[session]} ${costs[client]}"
}

source_page()
{
    local round ratio least greatest cost given delivered
    bench_open
    begin app pod nice -n -10 "$limit" receive --pause 500 --listen "127.0.0.1:$echo_port"
    wait_until "the app" bound pod "$echo_port"
    measure_other_load >&2
    for ((round = 1; round <= rounds; round++)); do
        source_pair "$round" | tee -a "$work/pairs" >&2
    done
    read -r ratio least greatest < <(admin_ratio)
    source_run client "$source_many_clients" "$source_full_rate"
    cat <<PAGE
# The client's own address

Written by \`scripts/bench source\`: $rounds pairs of $span s, 100 bytes, single datagrams of clients in turn.

| | target | measured | |
|---|---|---|---|
| own CPU a datagram, \`app.source: client\` to \`session\`, $source_clients clients, $source_rate/s: median (range) | <= 1.15x | $ratio ($least..$greatest) | $(admin_verdict "$ratio" 1.15) |
| delivered of $given, $source_many_clients clients, $source_full_rate/s | all | $delivered | $(admin_verdict "$given" "$delivered") |
PAGE
}
