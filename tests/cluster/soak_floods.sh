#!/usr/bin/env bash
# Measures the share of a client's datagrams that floods leave: three pods in network namespaces, of which the client
# uses a follower at 1,000/s; a host of their network floods the ports of that follower or of the leader.
#
#   tests/cluster/soak_floods.sh BUILD_DIR OUT.tsv [RATE...]
#
# RATE: datagrams a second that the host tries to send (default 20000 50000 100000 200000), for five seconds each.
# FLOODS in the environment: which (default all). OPTIONS: further options of the pods, such as "--receivers 4".
# A line per run: flood, keyed or not, tried and sent a second, answered datagrams of the client per mille, the pod's
# CPU time for each flooded datagram that it read in ns (user and system), and the shares of the flood, per mille: refused
# or taken by the pod, dropped at a full socket; the rest was dropped by the network's devices before.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

out=${2:?"usage: $0 BUILD_DIR OUT.tsv [RATE...]"}
rates=("${@:3}")
((${#rates[@]} > 0)) || rates=(20000 50000 100000 200000)
net_possible || {
    echo "needs root and network namespaces" >&2
    exit 1
}
net_make 3
enemy=10.77.0.66
net_guest "$enemy"
all=("${net_pods[@]}")
a=${all[0]} # leads
b=${all[1]} # the client's
pod_environment=(PATH="$PATH" HEADLESSD_LOG_FORMAT=text HEADLESSD_RCVBUF="${RCVBUF:-208KiB}") # default settings, buffers as in pods
seconds=5
read -r -a options <<<"${OPTIONS:-}"
read -r -a floods <<<"${FLOODS:-clients commands peer_of_strangers peer_of_members frames_of_strangers frames_of_members}"

# instance ADDRESS
instance()
{
    http "$1:8080/leader" | sed -E 's/.*"me":\{[^}]*"instance":"([0-9a-f]{16})".*/\1/'
}

start()
{
    local address
    for address in "${all[@]}"; do
        pod_launch "$address" --peers "$(IFS=,; echo "${all[*]}")" --leader "$a" --app echo "${options[@]}" "$@"
    done
    for address in "${all[@]}"; do
        pod_wait "$address"
        net_in "$address" ip route add default via "$net_client" 2>/dev/null || true # for replies to forged sources
    done
    wait_until "all follow the configured leader" agree "$a" "${all[@]}"
}

forge()
{
    "$tools/forge" "$@" >>"$work/flood"
}

# The floods; each sets at, the address and port.
clients()
{
    local i
    at=$b:12000
    for i in {1..250}; do
        forge -p "$(head -c 60 /dev/urandom | base64 -w 0)" text 0 "10.200.$((i % 8)).$i:$((20000 + i))" "$at"
    done
}

commands()
{
    local i
    at=$b:12000
    for i in {1..250}; do # the form of signed ones
        forge -p "{\"leader\":\"$a\",\"key\":\"key-1\",\"time\":$EPOCHSECONDS,\"nonce\":\"$(printf %016x "$i")\",\"mac\":\"$(printf '0%.0s' {1..64})\"}" \
            text 0 "10.200.0.$i:30000" "$at"
    done
}

# peer_messages SOURCE OPTION...: in the name of the leader, to the follower.
peer_messages()
{
    local source=$1
    shift
    at=$b:12002
    forge "$@" -f "$(instance "$a")" -t "$(instance "$b")" -e 1 peer 3 "$source:12002" "$at"
}

peer_of_strangers()
{
    peer_messages "$enemy" "${as_sealed[@]}"
}

peer_of_members()
{
    peer_messages "$a" "${as_sealed[@]}"
}

# frames SOURCE: in the name of the client's pod, to the leader.
frames()
{
    at=$a:12001
    forge "${as_sealed[@]}" -f "$(instance "$b")" -t "$(instance "$a")" frame 1 "$1:40000" "$at"
}

frames_of_strangers()
{
    frames "$enemy"
}

frames_of_members()
{
    frames "$b"
}

# cpu_ns ADDRESS: user and system time of all its threads.
cpu_ns()
{
    awk '{ sum += $1 } END { printf "%.0f\n", sum }' /proc/"${pod_pids[$1]}"/task/*/schedstat
}

# read_by ADDRESS: datagrams and messages that it read so far, of any kind.
read_by()
{
    http "$1:8080/metrics" | awk '
        /reason="stranger"/ { next } # counted as received, too
        /^headlessd_(datagrams_received_total|peer_messages_dropped_total|peer_messages_total\{direction="in"\})/ { sum += $2 }
        END { printf "%.0f\n", sum }'
}

socket_drops()
{
    http "$1:8080/metrics" | awk '/^headlessd_socket_drops_total/ { sum += $2 } END { printf "%.0f\n", sum }'
}

# measure FLOOD RATE
measure()
{
    local flood=$1 rate=$2 at="" pod reads drops cpu said count took
    rm -f "$work/flood"
    "$flood"
    pod=${at%:*}
    stream_start 1000 600000 "$b"
    reads=$(read_by "$pod") drops=$(socket_drops "$pod") cpu=$(cpu_ns "$pod")
    if ((rate > 0)); then
        said=$(net_in "$enemy" "$tools/hostile" -r "$rate" -k $((rate * seconds)) "$work/flood" "$at")
    else
        sleep "$seconds"
        said="sent 1 0 $((seconds * 1000))"
    fi
    cpu=$(($(cpu_ns "$pod") - cpu))
    stream_end
    reads=$(($(read_by "$pod") - reads)) drops=$(($(socket_drops "$pod") - drops))
    count=$(cut -d ' ' -f 2 <<<"$said") took=$(cut -d ' ' -f 4 <<<"$said")
    ((reads > 0)) || reads=1
    printf '%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n' "$flood" "$keyed" "$rate" $((count * 1000 / (took + 1))) \
        $((answered * 1000 / sent)) $((cpu / reads)) $((reads * 1000 / count)) $((drops * 1000 / count)) |
        tee -a "$out"
}

floods()
{
    local rate flood
    measure clients 0 # the client alone
    for flood in "${floods[@]}"; do
        for rate in "${rates[@]}"; do
            measure "$flood" "$rate"
        done
    done
}

without_keys()
{
    keyed=no as_sealed=()
    start
    floods
}

with_keys()
{
    keyed=yes
    mkdir -p "$work/keys"
    head -c 32 /dev/urandom | base64 >"$work/keys/key-1"
    start --keys "$work/keys"
    as_sealed=(-K "$(sed -n -E 's/.*newest is [^ ]+ \(([0-9a-f]{8})\).*/\1/p' "$work/$a.log" | tail -n 1)")
    floods
}

printf 'flood\tkeys\ttried/s\tsent/s\tanswered/1000\tcpu ns/read\tread/1000\tsocket drops/1000\n' | tee "$out"
run "floods without keys" without_keys
run "floods with keys" with_keys
finish
