#!/usr/bin/env bash
# headless-bench against itself and against a network that counts its own faults: its figures must equal the
# datagrams that were dropped, duplicated, damaged, delayed and overtaken on purpose.
#
#   tests/cluster/test_bench.sh BUILD_DIR
#
# Alone: it checks measured times
# Timed: it keeps a pace, and checks measured times
# Single-threaded: no command has more than one thread
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

# start NAME COMMAND...: runs it in the background until it prints its address.
# Sets pid and address; its output goes to $work/NAME.out and $work/NAME.err.
start()
{
    local name=$1 tries=0
    shift
    : >"$work/$name.err" # the address of an earlier one must not be used
    "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pid=$!
    pids+=("$pid")
    until address=$(sed -n 's/^listening on //p' "$work/$name.err") && [[ -n $address ]]; do
        if ! kill -0 "$pid" 2>/dev/null || ((++tries > 500)); then
            cat "$work/$name.err"
            echo "FAIL: $name does not start"
            exit 1
        fi
        sleep 0.02 # between two polls
    done
}

# stop PID: SIGTERM; returns its exit code.
stop()
{
    kill -TERM "$1" 2>/dev/null || true
    wait "$1"
}

# send ARGUMENT...: writes the sender's JSON to $work/send.out, sets code.
send()
{
    code=0
    "$bench" send --to "$address" --json "$@" >"$work/send.out" || code=$?
}

# count FILE NAME: prints a figure of a report (or of the mangler, which has no "counts").
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

# Every reply is in one counter, every datagram sent in one.
expect_ledger()
{
    expect "ledger of sending" \
        "$(jq '.counts | .sent - .answered - .late - .missing' "$work/send.out")" 0
    expect "ledger of replies" "$(jq '.counts | .received - .answered - .late - .duplicate - .stale
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

echo "a server that stops: its replies are counted as answered, the rest as missing"
start sink "$bench" sink --listen 127.0.0.1:0 --echo --json --count 5000 --duration 60s
send --count 20000 --flows 8 --rate 40000 --max-lateness 1s --expect-all
expect "exit code" "$code" 1
wait "$pid" || fail "the sink's exit code is $?"
expect sent "$(count send sent)" 20000
expect answered "$(count send answered)" "$(count sink echoed)"
expect missing "$(count send missing)" $((20000 - $(count sink echoed)))
expect_ledger

# mangle FIRST LAST DELAY_MS SEND_ARGUMENT...: sends through the mangler and back; compares the counts.
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
    expect foreign "$(count send foreign)" "$(count mangler foreign)"
    expect own_drops "$(count send own_drops)" 0
    expect misrouted "$(count send misrouted)" 0
    expect_ledger
}

echo "closed loop through a bad network"
mangle 1 4000 0 --count 4000 --flows 8 --size 48-1400 --timeout 1s

echo "open loop through a bad network with delays beyond the timeout"
mangle 1 5000 1500 --count 20000 --flows 8 --rate 8000 --timeout 1s --max-lateness 1s

echo "one way through a bad network: the sink counts losses by gaps"
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
expect "sink: foreign" "$(count sink foreign)" "$(count mangler foreign)"

echo "a trial that cannot keep its pace is invalid"
start sink "$bench" sink --listen 127.0.0.1:0
send --rate 900M --duration 200ms --one-way
expect "exit code" "$code" 3
expect valid "$(jq .valid "$work/send.out")" false
stop "$pid" || fail "the sink's exit code is $?"

echo "the CPU time of a watched process is reported, and its end makes the trial invalid"
start sink "$bench" sink --listen 127.0.0.1:0 --echo --json
send --count 50000 --flows 4 --watch "$pid" --expect-all
expect "exit code" "$code" 0
expect "watched PID" "$(jq '.cpu.processes[0].pid' "$work/send.out")" "$pid"
jq -e '.cpu | .watched_ns > 0 and .own_ns > 0 and .machine_ns >= 0 and
    .processes[0].hwm_bytes > 0' "$work/send.out" >/dev/null || fail "costs nothing"
