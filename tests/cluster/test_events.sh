#!/usr/bin/env bash
# GET /events: a stream of leader changes, on real pods: a change after a kill, stopped readers,
# more readers than the limit, and the stop of a pod.
#
#   tests/cluster/test_events.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.61.11 # leads
b=127.0.61.12
c=127.0.61.13

# listen NAME ADDRESS OPTION...: starts a reader in the background, its stream in $work/NAME.events.
listen()
{
    curl -sN "${@:3}" "http://$2:8080/events" >"$work/$1.events" &
    app_pids[$1]=$!
}

has_heard()
{
    grep -qF -- "$2" "$work/$1.events"
}

# hears NAME TEXT
hears()
{
    wait_until "$1 hears '$2'" has_heard "$@"
}

# leader_event ADDRESS: prints the begin of the event with this leader.
leader_event()
{
    echo "data: {\"leader\":{\"address\":\"$1\""
}

ids_grow()
{
    sed -n 's/^id: //p' "$work/$1.events" >"$work/ids"
    sort -n -u -c "$work/ids" 2>/dev/null || fail "the ids of $1 do not grow: $(tr '\n' ' ' <"$work/ids")"
}

# status_of ADDRESS [CURL_OPTION...]
status_of()
{
    curl -s -m 60 -o "$work/answer" -w '%{http_code}' "${@:2}" "http://$1:8080/events" || true
}

start()
{
    pods_start "$a" "$b" "$c" -- --leader "$a"
}

kill_is_an_event()
{
    local told
    start
    listen b "$b"
    hears b "$(leader_event "$a")"
    pod_kill "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    hears b "$(leader_event "$(leader_of "$b")")"
    hears b "\"term\":$(metric "$b" term),"
    told=$(sed -n 's/^data: //p' "$work/b.events" | tail -n 1)
    expect "the last event, and /leader" "$told" "$(http "$b:8080/leader")"
    expect "names of the events" "$(sed -n 's/^event: //p' "$work/b.events" | sort -u)" leader
    ids_grow b
}

stopped_reader_delays_no_other()
{
    local term
    start
    listen still "$b"
    listen quick "$b"
    hears still "$(leader_event "$a")"
    hears quick "$(leader_event "$a")"
    kill -STOP "${app_pids[still]}"
    lead "$c" "$b"
    hears quick "$(leader_event "$c")"
    lead "$a" "$b"
    term=$(metric "$b" term)
    hears quick "\"term\":$term,"
    is_alive "$b" || fail "livez does not answer"
    kill -CONT "${app_pids[still]}"
    hears still "\"term\":$term,"
}

the_17th_is_refused()
{
    local i
    start
    for i in {1..8}; do
        listen "reader-$i" "$b" --interface 127.0.61.101
    done
    metric_becomes "$b" event_streams 8
    expect "status of one more of this client" "$(status_of "$b" --interface 127.0.61.101)" 503
    expect_match "answer to it" "$(<"$work/answer")" "^8 streams are open from your address"
    for i in {9..16}; do
        listen "reader-$i" "$b" --interface 127.0.61.102
    done
    metric_becomes "$b" event_streams 16
    expect "status of one more" "$(status_of "$b")" 503
    expect_match "answer to one more" "$(<"$work/answer")" "^16 streams are open"
    is_alive "$b" || fail "livez does not answer"
    is_ready "$b" || fail "readyz does not answer"
    lead "$c" "$b"
    for i in {1..16}; do
        hears "reader-$i" "$(leader_event "$c")"
    done
    apps_stop
    metric_becomes "$b" event_streams 0
    listen late "$b"
    hears late "$(leader_event "$c")"
}

# headlessctl: a line per change, until the pod ends.
headlessctl_follows()
{
    local pid status=0
    start
    "$headlessctl" --admin "$b" events >"$work/ctl.events" 2>"$work/ctl.errors" &
    pid=$!
    app_pids[ctl]=$pid
    hears ctl ": $a"
    lead "$c" "$a"
    wait_until "its pod follows" agree "$c" "$b"
    hears ctl "term $(metric "$b" term), by command: $c"
    pod_stop "$b"
    wait_until "headlessctl ends" has_ended "$pid"
    wait "$pid" || status=$?
    unset "app_pids[ctl]"
    expect "exit status of headlessctl" "$status" 1
    expect "its last word" "$(<"$work/ctl.errors")" "headlessctl: the pod has ended the stream"
}

only_get_and_head()
{
    start
    expect "HEAD" "$(status_of "$a" --head)" 200
    expect_match "type" "$(<"$work/answer")" "Content-Type: text/event-stream"
    expect "POST" "$(status_of "$a" -d x)" 405
    metric_becomes "$a" event_streams 0
}

# While it drains, its readers get the event with the successor.
the_end_of_a_pod_ends_its_streams()
{
    local pid status=0
    start
    listen a "$a"
    hears a "$(leader_event "$a")"
    pid=${app_pids[a]}
    pod_stop "$a"
    wait_until "the reader ends" has_ended "$pid"
    wait "$pid" || status=$?
    unset "app_pids[a]"
    expect "exit status of curl" "$status" 0
    grep -q -E '^data: \{"leader":\{"address":"127\.0\.61\.1[23]"' "$work/a.events" ||
        fail "no event with the successor: $(<"$work/a.events")"
}

a_silent_stream_is_kept_alive()
{
    start
    listen a "$a"
    hears a "$(leader_event "$a")"
    wait_until "a comment line" grep -q '^: $' "$work/a.events"
    lead "$b" "$a"
    hears a "$(leader_event "$b")"
}

run "the leader change after a kill is an event" kill_is_an_event
run "a stopped reader does not delay the others" stopped_reader_delays_no_other
run "the 17th reader is refused" the_17th_is_refused
run "only GET and HEAD are allowed" only_get_and_head
run "the stop of a pod ends its streams" the_end_of_a_pod_ends_its_streams
run "headlessctl follows the events" headlessctl_follows
run_long "a stream without events gets keep-alive comments" a_silent_stream_is_kept_alive
finish
