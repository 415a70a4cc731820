#!/usr/bin/env bash
# Files that block without end: standard error that nobody reads; a store, keys and a configuration on a volume that
# hangs.
#
#   tests/cluster/test_blocked.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.75.11
b=127.0.75.12
c=127.0.75.13
# launch_piped ADDRESS OPTION...: a pod whose standard error is a full pipe.
launch_piped()
{
    local pipe=$work/$1.pipe reader
    mkfifo "$pipe"
    exec {reader}<>"$pipe" # stays open, and is not read
    dd if=/dev/zero of="$pipe" bs=4096 oflag=nonblock 2>/dev/null || true # ends when the pipe takes no more
    : >"$work/$1.log" # there is none
    env -i "${pod_environment[@]}" "$headlessd" --self "$1" "${@:2}" 2>"$pipe" {reader}<&- &
    pod_pids[$1]=$!
}

# read_pipe ADDRESS TEXT: true if the pipe had this text; the zeros before are skipped.
read_pipe()
{
    dd if="$work/$1.pipe" bs=65536 iflag=nonblock 2>/dev/null | tr -d '\0' >>"$work/$1.read" || true
    grep -qE "$2" "$work/$1.read"
}

# Election, commands, replies and the stop (of a pod whose pipe is still full) go on; queued lines come when
# somebody reads.
log_that_nobody_reads()
{
    local pod
    for pod in "$a" "$b" "$c"; do
        launch_piped "$pod" --peers "$a,$b,$c" --leader "$a" --app echo
    done
    wait_until "they agree" agree "$a" "$a" "$b" "$c"
    for pod in "$a" "$b" "$c"; do
        wait_until "$pod is settled" is_settled "$pod"
        expect "a client of $pod" "$(ask "$pod" hello)" hello
        expect "lines lost by $pod" "$(metric "$pod" log_lines_failed_total)" 0
        (($(metric "$pod" log_lines_queued) > 0)) || fail "$pod has no line in its queue"
    done
    lead "$b" "$c"
    wait_until "they follow" agree "$b" "$a" "$b" "$c"
    pod_kill "$b"
    wait_until "another leads" agree_without "$b" "$a" "$c"
    expect "a client of the others" "$(ask "$c" hello)" hello
    http "$c:8080/livez" >/dev/null || fail "it is not live"
    wait_until "the line about the leader comes" read_pipe "$c" ' leader_changed: .*\(?'"$b"
    metric_becomes "$c" log_lines_queued 0
    pod_stop "$a"
    pod_kill "$c"
}

# Its sockets must not become its standard error.
log_that_is_closed()
{
    local fd
    : >"$work/$a.log" # there is none
    env -i "${pod_environment[@]}" "$headlessd" --self "$a" <&- >&- 2>&- &
    pod_pids[$a]=$!
    wait_until "it is ready" is_ready "$a"
    for fd in 0 1 2; do
        expect "descriptor $fd" "$(readlink "/proc/${pod_pids[$a]}/fd/$fd")" /dev/null
    done
}

# stored ADDRESS: prints the term in its file.
stored()
{
    sed -n 's/^term //p' "$work/$1.term"
}

has_stored()
{
    [[ $(stored "$1") == "$2" ]]
}

says()
{
    grep -q " $2: " "$work/$1.log"
}

# Each leader change is a write. All volumes hang, at the leader and its followers.
store_that_hangs()
{
    local pod environment=("${pod_environment[@]}") before
    pod_environment+=(LD_PRELOAD="$tools/preload_hang.so" HANG="$work/hang")
    for pod in "$a" "$b" "$c"; do
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --store "$work/$pod.term"
    done
    pod_environment=("${environment[@]}")
    wait_until "they agree" agree "$a" "$a" "$b" "$c"
    for pod in "$a" "$b" "$c"; do
        wait_until "$pod is settled" is_settled "$pod"
        expect "stored by $pod" "$(stored "$pod")" "$(metric "$pod" term)"
    done
    before=$(stored "$c")
    : >"$work/hang"
    lead "$b" "$c"
    wait_until "they follow" agree "$b" "$a" "$b" "$c"
    for pod in "$a" "$b" "$c"; do
        wait_until "$pod says so" says "$pod" store_failed
        (($(metric "$pod" store_failures_total) > 0)) || fail "$pod does not count it"
        http "$pod:8080/livez" >/dev/null || fail "$pod is not live"
        expect "a client of $pod" "$(ask "$pod" hello)" hello
    done
    pod_kill "$b"
    wait_until "another leads" agree_without "$b" "$a" "$c"
    expect "stored by $c" "$(stored "$c")" "$before"
    pod_stop "$a" # its volume still hangs
    rm "$work/hang"
    wait_until "the newest term is stored" has_stored "$c" "$(metric "$c" term)"
    pod_kill "$c"
}