jq -r '"  \(.cpu.watched_ns_per_datagram) ns a datagram"' "$work/send.out"
stop "$pid" || fail "the sink's exit code is $?"
start sink "$bench" sink --listen 127.0.0.1:0 --echo --json --count 100
send --count 20000 --rate 20000 --max-lateness 1s --timeout 300ms --watch "$pid"
expect "exit code" "$code" 3
expect "why invalid" "$(jq -r .invalid "$work/send.out")" "a watched process ended during the trial"
wait "$pid" || fail "the sink's exit code is $?"
code=0
"$bench" send --to "$address" --watch no-such-name 2>"$work/usage.err" || code=$?
expect "exit code" "$code" 3
grep -q "no-such-name" "$work/usage.err" || fail "the process that is missing is not named"

echo "steps: one result per rate, one CSV for all, in bursts"
start sink "$bench" sink --listen 127.0.0.1:0 --echo
send --rate 2000,4000 --step 500ms --flows 3 --microburst 50 --max-lateness 1s --expect-all \
    --csv "$work/steps.csv" --interval 50ms
expect "exit code" "$code" 0
expect rates "$(jq -c .rate "$work/send.out" | xargs)" "2000 4000"
expect answered "$(jq -c .counts.answered "$work/send.out" | xargs)" "1000 2000"
expect stale "$(jq -c .counts.stale "$work/send.out" | xargs)" "0 0"
expect "one run" "$(jq -r .run "$work/send.out" | uniq | wc -l)" 1
expect "CSV: sent, answered, missing" \
    "$(awk -F, 'NR > 1 { s += $2; a += $3; m = $4 } END { print s, a, m }' "$work/steps.csv")" \
    "3000 3000 0"
expect "CSV: columns" "$(awk -F, '{ print NF }' "$work/steps.csv" | uniq)" 7

cp "$work/send.out" "$work/steps.json"

send --count 2000 --rate 4000 --max-lateness 1s --timeout 100ms --csv "$work/count.csv" --interval 1ms
expect "CSV without a duration: sent" "$(awk -F, '{ s += $2 } END { print s }' "$work/count.csv")" 2000

echo "GSO batches: each datagram is counted singly"
send --count 50000 --flows 4 --size 100 --burst 32 --gso --expect-all
expect "exit code" "$code" 0
expect "answered, gso" "$(count send answered) $(jq .gso "$work/send.out")" "50000 true"
send --count 20000 --flows 4 --size 64:8,65507:1 --burst 32 --gso --expect-all --outstanding 64
expect "exit code" "$code" 0
expect "answered, mixed" "$(count send answered)" 20000
stop "$pid" || fail "the sink's exit code is $?"
code=0
"$bench" send --to "$address" --rate 1k --csv /nowhere/x.csv 2>"$work/usage.err" || code=$?
expect "exit code" "$code" 3
grep -q "/nowhere/x.csv" "$work/usage.err" || fail "the file that cannot be written is not named"

# search ARGUMENT...: short trials at a pace that a slow machine keeps; writes JSON to $work/search.out.
search()
{
    code=0
    "$bench" search --to "$address" --json --max-rate 20k --first-trial 100ms --trial 400ms \
        --trials 3 --width 5 --timeout 400ms --max-lateness 10s "$@" >"$work/search.out" || code=$?
}

goals()
{
    jq -c "[.goals[]$1]" "$work/search.out"
}

echo "search: a device of 4,000 a second with bursts of 200"
start mangler "$mangler" 127.0.0.1:0 back 0 0 0 4000
search --max-time 20s
expect "exit code" "$code" 0
# Trials of 0.4 s may reach 4,500; an unpaced one loses earlier. Above, every trial has losses.
jq -e '.goals | length == 2 and all(.throughput > 1000 and .throughput <= 4700)' \
    "$work/search.out" >/dev/null || fail "not found: $(goals "")"
jq -e '.goals[0].throughput <= .goals[1].lower' "$work/search.out" >/dev/null ||
    fail "the throughput with losses is less: $(goals "")"
echo "  $(goals .throughput) of $(jq '.trials | length' "$work/search.out") trials"
stop "$pid" || fail "the mangler could not send"

