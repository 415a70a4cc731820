#!/usr/bin/env bash
# The admin port under load: a thousand useless connections, a request that never ends, a full data plane. Probes
# get replies, the cluster is unaffected, and memory does not grow.
#
#   tests/cluster/test_admin_load.sh BUILD_DIR
#
# Alone: it measures response times
# Timed: it measures response times
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.17.11 # leads
b=127.0.17.12
c=127.0.17.13
pods=("$a" "$b" "$c")
crowd=1000
answer_most_us=50000
connections_most=176 # CONNECTIONS_MAX
growth_most_kib=8192

fds()
{
    find "/proc/${pod_pids[$1]}/fd" -mindepth 1 2>/dev/null | wc -l
}

rss_kib()
{
    awk '/^VmRSS:/ { print $2 }' "/proc/${pod_pids[$1]}/status"
}

# replies_in POD COUNT COLUMN: COUNT rounds; all but one in a hundred get a reply, and the time in this column
# of http_time's report is short. One: if a client gets no processor between its connection and its request,
# newer connections from its address make it the oldest, which is closed.
replies_in()
{
    local path ok median p90 p99 most column=$3
    while read -r path ok median p90 p99 most; do
        expect_between "replies of $1$path" "$ok" $(($2 - $2 / 100)) "$2"
        expect_between "$column of $1$path, in us" "${!column}" 0 "$answer_most_us"
        [[ -z ${V:-} ]] || echo "  $path: median $median us, p90 $p90 us, p99 $p99 us, most $most us"
    done < <("$tools/http_time" "$1:8080" "$2" 10 /livez /readyz /metrics)
}

is_left_alone()
{
    [[ $(metric "$1" admin_connections) == 1 ]]
}

has_fds()
{
    (($(fds "$1") <= $2))
}

# probes_are_not_delayed SOURCE...: many connections from these addresses to the leader's and a follower's port.
probes_are_not_delayed()
{
    local pod term changes
    local -A fds_before=() rss_before=()
    pods_start "${pods[@]}" -- --leader "$a"
    expect "an answer through a follower" "$(ask "$b" hello)" hello # opens the sockets that relaying needs
    term=$(metric "$a" term)
    changes=$(total leader_changes_total "${pods[@]}")
    for pod in "$a" "$b"; do
        replies_in "$pod" 20 p90
        fds_before[$pod]=$(fds "$pod")
        rss_before[$pod]=$(rss_kib "$pod")
        app_start "crowd-$pod" "$tools/http_crowd" "$pod:8080" "$crowd" "$@"
    done
    for pod in "$a" "$b"; do
        replies_in "$pod" 200 p99
        expect_between "descriptors of $pod" "$(fds "$pod")" "${fds_before[$pod]}" \
            $((fds_before[$pod] + connections_most))
        [[ -n ${SANITIZED:-} ]] || # a sanitizer keeps freed memory for a while
            expect_between "growth of $pod, in KiB" "$(($(rss_kib "$pod") - rss_before[$pod]))" \
                0 "$growth_most_kib"
        expect_between "shed by $pod" "$(metric "$pod" admin_connections_shed_total)" $((crowd / 2)) 1000000
        [[ -z ${V:-} ]] || echo "  $pod: ${fds_before[$pod]} to $(fds "$pod") descriptors," \
            "${rss_before[$pod]} to $(rss_kib "$pod") KiB, $(metric "$pod" admin_connections_shed_total) shed"
    done
    expect "leader" "$(leader_of "$c")" "$a"
    expect "term" "$(metric "$a" term)" "$term"
    expect "changes of leader" "$(total leader_changes_total "${pods[@]}")" "$changes"
    expect "another" "$(ask "$b" hello)" hello
    for pod in "$a" "$b"; do
        app_stop "crowd-$pod"
        [[ -z ${V:-} ]] || sed 's/^/  /' "$work/crowd-$pod.out"
        wait_until "all of the crowd of $pod have left" is_left_alone "$pod"
        wait_until "the descriptors of $pod are closed" has_fds "$pod" "${fds_before[$pod]}"
        expect_log "$pod" admin_crowded
    done
    replies_in "$a" 20 p90
    ledger_closes "${pods[@]}"
}

# trickle ADDRESS: a request that never ends, a byte each 0.1 s; prints the time in ms after which it was closed.
trickle()
{
    local started connection status=0
    started=$(now_ms)
    trap '' PIPE
    exec {connection}<>"/dev/tcp/$1/8080"
    printf 'GET /livez HTTP/1.1\r\nX: ' >&"$connection"
    until read -r -t 0.1 -u "$connection" || { status=$? && ((status <= 128)); }; do # above 128: timeout
        { printf x >&"$connection"; } 2>/dev/null || break
        (($(now_ms) - started < 20000)) || break
    done
    echo $(($(now_ms) - started))
}

# No other connection needs its place, and it is never idle.
slow_request_ends()
{
    local took
    pods_start "$a" --
    took=$(trickle "$a")
    expect_between "ms until it was closed" "$took" 4900 6500
    expect "expired" "$(metric "$a" admin_connections_expired_total)" 1
    expect "shed" "$(metric "$a" admin_connections_shed_total)" 0
    wait_until "it has left" is_left_alone "$a"
}

# The machine is busy with the generator and three pods: the scheduler causes the longest times.
probes_meet_a_full_load()
{
    local pod
    pods_start "${pods[@]}" -- --app echo --leader "$a" --rcvbuf max
    "$bench" send --flows 64 --size 64-1400 --to "$b:12000,$c:12000" --closed-loop --outstanding 512 \
        --duration 5s --json >"$work/bench.out" 2>"$work/bench.err" &
    local bench_pid=$!
    for pod in "$a" "$b"; do
        replies_in "$pod" 50 p90
    done
    kill -TERM "$bench_pid" 2>/dev/null || true
    wait "$bench_pid" || true
    expect_between answered "$(jq -r .counts.answered "$work/bench.out")" 10000 100000000
    expect "missing" "$(jq -r .counts.missing "$work/bench.out")" 0
    ledger_closes "${pods[@]}"
}

# A supervisor may wait for a slow volume; one that hangs is reported.
supervisor_is_watched()
{
    pods_start "$a" --
    is_alive "$a" || fail "/livez says no"
    app_start stall "$tools/stall_thread" "${pod_pids[$a]}" supervisor 40000
    sleep 3 # a data thread would be reported
    is_alive "$a" || fail "/livez says no when the supervisor waits for a volume"
    wait_until "/livez says no" supervisor_is_said_stuck
    app_stop stall
    wait_until "/livez says yes" is_alive "$a"
}

supervisor_is_said_stuck()
{
    [[ $(curl -s --max-time 2 "http://$a:8080/livez" || true) == "supervisor makes no progress" ]]
}

run "$crowd useless connections from the probes' address do not delay the probes" probes_are_not_delayed
run_long "$crowd useless connections from sixteen addresses do not delay the probes" probes_are_not_delayed 127.0.17.{101..116}
run "a slow request is closed after five seconds" slow_request_ends
run "probes get replies under full load" probes_meet_a_full_load
run_long "a supervisor that hangs is reported" supervisor_is_watched
finish
