#!/usr/bin/env bash
# As a service: the notifications to the service manager, and their order; its watchdog; and the exit codes of
# all programs, as in their --help.
#
#   tests/cluster/test_service.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.24.11
environment=("${pod_environment[@]}")

# manage SOCKET [NAME=VALUE...]: gives the pods that start from now on a service manager.
manage()
{
    rm -f "$1"
    app_start manager "$tools/notify_listen" "$1"
    pod_environment=("${environment[@]}" NOTIFY_SOCKET="$1" "${@:2}")
}

# said: prints the notifications so far, in one line
said()
{
    paste -s -d , "$work/manager.out" | sed -E 's/MONOTONIC_USEC=[0-9]+/MONOTONIC_USEC=T/g'
}

has_said()
{
    [[ $(said) == "$1" ]]
}

# usec_now: prints CLOCK_MONOTONIC by /proc/uptime, in hundredths of a second
usec_now()
{
    local uptime
    read -r uptime _ </proc/uptime
    echo "${uptime/./}0000"
}

ready_reload_stop()
{
    local before after usec
    manage "$1"
    printf 'drain.time: 50ms\nlog.level: info\n' >"$work/pod.yaml"
    pods_start "$a" -- -c "$work/pod.yaml"
    wait_until "READY comes" has_said "READY=1"
    before=$(usec_now)
    replace_file "$work/pod.yaml" 'drain.time: 60ms' 'log.level: warn'
    kill -HUP "${pod_pids[$a]}"
    wait_until "RELOADING and READY come" has_said "READY=1,RELOADING=1 MONOTONIC_USEC=T,READY=1"
    after=$(usec_now)
    usec=$(sed -nE 's/.*MONOTONIC_USEC=([0-9]+).*/\1/p' "$work/manager.out")
    expect_between "the time of the reload" "$usec" $((before - 20000)) $((after + 20000))
    replace_file "$work/pod.yaml" "log.level: loud" # an error: nothing changes, and the manager gets READY
    kill -HUP "${pod_pids[$a]}"
    wait_until "a reload that fails ends, too" has_said \
        "READY=1,RELOADING=1 MONOTONIC_USEC=T,READY=1,RELOADING=1 MONOTONIC_USEC=T,READY=1"
    pod_stop "$a"
    expect_match "the end" "$(said)" ',READY=1,STOPPING=1$'
    pod_environment=("${environment[@]}")
}

# The manager waits for READY: a pod that does not serve must not send it.
no_ready_before_it_serves()
{
    local status=0
    manage "$work/notify"
    pods_start "$a"
    wait_until "READY comes" has_said "READY=1"
    timeout 60 env -i "${pod_environment[@]}" "$headlessd" --self "$a" 2>/dev/null || status=$?
    expect "exit status of the second" "$status" 1
    expect "what was said" "$(said)" "READY=1"
    pod_environment=("${environment[@]}")
}

# A manager that does not run, or does not read, does not block the pod.
no_manager()
{
    local socket
    for socket in "$work/nobody" relative "@" "/$(printf 'x%.0s' {1..200})"; do
        pod_environment=("${environment[@]}" NOTIFY_SOCKET="$socket")
        pods_start "$a"
        expect_log "$a" "service_unheard|cannot tell the service manager"
        expect "and it serves" "$(ask_status -e "$a:12000" "echo")" 0
        pod_stop "$a"
    done
    pod_environment=("${environment[@]}")
}

watchdog_count()
{
    grep -c '^WATCHDOG=1$' "$work/manager.out" || true
}

watchdog_more_than()
{
    (($(watchdog_count) > $1))
}

is_silent()
{
    local before
    before=$(watchdog_count)
    sleep 1 # two periods of the watchdog
    (($(watchdog_count) == before))
}

# Four notifications in each period, only while the data threads make progress.
watchdog()
{
    manage "$work/notify" WATCHDOG_USEC=2000000
    pods_start "$a"
    wait_until "it shows that it is well" watchdog_more_than 2
    app_start stall "$tools/stall_thread" "${pod_pids[$a]}" worker 60000
    wait_until "nothing more comes" is_silent
    app_stop stall
    wait_until "it comes again" watchdog_more_than "$(watchdog_count)"
    pod_stop "$a"
    pod_environment=("${environment[@]}")
}

