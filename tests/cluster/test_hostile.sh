#!/usr/bin/env bash
# An attacker on the pods' network that knows the protocol, reads the traffic, sends from any address,
# and has no key. Three pods in namespaces, a client that sends continuously.
#
#   tests/cluster/test_hostile.sh BUILD_DIR
# Alone: floods use all CPU time.
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Open: it has keys of its own.
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

net_possible || {
    skip "an attacker on the network" "needs root and network namespaces"
    finish
    exit
}
net_make 3
enemy=10.77.0.66  # sends
victim=10.77.0.67 # owner of the forged address
net_guest "$enemy"
net_guest "$victim"
all=("${net_pods[@]}")
a=${all[0]} # leads
b=${all[1]}
c=${all[2]}
as_shipped
flood=200000 # datagrams
[[ -z ${CHECK_ALL:-} ]] || flood=600000 # more than three seconds at 200,000/s
[[ -z ${SANITIZED:-} ]] || flood=30000

keys=$work/keys
tape=$work/tape

# ---- the cluster

# No frame is sent again: each one that is refused is of the hostile host.
pod_environment+=(HEADLESSD_RELAY_CONFIRM=none)

key_new()
{
    mkdir -p "${1%/*}"
    head -c 32 /dev/urandom | base64 >"$1"
}

# start OPTION...: a is the configured leader; the tape has the pods' messages to it.
start()
{
    local address
    app_start tap ip netns exec "$net_id-sw" "$tools/wiretap" "p${a##*.}" "$tape" 12001 12002
    for address in "${all[@]}"; do
        pod_launch "$address" --peers "$(IFS=,; echo "${all[*]}")" --leader "$a" --app echo "$@"
    done
    for address in "${all[@]}"; do
        pod_wait "$address"
    done
    wait_until "all follow the configured leader" agree "$a" "${all[@]}"
    wait_until "their votes count" are_settled "${all[@]}"
}

start_sealed()
{
    rm -rf "$keys"
    key_new "$keys/key-1"
    start --keys "$keys" --control-allow 127.0.0.0/8 "$@"
    stream_start 100 600000 "$b"
    wait_until "answers are on the tape" is_taped 1 2 "$b:12001"
}

# instance ADDRESS
instance()
{
    http "$1:8080/leader" | sed -E 's/.*"me":\{[^}]*"instance":"([0-9a-f]{16})".*/\1/'
}

key_id()
{
    sed -n -E 's/.*newest is [^ ]+ \(([0-9a-f]{8})\).*/\1/p' "$work/$a.log" | tail -n 1
}

# is_taped COUNT TYPE ADDRESS:PORT: true if the tape has COUNT messages to this port.
is_taped()
{
    [[ $(attack -w "$2" -n "$1" -m magic "$tape" "$3") == "sent $1 "* ]]
}

# ---- the attack

attack()
{
    net_in "$enemy" "$tools/hostile" "$@"
}

forge()
{
    "$tools/forge" "$@"
}

# reported ADDRESS...: prints leader and term as each pod reports them.
reported()
{
    local address
    for address in "$@"; do
        echo "$(leader_of "$address") $(metric "$address" term)"
    done
}

# refusals ADDRESS: prints the number refused by its peer and relay ports so far.
refusals()
{
    http "$1:8080/metrics" | awk '
        /^headlessd_(peer_messages|datagrams|replies)_dropped_total/ { sum += $2 } END { print sum + 0 }'
}

# dropped_peer ADDRESS REASON
dropped_peer()
{
    metric "$1" "peer_messages_dropped_total{reason=\"$2\"}"
}

# refused_by ADDRESS:PORT REASON: prints the number refused so far.
refused_by()
{
    if [[ $1 == *:12002 ]]; then
        dropped_peer "${1%:*}" "$2"
    else
        dropped "${1%:*}" "$2"
    fi
}

is_refused()
{
    [[ $(refused_by "$1" "$2") == "$3" && $(refusals "${1%:*}") == "$4" ]]
}

# refused ADDRESS:PORT REASON HOSTILE_OPTION... TAPE: each message is refused under this reason and no other.
refused()
{
    local at=$1 reason=$2 before sum count
    shift 2
    before=$(refused_by "$at" "$reason") sum=$(refusals "${at%:*}")
    count=$(attack "$@" "$at" | cut -d ' ' -f 2)
    ((count > 0)) || fail "nothing was sent: $*"
    wait_until "$count refused by $at as $reason ($*)" is_refused "$at" "$reason" \
        $((before + count)) $((sum + count))
}

