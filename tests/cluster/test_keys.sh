#!/usr/bin/env bash
# The keys of a cluster: wrong, missing and unreadable ones; introduced to running pods, and changed under load.
#
#   tests/cluster/test_keys.sh BUILD_DIR
#
# Alone: it counts every datagram of a full load
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Open: it has keys of its own.
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

a=127.0.26.11
b=127.0.26.12
c=127.0.26.13
pods=("$a" "$b" "$c")
as_shipped
everybody=$a,$b,$c
key=()
for _ in {0..4}; do
    key+=("$(head -c 32 /dev/urandom | base64)")
done

# directory ADDRESS: prints the directory of its keys.
directory()
{
    echo "$work/keys-${1##*.}"
}

# give ADDRESS NUMBER...: replaces its keys by these at once, like a mounted Secret.
give()
{
    local at new number
    at=$(directory "$1")
    shift
    new=$(mktemp -d "$work/given.XXXXXX")
    for number in "$@"; do
        echo "${key[number]}" >"$new/key-$number"
    done
    ln -sfn "$new" "$at.new"
    mv -T "$at.new" "$at"
}

# launch ADDRESS OPTION...: starts it with its keys.
launch()
{
    local address=$1
    shift
    pod_launch "$address" --peers "$everybody" --keys "$(directory "$address")" "$@"
}

has_alarm()
{
    [[ $(metric "$1" key_mismatch) =~ ^[1-9] ]]
}

# alarm_within LIMIT_MS SINCE_MS ADDRESS...: each of these reports a wrong key; the limit applies only where
# durations are asserted.
alarm_within()
{
    local limit=$1 since=$2 address took
    shift 2
    for address in "$@"; do
        wait_until "an alarm at $address" has_alarm "$address"
    done
    took=$(($(now_ms) - since))
    timed expect_between "milliseconds until all alarms" "$took" 0 "$limit"
    [[ -z ${V:-} ]] || echo "  $scenario: alarm after $took ms, the start included"
    for address in "$@"; do
        wait_until "key_mismatch in the log of $address" grep -q key_mismatch "$work/$address.log"
    done
}

# reason ADDRESS: prints why it is not ready.
reason()
{
    curl -s "http://$1:8080/readyz"
}

is_in_state()
{
    [[ $(metric "$1" "election_state{state=\"$2\"}") == 1 ]]
}

# shut_out ADDRESS: true if its key excludes it, and it reports this.
shut_out()
{
    wait_until "$1 knows that it is its key" is_in_state "$1" key
    expect_match "readyz of $1" "$(reason "$1")" "^key: "
    expect "ready" "$(http "$1:8080/readyz" >/dev/null && echo yes)" ""
    expect "its leader" "$(leader_of "$1")" none
}

# watch_leaders: records the number of leaders; watch_end: never two, and never C.
watch_leaders()
{
    while :; do
        leaders "${pods[@]}" 2>/dev/null | tr '\n' ' '
        echo
    done >"$work/watched" &
    watch_pid=$!
}

watch_end()
{
    kill "$watch_pid" 2>/dev/null || true
    wait "$watch_pid" 2>/dev/null || true
    (($(wc -l <"$work/watched") > 10)) || fail "leaders were hardly watched"
    expect "two leaders" "$(grep -c ' 127' "$work/watched")" 0
    expect "the one that was shut out leads" "$(grep -c "$c" "$work/watched")" 0
}

serves()
{
    expect "echo through $1" "$(ask_status -e "$1:12000" "still")" 0
}

# c gets the right key, without a restart.
mends()
{
    give "$c" 0
    wait_until "$c is ready" is_ready "$c"
    wait_until "all agree" agree any "$@"
    wait_until "no alarm is left" no_alarm "${pods[@]}"
    serves "$c"
    ledger_closes "${pods[@]}"
}

no_alarm()
{
    [[ $(total key_mismatch "$@") == 0 ]]
}

wrong_key_later()
{
    local began address
    give "$a" 0
    give "$b" 0
    give "$c" 1
    launch "$a"
    launch "$b"
    pod_wait "$a"
    pod_wait "$b"
    wait_until "two agree" agree any "$a" "$b"
    watch_leaders
    began=$(now_ms)
    launch "$c"
    alarm_within 2000 "$began" "${pods[@]}"
    shut_out "$c"
    serves "$a"
    serves "$b"
    for address in "$a" "$b"; do
        is_ready "$address" || fail "$address is not ready"
    done
    watch_end
    mends "${pods[@]}"
}

