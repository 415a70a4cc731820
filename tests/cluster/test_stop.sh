#!/usr/bin/env bash
# Stops, reloads and failing starts: SIGTERM under traffic, SIGHUP, a second daemon, wrong options, and
# unreachable leaders.
#
#   tests/cluster/test_stop.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.7.11 # leads
b=127.0.7.12
c=127.0.7.13

# traffic DURATION: sends through both pods, and fails without all replies. Sets bench_pid.
rate=400
timed eval rate=4000
traffic()
{
    "$bench" send --to "$a:12000,$b:12000" --flows 8 --size 64-1400 --rate "$rate/s" --duration "$1" \
        --timeout 60s --max-lateness 60s --json --expect-all >"$work/bench.out" 2>&1 &
    bench_pid=$!
}

traffic_flows()
{
    (($(metric "$1" 'datagrams_received_total{socket="data"}') > rate / 8))
}

# stop_under_traffic POD OPTION...: requests are served until there was no traffic for a second.
stop_under_traffic()
{
    local pod=$1 pid
    shift
    pods_start "$a" "$b" -- --app echo --leader "$a" --drain-time 5m --hold-time 1m --rcvbuf max "$@"
    pid=${pod_pids[$pod]}
    traffic 3s
    wait_until "traffic" traffic_flows "$pod"
    ask_on "$pod" &
    app_pids[asking]=$!
    kill -TERM "$pid"
    wait_until "not ready" is_not_ready "$pod"
    http "$pod:8080/livez" >/dev/null || fail "/livez says no while it drains"
    wait "$bench_pid" || fail "lost under SIGTERM: $(jq -c .counts "$work/bench.out")"
    wait_until "the ledger closes before it ends" is_closed "$pod"
    app_stop asking
    wait_until "it ends after a quiet second" has_ended "$pid"
}

# ask_on ADDRESS: requests for ten minutes, so that the pod has no second without traffic before it is checked.
ask_on()
{
    exec "$tools/udp_stream" 20 64 600000 "$1:12000" >/dev/null 2>&1
}

is_not_ready()
{
    ! is_ready "$1"
}

traffic_does_not_keep_it()
{
    local started pid elapsed
    pods_start "$a" "$b" -- --app echo --leader "$a" --drain-time 700ms
    pid=${pod_pids[$b]}
    traffic 10m
    wait_until "traffic" traffic_flows "$b"
    started=$(now_ms)
    kill -TERM "$pid"
    wait_until "it ends" has_ended "$pid"
    elapsed=$(($(now_ms) - started))
    # drain.time, then the wait for the last replies: as long again, at most twice as long
    timed expect_between "milliseconds" "$elapsed" 600 3500
    kill -KILL "$bench_pid" # it would wait for the lost replies
    wait "$bench_pid" 2>/dev/null || true
    ledger_closes "$a"
}

second_signal_ends_at_once()
{
    local started pid signal
    for signal in TERM INT; do
        pods_start "$a" "$b" -- --leader "$a" --drain-time 10m
        pid=${pod_pids[$a]}
        traffic 10m # without a second of silence
        wait_until "traffic" traffic_flows "$a"
        kill "-$signal" "$pid"
        wait_until "not ready" is_not_ready "$a"
        started=$(now_ms)
        kill "-$signal" "$pid"
        wait_until "it ends" has_ended "$pid"
        timed expect_between "milliseconds" "$(($(now_ms) - started))" 0 3000
        kill -KILL "$bench_pid"
        wait "$bench_pid" 2>/dev/null || true
        pods_stop
    done
}

quiet_pod_ends_after_a_second()
{
    local started pid
    pods_start "$a" -- --drain-time 10m
    pid=${pod_pids[$a]}
    started=$(now_ms)
    kill -TERM "$pid"
    wait_until "it ends" has_ended "$pid"
    timed expect_between "milliseconds" "$(($(now_ms) - started))" 900 4000
}

