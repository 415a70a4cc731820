#!/usr/bin/env bash
# The ingress filter of the data port: data.allow and data.rate refuse the right datagrams, and count
# each; GSO batches, leader commands and a reload included. Relayed datagrams are not filtered again.
#
#   tests/cluster/test_ingress_filter.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.44.11
b=127.0.44.12
client=127.0.44.65
other=127.0.44.66
outside=127.0.44.129
allowed=127.0.44.0/25 # does not contain the unknown source

# gets_replies SOURCE POD COUNT: COUNT datagrams of SOURCE, one after the other, get replies.
gets_replies()
{
    "$tools/udp_ask" -s "$1" -k "$3" -e "$2:12000" "from $1" >/dev/null ||
        fail "$1 gets no reply from $2"
}

# cast SOURCE POD COUNT: sends COUNT datagrams, without waiting.
cast()
{
    "$tools/udp_ask" -s "$1" -n -k "$3" "$2:12000" "from $1" || fail "$1 cannot send"
}

# refused SOURCE POD: it gets no reply.
refused()
{
    expect "exit code of $1 at $2, silence" "$(ask_status -s "$1" -t 300 "$2:12000" "let me in")" 1
}

allow_refuses_other_sources()
{
    pods_start "$a" "$b" -- --leader "$a" --data-allow "$allowed"
    gets_replies "$client" "$a" 3
    gets_replies "$client" "$b" 3
    refused "$outside" "$a"
    refused "$outside" "$b"
    dropped_becomes "$a" acl 1
    dropped_becomes "$b" acl 1
    expect "command of the other source" \
        "$(ask -s "$outside" -t 300 "$a" "{\"leader\":\"$b\"}" 2>/dev/null)" ""
    dropped_becomes "$a" acl 2
    expect "leader" "$(leader_of "$a")" "$a"
    expect_match "command of a client" "$(ask -s "$client" "$a" "{\"leader\":\"$b\"}")" "^ok "
    together_closes "$a" "$b"
}

# passed_by SINCE BURST: the number of datagrams of one client that pass at one a second is right.
passed_by()
{
    echo $(($2 + EPOCHSECONDS - $1 + 1))
}

rate_stops_one_and_not_the_other()
{
    local started
    pods_start "$a" "$b" -- --leader "$a" --data-rate 1 --data-burst 20 "$@"
    started=$EPOCHSECONDS
    cast "$client" "$b" 100
    gets_replies "$other" "$b" 20
    metric_becomes "$b" 'datagrams_received_total{socket="data"}' 120
    ledger_closes "$b"
    expect_between "dropped at $b" "$(dropped "$b" rate)" $((100 - $(passed_by "$started" 20))) 80
    expect "dropped at $a, for the ingress pod has asked" "$(dropped "$a" rate)" 0
    together_closes "$a" "$b"
}

# Many datagrams in GSO batches, some of them split: each one is counted against the rate.
rate_holds_for_trains()
{
    local started elapsed passed
    pods_start "$a" -- --app discard --data-rate 500 --data-burst 100 --rcvbuf max
    started=$(now_ms)
    "$bench" send --from "$client" --to "$a:12000" --one-way --gso --burst 48 --microburst 48 \
        --rate 5000 --count 7500 --max-lateness 60s >"$work/bench.out" ||
        fail "could not send: $(cat "$work/bench.out")"
    ledger_closes "$a"
    passed=$(metric "$a" datagrams_delivered_total)
    elapsed=$(($(now_ms) - started))
    expect_between "passed in $elapsed ms" "$passed" 100 $((101 + elapsed / 2))
    expect "dropped" "$(dropped "$a" rate)" \
        $(($(metric "$a" 'datagrams_received_total{socket="data"}') - passed))
    timed expect_between "passed in $elapsed ms" "$passed" $((100 + 500)) $((101 + elapsed / 2))
    (($(metric "$a" receive_gro_batches_total) < 7500)) || fail "no GRO batch came"
}