# on_volume ADDRESS CONFIG: a pod whose keys, and files in $work/volume, are on a volume that hangs while $work/hang
# exists.
on_volume()
{
    local environment=("${pod_environment[@]}")
    pod_environment+=(LD_PRELOAD="$tools/preload_hang.so" HANG="$work/hang" HANG_PATH="$work/volume")
    pod_launch "$1" --config "$2" --keys "$work/volume/keys"
    pod_environment=("${environment[@]}")
}

volume_make()
{
    mkdir -p "$work/volume/keys"
    chmod 700 "$work/volume/keys"
    head -c 32 /dev/urandom | base64 >"$work/volume/keys/1"
    echo "hold.time: 1s" >"$work/volume/pod.yaml"
}

# The pod serves, reads its files when they can be read again, and ends as ever while they cannot.
files_that_hang()
{
    volume_make
    on_volume "$a" "$work/volume/pod.yaml"
    wait_until "it leads" agree "$a" "$a"
    : >"$work/hang"
    wait_until "it says so" says "$a" read_hangs
    expect "a client" "$(ask "$a" hello)" hello
    http "$a:8080/livez" >/dev/null || fail "it is not live"
    head -c 32 /dev/urandom | base64 >"$work/volume/keys/2"
    echo "hold.time: 2s" >"$work/volume/pod.yaml"
    kill -HUP "${pod_pids[$a]}"
    wait_until "the reload waits" says "$a" reload_waits
    rm "$work/hang"
    wait_until "it reads the configuration" grep -q ' option_reloaded: hold.time' "$work/$a.log"
    wait_until "it reads the keys" grep -q ' keys_read: 2 keys' "$work/$a.log"
    : >"$work/hang"
    wait_until "it says so again" says_twice "$a" read_hangs
    pod_stop "$a"
    rm "$work/hang"
}

says_twice()
{
    (($(grep -c " $2: " "$work/$1.log") == 2))
}

# As the first process of a container, for which SIGTERM has no default action.
start_that_hangs()
{
    local pid status=0
    volume_make
    : >"$work/hang"
    pod_places[$a]="unshare --pid --fork"
    on_volume "$a" "$work/volume/pod.yaml"
    unset "pod_places[$a]"
    wait_until "it says that it reads" grep -q "reading the configuration takes long" "$work/$a.log"
    pid=$(pgrep -P "${pod_pids[$a]}")
    kill -TERM "$pid"
    wait_until "it ends" has_ended "$pid"
    kill -KILL "$pid" 2>/dev/null || true
    wait "${pod_pids[$a]}" || status=$?
    unset "pod_pids[$a]"
    expect "exit status" "$status" 1
    rm "$work/hang"
}

keys_that_hang_at_the_start()
{
    local pid status=0
    volume_make
    : >"$work/hang"
    mv "$work/volume/pod.yaml" "$work/pod.yaml"
    on_volume "$a" "$work/pod.yaml"
    pid=${pod_pids[$a]}
    wait_until "it says that it reads" grep -q "reading the keys takes long" "$work/$a.log"
    kill -TERM "$pid"
    wait_until "it ends" has_ended "$pid"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" || status=$?
    unset "pod_pids[$a]"
    expect "exit status" "$status" 143
    rm "$work/hang"
}

run "a log that nobody reads stops nothing" log_that_nobody_reads
run "closed standard descriptors are not taken by sockets" log_that_is_closed
if [[ -n ${SANITIZED:-} ]]; then
    skip "a volume that hangs stops nothing" "a sanitizer must be the first library"
else
    run "a store on a volume that hangs stops nothing" store_that_hangs
    run "a configuration and keys on a volume that hangs stop nothing" files_that_hang
    run "keys that cannot be read at the start do not prevent SIGTERM" keys_that_hang_at_the_start
    if ((EUID == 0)) && unshare --pid --fork true 2>/dev/null; then
        run "a configuration that cannot be read at the start does not prevent SIGTERM" start_that_hangs
    else
        skip "a configuration that cannot be read at the start does not prevent SIGTERM" "needs root"
    fi
fi
finish
