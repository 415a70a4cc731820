# For scripts/bench: three hosts, the forwarders, and one measurement. Sourced after lib.sh.
#
#   client 10.78.1.2 ──── 10.78.1.1  pod  10.78.2.1 ──── 10.78.2.2 leader
#                   veth                        veth
#
# Each host is a network namespace; the pod routes between its two links, as the kernel's DNAT needs
# it; all other forwarders listen at 10.78.1.1:12000 and send from 10.78.2.1. MTU 1500, veth's default
# offloads.
# shellcheck shell=bash disable=SC2154,SC2034 # set in scripts/bench, or used there

place=hb$$
pod_in=10.78.1.1
pod_out=10.78.2.1
leader=10.78.2.2
port=12000
paused_port=9100
frames_port=9101
woken_port=9102
echo_port=9200
rcvbuf=212992 # the default limit in a pod
cores=$(nproc)
tick_ns=$((1000000000 / $(getconf CLK_TCK)))

declare -A pids=() # name -> PID of each running process that this script started
work=""
main_pid=$((BASHPID))

# ---- hosts

bench_open()
{
    local host
    work=$(mktemp -d "${TMPDIR:-/tmp}/headless-bench.XXXXXX")
    trap bench_close EXIT
    trap 'exit 130' INT TERM
    mkdir "$work/keys"
    head -c 32 /dev/urandom | base64 >"$work/keys/bench"
    for host in client pod leader; do
        ip netns add "$place-$host"
        ip -n "$place-$host" link set lo up
    done
    link client 10.78.1.2 to_client $pod_in
    link leader $leader to_leader $pod_out
    ip netns exec "$place-pod" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    for host in client pod leader; do
        begin "host-$host" "$host" sleep infinity # its /proc entry has the namespace's counters
    done
    begin sink leader nice -n -10 "$limit" receive --pause 500 --gro --tell "$work/told_paused" \
        --listen "$leader:$paused_port"
    wait_until "the sink" bound leader $paused_port
    # Like an app: woken for each datagram, and reads one at a time.
    begin woken_sink leader "$limit" receive --tell "$work/told_woken" --listen "$leader:$woken_port"
    wait_until "the woken sink" bound leader "$woken_port"
    # The sink of frames is woken for each datagram, as the leader's headlessd is.
    begin waiting_sink leader "$limit" receive --gro --tell "$work/told_frames" \
        --listen "$leader:$frames_port"
    wait_until "the waiting sink" bound leader $frames_port
}

# use_sink paused|woken: the forwarders' destination from now on.
use_sink()
{
    sink=$1
    sink_port=$paused_port
    [[ $sink == paused ]] || sink_port=$woken_port
}

# link HOST ADDRESS DEVICE ADDRESS: the host's address; the pod's device and address.
link()
{
    ip link add eth0 netns "$place-$1" type veth peer name "$3" netns "$place-pod"
    ip -n "$place-$1" addr add "$2/24" dev eth0
    ip -n "$place-$1" link set eth0 up
    ip -n "$place-pod" addr add "$4/24" dev "$3"
    ip -n "$place-pod" link set "$3" up
    ip -n "$place-$1" route add default via "$4"
}

