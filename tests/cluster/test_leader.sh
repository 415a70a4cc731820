#!/usr/bin/env bash
# The leader: whoami through every pod, {"leader":...} from a client, datagrams that are no command, requests
# held without a leader, and pods that name each other as the leader.
#
#   tests/cluster/test_leader.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Open: it checks refused commands and their reasons.
. "$(dirname "$0")/lib.sh"

a=127.0.1.11
b=127.0.1.12
c=127.0.1.13
question="who leads, please? $(printf '%080d' 0)" # longer than any reply

# leads LEADER TERM ADDRESS...: every pod relays to this leader.
leads()
{
    local leader=$1 term=$2 via is=0
    shift 2
    for via in "$@"; do
        expect_match "whoami through $via" "$(ask "$via" "$question")" \
            "^[^ ]+ ${leader//./\\.} leader term $term via ${via//./\\.} you 127\.0\.0\.1:[0-9]+$"
        is=0
        [[ $via != "$leader" ]] || is=1
        expect "is_leader of $via" "$(metric "$via" is_leader)" "$is"
        expect "/leader of $via" "$(http "$via:8080/leader" | jq -r .leader.address)" "$leader"
    done
}

whoami_names_the_leader()
{
    pods_start "$a" "$b" "$c" -- --app whoami --leader "$b"
    leads "$b" 1 "$a" "$b" "$c"
    http "$b:8080/leader/me" >/dev/null || fail "/leader/me of the leader is not 200"
    if http "$a:8080/leader/me" >/dev/null; then fail "/leader/me of a follower is 200"; fi
    together_closes "$a" "$b" "$c"
    expect "delivered by the leader" "$(metric "$b" datagrams_delivered_total)" 3
    expect "delivered elsewhere" "$(total datagrams_delivered_total "$a" "$c")" 0
}

command_moves_the_lead()
{
    local answer term
    pods_start "$a" "$b" "$c" -- --app whoami --leader "$a"
    leads "$a" 1 "$a" "$b" "$c"
    # with nc, a newline included; to each pod, as the first version required
    for pod in "$c" "$a" "$b"; do
        answer=$(echo "{\"leader\":\"$b\"}" | nc -u -W 1 -w 30 "$pod" 12000)
        expect "answer of $pod" "$answer" "ok 2"
        # a datagram after the reply reaches the new leader
        expect_match "next datagram" "$(ask "$pod" "$question")" "^$b $b leader term 2 via $pod "
    done
    leads "$b" 2 "$a" "$b" "$c"
    expect "cause" "$(http "$a:8080/leader" | jq -r .cause)" command
    answer=$(ask "$a" "{\"leader\":\"$c\"}") # one pod is enough
    expect "answer" "$answer" "ok 3"
    for pod in "$a" "$b" "$c"; do
        wait_until "$pod follows" metric_is "$pod" term 3
    done
    leads "$c" 3 "$a" "$b" "$c"
    together_closes "$a" "$b" "$c"
    expect "counted as ok" "$(total 'control_messages_total{result="ok"}' "$a" "$b" "$c")" 4
}

command_by_name()
{
    pods_start "alpha=$a" "beta=$b" -- --app whoami --leader alpha
    expect_match "whoami" "$(ask "$b" "$question")" "^alpha $a leader term 1 via $b "
    expect "answer" "$(ask "$a" '{"leader":"beta"}')" "ok 2"
    expect "answer" "$(ask "$b" '{"leader":"beta"}')" "ok 2"
    expect_match "whoami" "$(ask "$a" "$question")" "^beta $b leader term 2 via $a "
    expect "unknown name" "$(ask "$a" '{"leader":"gamma"}')" "no member"
    expect "part of a name" "$(ask "$a" '{"leader":"alph"}')" "no member"
    ledger_closes "$a" "$b"
}

# Names of nodes: they are shortened, and leader commands take them in full or as shown.
command_by_long_name()
{
    local node shown
    node="Node.$(printf '%0200d' 0).eu-central-1.compute.internal"
    pods_start "$node-a=$a" "$node-b=$b" -- --app whoami --leader "$a"
    shown=$(http "$b:8080/leader" | jq -r .me.name)
    expect "length of the name" "${#shown}" 63
    expect "a long name" "$(ask "$a" "{\"leader\":\"$node-b\"}")" "ok 2"
    expect "as shown" "$(ask "$a" "{\"leader\":\"$shown\"}")" "ok 2"
    "$headlessctl" --data "$a" leader set "$node-a" >"$work/ctl.out" || fail "leader set: status $?"
    expect "the leader" "$(http "$a:8080/leader" | jq -r .leader.address)" "$a"
    grep -q "warning: .*$node" "$work/$a.log" && fail "the warning is not cut"
    expect_log "$a" 'warning: .* is longer than 63 characters, shortened to Node'
    ledger_closes "$a" "$b"
}

