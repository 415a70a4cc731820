# A client that sends continuously, from the client's namespace. Sourced after lib_net.sh.
#
#   stream_start RATE MILLISECONDS ADDRESS...   sends to these pods in turn, in the background
#   stream_options=(-a)                         each datagram is sent to all of them
#   stream_options=(-i eth0)                    an address may be a multicast group
#   stream_end                                  sets the results
#   each_has_its_reply ADDRESS...               compares the pods' counters with the results: see there
#   delivers_more N ADDRESS...                  true if these pods delivered more than N in all
#   replies_come ADDRESS...                     waits until the pods have delivered more
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh sets them; others use them

# On a busy machine a leader may be lost for a while: hold requests for longer than any test waits. The stream does not
# wait for a pod that does not run for a while: its sockets have room for what arrives.
pod_environment+=(HEADLESSD_HOLD_TIME=1m HEADLESSD_RCVBUF=max)

# Of the last stream; see udp_stream.c.
sent=0 answered=0 lost=0 duplicated=0 refused=0 gap_ms=0 gap_at_ms=0 foreign=0 disordered=0 missed=0

stream_options=()

# stream_start RATE MILLISECONDS ADDRESS...: in the background, in the client's namespace.
stream_start()
{
    local rate=$1 limit=$2 address targets=()
    shift 2
    for address in "$@"; do
        targets+=("$address:12000")
    done
    "${pod_wrapper[@]}" "$tools/udp_stream" "${stream_options[@]}" "$rate" 100 "$limit" "${targets[@]}" \
        >"$work/stream.out" 2>"$work/stream.log" &
    stream_pid=$!
    wait_until "the stream begins" grep -q started "$work/stream.log"
}

# stream_end: sets sent, answered, lost, duplicated, refused, gap_ms, gap_at_ms, foreign, disordered, missed.
stream_end()
{
    local name value
    kill -TERM "$stream_pid" 2>/dev/null || true
    wait "$stream_pid" || fail "the stream failed: $(cat "$work/stream.log")"
    while read -r name value; do
        declare -g "$name=$value"
    done < <(tr ' ' '\n' <"$work/stream.out" | paste -d ' ' - -)
    [[ -z ${V:-} ]] || echo "  $scenario: $(cat "$work/stream.out")"
    ((sent > 0 && answered > 0 && refused >= 0)) || fail "the stream got no reply"
    expect "replied twice" "$duplicated" 0
    expect "foreign replies" "$foreign" 0
}

replies_come()
{
    local before
    before=$(total datagrams_delivered_total "$@")
    wait_until "the new leader is given requests" delivers_more "$before" "$@"
}

delivers_more()
{
    local before=$1
    shift
    (($(total datagrams_delivered_total "$@") > before))
}

# sum_of REGEX ADDRESS...: prints the sum of all metrics that begin so, without "headlessd_".
sum_of()
{
    local regex=$1 address
    shift
    for address in "$@"; do
        http "$address:8080/metrics"
    done | awk -v regex="^headlessd_($regex)" '$1 ~ regex { sum += $2 } END { print sum + 0 }'
}

# each_has_its_reply ADDRESS...: all pods to which the stream was sent have sent a reply to each request that they
# received. The kernel may drop datagrams between the client and the pods, on a machine that is too busy for the rate:
# these are no fault of a pod, and are printed.
each_has_its_reply()
{
    local requests=0 replies=0
    wait_until "a reply to each request" are_replied_to "$@"
    expect "replies that the pods sent" "$replies" "$requests"
    ((lost > 0)) || return 0
    echo "  $scenario: of $sent requests, $((sent - requests)) reached no pod, and $((replies - answered)) replies" \
        "not the client: $(sum_of 'socket_drops_total{socket="data"}' "$@") dropped at full data sockets," \
        "$missed at the client's sockets, $(softnet_drops) in all by this machine's packet queues since it started"
    show_losses "$@"
}

# are_replied_to ADDRESS...: sets requests and replies.
are_replied_to()
{
    requests=$(($(sum_of 'datagrams_received_total{socket="data"}' "$@") - $(sum_of control_messages_total "$@")))
    replies=$(sum_of replies_sent_total "$@")
    ((requests == replies))
}

# The second column of each processor.
softnet_drops()
{
    local sum=0 fields
    while read -r -a fields; do
        sum=$((sum + 16#${fields[1]}))
    done </proc/net/softnet_stat
    echo "$sum"
}