# The watchdog is meant for another process, as in a shell of the service.
watchdog_of_another()
{
    manage "$work/notify" WATCHDOG_USEC=100000 WATCHDOG_PID=1
    pods_start "$a"
    wait_until "READY comes" has_said "READY=1"
    sleep 0.3 # three periods
    expect "what was said" "$(said)" "READY=1"
    pod_environment=("${environment[@]}")
}

# ---- exit codes

# ends STATUS COMMAND...
ends()
{
    local status=0
    timeout 60 env -i "${pod_environment[@]}" "${@:2}" >"$work/out" 2>&1 </dev/null || status=$?
    expect "exit status of ${*:2}: $(tail -n 1 "$work/out")" "$status" "$1"
    seen+=("$1")
}

# documented PROGRAM: --help lists exactly the observed codes
documented()
{
    local told
    told=$("$1" --help | tr '\n' ' ' | sed -E 's/.*[Ee]xit codes://' | grep -oE '(^|;)? +[0-9] ' |
        tr -cd '0-9\n' | paste -s -d ' ')
    expect "codes in ${1##*/} --help" "$told" "$(printf '%s\n' "${seen[@]}" | sort -u | paste -s -d ' ')"
}

exit_codes_of_headlessd()
{
    seen=()
    pods_start "$a"
    ends 0 "$headlessd" --version
    ends 0 "$headlessd" --check-config
    ends 1 "$headlessd" --self "$a"
    ends 2 "$headlessd" --no-such-option
    ends 2 "$headlessd" -c "$work/none.yaml"
    ends 2 env HEADLESSD_WORKERS=many "$headlessd" --check-config
    documented "$headlessd"
}

exit_codes_of_headless_document()
{
    local document=${headlessd%/*}/headless-document
    seen=()
    ends 0 "$document" schema
    # shellcheck disable=SC2016 # the inner shell expands it
    ends 1 sh -c 'echo @nonsense@ | "$1" man headlessd' sh "$document"
    # shellcheck disable=SC2016
    ends 1 sh -c '"$1" bash headlessd >/dev/full' sh "$document"
    ends 2 "$document"
    ends 2 "$document" man nobody
    ends 2 "$document" poem
}

exit_codes_of_headlessctl()
{
    seen=()
    pods_start "$a"
    ends 0 "$headlessctl" --admin "$a:8080" status
    ends 0 "$headlessctl" --data "$a" publish hello
    ends 1 "$headlessctl" --admin 127.0.24.99:8080 status
    ends 1 "$headlessctl" --data 127.0.24.99 --wait 100ms publish hello
    ends 1 "$headlessctl" --data "$a" leader set nobody-of-us
    ends 2 "$headlessctl"
    ends 2 "$headlessctl" become leader
    ends 2 "$headlessctl" probe --count many
    ends 2 "$headlessctl" --document-nothing
    documented "$headlessctl"
}

exit_codes_of_headless_bench()
{
    seen=()
    pods_start "$a"
    ends 0 "$bench" send --to "$a:12000" --count 100 --timeout 60s --expect-all
    ends 1 "$bench" send --to 127.0.24.99:12000 --count 10 --rate 1k --timeout 50ms \
        --max-lateness 60s --expect-all
    ends 2 "$bench"
    ends 2 "$bench" send --to "$a:12000" --flows many
    ends 2 "$bench" conquer
    ends 2 "$bench" --document-nothing
    ends 3 "$bench" send --to no.such.host.invalid:12000 --count 1
    ends 3 "$bench" plot "$work/none.json" --out "$work/none.svg"
    documented "$bench"
}

run "ready, reload and stop" ready_reload_stop "$work/notify"
run "ready, reload and stop, to an abstract socket" ready_reload_stop "@headless-test-$$"
run "no READY before the pod serves" no_ready_before_it_serves
run "a missing manager does not block the pod" no_manager
run "the watchdog gets no notification while threads hang" watchdog
run "the watchdog of another process gets no notification" watchdog_of_another
run "exit codes of headlessd are as documented" exit_codes_of_headlessd
run "exit codes of headless-document" exit_codes_of_headless_document
run "exit codes of headlessctl are as documented" exit_codes_of_headlessctl
run "exit codes of headless-bench are as documented" exit_codes_of_headless_bench
finish