commands_count()
{
    local started
    pods_start "$a" "$b" -- --leader "$a" --data-rate 1 --data-burst 20
    started=$EPOCHSECONDS
    # With a number behind it is a broken command, which would get a reply.
    "$tools/udp_ask" -s "$client" -n -k 100 "$a:12000" "{\"leader\":\"$b\"}" || fail "cannot send"
    metric_becomes "$a" 'datagrams_received_total{socket="data"}' 100
    ledger_closes "$a"
    expect_between "dropped" "$(dropped "$a" rate)" $((100 - $(passed_by "$started" 20))) 80
    expect "looked at" "$(metric "$a" 'control_messages_total{result="bad_json"}')" \
        $((100 - $(dropped "$a" rate)))
    expect_match "command of another" "$(ask -s "$other" "$a" "{\"leader\":\"$b\"}")" "^ok "
    together_closes "$a" "$b"
}

# At the leader all of them have the ingress pod's address: they are other clients' datagrams.
relayed_raw_is_not_asked()
{
    local i
    pods_start "$a" "$b" -- --leader "$a" --relay-format raw --app discard --data-rate 1 \
        --data-burst 10 --data-allow "127.0.44.64/26,$b"
    for i in {65..84}; do
        cast "127.0.44.$i" "$b" 10
    done
    metric_becomes "$a" datagrams_delivered_total 200
    expect "dropped at $b" "$(dropped "$b" rate) $(dropped "$b" acl)" "0 0"
    expect "dropped at $a" "$(dropped "$a" rate) $(dropped "$a" acl)" "0 0"
    ledger_closes "$a" "$b"
}

write_file()
{
    replace_file "$work/config.yaml" "$@"
}

# reload LINE: SIGHUP, and waits until the log has another of it.
reload()
{
    local before
    before=$(grep -c "$1" "$work/$a.log" || true)
    kill -HUP "${pod_pids[$a]}"
    wait_until "the log says $1" says_more_often "$1" "$before"
}

says_more_often()
{
    (($(grep -c "$1" "$work/$a.log" || true) > $2))
}

drops_more()
{
    (($(dropped "$a" "$1") > $2))
}

# is_refused_now SOURCE REASON BEFORE: the supervisor publishes the change shortly after it logs it.
is_refused_now()
{
    ask -s "$1" -t 100 "$a" "let me in" >/dev/null
    drops_more "$2" "$3"
}

gets_reply_now()
{
    [[ $(ask_status -s "$1" -t 500 "$a:12000" "let me in") == 0 ]]
}

reload_changes_both()
{
    local before started
    write_file 'log.level: info'
    pods_start "$a" -- -c "$work/config.yaml"
    gets_replies "$outside" "$a" 3
    write_file "data.allow: [$allowed]"
    reload 'option_reloaded: data.allow'
    wait_until "the other source is refused" is_refused_now "$outside" acl 0
    before=$(dropped "$a" acl)
    refused "$outside" "$a"
    wait_until "and counted" drops_more acl "$before"
    gets_replies "$client" "$a" 40

    write_file "data: {allow: [$allowed], rate: 1, burst: 5}"
    reload 'option_reloaded: data.rate'
    started=$EPOCHSECONDS
    wait_until "the client is refused" is_refused_now "$client" rate 0
    before=$(dropped "$a" rate)
    cast "$client" "$a" 100
    gets_replies "$other" "$a" 5
    ledger_closes "$a"
    wait_until "most of them are dropped" drops_more rate $((before + 99 - $(passed_by "$started" 0)))

    write_file 'data.allow: none' 'data.burst: 5'
    reload reload_failed
    expect_log "$a" 'config.yaml:1: data.allow: no source could send'
    expect_log "$a" 'config.yaml:2: data.burst: data.burst 5 limits nothing without data.rate'
    refused "$outside" "$a"

    write_file 'log.level: info'
    reload 'option_reloaded: data.allow'
    wait_until "the other source gets a reply" gets_reply_now "$outside"
    gets_replies "$client" "$a" 40
    ledger_closes "$a"
}

run "data.allow refuses other sources" allow_refuses_other_sources
run "data.rate limits each client separately" rate_stops_one_and_not_the_other
run "data.rate limits each client separately, without rings" rate_stops_one_and_not_the_other --workers 0
run "data.rate limits each client separately, several workers" rate_stops_one_and_not_the_other --workers 3
run "data.rate applies to GSO batches" rate_holds_for_trains
run "leader commands count against data.rate" commands_count
run "datagrams relayed raw are not filtered again" relayed_raw_is_not_asked
run "SIGHUP changes data.allow and data.rate" reload_changes_both
finish
