# For scripts/bench publish: the leader's cost of publishing to 16 members, and the effect of one stopped
# member on the others. Sourced after lib.sh. On loopback, one address per pod.
# shellcheck shell=bash disable=SC2154,SC2034 # set in scripts/bench, or used there

members=16
publish_rate=20000
publish_net=127.0.17
publish_port=12000
linger=${LINGER:-1ms} # relay.linger

declare -A publish_pids=()
publish_work=""

publish_close()
{
    local pid
    for pid in "${publish_pids[@]}"; do
        kill -CONT "$pid" 2>/dev/null || true
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$publish_work"
}

# publish_begin NAME COMMAND...: in the background.
publish_begin()
{
    local name=$1
    shift
    "$@" >"$publish_work/$name.out" 2>"$publish_work/$name.log" </dev/null &
    publish_pids[$name]=$!
}

publish_end()
{
    local name
    for name in "$@"; do
        kill -TERM "${publish_pids[$name]}" 2>/dev/null || true
    done
    for name in "$@"; do
        wait "${publish_pids[$name]}" 2>/dev/null || true
        unset "publish_pids[$name]"
    done
}

# publish_metric INDEX NAME: prints a metric of that pod.
publish_metric()
{
    "$look" "$publish_net.$1:8080" /metrics | awk -v name="headlessd_$2" '$1 == name { print $2 }'
}

# all_follow: true if every pod has all others as live members.
all_follow()
{
    local i
    for ((i = 1; i <= members + 1; i++)); do
        [[ $(publish_metric "$i" members_alive) == $((members + 1)) ]] || return 1
    done
}

# pods_up ROUTE: starts the pods; the first one leads.
pods_up()
{
    local i peers=""
    for ((i = 1; i <= members + 1; i++)); do
        peers+="${peers:+,}$publish_net.$i"
    done
    for ((i = 1; i <= members + 1; i++)); do
        publish_begin "pod-$i" env HEADLESSD_DRAIN_TIME=50ms "$headlessd" --self "$publish_net.$i" \
            --peers "$peers" --leader "$publish_net.1" --route "$1" --app discard --rcvbuf max \
            --relay-linger "$linger"
    done
    wait_until "$((members + 1)) pods" all_follow
}

pods_down()
{
    local i
    for ((i = 1; i <= members + 1; i++)); do
        publish_end "pod-$i"
    done
}

# offer NAME BURST: sends messages to the leader's address, BURST of them back to back; sets cost, the CPU
# time of process NAME, in ns a message.
offer()
{
    local json
    json=$("$bench" send --to "$publish_net.1:$publish_port" --rate "$publish_rate" --duration "${span}s" \
        --microburst "$2" --one-way --size 100 --json --watch "${publish_pids[$1]}") ||
        die "the generator: $json"
    cost=$(awk -v json="$json" 'BEGIN {
        if (!match(json, /"watched_ns_per_datagram": ?[0-9.]+/)) exit 1
        text = substr(json, RSTART, RLENGTH); sub(/.*: ?/, "", text)
        printf "%.0f", text }') || die "no CPU time in: $json"
}

# offer_both NAME ROW: singly and in bursts, adds to costs[ROW-BURST-MEMBERS].
offer_both()
{
    local burst
    for burst in 1 16; do
        offer "$1" "$burst"
        costs[$2-$burst-$members]+=" $cost"
    done
}

publish_route()
{
    local members
    for members in 1 16; do
        pods_up "$1"
        offer_both pod-1 "$1"
        pods_down
    done
}

# The same for a loop of sendto, to as many processes that are woken for each datagram.
publish_fanout()
{
    local members
    for members in 1 16; do
        fan_out
    done
}

fan_out()
{
    local i names=()
    for ((i = 2; i <= members + 1; i++)); do
        publish_begin "sink-$i" "$limit" receive --listen "$publish_net.$i:$publish_port"
        names+=("sink-$i")
    done
    publish_begin fanout "$limit" fanout --listen "$publish_net.1:$publish_port" \
        --to "$publish_net.2:$publish_port" --members "$members"
    wait_until "the loop" grep -qs listening "$publish_work/fanout.log"
    offer_both fanout fanout
    publish_end fanout "${names[@]}"
}

# delivered INDEX: prints the number of datagrams delivered to that pod's app.
delivered()
{
    publish_metric "$1" datagrams_delivered_total
}

