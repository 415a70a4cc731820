#!/usr/bin/env bash
# Threads that get no processor: what each of them stops, and what goes on (docs/operations.md, "Starved threads").
#
#   tests/cluster/test_starved.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.73.11
b=127.0.73.12
c=127.0.73.13
app=127.0.73.54:5300

# cluster OPTION...: three pods, the first of which leads. Threads of the third can be made to wait (preload_hang.c).
cluster()
{
    local pod environment=("${pod_environment[@]}")
    printf 'hold.time: 5s\n' >"$work/pod.yaml"
    for pod in "$a" "$b" "$c"; do
        [[ $pod != "$c" || -n ${SANITIZED:-} ]] ||
            pod_environment+=(LD_PRELOAD="$tools/preload_hang.so" HANG="$work/hang" HEADLESSD_SECCOMP=false)
        pod_launch "$pod" --config "$work/pod.yaml" --peers "$a,$b,$c" --leader "$a" --control-accept open \
            --discovery-dns localhost --discovery-interval 1s "$@"
    done
    pod_environment=("${environment[@]}")
    wait_until "three agree" agree "$a" "$a" "$b" "$c"
    wait_until "$c is settled" is_settled "$c"
}

# tid_of POD THREAD
tid_of()
{
    local pid=${pod_pids[$1]} task
    for task in "/proc/$pid/task"/*; do
        if [[ $(<"$task/comm") == "$2" ]]; then
            echo "${task##*/}"
            return
        fi
    done
}

# sleeps POD THREAD: how often the thread has slept.
sleeps()
{
    sed -n 's/^voluntary_ctxt_switches:\t//p' "/proc/${pod_pids[$1]}/task/$(tid_of "$1" "$2")/status"
}

# serves POD LEADER: a client of this pod has a reply of this leader's app.
serves()
{
    [[ $(ask "$1" "$(printf '%-99s' hi)") == *" $2 leader "* ]]
}

# takes_over POD: it becomes the leader, which needs its supervisor, and its clients have replies.
takes_over()
{
    lead "$1" "$a"
    wait_until "$1 leads" serves "$1" "$1"
}

# ---- a thread that is preempted while it has a lock

# hangs_or COMMAND...
hangs_or()
{
    [[ -e $work/hang.$thread.hangs ]] || "$@"
}

has_slept()
{
    (($(sleeps "$c" "$thread") >= $1))
}

has_reloaded()
{
    [[ $(http "$c:8080/metrics") =~ config_reloads_total\ $1 ]]
}

# can_lead: the third pod, whose thread is waiting with a lock, can take the lead; then the first one leads again.
can_lead()
{
    takes_over "$c"
    rm "$work/hang.$thread"
    lead "$a" "$b"
    wait_until "$c follows $a" agree "$a" "$a" "$b" "$c"
}

# A lock that the supervisor waits for would stop it for as long as its owner gets no processor.
lock_that_is_not_returned()
{
    local thread
    cluster --app whoami

    thread=MHD-single
    : >"$work/hang.$thread"
    http "$c:8080/status" >"$work/status" &
    wait_until "/status is read, or $thread hangs" hangs_or grep -q leader "$work/status"
    can_lead
    wait $!

    thread=resolver
    : >"$work/hang.$thread"
    wait_until "$thread has looked up, or hangs" hangs_or has_slept $(($(sleeps "$c" "$thread") + 3))
    can_lead

    thread=headlessd # the main thread
    : >"$work/hang.$thread"
    replace_file "$work/pod.yaml" "hold.time: 6s"
    wait_until "$thread has read the file, or hangs" hangs_or has_reloaded 1
    can_lead
}

# ---- threads that do not run at all

stall()
{
    app_start "$2" "$tools/stall_thread" "${pod_pids[$1]}" "$2" 600000
}

echoes()
{
    [[ $(ask "$1" hello) == hello ]]
}

# Without the thread that reads the app's replies a leader is no use.
that_of_the_apps_replies()
{
    stall "$a" app-
    wait_until "it transfers the lead" agree_without "$a" "$a" "$b" "$c"
    wait_until "clients of $b have replies" echoes "$b"
    expect_log "$a" ' threads_stuck: app-0 '
    app_stop app-
    wait_until "the thread runs" grep -q ' threads_move: ' "$work/$a.log"
}

# The election, the clients and the transfer of the lead need none of these threads.
those_of_the_third_pod()
{
    local thread
    for thread in headlessd MHD-single resolver notify log; do
        stall "$c" "$thread"
    done
    lead "$c" "$a"
    wait_until "the others follow" agree "$c" "$a" "$b"
    wait_until "clients of $c have replies" echoes "$c"
    kill -TERM "${pod_pids[$c]}"
    app_stop headlessd # the main thread takes the signal now
    wait_until "another leads" agree_without "$c" "$a" "$b"
    for thread in MHD-single resolver notify log; do
        if has_ended "${pod_pids[$c]}"; then fail "$thread has not ended, and the process has"; fi
        app_stop "$thread"
    done
    wait_until "it ends" has_ended "${pod_pids[$c]}"
    pod_stop "$c"
}

threads_that_do_not_run()
{
    app_start app "$tools/udp_app" "$app" echo
    cluster --app "udp://$app" --app-notify 127.0.73.60:9999
    that_of_the_apps_replies
    those_of_the_third_pod
}

run "of threads that do not run, only those stop a pod that have to" threads_that_do_not_run
if [[ -n ${SANITIZED:-} ]]; then
    skip "a thread that is preempted with a lock stops no other" "a sanitizer must be the first library"
else
    run "a thread that is preempted with a lock stops no other" lock_that_is_not_returned
fi
finish