# begin [LEADER|any]: all follow it, by default $a; with that the end is compared.
begin()
{
    wait_until "all follow the leader" agree "${1:-$a}" "${all[@]}"
    before_reported=$(reported "${all[@]}")
    before_heard="$(net_heard "$enemy") $(net_heard "$victim")"
}

# unmoved: leaders and terms have not changed.
unmoved()
{
    expect "leaders and terms" "$(reported "${all[@]}")" "$before_reported"
    expect "bytes to the hostile host, and to the one whose name it used" \
        "$(net_heard "$enemy") $(net_heard "$victim")" "$before_heard"
    expect "alarms about keys" "$(total key_mismatch "${all[@]}")" 0
}

# The client lost nothing.
undisturbed()
{
    unmoved
    stream_end
    expect "datagrams lost" "$lost" 0
    ledger_closes "${all[@]}"
}

# ---- scenarios

changes_of()
{
    echo "counter:auth tag:auth body:auth key:key suite:malformed to:misdirected from:introduction" \
        "cluster:cluster version:version magic:malformed cut:malformed open:auth"
}

# reason_elsewhere CHANGE:REASON: prints why it is refused from another address than its sender's.
reason_elsewhere()
{
    case $1 in
    counter:* | tag:* | body:*) echo misdirected ;;
    *) echo "${1#*:}" ;;
    esac
}

# Recorded messages between pods, each with one alteration.
altered_messages()
{
    local change
    start_sealed
    begin
    for change in $(changes_of); do
        refused "$b:12002" "${change#*:}" -w 3 -n 5 -k 20 -m "${change%:*}" "$tape"
        refused "$a:12002" "${change#*:}" -w 4 -n 5 -k 20 -m "${change%:*}" -s "$c" "$tape"
        refused "$a:12001" "${change#*:}" -w 1 -n 5 -k 20 -m "${change%:*}" "$tape"
        refused "$b:12001" "${change#*:}" -w 2 -n 5 -k 20 -m "${change%:*}" "$tape"
        refused "$b:12002" "${change#*:}" -w 3 -n 5 -m "${change%:*}" -s "$enemy" "$tape"
        # The address of a frame is checked before its contents.
        refused "$b:12001" "$(reason_elsewhere "$change")" -w 2 -n 5 -m "${change%:*}" -s "$victim" "$tape"
    done
    undisturbed
}

# forged REASON TERM FORGE_OPTION...: sends each type, from the leader's address to a follower, and from a
# follower's to the leader.
forged()
{
    local reason=$1 term=$2 type
    shift 2
    rm -f "$work/forged"
    for type in {1..17} 64; do
        forge "$@" -e "$term" -f "$(instance "$a")" -t "$(instance "$b")" -l "$(instance "$c")" \
            peer "$type" "$a:12002" "$b:12002" >>"$work/forged"
        forge "$@" -e "$term" -f "$(instance "$c")" -t "$(instance "$a")" -l "$(instance "$c")" \
            peer "$type" "$c:12002" "$a:12002" >>"$work/forged"
    done
    for type in {1..5}; do
        forge "$@" -e "$term" -f "$(instance "$a")" -t "$(instance "$b")" \
            frame "$type" "$a:40000" "$b:12001" >>"$work/forged"
    done
    refused "$b:12002" "$reason" -k 72 "$work/forged"
    refused "$a:12002" "$reason" -k 72 "$work/forged"
    refused "$b:12001" "$reason" -k 50 "$work/forged"
    refused "$a:12002" "$reason" -s "$enemy" "$work/forged"
    refused "$a:12002" "$reason" -s "$victim" "$work/forged"
}

forged_messages()
{
    local term
    start_sealed
    begin
    for term in 2 18446744073709551615; do
        forged auth "$term"                # open
        forged key "$term" -S              # with a random key
        forged auth "$term" -K "$(key_id)" # with a random key and our key's id
    done
    undisturbed
}

