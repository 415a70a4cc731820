# For scripts/bench publish: what it costs a leader to publish to 16 members, and what one that stands
# still costs the others. Read after lib.sh. On loopback, an address a pod.
# shellcheck shell=bash disable=SC2154,SC2034 # scripts/bench sets them, and uses what is set here

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

# publish_metric INDEX NAME: of that pod.
publish_metric()
{
    "$look" "$publish_net.$1:8080" /metrics | awk -v name="headlessd_$2" '$1 == name { print $2 }'
}

# all_follow: every pod has a leader, and knows all others alive.
all_follow()
{
    local i
    for ((i = 1; i <= members + 1; i++)); do
        [[ $(publish_metric "$i" members_alive) == $((members + 1)) ]] || return 1
    done
}

# pods_up ROUTE: the first one leads, and the others are its members.
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

# offer NAME BURST: messages to the leader's address, so many back to back; sets cost, the CPU time of that
# process, in ns a message.
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

# offer_both NAME ROW: singly and in bursts, into costs[ROW-BURST-MEMBERS].
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

# The same number of processes that are woken for what comes.
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

# delivered INDEX: so far.
delivered()
{
    publish_metric "$1" datagrams_delivered_total
}

# Is the last message everywhere but at the pod that stands still?
others_have() # NUMBER
{
    local i
    for ((i = 1; i <= members; i++)); do
        [[ $(delivered "$i") == "$1" ]] || return 1
    done
}

# still ROUTE: one of the members stands still; sets least, what the others were given of 100 messages.
still()
{
    local i n sent=$((publish_rate * ${span%.*}))
    pods_up "$1"
    kill -STOP "${publish_pids[pod-$((members + 1))]}"
    offer pod-1 1
    for ((i = 0; i < 50; i++)); do
        ! others_have "$sent" || break
        sleep 0.1 # until what is on its way has come
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

# median ARRAY KEY: of the numbers there.
median()
{
    local -n array=$1
    tr ' ' '\n' <<<"${array[$2]}" | sed '/^$/d' | sort -n | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'
}

# cost_row ROW BURST: a line of the table.
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
            still "$route" && leasts[$route]+=" $least"
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

CPU time of the publishing process in ns a message: messages that come singly, every 50 us, and in bursts of 16. Each
further member: the difference, by 15; and as a part of what the loop's further \`sendto\` costs. The last column is all
of a message for $members members, with what it costs to be woken for it, to read it, and to give it to the leader's app.

| messages | | 1 member | $members members | each further member | of a \`sendto\` | all, of the loop's |
|---|---|---:|---:|---:|---:|---:|
$(for burst in 1 16; do
        for route in fanout ordered all; do
            cost_row "$route" "$burst"
        done
    done)

While one member stands still, the others' apps are given at least $(median leasts ordered) % of the messages with
\`route: ordered\`, $(median leasts all) % with \`route: all\`.

The targets are a third of a \`sendto\`, and 95 % for the others. One frame is packed for all members, and what of a batch
has one size leaves as one train: so bursts cost little. Messages that come singly are sent on once in \`relay.linger\`
(here $linger), for each frame wakes a member that sleeps, which costs its sender more than the send, while the sinks of
the loop get so many datagrams that they never sleep.
PAGE
}