bench_close()
{
    local status=$? name
    ((BASHPID == main_pid)) || return 0
    ((status == 0 || status == 130)) || tail -n 3 "$work"/*.log >&2 || true
    for name in "${!pids[@]}"; do
        kill -KILL "${pids[$name]}" 2>/dev/null || true
        wait "${pids[$name]}" 2>/dev/null || true
    done
    for name in client pod leader; do
        ip netns del "$place-$name" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}

in_host()
{
    local host=$1
    shift
    ip netns exec "$place-$host" "$@"
}

# ---- processes

# begin NAME HOST COMMAND...: in the background; its output goes to $work/NAME.out and .log.
begin()
{
    local name=$1 host=$2
    shift 2
    ip netns exec "$place-$host" "$@" >"$work/$name.out" 2>"$work/$name.log" </dev/null &
    pids[$name]=$!
}

# finish NAME: SIGTERM, and SIGKILL after three seconds.
finish()
{
    local pid=${pids[$1]:-} tries=0
    [[ $pid ]] || return 0
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        ((++tries < 150)) || kill -KILL "$pid" 2>/dev/null || true
        sleep 0.02 # between two polls
    done
    wait "$pid" 2>/dev/null || true
    unset "pids[$1]"
}

# wait_until WHAT COMMAND...: for at most five seconds.
wait_until()
{
    local what=$1 tries=0
    shift
    until "$@"; do
        ((++tries < 250)) || die "$what did not start: $(tail -qn 3 "$work"/*.log)"
        sleep 0.02 # between two polls
    done
}

# bound HOST PORT: true if a UDP socket is bound to the port.
bound()
{
    local hex
    printf -v hex ':%04X ' "$2"
    [[ $(<"/proc/${pids[host-$1]}/net/udp") == *"$hex"* ]]
}

# ask_pod HOST ADDRESS METRIC...: prints metrics of headlessd.
ask_pod()
{
    local host=$1 address=$2
    shift 2
    in_host "$host" "$look" "$address:8080" /metrics "${@/#/headlessd_}" 2>/dev/null
}

has_leader()
{
    [[ $(ask_pod "$1" "$2" has_leader) == 1 ]]
}

is_ready()
{
    in_host "$1" "$look" "$2:8080" /readyz >/dev/null 2>&1
}

# ---- forwarders

# Names and titles; counted_by: the counter of delivered datagrams, if it is not the sink: the pod's
# kernel, the sink's frames times the records in each, or the metrics of the leader's headlessd.
declare -A titles=(
    [receive]="minimal loop: receive, discard"
    [one]="minimal loop: recvfrom + sendto"
    [receive-gso]="minimal loop: receive + GSO"
    [receive-pack-gso]="minimal loop: receive + pack + GSO"
    [gro-gso]="minimal loop: GRO + GSO"
    [raw-0]="headlessd raw, run to completion"
    [raw-1]="headlessd raw, pipeline"
    [raw-2]="headlessd raw, 2 receivers + 2 workers"
    [framed-0]="headlessd framed, run to completion"
    [framed-1]="headlessd framed, pipeline"
    [sealed-0]="headlessd framed and sealed, run to completion"
    [sealed-1]="headlessd framed and sealed, pipeline"
    [nginx]="nginx stream"
    [socat]="socat"
    [dnat]="nftables DNAT (kernel)"
    [sockperf]="sockperf"
    [headless-bench]="headless-bench"
)
declare -A counted_by=([receive]=pod [receive-pack-gso]=frames [framed-0]=metrics [framed-1]=metrics
    [sealed-0]=metrics [sealed-1]=metrics)

# daemon NAME HOST SELF OPTION...: headlessd with the common options and an empty environment.
daemon()
{
    local name=$1 host=$2 self=$3
    shift 3
    begin "$name" "$host" env -i "$headlessd" --self "$self" --drain-time 10ms --log-format text "$@"
}

start_raw()
{
    daemon forwarder pod $pod_out --relay-format raw --leader "$leader:$sink_port" --rcvbuf "$rcvbuf" "$@"
    wait_until "headlessd" is_ready pod $pod_out
}

# start_framed framed-WORKERS|sealed-WORKERS APP OPTION...: the pod follows a leader with the same options.
start_framed()
{
    local peers="pod=$pod_out,leader=$leader" app=$2 workers=${1#*-} keys=none
    [[ $1 != sealed-* ]] || keys=$work/keys
    shift 2
    begin leader leader env -i "$headlessd" --self "$leader" --peers "$peers" --keys "$keys" \
        --leader leader --app "$app" --workers "$workers" --drain-time 10ms --log-format text "$@"
    daemon forwarder pod $pod_out --peers "$peers" --leader leader --app "$app" --workers "$workers" \
        --rcvbuf "$rcvbuf" --keys "$keys" "$@"
    wait_until "the leader" is_ready leader $leader
    wait_until "the follower" has_leader pod $pod_out
}

start_nginx()
{
    cat >"$work/nginx.conf" <<CONF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid $work/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
stream {
    server {
        listen $pod_in:$port udp rcvbuf=$rcvbuf;
        proxy_pass $leader:$1;
        proxy_timeout 60s;
    }
}
CONF
    begin forwarder pod nginx -p "$work" -e stderr -c "$work/nginx.conf"
    wait_until "nginx" bound pod $port
}

start_dnat()
{
    in_host pod nft -f - <<RULES
table ip bench {
    chain in {
        type nat hook prerouting priority dstnat;
        ip daddr $pod_in udp dport $port dnat to $leader:$sink_port
    }
}
RULES
}

start_forwarder()
{
    local to=$sink_port
    case $1 in
    receive)
        begin forwarder pod "$limit" receive --listen "$pod_in:$port" --rcvbuf "$rcvbuf"
        wait_until "$1" bound pod $port
        ;;
    one | receive-gso | receive-pack-gso | gro-gso)
        [[ $1 != receive-pack-gso ]] || to=$frames_port
        begin forwarder pod "$limit" "$1" --listen "$pod_in:$port" --to "$leader:$to" --rcvbuf "$rcvbuf"
        wait_until "$1" bound pod $port
        ;;
    raw-0) start_raw --workers 0 ;;
    raw-1) start_raw ;;
    raw-2) start_raw --receivers 2 --workers 2 ;;
    framed-* | sealed-*) start_framed "$1" discard ;;
    nginx) start_nginx "$sink_port" ;;
    socat)
        begin forwarder pod socat -u "UDP4-RECV:$port,bind=$pod_in,rcvbuf=$rcvbuf" \
            "UDP4-SENDTO:$leader:$sink_port"
        wait_until "$1" bound pod $port
        ;;
    dnat) start_dnat ;;
    *) die "no forwarder '$1'" ;;
    esac
}

stop_forwarder()
{
    finish forwarder
    finish leader
    [[ $1 != dnat ]] || in_host pod nft delete table ip bench
}

# ---- one measurement

# udp_count HOST: sets ret_in and ret_out, the datagrams that its sockets received and sent so far. A
# send with UDP_SEGMENT counts as one; datagrams segmented before they are received count singly.
udp_count()
{
    local name in out
    while read -r name in _ _ out _; do
        [[ $name == Udp: && $in == [0-9]* ]] || continue
        ret_in=$in ret_out=$out
    done <"/proc/${pids[host-$1]}/net/snmp"
}

# machine_time: sets ret_unused (ticks in which a core was idle or stolen) and ret_stolen (the stolen ones)
# since the machine booted. The used time is the rest. The kernel measures idle time but only samples user,
# system and softirq at the clock's tick, and a sender that is paced by the same clock is found in the same
# state each time (1,860 ns instead of 5,300 have been seen).
machine_time()
{
    local ticks
    read -r -a ticks </proc/stat
    ret_stolen=${ticks[8]}
    ret_unused=$((ticks[4] + ticks[5] + ret_stolen))
}

# read_counters FORWARDER: sets ret_own (ns of its threads), machine_time's results, ret_sent, ret_came and
# ret_us, the time of reading. Starts no process except to ask headlessd, and does that first.
read_counters()
{
    local file ns
    case ${counted_by[$1]:-sink} in
    pod) udp_count pod && ret_came=$ret_in ;;
    metrics) ret_came=$(ask_pod leader $leader datagrams_delivered_total) ;;
    frames) read -r ret_came <"$work/told_frames" ;;
    *) read -r ret_came <"$work/told_$sink" ;;
    esac
    ret_us=${EPOCHREALTIME/[.,]/}
    udp_count client
    ret_sent=$ret_out ret_own=0
    if [[ $1 != dnat ]]; then
        for file in "/proc/${pids[forwarder]}/task/"*/schedstat; do
            read -r ns _ <"$file" && ret_own=$((ret_own + ns))
        done
    fi
    machine_time
}