# replayed ADDRESS...: replays the tape to these, from the recorded sources and from others: none is accepted,
# except handshake requests of dead pods, as many as stated: each gets one reply at its source.
greetings=0
replayed()
{
    local address port source
    kill -STOP "${app_pids[tap]}" # replayed messages need not be recorded
    for address in "$@"; do
        for port in 12001 12002; do
            all_refused "$address:$port"
            for source in "$a" "$b" "$c" "$enemy" "$victim"; do
                [[ $source == "$address" ]] || all_refused "$address:$port" -s "$source"
            done
        done
    done
    kill -CONT "${app_pids[tap]}"
}

# has_refused ADDRESS SUM MISSING: true if at least SUM minus MISSING are refused.
has_refused()
{
    local sum
    sum=$(refusals "$1")
    ((sum <= $2 && sum >= $2 - $3))
}

all_refused()
{
    local at=$1 sum count
    shift
    sum=$(refusals "${at%:*}")
    count=$(attack -n 200 "$@" "$tape" "$at" | cut -d ' ' -f 2)
    wait_until "all $count replays refused by $at $*" has_refused "${at%:*}" \
        $((sum + count)) "$greetings"
}

replays()
{
    start_sealed
    begin
    replayed "$a" "$b" "$c"
    undisturbed
}

are_introduced()
{
    [[ $(total members_authenticated "${all[@]}") == 6 ]]
}

replays_after_a_restart()
{
    local first greetings=12
    start_sealed
    stream_end
    first=$(instance "$c")
    pod_stop "$c"
    pod_launch "$c" --peers "$(IFS=,; echo "${all[*]}")" --app echo --keys "$keys"
    pod_wait "$c"
    wait_until "it follows" agree "$a" "${all[@]}"
    [[ $(instance "$c") != "$first" ]] || fail "the same instance"
    wait_until "all are introduced" are_introduced
    begin
    replayed "$a" "$b" "$c"
    unmoved
    expect "authenticated" "$(total members_authenticated "${all[@]}")" 6
    # the other direction: messages recorded to the leader, replayed to its successor
    pod_stop "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    pod_launch "$a" --peers "$(IFS=,; echo "${all[*]}")" --app echo --keys "$keys"
    pod_wait "$a"
    wait_until "it follows" agree any "${all[@]}"
    wait_until "all are introduced" are_introduced
    begin any
    replayed "$a" "$b" "$c"
    unmoved
    expect "introduced" "$(total members_authenticated "${all[@]}")" 6
    ledger_closes "${all[@]}"
}

has_keys()
{
    [[ $(total keys "${all[@]}") == "$1" ]]
}

replays_after_rotation()
{
    start_sealed
    wait_until "messages under the old key are on the tape" is_taped 5 3 "$b:12002"
    wait_until "frames under the old key are on the tape" is_taped 5 1 "$a:12001"
    key_new "$keys/key-2"
    wait_until "both keys are known" has_keys 6
    rm "$keys/key-1"
    wait_until "the old key is forgotten" has_keys 3
    begin
    refused "$b:12002" key -w 3 -n 5 -k 20 "$tape"
    refused "$a:12001" key -w 1 -n 5 -k 20 "$tape"
    replayed "$a" "$b"
    undisturbed
}

# Forged ICMP port unreachable in the name of a pod.
forged_refusals()
{
    local to
    start_sealed
    begin
    rm -f "$work/forged"
    for to in "$b" "$c"; do # quotes a datagram that was never sent: ignored
        forge -K "$(key_id)" -f "$(instance "$to")" -t "$(instance "$a")" -e 1 \
            peer 4 "$to:12002" "$a:12002" >"$work/forged"
        attack -i -k 500 "$work/forged" "$to:12002" >/dev/null
        forge -K "$(key_id)" -f "$(instance "$to")" -t "$(instance "$a")" -e 1 \
            frame 1 "$to:40000" "$a:12001" >"$work/forged"
        attack -i -a -k 500 "$work/forged" "$to:40000" >/dev/null
    done
    expect "refusals that were believed" "$(total peer_refusals_total "${all[@]}")" 0
    undisturbed
}