wrong_key_at_once()
{
    local began
    give "$a" 0
    give "$b" 0
    give "$c" 1
    watch_leaders
    began=$(now_ms)
    launch "$c"
    launch "$a"
    launch "$b"
    alarm_within 2000 "$began" "${pods[@]}"
    wait_until "the two agree" agree any "$a" "$b"
    shut_out "$c"
    serves "$a"
    watch_end
    mends "${pods[@]}"
}

# c has no keys: it accepts no sealed message, and does not lead.
without_keys_among_those_with()
{
    local began
    give "$a" 0
    give "$b" 0
    watch_leaders
    began=$(now_ms)
    pod_launch "$c" --peers "$everybody"
    launch "$a"
    launch "$b"
    alarm_within 2000 "$began" "${pods[@]}"
    wait_until "the two agree" agree any "$a" "$b"
    shut_out "$c"
    serves "$b"
    watch_end
    ledger_closes "${pods[@]}"
}

# missing WHY: the state of c's directory, and its reported reason.
missing()
{
    give "$a" 0
    give "$b" 0
    launch "$a"
    launch "$b"
    launch "$c"
    pod_wait "$a"
    wait_until "two agree" agree any "$a" "$b"
    wait_until "$c lives" is_alive "$c"
    shut_out "$c"
    expect_log "$c" "keys_failed.*$1" 1
    expect "keys" "$(metric "$c" keys)" 0
    expect "told once" "$(grep -c keys_failed "$work/$c.log")" 1
    mends "${pods[@]}"
}

missing_directory()
{
    rm -f "$(directory "$c")"
    missing "No such file or directory"
}

empty_directory()
{
    give "$c"
    missing "holds no key"
}

# two OPTION...: A, which leads, and B, with one key.
two()
{
    everybody=$a,$b
    give "$a" 0
    give "$b" 0
    launch "$a" --leader "$a" "$@"
    launch "$b" --leader "$a" "$@"
    pod_wait "$a"
    pod_wait "$b"
    wait_until "both follow A" agree "$a" "$a" "$b"
    everybody=$a,$b,$c
}

# instance ADDRESS
instance()
{
    http "$1:8080/leader" | sed -E 's/.*"me":\{[^}]*"instance":"([0-9a-f]{16})".*/\1/'
}

# No other pod could contradict the messages: but A has had B's key, and has not said that it has others now.
forged_in_the_name_of_the_dead()
{
    two --failover-on-refused timeout --heartbeat-misses 6
    "$tools/forge" -S -f "$(instance "$a")" -t "$(instance "$b")" -e "$(metric "$b" term)" \
        peer 3 "$a:12002" "$b:12002" >"$work/forged"
    "$tools/hostile" -r 20 -k 100000 "$work/forged" "$b:12002" >/dev/null &
    app_pids[attack]=$!
    wait_until "they are refused" metric_above "$b" 'peer_messages_dropped_total{reason="key"}' 5
    pod_kill "$a"
    wait_until "B leads" agree "$b" "$b"
    serves "$b"
    wait_until "an alarm at B" has_alarm "$b"
    expect_log "$b" "key_mismatch.*they are forged"
    app_stop attack
    ledger_closes "$b"
}

# metric_above ADDRESS METRIC NUMBER
metric_above()
{
    (($(metric "$1" "$2") > $3))
}

# The same for B, but A leads, and has said with the old key that it has others.
leader_with_other_keys()
{
    two --failover-on-refused timeout --heartbeat-misses 6
    watch_leaders
    give "$a" 1
    shut_out "$b"
    serves "$a"
    watch_end
    give "$b" 0 1
    wait_until "both follow A" agree "$a" "$a" "$b"
    wait_until "no alarm is left" no_alarm "$a" "$b"
    ledger_closes "$a" "$b"
}

says_failed()
{
    grep -q keys_failed "$work/$1.log"
}

start_all()
{
    local address
    for address in "${pods[@]}"; do
        launch "$address"
    done
    for address in "${pods[@]}"; do
        pod_wait "$address"
    done
    wait_until "all agree" agree any "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
}

# A broken Secret must not replace the working keys.
no_key_at_reload()
{
    give "$a" 0
    give "$b" 0
    give "$c" 0
    start_all
    stream_start 100 600000 "$b" "$c"
    echo "no key" >"$(directory "$c")/key-9"
    wait_until "$c says so" says_failed "$c"
    expect "keys" "$(metric "$c" keys)" 1
    is_ready "$c" || fail "it is not ready any more"
    give "$c"
    wait_until "the emptied directory is told of" grep -q "holds no key" "$work/$c.log"
    expect "keys" "$(metric "$c" keys)" 1
    is_ready "$c" || fail "it is not ready any more"
    stream_end
    expect "lost" "$lost" 0
    expect "alarms" "$(total key_mismatch "${pods[@]}")" 0
    ledger_closes "${pods[@]}"
}

