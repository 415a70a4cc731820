#!/usr/bin/env bash
# Datagrams that an app sends without a request (CoAP observe, subscriptions): after a leader change the new leader's app
# sends them, although its client was silent, and no event reaches the client from two apps.
#
#   tests/cluster/test_pushes.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib_session_apps.sh
. "$(dirname "$0")/lib_session_apps.sh"

a=127.0.38.11 # leads at first
b=127.0.38.12
c=127.0.38.13
pods=("$a" "$b" "$c")
pod_environment+=(HEADLESSD_REPLY_GRACE=1s)

# subscribe POD: a client in the background, which subscribes once and then only listens.
subscribe()
{
    : >"$work/pushes"
    "$tools/udp_ask" -r -t 600000 "$1:12000" subscribe >"$work/pushes" &
    app_pids[subscriber]=$!
}

# pushes_from N NUMBER: the client has had pushes of app N, and more than NUMBER.
pushes_from()
{
    (($(grep -c "app-$1 push" "$work/pushes") > $2))
}

# Each tick is in one push, whichever app sent it.
each_event_came_once()
{
    local twice
    twice=$(sed -n 's/.* push //p' "$work/pushes" | sort | uniq -d | wc -l)
    expect "events that came twice" "$twice" 0
}

# sources: prints the apps whose pushes came, in their order.
sources()
{
    sed -n 's/^app-\([0-9]*\) push .*/\1/p' "$work/pushes" | uniq | xargs
}

sources_are()
{
    [[ $(sources) == "$1" ]]
}

lead_moves()
{
    pods_with_apps --route all
    subscribe "$c"
    wait_until "the leader's app pushes" pushes_from 11 20
    lead "$b" "$c"
    wait_until "the new leader's app pushes" pushes_from 12 20
    lead "$a" "$c"
    wait_until "one app pushes at a time" sources_are "11 12 11"
    each_event_came_once
    ledger_closes "${pods[@]}"
}

leader_dies()
{
    pods_with_apps --route all
    subscribe "$c"
    wait_until "the leader's app pushes" pushes_from 11 20
    pod_kill "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    wait_until "the new leader's app pushes" pushes_from "$(leader_of "$c" | sed 's/.*\.//')" 20
    each_event_came_once
    ledger_closes "$b" "$c"
}

# With reply.grace 0 a push cannot be told from a late reply: none leaves.
without_grace()
{
    pods_with_apps --route all --reply-grace 0
    subscribe "$c"
    wait_until "the leader's app pushes" pushes_from 11 20
    lead "$b" "$c"
    wait_until "the new leader suppresses" suppresses_more "$(metric "$b" replies_suppressed_total)"
    expect "pushes of the new leader's app" "$(sources)" 11
    ledger_closes "${pods[@]}"
}

suppresses_more()
{
    (($(metric "$b" replies_suppressed_total) > $1 + 20))
}

run "pushes go on from the new leader's app after a command, and back" lead_moves
run "pushes go on from the new leader's app after a crash" leader_dies
run "reply.grace 0: the new leader's app does not push" without_grace
finish