# A member that waits in vain for a leader becomes suspect, and gives up after three detection times.
all_at_once()
{
    local pod
    pods_start "$a" "$b" "$c" -- --app echo --log-level debug
    for pod in "$a" "$b" "$c"; do
        kill -TERM "${pod_pids[$pod]}"
    done
    for pod in "$a" "$b" "$c"; do
        wait_until "$pod ends" has_ended "${pod_pids[$pod]}"
        grep -q ' -> out, by stop' "$work/$pod.log" || fail "$pod has not left: $(tail -n 5 "$work/$pod.log")"
        ! grep -q 'suspect -> out' "$work/$pod.log" || fail "$pod waited: $(tail -n 5 "$work/$pod.log")"
    done
}

# ---- SIGHUP

write_file()
{
    replace_file "$work/config.yaml" "$@"
}

# reload EXPECTED: SIGHUP, and waits until the log has that line.
reload()
{
    kill -HUP "${pod_pids[$a]}"
    wait_until "log says $1" grep -q "$1" "$work/$a.log"
}

hold_expires_here()
{
    local before
    before=$(dropped "$a" no_leader)
    "$tools/udp_ask" -n "$a:12000" "where to?" || fail "cannot send"
    [[ $(dropped "$a" no_leader) != "$before" ]]
}

reload_takes_effect()
{
    write_file 'hold.time: 30s' 'log.level: info'
    pod_start_alone "$a" -c "$work/config.yaml" --peers "$a,$b,127.0.7.13"
    "$tools/udp_ask" -n -k 5 "$a:12000" "held" || fail "cannot send"
    metric_becomes "$a" datagrams_held 5
    write_file 'hold.time: 0' 'log.level: info'
    reload 'option_reloaded: hold.time'
    dropped_becomes "$a" hold_expired 5
    wait_until "nothing is held" hold_expires_here
    expect "held" "$(metric "$a" datagrams_held)" 0
    write_file 'hold.time: 0' 'log.level: error'
    reload 'option_reloaded: log.level'
    pod_launch "$b" -c "$work/config.yaml" --peers "$a,$b,127.0.7.13" --log-level info
    wait_until "a leader" has_leader "$a"
    expect "lines about the change, at log.level error" \
        "$(grep -c leader_changed "$work/$a.log" || true)" 0
    write_file 'hold.time: 0' 'log.level: info'
    kill -HUP "${pod_pids[$a]}"
    wait_until "info is written again" info_is_written
    expect "reload" "$(metric "$a" config_last_reload_successful)" 1
    ledger_closes "$a" "$b"
}

info_is_written()
{
    ask "$a" "{\"leader\":\"$b\"}" >/dev/null
    ask "$a" "{\"leader\":\"$a\"}" >/dev/null
    grep -q leader_changed "$work/$a.log"
}

reload_moves_the_lead_with_its_generation()
{
    write_file "leader: $a" 'leader_generation: 1'
    pods_start "$a" "$b" -- -c "$work/config.yaml" --app whoami
    expect "leader" "$(metric "$a" is_leader)" 1
    write_file "leader: $b" 'leader_generation: 1'
    reload 'option_reloaded: leader'
    expect "leader, same generation" "$(metric "$a" is_leader)" 1
    write_file "leader: $b" 'leader_generation: 2'
    kill -HUP "${pod_pids[$a]}" "${pod_pids[$b]}"
    metric_becomes "$a" is_leader 0
    metric_becomes "$b" is_leader 1
    expect_match "whoami" "$(ask "$a" "$(printf 'x%.0s' {1..99})")" "^$b $b leader term 2 via $a "
    ledger_closes "$a" "$b"
}

reload_names_what_needs_a_restart()
{
    write_file 'relay.port: 12001' 'app.target: echo'
    pods_start "$a" "$b" -- -c "$work/config.yaml" --leader "$a"
    write_file 'relay.port: 12099' 'app.target: discard'
    reload 'option_needs_restart: relay.port'
    expect_log "$a" 'option_needs_restart: app.target'
    expect "serves as before" "$(ask_status -e "$b:12000" "echo")" 0
    ledger_closes "$a" "$b"
}