# restart ADDRESS OPTION...: while a client uses the other two. It must read the datagrams that these send to it until
# they know the new leader: 50 ms are not enough where a thread may wait as long for a processor.
restart()
{
    local address=$1 other others=()
    shift
    for other in "${pods[@]}"; do
        [[ $other == "$address" ]] || others+=("$other")
    done
    stream_start 100 600000 "${others[@]}"
    pod_stop "$address"
    launch "$address" --drain-time 5s "$@"
    pod_wait "$address"
    wait_until "all agree" agree any "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
    stream_end
    expect "lost while $address became $*" "$lost" 0
    expect "alarms" "$(total key_mismatch "${pods[@]}")" 0
    ledger_closes "${pods[@]}"
}

# none, permissive, enforce: one pod after the other, with a leadership transfer each time.
roll_out()
{
    local address mode
    for address in "${pods[@]}"; do
        give "$address" 0
        pod_launch "$address" --peers "$everybody" --drain-time 5s
    done
    for address in "${pods[@]}"; do
        pod_wait "$address"
    done
    wait_until "all agree" agree any "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
    for mode in none permissive enforce; do
        for address in "${pods[@]}"; do
            restart "$address" --keys-mode "$mode"
        done
    done
    expect "unsealed messages refused" \
        "$(total 'peer_messages_dropped_total{reason="auth"}' "${pods[@]}")" 0
    # now keys are enforced: unsealed messages are refused
    "$tools/frame_send" -s "$b" -k 3 "$a:12001" || fail "cannot send"
    dropped_becomes "$a" auth 3
}

# seals_with ADDRESS NUMBER
seals_with()
{
    [[ $(http "$1:8080/status" | jq -r '.keys.keys[] | select(.seals).name') == "key-$2" ]]
}

# knows ADDRESS COUNT
knows()
{
    [[ $(metric "$1" keys) == "$2" ]]
}

# Pods get a changed Secret at very different times: none may seal with a key that another does not have yet.
rotation()
{
    local old new address pid
    give "$a" 0
    give "$b" 0
    give "$c" 0
    start_all
    "$bench" send --flows 64 --size 64-1400 --duration 22s --json \
        --to "$b:12000,$c:12000" >"$work/bench.out" 2>"$work/bench.err" &
    pid=$!
    for new in 1 2 3; do
        old=$((new - 1))
        for address in "${pods[@]}"; do
            expect "seals with the new key before all have it" "$(seals_with "$a" "$new" && echo yes)" ""
            give "$address" "$old" "$new"
            wait_until "$address has the new key" knows "$address" 2
        done
        for address in "${pods[@]}"; do
            wait_until "$address seals with key-$new" seals_with "$address" "$new"
        done
        for address in "${pods[@]}"; do
            give "$address" "$new"
            wait_until "$address has given up the old key" knows "$address" 1
        done
    done
    kill -0 "$pid" 2>/dev/null || fail "the load ended before the rotation"
    wait "$pid" || fail "headless-bench ends with $?: $(tail -n 1 "$work/bench.err")"
    [[ -z ${V:-} ]] || echo "  $scenario: $(jq -c '.counts' "$work/bench.out")"
    for figure in missing late duplicate corrupt misrouted foreign; do
        expect "$figure" "$(jq -r ".counts.$figure" "$work/bench.out")" 0
    done
    expect_between "sent" "$(jq -r .counts.sent "$work/bench.out")" 100000 100000000
    for address in "${pods[@]}"; do
        for figure in auth key introduction misdirected replay; do
            expect "$figure at $address" "$(dropped "$address" "$figure")" 0
            expect "$figure of peers at $address" \
                "$(metric "$address" "peer_messages_dropped_total{reason=\"$figure\"}")" 0
        done
        expect "leaders followed by $address" \
            "$(metric "$address" 'leader_changes_total{cause="verdict"}')" 0
    done
    together_closes "${pods[@]}"
}

run "a wrong key on a pod that joins later is reported" wrong_key_later
run "a wrong key is reported when all start at once" wrong_key_at_once
run "a missing directory is reported" missing_directory
if [[ $EUID == 0 ]]; then
    run "forged messages in a dead leader's name do not stop its only follower" forged_in_the_name_of_the_dead
else
    skip "forged messages in a dead leader's name" "needs root"
fi
run "a follower whose leader has changed its keys does not lead" leader_with_other_keys
run "an empty directory is reported" empty_directory
run "an invalid key at a reload changes nothing" no_key_at_reload
run_long "a pod without keys among pods with keys is reported" without_keys_among_those_with
run_long "keys.mode from none to enforce loses nothing" roll_out
run_timed "key rotation under load loses nothing" rotation
finish
