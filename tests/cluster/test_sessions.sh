#!/usr/bin/env bash
# headlessctl sessions: the client of each address that the app sees, reported by workers under load.
#
#   tests/cluster/test_sessions.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.63.11 # leads
b=127.0.63.12
app=127.0.63.53:5300

# start MODE_OF_APP OPTION...
start()
{
    app_start app "$tools/udp_app" "$app" "$1"
    pods_start "$a" "$b" -- --app "udp://$app" --leader "$a" "${@:2}"
}

# sessions ADDRESS [OPTION...]: sets status to the exit code; the output is in $work/sessions.
sessions()
{
    status=0
    "$headlessctl" --admin "$1" sessions "${@:2}" >"$work/sessions" 2>"$work/errors" || status=$?
}

clients_are_listed()
{
    local first second status
    start source "$@"
    first=$(ask -s 127.0.63.201:40001 "$a" hi)
    second=$(ask -s 127.0.63.202:40001 "$b" hi)
    ask -s 127.0.63.202:40001 "$b" hi >/dev/null
    first=${first#from } second=${second#from }
    first=${first%:*} second=${second%:*}
    sessions "$a"
    expect "exit code" "$status" 0
    expect_match "the newer one" "$(sed -n 2p "$work/sessions")" \
        "^127.0.63.202:40001 $b:12000 $b +$second +[0-9.]+ s +[0-9.]+ s +2$"
    expect_match "the older one" "$(sed -n 3p "$work/sessions")" \
        "^127.0.63.201:40001 $a:12000 - +$first +[0-9.]+ s +[0-9.]+ s +1$"
    expect "the last line" "$(tail -n 1 "$work/sessions")" "2 of 2 sessions"
    sessions "$a" "$second" --json
    expect "of whom the app sees" "$(jq -r '.sessions | map(.client) | join(" ")' "$work/sessions")" \
        127.0.63.202:40001
    sessions "$a" 127.0.63.201
    expect "of a client" "$(grep -c ^127 "$work/sessions") $status" "1 0"
    sessions "$a" 127.0.63.20
    expect "of nobody" "$(grep -c ^127 "$work/sessions") $status" "0 1"
    sessions "$b"
    expect "of a follower" "$(tail -n 1 "$work/sessions") $status" "0 of 0 sessions 0"
    expect "sessions in /metrics" "$(metric "$a" sessions)" 2
    together_closes "$a" "$b"
}

# Continuous requests while many clients start: nothing is lost, and each document is valid.
under_load()
{
    local asked=0 load
    start echo --workers 2 --receivers 2
    "$bench" send --to "$a:12000,$b:12000" --flows 1500 --size 48 --count 20000 --outstanding 64 \
        >"$work/bench.out" 2>&1 &
    load=$!
    while kill -0 "$load" 2>/dev/null; do
        http "$a:8080/sessions" >"$work/page" || fail "no page"
        jq -e '(.sessions | length) <= 1000 and (.sessions | length) <= .total + 64 and
            ([.sessions[].idle_ms] | . == sort)' "$work/page" >/dev/null || fail "$(head -c 300 "$work/page")"
        asked=$((asked + 1))
    done
    wait "$load" || fail "the load: status $?"
    ((asked > 2)) || fail "asked $asked times only"
    wait_until "all workers have told" is_complete
    expect "sessions in the page" "$(jq '.sessions | length' "$work/page")" 1000
    expect "sessions in all" "$(jq .total "$work/page")" "$(metric "$a" sessions)"
    ledger_closes "$a" "$b"
}

is_complete()
{
    http "$a:8080/sessions" >"$work/page" && jq -e '.complete and (.sessions | length) == 1000' "$work/page" >/dev/null
}

run "the client of each session address is listed" clients_are_listed
run "the client of each session address is listed, without workers" clients_are_listed --workers 0
run "requests under load lose nothing" under_load
finish