# memory FIELD: the forwarder's memory, in KiB.
memory()
{
    awk -v field="$1:" '$1 == field { print $2 }' "/proc/${pids[forwarder]}/status"
}

# measure FORWARDER RATE SIZE FLOWS GSO: one run. Sets offered and delivered (a second), percent, own
# and machine (ns a datagram; own: - for DNAT), idle and peak (KiB; headlessd only).
measure()
{
    local name=$1 rate=$2 size=$3 flows=$4 gso=$5 own0 unused0 sent0 came0 us0
    idle=- peak=-
    start_forwarder "$name"
    [[ ! $name =~ ^(raw|framed|sealed) ]] || idle=$(memory VmRSS)
    begin sender client nice -n -10 "$limit" send --to "$pod_in:$port" --rate "$rate" --size "$size" \
        --flows "$flows" --gso "$gso" --duration $((${span%.*} + 5))
    sleep "$warm"
    read_counters "$name"
    own0=$ret_own unused0=$ret_unused sent0=$ret_sent came0=$ret_came us0=$ret_us
    sleep "$span"
    read_counters "$name"
    [[ $idle == - ]] || peak=$(memory VmHWM)
    finish sender
    stop_forwarder "$name"
    read -r offered delivered percent own machine < <(awk -v own=$((ret_own - own0)) \
        -v busy=$((cores * (ret_us - us0) * 1000 - (ret_unused - unused0) * tick_ns)) \
        -v sent=$(((ret_sent - sent0) * gso)) -v came=$((ret_came - came0)) \
        -v us=$((ret_us - us0)) -v packed="$(records_a_frame "$name")" '
        BEGIN {
            came *= packed
            if (!came) came = 0.001
            printf "%d %d %.2f %s %d\n", sent / us * 1e6, came / us * 1e6,
                sent ? 100 * came / sent : 0, own ? int(own / came) : "-", busy / came
        }')
}

# Records in each frame that the sink counts; 1 if it counts datagrams.
records_a_frame()
{
    if [[ ${counted_by[$1]:-} == frames ]]; then
        jq '.sent / ([.frames, 1] | max)' "$work/forwarder.out"
    else
        echo 1
    fi
}

# measure_trip FORWARDER: round trips through the pod to an echo at the leader. Sets p50, p99 (ns) and lost.
measure_trip()
{
    if [[ $1 == nginx ]]; then
        begin leader leader "$bench" sink --echo --listen "$leader:$echo_port"
        wait_until "the echo" bound leader "$echo_port"
        start_nginx $echo_port
    else
        start_framed "$1" echo
    fi
    in_host client nice -n -10 "$bench" send --to "$pod_in:$port" --flows 8 --rate 1000 \
        --duration "$trip" --max-lateness 1s --json >"$work/trip.out" || true
    stop_forwarder "$1"
    read -r p50 p99 lost < <(jq -r '"\(.round_trip_ns.p50) \(.round_trip_ns.p99) \(.counts.missing)"' \
        "$work/trip.out")
}

# measure_tool sockperf|headless-bench: closed loop, one at a time, from the client to the tool's own echo at
# the leader, without a forwarder. Sets p50 and p99 (ns) and lost.
measure_tool()
{
    if [[ $1 == sockperf ]]; then
        begin leader leader sockperf server -i "$leader" -p "$echo_port"
        wait_until "sockperf's server" bound leader "$echo_port"
        in_host client nice -n -10 sockperf ping-pong -i "$leader" -p "$echo_port" -m 100 -t "${trip%s}" \
            --full-rtt >"$work/tool.out" 2>&1 || true
        read -r p50 p99 lost < <(sed -E 's/\x1b\[[0-9;]*m//g' "$work/tool.out" | awk '
            /percentile 50.000/ { p50 = $NF * 1000 }
            /percentile 99.000/ { p99 = $NF * 1000 }
            /# dropped messages/ { lost = $0; gsub(/.*dropped messages = |;.*/, "", lost) }
            END { printf "%d %d %d\n", p50, p99, lost }')
    else
        begin leader leader "$bench" sink --echo --listen "$leader:$echo_port"
        wait_until "the echo" bound leader "$echo_port"
        in_host client nice -n -10 "$bench" send --to "$leader:$echo_port" --closed-loop --outstanding 1 \
            --size 100 --duration "$trip" --json >"$work/tool.out" || true
        read -r p50 p99 lost < <(jq -r \
            '"\(.round_trip_ns.p50) \(.round_trip_ns.p99) \(.counts.missing)"' "$work/tool.out")
    fi
    finish leader
}