# True if all pods but the stopped one have delivered all messages.
others_have() # NUMBER
{
    local i
    for ((i = 1; i <= members; i++)); do
        [[ $(delivered "$i") == "$1" ]] || return 1
    done
}

# stopped_member ROUTE: stops one member; sets least, the lowest percentage delivered at the others.
stopped_member()
{
    local i n sent=$((publish_rate * ${span%.*}))
    pods_up "$1"
    kill -STOP "${publish_pids[pod-$((members + 1))]}"
    offer pod-1 1
    for ((i = 0; i < 50; i++)); do
        ! others_have "$sent" || break
        sleep 0.1 # until the datagrams in transit have arrived
    done
    least=$sent
    for ((i = 1; i <= members; i++)); do
        n=$(delivered "$i")
        ((n >= least)) || least=$n
    done
    least=$(awk -v n="$least" -v all="$sent" 'BEGIN { printf "%.2f", 100 * n / all }')
    kill -CONT "${publish_pids[pod-$((members + 1))]}"
    pods_down
}

# median ARRAY KEY: prints the median of the numbers in ARRAY[KEY].
median()
{
    local -n array=$1
    tr ' ' '\n' <<<"${array[$2]}" | sed '/^$/d' | sort -n | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'
}

# cost_row ROW BURST: prints a row of the table.
cost_row()
{
    awk -v row="$1" -v one="$(median costs "$1-$2-1")" -v all="$(median costs "$1-$2-16")" -v burst="$2" \
        -v loop_one="$(median costs "fanout-$2-1")" -v loop_all="$(median costs "fanout-$2-16")" 'BEGIN {
        name = row == "fanout" ? "a loop of `recv` and one `sendto` to each" : "`route: " row "`"
        each = (all - one) / 15
        printf "| %s | %s | %d | %d | %d | %.2f | %.2f |\n", burst == 1 ? "singly" : "in bursts", name, one, all,
            each, each / ((loop_all - loop_one) / 15), all / loop_all }'
}

publish_page()
{
    local round route
    local -A costs=() leasts=()
    publish_work=$(mktemp -d "${TMPDIR:-/tmp}/headless-publish.XXXXXX")
    work=$publish_work
    trap publish_close EXIT
    trap 'exit 130' INT TERM
    for ((round = 1; round <= rounds; round++)); do
        publish_fanout
        for route in ordered all; do
            publish_route "$route"
            stopped_member "$route" && leasts[$route]+=" $least"
        done
        echo "  round $round of $rounds, ns a message to $members members, singly and in bursts:" \
            "sendto $(median costs fanout-1-16) $(median costs fanout-16-16)," \
            "ordered $(median costs ordered-1-16) $(median costs ordered-16-16)," \
            "all $(median costs all-1-16) $(median costs all-16-16)" >&2
    done
    cat <<PAGE
# Publishing to $members members

$(thousands "$publish_rate") messages/s of 100 bytes to a leader with one member, and with $members, all on loopback of one machine
with $cores processors; medians of $rounds rounds of $span s ($(date +%F), $(git rev-parse --short HEAD)). Written by
\`scripts/bench publish\`.

CPU time of the publishing process in ns a message, for messages that arrive singly, every 50 us, and in bursts of 16.
Each further member: the difference divided by 15, and its ratio to the loop's further \`sendto\`. The last column is the
ratio of the total cost for $members members: the wake-up, reading the message, and delivering it to the leader's app
included.

| messages | | 1 member | $members members | each further member | ratio to a \`sendto\` | total, ratio to the loop |
|---|---|---:|---:|---:|---:|---:|
$(for burst in 1 16; do
        for route in fanout ordered all; do
            cost_row "$route" "$burst"
        done
    done)

While one member is stopped (SIGSTOP), the others' apps get at least $(median leasts ordered) % of the messages with
\`route: ordered\`, $(median leasts all) % with \`route: all\`.

The targets are a third of a \`sendto\`, and 95 % for the others. A frame is packed once for all members, and the frames of
one size in a batch leave as one GSO batch: so bursts cost little. Messages that arrive singly are sent once per
\`relay.linger\` (here $linger), because each frame wakes a sleeping member, at a cost for its sender above that of the
send, while the sinks of the loop get so many datagrams that they never sleep.
PAGE
}
