# Harness of the cluster tests: real processes on loopback addresses, one address per pod, same ports.
#
# A test file reads this file with the build directory as its first argument, defines scenarios as
# functions, runs each with "run NAME FUNCTION...", and ends with "finish". Prints "ok NAME" or
# "FAIL NAME" with the errors above it, and a last line "N passed, N failed". V=1 shows timings.
#
# No verdict depends on the speed of the machine: wait_until polls a state, and durations in milliseconds are
# asserted only where they are measured (timed, run_timed): on a release build with CHECK_ALL.
# shellcheck shell=bash
set -euo pipefail

build=$(cd "${1:?"usage: $0 BUILD_DIR"}" && pwd)
headlessd=$build/headlessd
headlessctl=$build/headlessctl
bench=$build/bench/headless-bench
tools=${TOOLS:-$build/tests}
export headlessctl bench # not every file uses both

# Each file has its own addresses, so that only two runs of one file exclude each other. Its processes inherit
# the lock: after a killed run, the next one waits until they have ended.
exec {lock}>"${TMPDIR:-/tmp}/headless-cluster-$(basename "$0").lock"
flock --wait 600 "$lock" || {
    echo "FAIL: another run of $0 is not coming to its end"
    exit 1
}

work=$(mktemp -d "${TMPDIR:-/tmp}/headless-cluster.XXXXXX")
declare -A pod_pids=()     # address -> process
declare -A pod_places=()   # address -> command prefix of this pod, before pod_wrapper
declare -A app_pids=()     # name -> process
at_exit=()                 # commands that undo changes which outlive the processes
scenario="start"
scenario_failures=0
passed=0
failed=0
skipped=0
finished=""

# Set where durations are asserted: scripts/check all on a release build.
measured=""
[[ -z ${CHECK_ALL:-} || -n ${SANITIZED:-} ]] || measured=yes

# Defaults in the environment, so that the options of a scenario override them. Buffers as in pods; no scenario waits
# for the drain unless it tests it. A leader counts as dead after 3 s of silence: no pod is delayed for so long, even on
# a busy machine.
pod_environment=(PATH="$PATH" TSAN_OPTIONS="${TSAN_OPTIONS:-}" HEADLESSD_DRAIN_TIME=50ms
    HEADLESSD_RCVBUF=208KiB HEADLESSD_LOG_FORMAT=text HEADLESSD_HEARTBEAT_INTERVAL=250ms HEADLESSD_HEARTBEAT_MISSES=12)
# On an instrumented build (scripts/coverage): the directory of its counters.
[[ -z ${LLVM_PROFILE_FILE:-} ]] || pod_environment+=(LLVM_PROFILE_FILE="$LLVM_PROFILE_FILE")

# KEYED=1: the same scenarios with keys, so that messages between pods are sealed; but not for a test with
# a line "# Open: WHY".
if [[ -n ${KEYED:-} ]] && ! grep -q '^# Open: ' "$0"; then
    mkdir "$work/all_have"
    head -c 32 /dev/urandom | base64 >"$work/all_have/2026-1"
    pod_environment+=(HEADLESSD_KEYS="$work/all_have" HEADLESSD_CONTROL_ACCEPT=open)
fi

patience_ms=${PATIENCE_MS:-60000} # ends a test that hangs; no verdict depends on it

# as_shipped: where durations are asserted, the heartbeats of the default configuration (0.8 s).
as_shipped()
{
    [[ -z $measured ]] || pod_environment+=(HEADLESSD_HEARTBEAT_INTERVAL=200ms HEADLESSD_HEARTBEAT_MISSES=4)
}

# ---- assertions