cp "$work/search.out" "$work/search.json"

echo "search: 10 % loss at any rate: below the minimum for 0 %, at the maximum for 30 %"
start mangler "$mangler" 127.0.0.1:0 back 1 1000000000 0
search --loss 0,30 --min-rate 1k --max-rate 2k --trials 1 --max-time 20s
expect "exit code" "$code" 0
expect statuses "$(goals .status)" '["below_min","at_max"]'
stop "$pid" || fail "the mangler could not send"

echo "search: one way, the sink replies to count requests of a known run"
start sink "$bench" sink --listen 127.0.0.1:0 --json
search --sink "$address" --max-rate 2k --loss 0 --max-time 20s
expect "exit code" "$code" 0
expect statuses "$(goals .status)" '["at_max"]'
expect "sent, arrived" "$(jq '[.trials[].sent] | add' "$work/search.out")" \
    "$(jq '[.trials[].arrived] | add' "$work/search.out")"
stop "$pid" || fail "the sink's exit code is $?"
expect "sink: unique" "$(count sink unique)" "$(jq '[.trials[].sent] | add' "$work/search.out")"
expect "sink: ledger" "$(jq '.counts | .received - .unique - .duplicate - .stale - .corrupt -
    .foreign - .untracked - .asked' "$work/sink.out")" 0
(($(count sink asked) > 0)) || fail "nobody asked"

echo "search: the end by time is reported, and so is a generator that keeps no pace"
start sink "$bench" sink --listen 127.0.0.1:0 --echo
search --max-time 2s --trial 300ms --first-trial 300ms --trials 99
expect "exit code" "$code" 0
expect ended "$(jq -r .ended "$work/search.out")" "--max-time is over"
code=0
"$bench" search --to "$address" --json --min-rate 900M --max-rate 900M --first-trial 100ms \
    >"$work/search.out" || code=$?
expect "exit code" "$code" 3
expect valid "$(jq .valid "$work/search.out")" false
stop "$pid" || fail "the sink's exit code is $?"

# plot NAME KNOWN_BY FILE... [OPTION...]: makes a chart that is XML and contains the text KNOWN_BY.
plot()
{
    local name=$1 known_by=$2
    shift 2
    code=0
    "$bench" plot "$@" --out "$work/$name.svg" || code=$?
    expect "exit code of plot, $name" "$code" 0
    grep -qF "$known_by" "$work/$name.svg" || fail "$name.svg shows no '$known_by'"
    ! command -v xmllint >/dev/null || xmllint --noout "$work/$name.svg" || fail "$name.svg is no XML"
}

echo "plot: results of search and steps, and the CSV"
plot loss "search trials" "$work/search.json"
plot steps "Loss against load" "$work/steps.json" "$work/search.json"
plot latency "steps 4000/s" "$work/steps.json" --kind latency
plot time "answered" "$work/steps.csv" --title '<a> & "b"'
grep -qF '&lt;a&gt; &amp; "b"' "$work/time.svg" || fail "the title is not escaped"
code=0
"$bench" plot /etc/passwd --out "$work/no.svg" 2>"$work/usage.err" || code=$?
expect "exit code" "$code" 3
grep -q "/etc/passwd" "$work/usage.err" || fail "the file that is none is not named"

# compare SHOULD ARGUMENT...: checks its exit code, writes JSON to $work/compare.out.
compare()
{
    local should=$1
    shift
    code=0
    "$bench" compare --json "$@" >"$work/compare.out" 2>"$work/usage.err" || code=$?
    expect "exit code of compare" "$code" "$should"
}

