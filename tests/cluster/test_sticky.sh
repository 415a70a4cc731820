#!/usr/bin/env bash
# drain.sessions stay: after a leader has stepped down in order, the clients that its app knows go on with it, and new
# clients reach the next leader's app. The apps refuse clients that they do not know.
#
#   tests/cluster/test_sticky.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib_session_apps.sh
. "$(dirname "$0")/lib_session_apps.sh"

a=127.0.39.11 # leads at first
b=127.0.39.12
c=127.0.39.13
pods=("$a" "$b" "$c")
pod_environment+=(HEADLESSD_REPLY_GRACE=500ms HEADLESSD_APP_IDLE=10m HEADLESSD_DRAIN_SESSIONS=stay)

# say PORT POD TEXT: from a client with this port; prints the reply.
say()
{
    ask -s "127.0.39.99:$1" "$2" "$3"
}

# Clients 4000 to 4003: one at each pod, and a second one at the third.
clients_come()
{
    expect "client 4000" "$(say 4000 "$a" hello)" "app-11 welcome"
    expect "client 4001" "$(say 4001 "$b" hello)" "app-11 welcome"
    expect "client 4002" "$(say 4002 "$c" hello)" "app-11 welcome"
    expect "client 4003" "$(say 4003 "$c" hello)" "app-11 welcome"
}

known_clients()
{
    clients_come
    wait_until "the leader knows of its sessions" knows_sessions
}

knows_sessions()
{
    (($(metric "$a" sessions) == 4))
}

# each_stays POD...: these pods ask the former leader first. By their logs: a slow machine may poll only after drain.time.
each_stays()
{
    local pod
    for pod in "$@"; do
        has_lines "$pod" ' sessions_stay: ' 1 || return 1
    done
}

none_stays()
{
    local pod
    for pod in "$@"; do
        metric_is "$pod" former_leader_serves 0 || return 1
    done
}

# leave_one POD...: stops all pods but the leader, one after the other. Of all that stop at once the last leader waits for
# its successor until that counts as dead.
leave_one()
{
    local pod
    for pod in "$@"; do
        pod_stop "$pod"
    done
}

# The known clients go on with app 11, new ones reach app 12, through every pod.
both_are_served()
{
    expect "known at $a" "$(say 4000 "$a" one)" "app-11 one"
    expect "known at $b" "$(say 4001 "$b" two)" "app-11 two"
    expect "known at $c" "$(say 4002 "$c" three)" "app-11 three"
    expect "new at $a" "$(say "${1}0" "$a" hello)" "app-12 welcome"
    expect "new at $b" "$(say "${1}1" "$b" hello)" "app-12 welcome"
    expect "new at $c" "$(say "${1}2" "$c" hello)" "app-12 welcome"
    expect "and again" "$(say "${1}2" "$c" more)" "app-12 more"
}

command_keeps_sessions()
{
    pods_with_apps --drain-time 1m "$@"
    known_clients
    lead "$b" "$c"
    wait_until "all ask the former leader first" each_stays "${pods[@]}"
    both_are_served 500
    expect_match "status" "$(http "$c:8080/status")" '"former_leader":\{"address":"127.0.39.11"'
    wait_until "reply.grace is over" grace_is_over
    both_are_served 510
    expect "served by the former leader" "$(metric "$a" datagrams_delivered_former_total)" 6
    expect "replies that were fenced" "$(total replies_fenced_total "${pods[@]}")" 0
    # A command that changes the leader again ends it.
    lead "$c" "$b"
    wait_until "the sessions of $a do not stay" is_not_known
    ledger_closes "${pods[@]}"
}