if_term_and_repetition()
{
    pods_start "$a" "$b" -- --app whoami --leader "$a"
    expect "no-op" "$(ask "$a" "{\"leader\":\"$a\"}")" "ok 1"
    expect "no-op at a follower" "$(ask "$b" "{\"leader\":\"$a\"}")" "ok 1"
    expect "wrong if_term" "$(ask "$a" "{\"leader\":\"$b\",\"if_term\":7}")" "bad term"
    expect "term" "$(metric "$a" term)" 1
    expect "right if_term" "$(ask "$a" "{\"leader\":\"$b\",\"if_term\":1}")" "ok 2"
    expect "the same again finds it done" \
        "$(ask "$a" "{\"leader\":\"$b\",\"if_term\":1}")" "ok 2"
    expect "back, in a term that is over" \
        "$(ask "$a" "{\"leader\":\"$a\",\"if_term\":1}")" "bad term"
    expect "spaced and turned round" \
        "$(ask "$a" "{ \"if_term\" : 2 , \"leader\" : \"$b\" }")" "ok 2"
    expect "term" "$(metric "$a" term)" 2
    expect "counted as bad_term" "$(metric "$a" 'control_messages_total{result="bad_term"}')" 2
    expect "counted as ok" "$(metric "$a" 'control_messages_total{result="ok"}')" 4
    ledger_closes "$a" "$b"
}