broken_file_changes_nothing()
{
    write_file 'hold.time: 30s'
    pod_start_alone "$a" -c "$work/config.yaml" --peers "$a,$b,127.0.7.13"
    write_file 'hold.time: 0' 'hold.tme: 1s'
    reload reload_failed
    expect_log "$a" 'config.yaml:2'
    expect "reload" "$(metric "$a" config_last_reload_successful)" 0
    "$tools/udp_ask" -n -k 5 "$a:12000" "held" || fail "cannot send"
    metric_becomes "$a" datagrams_held 5
    rm "$work/config.yaml"
    kill -HUP "${pod_pids[$a]}"
    wait_until "a missing file is named too" reload_failed_twice
    write_file 'hold.time: 0'
    reload 'option_reloaded: hold.time'
    expect "reload" "$(metric "$a" config_last_reload_successful)" 1
    dropped_becomes "$a" hold_expired 5
    ledger_closes "$a"
}

reload_failed_twice()
{
    (($(grep -c reload_failed "$work/$a.log") == 2))
}

reload_under_traffic()
{
    local i
    write_file 'log.level: info'
    pods_start "$a" "$b" -- -c "$work/config.yaml" --leader "$a" --app echo --hold-time 1m --rcvbuf max
    traffic 3s
    wait_until "traffic" traffic_flows "$a"
    for i in {1..20}; do
        write_file "app.idle: $((i + 10))s"
        kill -HUP "${pod_pids[$a]}" "${pod_pids[$b]}"
        sleep 0.02 # the pace of these reloads
    done
    wait "$bench_pid" || fail "lost under SIGHUP: $(jq -c .counts "$work/bench.out")"
    ledger_closes "$a" "$b"
}

# ---- failing starts

# try OPTION...: runs it to its end; sets status, and said to its output.
try()
{
    status=0
    said=$(timeout 60 env -i "${pod_environment[@]}" "$headlessd" "$@" 2>&1) || status=$?
}

second_daemon_fails_at_once()
{
    local started
    pods_start "$a" -- --app echo
    started=$(now_ms)
    try --self "$a"
    timed expect_between "milliseconds" "$(($(now_ms) - started))" 0 1000
    expect "exit status" "$status" 1
    expect_match "error" "$said" "cannot bind $a:12002 .*is another headlessd running here"
    expect "the first serves on" "$(ask_status -e "$a:12000" "echo")" 0
    # each port by itself
    try --self "$a" --peer-port 12902
    expect "exit status" "$status" 1
    expect_match "error" "$said" "cannot bind $a:12000 \(data\.port\)"
    try --self "$a" --peer-port 12902 --data-port 12900
    expect "exit status" "$status" 1
    expect_match "error" "$said" "cannot bind $a:12001 \(relay\.port\)"
    try --self "$a" --peer-port 12902 --data-port 12900 --relay-port 12901
    expect "exit status" "$status" 1
    expect_match "error" "$said" "$a:8080"
    # only receivers of one process share their sockets
    try --self "$a" --receivers 2
    expect "exit status" "$status" 1
    ledger_closes "$a"
}

address_that_is_not_ours()
{
    try --self 192.0.2.200 --bind 192.0.2.200
    expect "exit status" "$status" 1
    expect_match "error" "$said" "cannot bind 192.0.2.200:12002"
}

# wrong REGEX OPTION...
wrong()
{
    local regex=$1
    shift
    try "$@"
    expect "exit status of $*" "$status" 2
    expect_match "error" "$said" "$regex"
}

wrong_options()
{
    wrong "self-destruct" --self-destruct
    wrong "workers" --workers many
    wrong "workers" --workers 17
    wrong "hold" --hold-time 2
    wrong "twice|again|already" --workers 1 --workers 1
    wrong "nofile.yaml" -c "$work/nofile.yaml"
    wrong "relay.format|relay-format" --relay-format morse
    wrong "app" --app udp://127.0.7.53
    wrong "ring" --ring 1000
    printf 'workers: 1\nworkers: 2\n' >"$work/twice.yaml"
    wrong "twice.yaml:2" -c "$work/twice.yaml"
    printf 'data:\n  prot: 12000\n' >"$work/typo.yaml"
    wrong "typo.yaml:2" -c "$work/typo.yaml"
    try --check-config --workers 2
    expect "exit status of --check-config" "$status" 0
    expect "--check-config" "$said" ok
    try --version
    expect "exit status of --version" "$status" 0
    try --help
    expect "exit status of --help" "$status" 0
}