# Older than reply.grace: the age of the present leader.
grace_is_over()
{
    [[ $(http "$c:8080/status") =~ \"leader_age_ms\":([0-9]+) ]] && ((BASH_REMATCH[1] > 1000))
}

# Client 4002 does not reach app 11; the apps of b and c do not know it.
is_not_known()
{
    [[ $(say 4002 "$c" four) =~ ^app-1[23]\ unknown$ ]]
}

# Sessions end by app.idle: then all is at the leader. The first may end before the last begins.
sessions_end()
{
    pods_with_apps --drain-time 1m --app-idle 1s
    clients_come
    lead "$b" "$c"
    wait_until "they end" none_stays "${pods[@]}"
    expect "known before" "$(say 4002 "$c" late)" "app-12 unknown"
    ledger_closes "${pods[@]}"
    leave_one "$a" "$c"
}

# drain.time is over, and the sessions are not.
time_ends()
{
    pods_with_apps --drain-time 3s
    known_clients
    lead "$b" "$c"
    wait_until "all ask the former leader first" each_stays "${pods[@]}"
    wait_until "it ends" none_stays "${pods[@]}"
    expect "known before" "$(say 4002 "$c" late)" "app-12 unknown"
    expect_log "$c" sessions_moved
    ledger_closes "${pods[@]}"
    leave_one "$a" "$c"
}

# The app of the former leader has a request while the time ends, and replies after it.
last_replies_leave()
{
    local asked=0 reply
    pods_with_apps --drain-time 2s
    known_clients
    lead "$b" "$c"
    wait_until "all ask the former leader first" each_stays "${pods[@]}"
    while reply=$(say 4002 "$c" "slow $asked") && [[ $reply != "app-12 unknown" ]]; do
        expect "reply $asked" "$reply" "app-11 slow $asked"
        asked=$((asked + 1))
    done
    expect "replies that were fenced" "$(total replies_fenced_total "${pods[@]}")" 0
    ledger_closes "${pods[@]}"
    leave_one "$a" "$c"
}

stop_keeps_sessions()
{
    local pid
    pods_with_apps --drain-time 1m --app-idle 4s
    known_clients
    pid=${pod_pids[$a]}
    kill -TERM "$pid"
    wait_until "all ask the stopping pod first" each_stays "${pods[@]}"
    both_are_served 500
    wait_until "reply.grace is over" grace_is_over
    both_are_served 510
    wait_until "its sessions end" none_stays "$b" "$c"
    pod_stop "$a"
    expect "known before" "$(say 4002 "$c" late)" "app-12 unknown"
    ledger_closes "$b" "$c"
    expect "replies that were fenced" "$(total replies_fenced_total "$b" "$c")" 0
    leave_one "$c"
}

# A stopping pod with sessions that do not end leaves at drain.time, and loses nothing: every request gets its reply.
stop_ends_in_time()
{
    local asked=0 reply
    pods_with_apps --drain-time 3s
    known_clients
    kill -TERM "${pod_pids[$a]}"
    wait_until "all ask the stopping pod first" each_stays "$b" "$c"
    until has_ended "${pod_pids[$a]}"; do
        reply=$(say 4002 "$c" "ask $asked")
        [[ $reply == "app-11 ask $asked" || $reply == "app-12 unknown" ]] || fail "ask $asked: '$reply'"
        asked=$((asked + 1))
    done
    pod_stop "$a"
    expect "known before" "$(say 4002 "$c" late)" "app-12 unknown"
    ledger_closes "$b" "$c"
    leave_one "$c"
}

former_dies()
{
    pods_with_apps --drain-time 1m
    known_clients
    lead "$b" "$c"
    wait_until "all ask the former leader first" each_stays "${pods[@]}"
    expect "known" "$(say 4002 "$c" one)" "app-11 one"
    pod_kill "$a"
    wait_until "client 4002 reaches the new leader" moves
    wait_until "nobody asks the dead pod" none_stays "$b" "$c"
    expect "client 4001" "$(say 4001 "$b" two)" "app-12 unknown"
    ledger_closes "$b" "$c"
    leave_one "$c"
}

# A request that was under way to the dead pod is lost: ask again.
moves()
{
    [[ $(ask -t 500 -s 127.0.39.99:4002 "$c" two) == "app-12 unknown" ]]
}

leader_dies()
{
    pods_with_apps --drain-time 1m
    known_clients
    lead "$b" "$c"
    wait_until "all ask the former leader first" each_stays "${pods[@]}"
    pod_kill "$b"
    wait_until "another leads" agree_without "$b" "$a" "$c"
    wait_until "nobody asks $a first as the former leader" none_stays "$a" "$c"
    ledger_closes "$a" "$c"
}

# A crash of the leader keeps nothing.
crash_keeps_nothing()
{
    pods_with_apps --drain-time 1m
    known_clients
    pod_kill "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    expect "sessions stay" "$(total former_leader_serves "$b" "$c")" 0
    expect_match "client 4002" "$(say 4002 "$c" one)" "^app-1[23] unknown$"
    ledger_closes "$b" "$c"
}

move_is_the_default()
{
    pods_with_apps --drain-time 1m --drain-sessions move
    known_clients
    lead "$b" "$c"
    expect "client 4002" "$(say 4002 "$c" one)" "app-12 unknown"
    expect "sessions stay" "$(total former_leader_serves "${pods[@]}")" 0
    ledger_closes "${pods[@]}"
}

needs_route_leader()
{
    local errors
    errors=$("$headlessd" --check-config --self "$a" --route all --drain-sessions stay 2>&1) && fail "route all is taken"
    expect_match "why" "$errors" "drain.sessions stay needs route leader and relay.format framed"
}

run "a command: known clients stay, new ones reach the new leader" command_keeps_sessions
run_long "the same without rings" command_keeps_sessions --workers 0
run "sessions end: all is at the leader" sessions_end
run "drain.time is over: all is at the leader" time_ends
run "drain.time is over: the last replies of the former leader leave" last_replies_leave
run "SIGTERM: known clients stay until their sessions end" stop_keeps_sessions
run "SIGTERM: the pod leaves after drain.time, and every request gets its reply" stop_ends_in_time
run "the former leader dies: its clients reach the new leader" former_dies
run "the new leader dies: nothing stays" leader_dies
run "the leader dies: nothing stays" crash_keeps_nothing
run "move: all clients reach the new leader" move_is_the_default
run "stay needs route leader" needs_route_leader
finish