echo "compare: a result with itself, with a slower one, and mismatched pairs"
jq -c '.answered_per_second *= 0.9 | .round_trip_ns.p99 *= 2' "$work/steps.json" >"$work/slower.json"
compare 0 "$work/steps.json" "$work/steps.json" --max-regression 0
expect verdicts "$(jq -r '[.metrics[].verdict] | unique | .[]' "$work/compare.out")" same
compare 0 "$work/steps.json" "$work/slower.json" --max-regression 150%
expect verdicts "$(jq -r '[.metrics[].verdict] | join(" ")' "$work/compare.out")" "worse same worse"
compare 1 --a "$work/steps.json" --b "$work/slower.json" --max-regression 5%
expect ratios "$(jq -c '[.metrics[].ratio * 100 | round]' "$work/compare.out")" "[90,100,200]"
compare 0 "$work/slower.json" "$work/steps.json" --max-regression 5%
compare 0 "$work/search.json" "$work/search.json"
compare 3 "$work/steps.json" "$work/search.json"
compare 3 --a "$work/steps.json,$work/steps.json" --b "$work/steps.json"
compare 3 "$work/steps.json" /nowhere/x.json
grep -q "/nowhere/x.json" "$work/usage.err" || fail "the file that is missing is not named"

echo "smoke: reports whether the machine can measure, with the reason; its echo ends with it"
code=0
"$bench" smoke --time 200ms --json >"$work/smoke.out" || code=$?
expect "exit code, fit" "$code $(jq .fit "$work/smoke.out")" \
    "$(jq 'if .fit then 0 else 3 end' "$work/smoke.out") $( ((code == 0)) && echo true || echo false)"
jq -e '.checks | length == 4 and all(.answered > 0 and .sentence != "")' "$work/smoke.out" \
    >/dev/null || fail "smoke: $(cat "$work/smoke.out")"
start sink "$bench" sink --listen 127.0.0.1:0 --echo --json
"$bench" smoke --time 200ms --to "$address" >/dev/null || true # a slow machine may fail
stop "$pid" || fail "the sink's exit code is $?"
(($(count sink unique) > 0)) || fail "smoke does not use the given echo"

echo "every documented command and option exists"
documented=0
while read -r line; do
    [[ $line =~ headless-bench\ (smoke|send|search|sink|plot|compare)\  ]] || continue
    help=$("$bench" "${BASH_REMATCH[1]}" --help)
    while read -r option; do
        grep -qE -e " $option(=| |\$)" <<<"$help" || fail "no $option in: $line"
        documented=$((documented + 1))
    done < <(grep -oE -e '--[a-z-]+' <<<"${line%%#*}")
done < <(grep -h '^headless-bench' "$(dirname "$0")"/../../docs/bench.md)
((documented > 20)) || fail "only $documented options are documented"

echo "errors on the command line exit with 2 and name the correction"
for arguments in "send" "send --to 127.0.0.1:1 --size 20" "send --to 127.0.0.1:1 --rates 5" \
    "send --to 127.0.0.1:1 --duration 10" "send --to 127.0.0.1:1 --rate 1k,x" \
    "compare" "compare x.json" "compare x y --max-regression much" "smoke --time 1m" \
    "plot" "plot x.json" "plot x.json --out x.svg --kind bars" \
    "search" "search --to 127.0.0.1:1 --loss 100" "search --to 127.0.0.1:1 --min-rate 2M" \
    "send --to 127.0.0.1:1 --rate 1k --step 1s" "send --to 127.0.0.1:1 --microburst 5" "sink" "nosuch"; do
    code=0
    read -ra words <<<"$arguments"
    "$bench" "${words[@]}" >/dev/null 2>"$work/usage.err" || code=$?
    expect "exit code of '$arguments'" "$code" 2
done
grep -q "unknown command 'nosuch'" "$work/usage.err" || fail "the unknown command is not named"

echo "the image's build has only send and sink, and --help says so"
small=$build/bench/headless-bench-small
"$small" --help >"$work/small.out" || fail "small --help: exit code $?"
grep -q "This build has send and sink only" "$work/small.out" || fail "small --help: $(cat "$work/small.out")"
for command in send sink; do
    "$small" "$command" --help >/dev/null || fail "small $command --help: exit code $?"
done
for command in smoke search compare plot; do
    code=0
    "$small" "$command" --help >/dev/null 2>"$work/usage.err" || code=$?
    expect "exit code of small $command" "$code" 2
done

((failures == 0)) || { echo "0 passed, 1 failed" && exit 1; }
echo "all figures are right"