# ---- unreachable leaders

# No process listens there: the pod holds requests, and leads after its waiting time.
dead_leader()
{
    local i
    pod_start_alone "$a" --leader "127.0.7.99" --peers "$a,127.0.7.99" --hold-time 1m --rcvbuf max "$@"
    for i in {1..20}; do
        "$tools/udp_ask" -n -k 100 "$a:12000" "lost" || fail "cannot send"
    done
    wait_until "2000 came" metric_is "$a" 'datagrams_received_total{socket="data"}' 2000
    metric_becomes "$a" datagrams_delivered_total 2000
    ledger_closes "$a"
    http "$a:8080/livez" >/dev/null || fail "/livez says no"
    expect "a command" "$(ask "$a" "{\"leader\":\"$a\"}")" "ok $(metric "$a" term)"
    expect "and it serves" "$(ask_status -e "$a:12000" "echo")" 0
    ledger_closes "$a"
}

# No route to it: in a network with only its own address.
leader_without_route()
{
    local ns=headless-$$-1 self=10.99.7.1
    ip netns add "$ns"
    at_exit+=("ip netns delete $ns")
    ip -n "$ns" link set lo up
    ip -n "$ns" address add "$self/32" dev lo
    pod_wrapper=(ip netns exec "$ns")
    pod_launch "$self" --bind "$self" --peers "$self" --relay-format raw \
        --leader 10.255.255.1:9100 --control-allow 10.0.0.0/8
    pod_wait "$self"
    "${pod_wrapper[@]}" "$tools/udp_ask" -n -k 100 "$self:12000" "no way" || fail "cannot send"
    dropped_becomes "$self" send_failed 100
    expect_lines "$self" 1 relay_unreachable
    # a route that rejects
    ip -n "$ns" route add prohibit 10.255.255.1
    "${pod_wrapper[@]}" "$tools/udp_ask" -n -k 100 "$self:12000" "no way" || fail "cannot send"
    dropped_becomes "$self" send_failed 200
    http "$self:8080/livez" >/dev/null || fail "/livez says no"
    expect "a command" "$(ask -s "$self" "$self" "{\"leader\":\"$self\"}")" "no member"
    ledger_closes "$self"
    pods_stop
    pod_wrapper=()
}

run "SIGTERM to a follower under traffic loses nothing" stop_under_traffic "$b"
run "SIGTERM to the leader under traffic loses nothing" stop_under_traffic "$a"
run "SIGTERM under traffic, without rings" stop_under_traffic "$a" --workers 0
run "drain.time ends under endless traffic" traffic_does_not_keep_it
run "a second signal ends the pod at once" second_signal_ends_at_once
run "a pod without traffic ends after a second" quiet_pod_ends_after_a_second
run "pods that stop at once do not wait for each other" all_at_once
run "SIGHUP: hold.time and log.level take effect" reload_takes_effect
run "SIGHUP: leader_generation changes the leader" reload_moves_the_lead_with_its_generation
run "SIGHUP: options that need a restart are logged" reload_names_what_needs_a_restart
run "SIGHUP: a broken file changes nothing" broken_file_changes_nothing
run "SIGHUP under traffic loses nothing" reload_under_traffic
run "a second daemon fails at once" second_daemon_fails_at_once
run "an address of another host is refused" address_that_is_not_ours
run "wrong options are refused" wrong_options
run "a dead leader blocks no thread" dead_leader
run "a dead leader blocks no thread, without rings" dead_leader --workers 0
if ip netns add "headless-$$-0" 2>/dev/null; then
    ip netns delete "headless-$$-0"
    run "a leader without a route blocks no thread" leader_without_route
else
    skip "a leader without a route blocks no thread" "network namespaces are not permitted"
fi
finish
