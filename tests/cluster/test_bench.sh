#!/usr/bin/env bash
# headless-bench against itself and against a network that keeps books: what was dropped, doubled,
# damaged, delayed and overtaken on purpose must come back in its figures, to the datagram.
#
#   tests/cluster/test_bench.sh BUILD_DIR
set -euo pipefail

build=${1:?"usage: $0 BUILD_DIR"}
bench=$build/bench/headless-bench
mangler=$build/tests/udp_mangler
work=$(mktemp -d)
pids=()

cleanup()
{
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

failures=0
fail()
{
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# start NAME COMMAND...: run it in the background until it says where it listens.
# Sets pid and address; its output goes to $work/NAME.out and $work/NAME.err.
start()
{
    local name=$1 tries=0
    shift
    : >"$work/$name.err" # an earlier one's address must not be taken for this one's
    "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pid=$!
    pids+=("$pid")
    until address=$(sed -n 's/^listening on //p' "$work/$name.err") && [[ -n $address ]]; do
        if ! kill -0 "$pid" 2>/dev/null || ((++tries > 500)); then
            cat "$work/$name.err"
            echo "FAIL: $name does not start"
            exit 1
        fi
        sleep 0.02 # between two looks at the state
    done
}

# stop PID: ask it to end, and take its exit code.
stop()
{
    kill -TERM "$1" 2>/dev/null || true
    wait "$1"
}

# send ARGUMENT...: the sender's JSON into $work/send.out, its exit code into $code.
send()
{
    code=0
    "$bench" send --to "$address" --json "$@" >"$work/send.out" || code=$?
}

# count FILE NAME: a figure of a report (or of the mangler, which has no "counts").
count()
{
    jq -e ".counts.$2 // .$2" "$work/$1.out"
}

# expect WHAT IS SHOULD
expect()
{
    if [[ $2 == "$3" ]]; then
        echo "  $1: $2"
    else
        fail "$1: is $2, should be $3"
    fi
}

# Every answer into one counter, every datagram sent into one.
expect_ledger()
{
    expect "ledger of sending" \
        "$(jq '.counts | .sent - .answered - .late - .missing' "$work/send.out")" 0
    expect "ledger of answers" "$(jq '.counts | .received - .answered - .late - .duplicate - .stale
        - .corrupt - .misrouted - .foreign' "$work/send.out")" 0
}

echo "closed loop: 200,000 datagrams of 64 to 1400 bytes over 64 flows, nothing lost"
start sink "$bench" sink --listen 127.0.0.1:0 --echo --json
send --count 200000 --flows 64 --size 64-1400 --expect-all
expect "exit code" "$code" 0
expect answered "$(count send answered)" 200000
expect missing "$(count send missing)" 0
expect reordered "$(count send reordered)" 0
expect duplicate "$(count send duplicate)" 0
expect_ledger
stop "$pid" || fail "the sink's exit code is $?"
expect "sink: unique" "$(count sink unique)" 200000
expect "sink: echoed" "$(count sink echoed)" 200000
expect "sink: missing" "$(count sink missing)" 0
expect "sink: bytes" "$(count sink received_bytes)" "$(count send sent_bytes)"
jq -r '"  \(.answered_per_second | floor) round trips/s"' "$work/send.out"

echo "largest and smallest datagrams, IPv6, wildcard"
start sink "$bench" sink --listen '[::]:0' --echo --json --idle 200ms --duration 60s
address="[::1]:${address##*:}"
send --count 2000 --flows 3 --size 65507:1,48:1 --outstanding 16 --unconnected --expect-all
expect "exit code" "$code" 0
wait "$pid" || fail "the sink's exit code is $?"
expect "sink: unique" "$(count sink unique)" 2000

echo "a server that stops in between: what it answered is answered, the rest is missing"
start sink "$bench" sink --listen 127.0.0.1:0 --echo --json --count 5000 --duration 60s
send --count 20000 --flows 8 --rate 40000 --max-lateness 1s --expect-all
expect "exit code" "$code" 1
wait "$pid" || fail "the sink's exit code is $?"
expect sent "$(count send sent)" 20000
expect answered "$(count send answered)" "$(count sink echoed)"
expect missing "$(count send missing)" $((20000 - $(count sink echoed)))
expect_ledger

# mangle FIRST LAST DELAY_MS SEND_ARGUMENT...: through the mangler and back; compare the books.
mangle()
{
    local first=$1 last=$2 delay=$3 dropped corrupted delayed
    shift 3
    start mangler "$mangler" 127.0.0.1:0 back "$first" "$last" "$delay"
    send "$@" --expect-all
    expect "exit code" "$code" 1
    stop "$pid" || fail "the mangler could not send"
    dropped=$(count mangler dropped)
    corrupted=$(count mangler corrupted)
    delayed=$(count mangler delayed)
    expect "mangler: received" "$(count mangler received)" "$(count send sent)"
    expect missing "$(count send missing)" $((dropped + corrupted))
    expect corrupt "$(count send corrupt)" "$corrupted"
    expect duplicate "$(count send duplicate)" "$(count mangler duplicated)"
    expect late "$(count send late)" "$delayed"
    expect reordered "$(count send reordered)" $((delayed + $(count mangler overtaken)))
    expect foreign "$(count send foreign)" "$(count mangler strangers)"
    expect own_drops "$(count send own_drops)" 0
    expect misrouted "$(count send misrouted)" 0
    expect_ledger
}

echo "closed loop through a bad network"
mangle 1 4000 0 --count 4000 --flows 8 --size 48-1400 --timeout 1s

echo "open loop through a bad network with delays beyond the timeout"
mangle 1 5000 1500 --count 20000 --flows 8 --rate 8000 --timeout 1s --max-lateness 1s

echo "one way through a bad network: the sink sees it from the gaps alone"
start sink "$bench" sink --listen 127.0.0.1:0 --json --idle 1s --duration 60s --expect-all
sink_pid=$pid
start mangler "$mangler" 127.0.0.1:0 "$address" 1000 19000 0
send --count 20000 --flows 8 --size 48-1400 --rate 20000 --one-way --expect-all --max-lateness 1s
expect "exit code" "$code" 0
code=0
wait "$sink_pid" || code=$?
expect "sink: exit code" "$code" 1
stop "$pid" || fail "the mangler could not send"
lost=$(($(count mangler dropped) + $(count mangler corrupted)))
expect "sink: unique" "$(count sink unique)" $((20000 - lost))
expect "sink: missing" "$(count sink missing)" "$lost"
expect "sink: corrupt" "$(count sink corrupt)" "$(count mangler corrupted)"
expect "sink: duplicate" "$(count sink duplicate)" "$(count mangler duplicated)"
expect "sink: reordered" "$(count sink reordered)" "$(count mangler overtaken)"
expect "sink: foreign" "$(count sink foreign)" "$(count mangler strangers)"

echo "a pace that cannot be kept is no result"
start sink "$bench" sink --listen 127.0.0.1:0
send --rate 900M --duration 200ms --one-way
expect "exit code" "$code" 3
expect valid "$(jq .valid "$work/send.out")" false
stop "$pid" || fail "the sink's exit code is $?"

echo "mistakes on the command line end with 2 and name the fix"
for arguments in "send" "send --to 127.0.0.1:1 --size 20" "send --to 127.0.0.1:1 --rates 5" \
    "send --to 127.0.0.1:1 --duration 10" "sink" "nosuch"; do
    code=0
    read -ra words <<<"$arguments"
    "$bench" "${words[@]}" >/dev/null 2>"$work/usage.err" || code=$?
    expect "exit code of '$arguments'" "$code" 2
done
grep -q "unknown command 'nosuch'" "$work/usage.err" || fail "the unknown command is not named"

((failures == 0)) || exit 1
echo "all figures add up"