# Quotes a datagram that was sent, which only a host on the path can read: indistinguishable from a real one.
overheard_refusals()
{
    start_sealed --failover-on-refused timeout
    begin
    for _ in {1..20}; do
        attack -i -o -n 5 -w 4 "$tape" "$b:12002" >/dev/null
        attack -i -o -n 5 -w 4 "$tape" "$c:12002" >/dev/null
        attack -i -o -n 5 -w 3 "$tape" "$a:12002" >/dev/null
        attack -i -a -o -n 5 -w 1 "$tape" "$b:12001" >/dev/null
        attack -i -a -o -n 5 -w 2 "$tape" "$a:12001" >/dev/null
    done
    expect_between "refusals that were believed" "$(total peer_refusals_total "$b" "$c")" 1 1000
    wait_until "all follow the leader" agree "$a" "${all[@]}"
    undisturbed
}

# The same with failover.on_refused: fast: the leader's reply to a probe disproves each of them, if it comes within a
# sixteenth of heartbeat.interval: 125 ms, for a leader on a busy machine. Each follower hears two in ten seconds.
overheard_refusals_of_a_healthy_leader()
{
    local disproved=0 started
    start_sealed --heartbeat-interval 2s --heartbeat-misses 2
    begin
    started=$EPOCHSECONDS
    for _ in {1..20}; do
        attack -i -o -n 5 -w 4 "$tape" "$b:12002" >/dev/null
        attack -i -o -n 5 -w 4 "$tape" "$c:12002" >/dev/null
        attack -i -a -o -n 5 -w 1 "$tape" "$b:12001" >/dev/null
        disproved=$(total refusals_disproved_total "$b" "$c")
    done
    expect_between "refusals that were disproved" "$disproved" 1 $((4 * ((EPOCHSECONDS - started + 1) / 10 + 1)))
    wait_until "all follow the leader" agree "$a" "${all[@]}"
    undisturbed
}

are_refused()
{
    local refused
    refused=$(metric "$b" 'control_messages_total{result="no_auth"}')
    ((refused > 0 && refused + $(dropped "$b" rate) == $1))
}