# refused TEXT ANSWER: pod a refuses it, with a reply no longer than the request.
refused()
{
    local answer
    answer=$(ask "$a" "$1")
    expect "answer to $1" "$answer" "$2"
    ((${#answer} < ${#1})) || fail "the answer to $1 is longer than the question"
}

impossible_leaders_are_refused()
{
    pods_start "$a" "$b" -- --app whoami --leader "$a"
    refused '{"leader":"127.0.1.99"}' "no member"
    refused '{"leader":"10.0.0.1"}' "no member"
    refused '{"leader":"224.0.0.1"}' "no member"
    refused '{"leader":"0.0.0.0"}' "no member"
    refused '{"leader":"255.255.255.255"}' "no member"
    refused '{"leader":"::"}' "no member"
    refused "{\"leader\":\"$b:12000\"}" "no member"
    metric_becomes "$a" 'control_messages_total{result="no_member"}' 7
    leads "$a" 1 "$a" "$b"
    ledger_closes "$a" "$b"
}

broken_commands_are_refused()
{
    pods_start "$a" "$b" -- --app echo --leader "$a"
    refused "{\"leader\":\"$b\"" "bad json"
    refused "{\"leader\":\"$b\"}x" "bad json"
    refused "{\"leader\":\"$b\"}{\"leader\":\"$b\"}" "bad json"
    refused "{\"leader\":{\"leader\":\"$b\"}}" "bad json"
    refused "{\"leader\":[\"$b\"]}" "bad json"
    refused "{\"leader\":\"$b\",\"leader\":\"$b\"}" "bad json"
    refused '{"leader":""}' "bad json"
    refused '{"leader":null}' "bad json"
    refused '{"leader":1}' "bad json"
    refused "{\"leader\":\"$b\",\"if_term\":18446744073709551616}" "bad json"
    refused "{\"leader\":\"$b\",\"if_term\":-1}" "bad json"
    refused "{\"leader\":\"$(printf 'x%.0s' {1..254})\"}" "bad json"
    metric_becomes "$a" 'control_messages_total{result="bad_json"}' 12
    expect "leader" "$(metric "$a" is_leader)" 1
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 0
    ledger_closes "$a" "$b"
}

# stays_data TEXT...: echoed unchanged, through leader and follower.
stays_data()
{
    local text pod
    for text in "$@"; do
        for pod in "$a" "$b"; do
            expect "echo of ${text:0:60} through $pod" \
                "$(ask_status -e "$pod:12000" "$text")" 0
        done
    done
}

text_about_leaders_is_data()
{
    local spaces
    spaces=$(printf '%1100s' '')
    pods_start "$a" "$b" -- --app echo --leader "$a"
    stays_data 'leader' 'the "leader" is {here}' "{\"leader\":\"$b\",\"other\":1}" \
        "{\"other\":1,\"leader\":\"$b\"}" "[{\"leader\":\"$b\"}]" "\"leader\":\"$b\"" \
        "{\"Leader\":\"$b\"}" "{\"\\u006ceader\":\"$b\"}" "{\"leader\":\"$b\"$spaces}" \
        "$spaces{\"leader\":\"$b\"}" '{}' '{' 'null' "{\"data\":{\"leader\":\"$b\"}}"
    expect "control messages" "$(metric "$a" 'control_messages_total{result="ok"}')" 0
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 28
    together_closes "$a" "$b"
}

control_accept_none_makes_all_data()
{
    pods_start "$a" "$b" -- --app echo --leader "$a" --control-accept none
    stays_data "{\"leader\":\"$b\"}" '{"probe":"x"}' "{\"leader\":\"$b\""
    expect "leader" "$(metric "$a" is_leader)" 1
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 6
    together_closes "$a" "$b"
}

control_allow_refuses_other_sources()
{
    pods_start "$a" "$b" -- --app echo --leader "$a" --control-allow 127.0.1.200/29
    expect "stranger" "$(ask "$a" "{\"leader\":\"$b\"}")" "no auth"
    expect "leader" "$(metric "$a" is_leader)" 1
    expect "friend" "$(ask -s 127.0.1.201 "$a" "{\"leader\":\"$b\"}")" "ok 2"
    expect "leader" "$(metric "$a" is_leader)" 0
    expect "counted" "$(metric "$a" 'control_messages_total{result="no_auth"}')" 1
    ledger_closes "$a" "$b"
}

command_storm_is_bounded()
{
    pods_start "$a" "$b" -- --app whoami --leader "$a"
    # refusals: each is counted, few get a reply
    "$tools/udp_ask" -n -k 300 "$a:12000" '{"leader":"10.9.9.9"}{' || fail "cannot send"
    metric_becomes "$a" 'control_messages_total{result="bad_json"}' 300
    for _ in {1..5}; do
        "$tools/udp_ask" -n "$a:12000" "{\"leader\":\"$a\"}" || fail "cannot send"
        "$tools/udp_ask" -n "$a:12000" "{\"leader\":\"$b\"}" || fail "cannot send"
        "$tools/udp_ask" -n "$b:12000" "{\"leader\":\"$a\"}" || fail "cannot send"
    done
    wait_until "each has its outcome" is_closed "$a"
    wait_until "each has its outcome" is_closed "$b"
    wait_until "they agree" agree any "$a" "$b"
    expect_between "term" "$(metric "$a" term)" 2 16
    expect_match "still serves" "$(ask "$b" "$question")" "leader term"
    ledger_closes "$a" "$b"
}

probe_tells_the_leader()
{
    local pad answer probe
    pad=$(printf 'x%.0s' {1..200})
    pods_start "$a" "$b" -- --app echo --leader "$a"
    answer=$(ask "$b" "{\"probe\":\"n1\",\"pad\":\"$pad\"}")
    expect "probe" "$(jq -c '[.probe, .address, .via, .term]' <<<"$answer")" \
        "[\"n1\",\"$a\",\"$b\",1]"
    for probe in '{"probe":"n2"}' '{"probe":"n3","pad":"xxxxxxxx"}'; do
        answer=$(ask "$b" "$probe")
        ((${#answer} <= ${#probe})) || fail "the answer to $probe is longer: $answer"
        expect_match "short probe" "$answer" '^\{"probe":"n[23]"\}$'
    done
    expect "probes" "$(metric "$a" 'control_messages_total{result="probe"}')" 3
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 0
    together_closes "$a" "$b"
}

whoami_is_cut_to_the_question()
{
    pods_start "$a" "$b" -- --app whoami --leader "$a"
    expect "two bytes" "$(ask "$b" "hi")" "12"
    expect "no bytes" "$(ask_status -z 0 "$b:12000")" 0
    together_closes "$a" "$b"
}

# One of three pods is no majority: no leader until another starts.
held_until_somebody_leads()
{
    local pid
    pod_start_alone "$a" --peers "$a,$b,$c" --app echo --hold-time 1m
    expect "has_leader" "$(metric "$a" has_leader)" 0
    expect "/leader" "$(http "$a:8080/leader" | jq -r .leader)" null
    if http "$a:8080/readyz" >/dev/null; then fail "ready before it has joined"; fi
    # -e: the replies must be in the order of the requests
    "$tools/udp_ask" -t 60000 -k 500 -e "$a:12000" "held" &
    pid=$!
    metric_becomes "$a" datagrams_held 500
    pod_launch "$b" --peers "$a,$b,$c" --app echo --leader "$b"
    wait "$pid" || fail "held ones: not all were answered in order: status $?"
    expect "delivered" "$(total datagrams_delivered_total "$a" "$b")" 500
    together_closes "$a" "$b"
}

nothing_is_held_when_hold_time_is_0()
{
    pod_start_alone "$a" --peers "$a,$b,$c" --app echo --hold-time 0
    "$tools/udp_ask" -n -k 20 "$a:12000" "gone" || fail "cannot send"
    dropped_becomes "$a" no_leader 20
    expect "held" "$(metric "$a" datagrams_held)" 0
    ledger_closes "$a"
}

held_ones_expire()
{
    pod_start_alone "$a" --peers "$a,$b,$c" --app echo --hold-time 300ms
    "$tools/udp_ask" -n -k 20 "$a:12000" "too old" || fail "cannot send"
    dropped_becomes "$a" hold_expired 20
    expect "held" "$(metric "$a" datagrams_held)" 0
    pod_launch "$b" --peers "$a,$b,$c" --app echo
    wait_until "a leader" has_leader "$a"
    expect "later ones" "$(ask "$a" "fresh")" fresh
    ledger_closes "$a" "$b"
}

full_hold_drops_the_oldest()
{
    local pid
    pod_start_alone "$a" --peers "$a,$b,$c" --app echo --hold-time 1m --hold-bytes 16KiB
    "$tools/udp_ask" -n -k 100 "$a:12000" "old" || fail "cannot send"
    wait_until "100 came" metric_is "$a" 'datagrams_received_total{socket="data"}' 100
    "$tools/udp_ask" -t 60000 -k 10 -e "$a:12000" "young" &
    pid=$!
    wait_until "110 came" metric_is "$a" 'datagrams_received_total{socket="data"}' 110
    pod_launch "$b" --peers "$a,$b,$c" --app echo
    wait "$pid" || fail "the youngest were not kept: status $?"
    expect_between "overflow" "$(dropped "$a" hold_overflow)" 40 95
    expect "the rest was delivered" "$(total datagrams_delivered_total "$a" "$b")" \
        "$((110 - $(dropped "$a" hold_overflow)))"
    ledger_closes "$a" "$b"
}

held_at_the_end_is_counted()
{
    pod_start_alone "$a" --peers "$a,$b,$c" --app echo --hold-time 1m
    "$tools/udp_ask" -n -k 20 "$a:12000" "never answered" || fail "cannot send"
    metric_becomes "$a" datagrams_held 20
    pod_stop "$a" # exits with 0 although it holds requests
}

run "whoami names the leader and the ingress pod" whoami_names_the_leader
run "a command changes the leader, and the next datagram reaches it" command_moves_the_lead
run "a command names the leader by name" command_by_name
run "a command names the leader by a name of 200 characters" command_by_long_name
run "if_term, and a command for the current leader" if_term_and_repetition
run "impossible leaders are refused" impossible_leaders_are_refused
run "broken commands are refused" broken_commands_are_refused
run "other text about leaders is data" text_about_leaders_is_data
run "with control.accept none commands are data" control_accept_none_makes_all_data
run "control.allow refuses other sources" control_allow_refuses_other_sources
run "replies to a storm of commands are limited" command_storm_is_bounded
run "probes get the leader" probe_tells_the_leader
run "a reply of whoami is never longer than the request" whoami_is_cut_to_the_question
run "requests are held without a leader, and released in order" held_until_somebody_leads
run "hold.time 0 holds nothing" nothing_is_held_when_hold_time_is_0
run "held requests expire" held_ones_expire
run "a full hold queue drops the oldest" full_hold_drops_the_oldest
run "a pod that holds requests exits with 0" held_at_the_end_is_counted
finish