now_ms()
{
    echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

fail()
{
    echo "  * $scenario: $*"
    scenario_failures=$((scenario_failures + 1))
}

# expect WHAT IS SHOULD
expect()
{
    [[ $2 == "$3" ]] || fail "$1: is '$2', should be '$3'"
}

# expect_match WHAT IS REGEX
expect_match()
{
    [[ $2 =~ $3 ]] || fail "$1: is '$2', should match '$3'"
}

# expect_between WHAT IS LOW HIGH
expect_between()
{
    if [[ ! $2 =~ ^[0-9]+$ ]] || (($2 < $3 || $2 > $4)); then
        fail "$1: is $2, should be in $3..$4"
    fi
}

# expect_lines POD SECONDS REGEX: lines of the pod's log match, at most one of each data thread in so many seconds (60 for
# log_warn_minutely): a slow machine takes minutes for a scenario. Receivers and readers of the app's replies do a worker's
# slices, too: so each of these threads may write its own line.
expect_lines()
{
    local lines age threads
    wait_until "the log of $1 has a line with $3" has_lines "$1" "$3" 1
    lines=$(grep -cE "$3" "$work/$1.log" || true)
    age=$(ps -o etimes= -p "${pod_pids[$1]}")
    threads=$(cat /proc/"${pod_pids[$1]}"/task/*/comm | grep -cE '^(data|relay|group|worker|app)-[0-9]+$')
    expect_between "lines with $3" "$lines" 1 $((threads * (age / $2 + 1)))
}

# expect_log POD REGEX [COUNT]: the pod's log has a line that matches, or exactly COUNT. It waits for them: the log's
# thread writes a line, maybe later than others see what it tells (base/log_sink.h).
expect_log()
{
    wait_until "the log of $1 has ${3:-1} lines with $2" has_lines "$1" "$2" "${3:-1}"
    [[ -z ${3:-} ]] || expect "lines with $2 in the log of $1" "$(grep -cE -e "$2" "$work/$1.log")" "$3"
}

has_lines()
{
    local lines
    lines=$(grep -cE -e "$2" "$work/$1.log" || true)
    ((${lines:-0} >= $3))
}

# timed COMMAND...: an assertion on milliseconds, or on the loss of a stream that must keep its pace.
timed()
{
    [[ -z $measured ]] || "$@"
}

# deadline: until when to wait, in ms. A scenario that has failed already is not waited for as long: of a pod that
# does not start, each of its waits would be in vain.
deadline()
{
    echo $(($(now_ms) + (scenario_failures > 0 ? patience_ms / 10 : patience_ms)))
}

# wait_until WHAT COMMAND...: until the command is true.
wait_until()
{
    local what=$1 end pause=0.02 started
    shift
    started=$(now_ms)
    end=$(deadline)
    until "$@"; do
        if (($(now_ms) > end)); then
            fail "$what: not within $((end - started)) ms"
            return 0
        fi
        sleep "$pause" # between two polls
        pause=0.05
    done
}

# run NAME FUNCTION [ARGUMENT...]: one scenario; stops and checks everything that it started. Not with
# CHECK_ALL=more, which runs only the scenarios that a run without CHECK_ALL leaves out.
run()
{
    [[ ${CHECK_ALL:-} == more ]] || run_now "$@"
}

run_now()
{
    local started
    # An arithmetic error unwinds bash to the top level, past the stops below.
    ((${#pod_pids[@]} == 0)) || exit 1
    scenario=$1
    scenario_failures=0
    shift
    started=$(now_ms)
    "$@"
    apps_stop
    pods_stop
    if ((scenario_failures == 0)); then
        passed=$((passed + 1))
        echo "ok $scenario${V:+ ($(($(now_ms) - started)) ms)}"
    else
        failed=$((failed + 1))
        echo "FAIL $scenario"
    fi
}

# run_long NAME COMMAND...: a long scenario, similar to another one: only with CHECK_ALL.
run_long()
{
    [[ -z ${CHECK_ALL:-} ]] || run_now "$@"
}

# run_timed NAME COMMAND...: a scenario that asserts milliseconds, or with a load that a slow machine cannot carry.
run_timed()
{
    [[ -z $measured ]] || run_now "$@"
}

# run_longer NAME COMMAND...: a scenario that is longer with CHECK_ALL.
run_longer()
{
    run_now "$@"
}

# skip NAME WHY
skip()
{
    skipped=$((skipped + 1))
    echo "skip $1: $2"
}

finish()
{
    finished=yes
    ((skipped == 0)) || echo "$skipped skipped"
    echo "$passed passed, $failed failed"
    ((failed == 0))
}

# clean_up [STATUS]: ends, by PID, only our processes that a normal stop has left.
clean_up()
{
    local status=${1:-$?} pid command
    for pid in "${app_pids[@]}" "${pod_pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    if [[ -z $finished ]]; then
        show_logs
        echo "FAIL $scenario: a command failed (status $status)"
        echo "$passed passed, $((failed + 1)) failed"
        status=1
    fi
    for command in "${at_exit[@]}"; do
        $command || true
    done
    if [[ -n ${KEEP:-} ]]; then
        echo "logs: $work"
    else
        rm -rf "$work"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

show_logs()
{
    local log
    for log in "$work"/*.log; do
        [[ -s $log ]] || continue
        echo "  --- ${log##*/}"
        tail -n 15 "$log" | sed 's/^/  /'
    done
}

# show_losses ADDRESS...: the counters that have a request or a reply which went no further, of pods that still reply.
show_losses()
{
    local address losses
    for address in "$@"; do
        losses=$(http "$address:8080/metrics" | grep -E "^headlessd_[a-z_]*($loss_counters)_total.* [1-9]") || continue
        echo "  --- losses of $address"
        echo "${losses//headlessd_/  }"
    done
}
loss_counters="dropped|drops|lost|fenced|suppressed|withheld"

# ---- pods

# http ADDRESS:PORT/PATH: prints the body; false when the status is not 200.
http()
{
    "${pod_wrapper[@]}" "$tools/http_look" "${1%%/*}" "/${1#*/}"
}

is_ready()
{
    http "$1:8080/readyz" >/dev/null
}

# True when it is ready or has ended.
is_ready_or_gone()
{
    is_ready "$1" || ! kill -0 "${pod_pids[$1]}" 2>/dev/null
}

# pod_wrapper: command prefix of pods, and of requests to them, such as "ip netns exec NAME".
pod_wrapper=()

# pod_launch ADDRESS OPTION...: starts without waiting, and without peers. IPv6 in brackets.
pod_launch()
{
    local address=$1 place=()
    shift
    read -r -a place <<<"${pod_places[$address]:-${pod_wrapper[*]}}"
    "${place[@]}" env -i "${pod_environment[@]}" "$headlessd" --self "${address//[][]/}" "$@" \
        >"$work/$address.log" 2>&1 &
    pod_pids[$address]=$!
}

pod_wait()
{
    wait_until "pod $1 ready" is_ready_or_gone "$1"
    kill -0 "${pod_pids[$1]}" 2>/dev/null || fail "pod $1 ended: $(tail -n 1 "$work/$1.log")"
}

has_leader()
{
    [[ $(metric "$1" has_leader) == 1 ]]
}

# Its votes count, so that a leader change uses the next term and skips none. A pod with a leader outside the
# cluster takes part in no election.
is_settled()
{
    has_leader "$1" && { [[ $(metric "$1" election_is_volatile) == 0 || $(leader_cause "$1") == yaml ]]; }
}

# configured_leader PEER... -- OPTION...: prints the address of the peer that "--leader" names, or nothing.
configured_leader()
{
    local peers=() peer
    while (($# > 0)) && [[ $1 != -- ]]; do
        peers+=("$1")
        shift
    done
    while (($# > 1)) && [[ $1 != --leader ]]; do
        shift
    done
    for peer in "${peers[@]}"; do
        [[ ${2:-} != "${peer%%=*}" && ${2:-} != "${peer##*=}" ]] || echo "${peer##*=}"
    done
}

are_settled()
{
    local address
    for address in "$@"; do
        is_settled "$address" || return 1
    done
}

# pods_start [NAME=]ADDRESS... -- OPTION...: pods that are each other's peers; waits until all know a leader and their
# votes count. A configured leader starts before the others: otherwise these might elect another one.
pods_start()
{
    local peers=() addresses=() list address leader
    leader=$(configured_leader "$@")
    while (($# > 0)) && [[ $1 != -- ]]; do
        peers+=("$1")
        addresses+=("${1##*=}")
        shift
    done
    shift || true
    list=$(IFS=,; echo "${peers[*]}")
    [[ -z $leader ]] || pod_start_alone "$leader" --peers "$list" "$@"
    for address in "${addresses[@]}"; do
        [[ $address == "$leader" ]] || pod_launch "$address" --peers "$list" "$@"
    done
    for address in "${addresses[@]}"; do
        pod_wait "$address"
        wait_until "pod $address has a leader, and is settled" is_settled "$address"
    done
    [[ -z $leader ]] ||
        wait_until "all follow the configured leader" agree "${leader//[][]/}" "${addresses[@]}"
}

is_alive()
{
    http "$1:8080/livez" >/dev/null
}

# pod_start_alone ADDRESS OPTION...: a pod that waits for its peers, and has no leader.
pod_start_alone()
{
    pod_launch "$@"
    wait_until "pod $1 lives" is_alive "$1"
    kill -0 "${pod_pids[$1]}" 2>/dev/null || fail "pod $1 ended: $(tail -n 1 "$work/$1.log")"
}

has_ended()
{
    ! kill -0 "$1" 2>/dev/null
}

# pod_stop ADDRESS: SIGTERM; it must exit with 0, and without a sanitizer's report.
pod_stop()
{
    local pid=${pod_pids[$1]} status=0
    kill -TERM "$pid" 2>/dev/null || true
    wait_until "pod $1 ends after SIGTERM" has_ended "$pid"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" || status=$?
    unset "pod_pids[$1]"
    expect "exit status of pod $1" "$status" 0
    if grep -E -q 'Sanitizer|runtime error:' "$work/$1.log"; then
        fail "sanitizer report of pod $1: $(grep -E -m 3 'Sanitizer|runtime error:' "$work/$1.log")"
    fi
}

pods_stop()
{
    local address
    ((scenario_failures == 0)) || { show_logs && show_losses "${!pod_pids[@]}"; }
    for address in "${!pod_pids[@]}"; do # all at once: each needs time to drain
        kill -TERM "${pod_pids[$address]}" 2>/dev/null || true
    done
    for address in "${!pod_pids[@]}"; do
        pod_stop "$address"
    done
    rm -f "$work"/*.log
}

# ---- apps and other helpers in the background

# app_start NAME COMMAND...: returns when it writes "listening" or "ready" to standard error.
app_start()
{
    local name=$1
    shift
    "$@" >"$work/$name.out" 2>"$work/$name.log" &
    app_pids[$name]=$!
    wait_until "$name listens" grep -E -q '[Ll]istening|ready' "$work/$name.log"
}

app_stop()
{
    local pid=${app_pids[$1]}
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    unset "app_pids[$1]"
}

apps_stop()
{
    local name
    for name in "${!app_pids[@]}"; do
        app_stop "$name"
    done
}

# replace_file FILE LINE...: at once, as a pod that reads the file at any moment needs it.
replace_file()
{
    printf '%s\n' "${@:2}" >"$1.new"
    mv "$1.new" "$1"
}

# ---- requests

# ask [UDP_ASK_OPTION...] ADDRESS TEXT: sends a datagram to the data port, prints its reply; nothing without one.
ask()
{
    local options=("${@:1:$#-2}") address=${*: -2:1} text=${*: -1}
    "${pod_wrapper[@]}" "$tools/udp_ask" "${options[@]}" "$address:12000" "$text" || true
}

# ask_status UDP_ASK_OPTION...: prints the exit code: 0 reply, 1 no reply, 3 another payload.
ask_status()
{
    local status=0
    "$tools/udp_ask" "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}

# leader_of ADDRESS: prints the address of the leader that this pod may use now, or none.
leader_of()
{
    local page
    page=$(http "$1:8080/leader" 2>/dev/null) || true
    if [[ $page =~ ^\{\"leader\":\{\"address\":\"([^\"]+)\" ]]; then
        echo "${BASH_REMATCH[1]}"
    else
        echo none
    fi
}

# leader_cause ADDRESS: prints the cause of its last leader change.
leader_cause()
{
    http "$1:8080/leader" | sed -E 's/.*"cause":"([^"]*)".*/\1/'
}

# agree LEADER ADDRESS...: true if all report this leader. LEADER may be any; sets agreed to the leader.
agree()
{
    local leader=$1 first="" said address
    shift
    for address in "$@"; do
        said=$(leader_of "$address")
        [[ $said != none ]] || return 1
        [[ -z $first || $said == "$first" ]] || return 1
        first=$said
    done
    agreed=$first
    [[ $leader == any || $leader == "$first" ]]
}

# agree_without FORMER ADDRESS...: true if all report the same leader other than FORMER.
agree_without()
{
    local former=$1 agreed=""
    shift
    agree any "$@" && [[ $agreed != "$former" ]]
}

# leaders ADDRESS...: prints those that report to be the leader.
leaders()
{
    local address
    for address in "$@"; do
        ! http "$address:8080/leader/me" >/dev/null 2>&1 || echo "$address"
    done
}

# pod_kill ADDRESS: SIGKILL; removes it from the list.
pod_kill()
{
    kill -KILL "${pod_pids[$1]}"
    wait "${pod_pids[$1]}" 2>/dev/null || true
    unset "pod_pids[$1]"
}

# pod_freeze ADDRESS; pod_thaw ADDRESS: stop and continue the whole process. The first thread that gets a processor
# handles the signal; until then the others continue.
pod_freeze()
{
    kill -STOP "${pod_pids[$1]}"
    wait_until "$1 stands still" pod_stands "${pod_pids[$1]}"
}

pod_stands()
{
    ! grep -qv '[[:space:]]T ' < <(grep -s '^State:' /proc/"$1"/task/*/status)
}

pod_thaw()
{
    kill -CONT "${pod_pids[$1]}"
}

# lead LEADER ADDRESS...: sends the command to each of these pods; prints nothing if all accept it.
lead()
{
    local leader=$1 pod
    shift
    for pod in "$@"; do
        wait_until "$pod makes $leader the leader" obeys "$pod" "$leader"
        [[ $answer == ok\ * ]] || fail "$pod answers '$answer' when $leader is to lead"
    done
}

# obeys POD LEADER: sets answer. A pod that has just started does not vote yet; before that there is no quorum.
obeys()
{
    answer=$(ask "$1" "{\"leader\":\"$2\"}")
    [[ $answer != "no quorum" ]]
}

# is_up_for ADDRESS SECONDS
is_up_for()
{
    (($(metric "$1" uptime_seconds) >= $2))
}

# metric ADDRESS 'NAME{LABELS}'...: prints values from /metrics, in one line. Names are given without
# "headlessd_"; an absent one is "missing".
metric()
{
    local address=$1
    shift
    "${pod_wrapper[@]}" "$tools/http_look" "$address:8080" /metrics "${@/#/headlessd_}" || echo "no answer"
}

# dropped ADDRESS REASON
dropped()
{
    metric "$1" "datagrams_dropped_total{reason=\"$2\"}"
}

# total 'NAME{LABELS}' ADDRESS...: prints the sum over pods; a large negative number if one is missing.
total()
{
    local name=$1 sum=0 address figure
    shift
    for address in "$@"; do
        figure=$(metric "$address" "$name")
        [[ $figure =~ ^[0-9]+$ ]] || figure=-1000000000000
        sum=$((sum + figure))
    done
    echo "$sum"
}

# metric_is ADDRESS 'NAME{LABELS}' VALUE: true if the metric has this value.
metric_is()
{
    [[ $(metric "$1" "$2") == "$3" ]]
}

# metric_becomes ADDRESS 'NAME{LABELS}' VALUE: waits for the value, since the data path is asynchronous.
metric_becomes()
{
    local end value
    end=$(deadline)
    until value=$(metric "$1" "$2") && [[ $value == "$3" ]]; do
        if (($(now_ms) > end)); then
            fail "$1 $2: is $value, should be $3"
            return 0
        fi
        sleep 0.02 # between two polls
    done
}

dropped_becomes()
{
    metric_becomes "$1" "datagrams_dropped_total{reason=\"$2\"}" "$3"
}

# Prints the ledger's differences, held and queued datagrams: all 0 when it is balanced.
ledger_of()
{
    metric "$1" ledger_requests ledger_replies ledger_copies datagrams_held datagrams_queued
}

is_closed()
{
    [[ $(ledger_of "$1") == "0 0 0 0 0" ]]
}

# ledger_closes ADDRESS...: waits until each pod's ledger is balanced.
ledger_closes()
{
    local address end
    for address in "$@"; do
        end=$(deadline)
        until is_closed "$address"; do
            if (($(now_ms) > end)); then
                fail "ledger of $address is not balanced: $(ledger_of "$address")"
                http "$address:8080/status" || true
                break
            fi
            sleep 0.02 # between two polls
        done
    done
}

# kernel_drops ADDRESS...: prints the kernel's drops at data and relay sockets.
kernel_drops()
{
    echo $(($(total 'socket_drops_total{socket="data"}' "$@") +
        $(total 'socket_drops_total{socket="multicast"}' "$@") +
        $(total 'socket_drops_total{socket="relay"}' "$@")))
}

# taken_from_relay RECEIVED DROPPED ADDRESS...: without the kept frames that were not taken, because they came again,
# behind a gap, or too early: they are sent again (relay.confirm).
taken_from_relay()
{
    local received=$1 dropped=$2 sum reason
    shift 2
    sum=$(total "$received" "$@")
    for reason in duplicate ahead unready; do
        sum=$((sum - $(total "$dropped{reason=\"$reason\"}" "$@")))
    done
    echo "$sum"
}

# together_closes ADDRESS...: all datagrams relayed from one pod to another arrived there (framed, no other senders).
# Only without kernel drops: those are counted in frames, not in datagrams.
together_closes()
{
    ledger_closes "$@"
    expect "requests relayed, all pods, and received" "$(total datagrams_relayed_total "$@")" \
        "$(taken_from_relay 'datagrams_received_total{socket="relay"}' datagrams_dropped_total "$@")"
    expect "answers relayed, all pods, and received" "$(total replies_relayed_total "$@")" \
        "$(taken_from_relay 'replies_received_total{from="relay"}' replies_dropped_total "$@")"
    expect "drops by the kernel, all pods" "$(kernel_drops "$@")" 0
}