# An attacker may repeat messages: they are refused, and no reply is longer than the request.
forged_commands()
{
    local command="{\"leader\":\"$c\"}" before heard
    start_sealed
    begin
    rm -f "$work/forged"
    forge -p "$command" text 0 "$enemy:40000" "$b:12000" >"$work/forged"
    attack -k 100 "$work/forged" "$b:12000" >/dev/null
    wait_until "100 commands refused, or too many" are_refused 100
    ledger_closes "$b"
    heard=$(($(net_heard "$enemy") - ${before_heard% *}))
    expect_between "bytes of answers" "$heard" 0 $((100 * (28 + ${#command})))
    before_heard="$(net_heard "$enemy") ${before_heard#* }"
    forge -p "$command" text 0 "$c:12002" "$b:12000" >"$work/forged"
    attack -k 50 "$work/forged" "$b:12000" >/dev/null
    dropped_becomes "$b" loop 50
    undisturbed
}

# counted ADDRESS:PORT: prints the number refused at this port plus the kernel's drops.
counted()
{
    local socket=relay
    [[ $1 != *:12002 ]] || socket=peer
    [[ $1 != *:12000 ]] || socket=data
    echo $(($(refusals "${1%:*}") + $(metric "${1%:*}" "socket_drops_total{socket=\"$socket\"}") +
        $(metric "${1%:*}" 'control_messages_total{result="no_auth"}')))
}

# cpu_us ADDRESS: prints the CPU time of all threads of this pod so far, user and system.
cpu_us()
{
    awk -v ticks="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1e6 / ticks) }' "/proc/${pod_pids[$1]}/stat"
}

# flooded ADDRESS:PORT HOSTILE_OPTION... TAPE: up to 200,000/s, as fast as possible. A refusal costs the pod
# 3 us, 8 under other load, the kernel's part of receiving included.
flooded()
{
    local at=$1 sum took counted refused spent
    shift
    begin
    sum=$(counted "$at") refused=$(refusals "${at%:*}") spent=$(cpu_us "${at%:*}")
    took=$(attack -r 200000 -k "$flood" "$@" "$at" | cut -d ' ' -f 4)
    counted=$(($(counted "$at") - sum))
    spent=$(($(cpu_us "${at%:*}") - spent))
    expect_between "us of CPU for $counted datagrams" "$spent" 0 $((counted * 15 + 500000))
    # Missing datagrams were dropped in the queue of the machine's network devices.
    expect_between "of $flood sent to $at, counted" "$counted" $((flood / 10)) $((flood + 5000)) # and some of the client's
    [[ -z ${V:-} ]] || echo "  $scenario: $at in $took ms, counted $counted, refused $(($(refusals "${at%:*}") - refused)), $spent us"
    unmoved
}

floods()
{
    local drops i
    start_sealed
    drops=$(kernel_drops "${all[@]}")
    for i in {1..200}; do # each of another instance: no subkey is cached
        forge -K "$(key_id)" -f "$i" peer 64 "$c:12002" "$b:12002"
    done >"$work/forged"
    forge -p "{\"leader\":\"$c\"}" text 0 "$victim:0" "$b:12000" >"$work/commands"
    flooded "$b:12002" -w 3 -n 5 -m tag "$tape"
    flooded "$a:12002" -w 4 -n 5 -m tag "$tape"
    flooded "$b:12002" "$work/forged"
    flooded "$a:12001" -w 1 -n 5 -m tag "$tape"
    flooded "$b:12001" -w 2 -n 5 -m tag "$tape"
    flooded "$b:12000" "$work/commands"
    stream_end
    drops=$(($(kernel_drops "${all[@]}") - drops))
    ((lost <= drops)) || fail "lost $lost, but only $drops did not fit into the sockets"
    expect_between "of $sent, answered" "$answered" $((sent / 2)) "$sent"
    ledger_closes "${all[@]}"
}

# The leader dies while an attacker sends from its address: this does not delay the failover.
forgery_delays_no_failover()
{
    local pid
    start_sealed
    ip netns exec "$(net_place "$enemy")" "$tools/hostile" -r 1000 -k 20000 -w 3 -n 5 -m tag "$tape" \
        "$b:12002" >/dev/null &
    pid=$!
    ip netns exec "$(net_place "$enemy")" "$tools/hostile" -r 1000 -k 20000 -w 3 -n 5 -m tag "$tape" \
        "$c:12002" >/dev/null &
    pod_kill "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    kill "$pid" "$!"
    wait "$pid" "$!" 2>/dev/null || true
    stream_end
    ledger_closes "$b" "$c"
}

# The same attacks succeed without keys: this shows that the attacks above are effective.
attacks_succeed_without_keys()
{
    local to
    start
    rm -f "$work/forged"
    for to in "$b" "$c"; do # both at once and often: the next heartbeat of the leader undoes it
        forge -e "$(metric "$a" term)" -f "$(instance "$a")" -t "$(instance "$to")" \
            -l "$(instance "$c")" peer 15 "$a:12002" "$to:12002" >>"$work/forged"
    done
    for to in "$b" "$c"; do
        ip netns exec "$(net_place "$enemy")" "$tools/hostile" -r 100 -k 100000 "$work/forged" \
            "$to:12002" >/dev/null &
        app_pids[attack-$to]=$!
    done
    wait_until "a resignation in the leader's name" agree "$c" "${all[@]}"
    app_stop "attack-$b"
    app_stop "attack-$c"
    forge -f "$(instance "$c")" -p "a forged question" frame 1 "$b:40000" "$c:12001" >"$work/forged"
    attack -k 7 "$work/forged" "$c:12001" >/dev/null
    metric_becomes "$c" datagrams_delivered_total 7
    forge -p "{\"leader\":\"$a\"}" text 0 "$enemy:40000" "$b:12000" >"$work/forged"
    attack "$work/forged" "$b:12000" >/dev/null
    wait_until "a command of whoever" agree "$a" "${all[@]}"
    ledger_closes "${all[@]}"
}

run "altered messages and frames are refused" altered_messages
run "forged messages and frames of every type are refused" forged_messages
run "replays are refused" replays
run "forged commands are refused" forged_commands
run "ICMP errors that quote real datagrams do not depose a healthy leader" overheard_refusals_of_a_healthy_leader
run "without keys the attacks succeed" attacks_succeed_without_keys
run_long "replays after a restart of either side are refused" replays_after_a_restart
run_long "replays after key rotation are refused" replays_after_rotation
run_long "forged ICMP errors are ignored" forged_refusals
run_long "ICMP errors that quote real datagrams" overheard_refusals
run_timed "floods do not change the leader" floods
run_long "forged messages do not delay the failover" forgery_delays_no_failover
finish
