#!/usr/bin/env bash
# Who leads: whoami through every pod, {"leader":...} from a client, what is no command, requests
# held while nobody leads, and pods that believe in each other.
#
#   tests/cluster/test_leader.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.1.11
b=127.0.1.12
c=127.0.1.13
question="who leads, please? $(printf '%080d' 0)" # longer than any answer

# leads LEADER TERM ADDRESS...: every pod leads its clients to this one.
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
    local answer
    pods_start "$a" "$b" "$c" -- --app whoami --leader "$a"
    leads "$a" 1 "$a" "$b" "$c"
    # as people do it, with nc, newline and all
    for pod in "$b" "$a" "$c"; do
        answer=$(echo "{\"leader\":\"$b\"}" | nc -u -W 1 -w 2 "$pod" 12000)
        expect "answer of $pod" "$answer" "ok 2"
        # what comes after the answer meets the new leader
        expect_match "next datagram" "$(ask "$pod" "$question")" "^$b $b leader term 2 via $pod "
    done
    leads "$b" 2 "$a" "$b" "$c"
    expect "cause" "$(http "$a:8080/leader" | jq -r .cause)" command
    lead "$c" "$c" "$a" "$b"
    leads "$c" 3 "$a" "$b" "$c"
    together_closes "$a" "$b" "$c"
    expect "counted as ok" "$(total 'control_messages_total{result="ok"}' "$a" "$b" "$c")" 6
}

old_leader_is_demoted_at_once()
{
    pods_start "$a" "$b" -- --app whoami --leader "$a"
    leads "$a" 1 "$a" "$b"
    lead "$b" "$b" # the new leader first: for a moment both lead
    lead "$b" "$a"
    expect "old leader" "$(metric "$a" is_leader)" 0
    leads "$b" 2 "$a" "$b"
    expect "delivered by the old one" "$(metric "$a" datagrams_delivered_total)" 2
    together_closes "$a" "$b"
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

# refused TEXT ANSWER: by pod a, with an answer no longer than the question.
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
    refused "{\"leader\":\"$(printf 'x%.0s' {1..200})\"}" "bad json"
    metric_becomes "$a" 'control_messages_total{result="bad_json"}' 12
    expect "leader" "$(metric "$a" is_leader)" 1
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 0
    ledger_closes "$a" "$b"
}

# stays_data TEXT...: echoed as it is, through leader and follower.
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

talk_about_leaders_is_data()
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

control_allow_keeps_strangers_out()
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
    # refusals: every one is counted, few are answered
    "$tools/udp_ask" -n -k 300 "$a:12000" '{"leader":"10.9.9.9"}{' || fail "cannot send"
    metric_becomes "$a" 'control_messages_total{result="bad_json"}' 300
    for _ in {1..5}; do
        "$tools/udp_ask" -n "$a:12000" "{\"leader\":\"$a\"}" || fail "cannot send"
        "$tools/udp_ask" -n "$a:12000" "{\"leader\":\"$b\"}" || fail "cannot send"
    done
    lead "$a" "$a"
    ledger_closes "$a" "$b"
    expect "term, the first of these was no change" "$(metric "$a" term)" 11
    expect_match "still serves" "$(ask "$b" "$question")" "leader term"
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

held_until_somebody_leads()
{
    local pod pids=()
    pods_start "$a" "$b" "$c" -- --app echo --hold-time 30s
    expect "has_leader" "$(metric "$a" has_leader)" 0
    expect "/leader" "$(http "$a:8080/leader" | jq -r .leader)" null
    expect "ready without a leader" "$(http "$a:8080/readyz")" ready
    for pod in "$a" "$b" "$c"; do # -e: the answers are to come in the order of the questions
        "$tools/udp_ask" -t 20000 -k 500 -e "$pod:12000" "held at $pod" &
        pids+=("$!")
    done
    for pod in "$a" "$b" "$c"; do
        metric_becomes "$pod" datagrams_held 500
    done
    lead "$b" "$b" "$a" "$c"
    for pid in "${pids[@]}"; do
        wait "$pid" || fail "held ones: not all were answered in order: status $?"
    done
    expect "delivered" "$(metric "$b" datagrams_delivered_total)" 1500
    together_closes "$a" "$b" "$c"
}

nothing_is_held_when_hold_time_is_0()
{
    pods_start "$a" "$b" -- --app echo --hold-time 0
    "$tools/udp_ask" -n -k 20 "$a:12000" "gone" || fail "cannot send"
    dropped_becomes "$a" no_leader 20
    expect "held" "$(metric "$a" datagrams_held)" 0
    ledger_closes "$a" "$b"
}

held_ones_expire()
{
    pods_start "$a" "$b" -- --app echo --hold-time 300ms
    "$tools/udp_ask" -n -k 20 "$a:12000" "too old" || fail "cannot send"
    metric_becomes "$a" datagrams_held 20 250
    dropped_becomes "$a" hold_expired 20
    expect "held" "$(metric "$a" datagrams_held)" 0
    lead "$a" "$a"
    expect "later ones" "$(ask "$a" "fresh")" fresh
    ledger_closes "$a" "$b"
}

full_hold_drops_the_oldest()
{
    local pid
    pods_start "$a" "$b" -- --app echo --hold-time 30s --hold-bytes 16KiB
    "$tools/udp_ask" -n -k 100 "$a:12000" "old" || fail "cannot send"
    wait_until "100 came" 2000 metric_is "$a" 'datagrams_received_total{socket="data"}' 100
    "$tools/udp_ask" -t 10000 -k 10 -e "$a:12000" "young" &
    pid=$!
    wait_until "110 came" 2000 metric_is "$a" 'datagrams_received_total{socket="data"}' 110
    lead "$a" "$a"
    wait "$pid" || fail "the youngest were not kept: status $?"
    expect_between "overflow" "$(dropped "$a" hold_overflow)" 40 95
    expect "the rest was delivered" "$(metric "$a" datagrams_delivered_total)" \
        "$((110 - $(dropped "$a" hold_overflow)))"
    ledger_closes "$a" "$b"
}

held_at_the_end_is_counted()
{
    pods_start "$a" "$b" -- --app echo --hold-time 30s
    "$tools/udp_ask" -n -k 20 "$a:12000" "never answered" || fail "cannot send"
    metric_becomes "$a" datagrams_held 20
    pod_stop "$a" # with 0, though it holds
}

# believers FORMAT: a follows b, and b follows a.
believers()
{
    local format=$1
    pod_launch "$a" --peers "$a,$b" --leader "$b" --relay-format "$format"
    pod_launch "$b" --peers "$a,$b" --leader "$a" --relay-format "$format"
    pod_wait "$a"
    pod_wait "$b"
    "$tools/udp_ask" -n -k 50 "$a:12000" "round" || fail "cannot send"
    "$tools/udp_ask" -n -k 50 "$b:12000" "and round" || fail "cannot send"
    dropped_becomes "$a" hops 50
    dropped_becomes "$b" hops 50
    expect "relayed by a" "$(metric "$a" datagrams_relayed_total)" 50
    expect "relayed by b" "$(metric "$b" datagrams_relayed_total)" 50
    expect "received by both" "$(($(total 'datagrams_received_total{socket="data"}' "$a" "$b") +
        $(total 'datagrams_received_total{socket="relay"}' "$a" "$b")))" 200
    ledger_closes "$a" "$b"
}

# a -> b -> c -> a, each knowing a higher term than the one before.
circle_of_rising_terms_is_cut()
{
    pods_start "$a" "$b" "$c" -- --app echo --leader "$b" # a: b leads, term 1
    lead "$c" "$b"                                         # b: c leads, term 2
    lead "$a" "$c"
    lead "$b" "$c"
    lead "$a" "$c" # c: a leads, term 4
    "$tools/udp_ask" -n -k 50 "$a:12000" "around" || fail "cannot send"
    dropped_becomes "$c" hops 50
    expect "relayed by a" "$(metric "$a" datagrams_relayed_total)" 50
    expect "relayed by b" "$(metric "$b" datagrams_relayed_total)" 50
    expect "relayed by c" "$(metric "$c" datagrams_relayed_total)" 0
    together_closes "$a" "$b" "$c"
}

second_hop_reaches_a_newer_leader()
{
    pods_start "$a" "$b" "$c" -- --app whoami --leader "$b"
    lead "$c" "$c" "$b" # a was not told
    expect_match "through the one that was not told" "$(ask "$a" "$question")" \
        "^$c $c leader term 2 via $a you 127\.0\.0\.1:"
    expect "relayed by the former leader" "$(metric "$b" datagrams_relayed_total)" 1
    expect "answered straight to the ingress pod" "$(metric "$b" replies_relayed_total)" 0
    together_closes "$a" "$b" "$c"
}

run "whoami names the leader and the way" whoami_names_the_leader
run "a command moves the lead, the next datagram meets the new leader" command_moves_the_lead
run "the old leader is demoted at once" old_leader_is_demoted_at_once
run "leaders by name" command_by_name
run "if_term, and naming the present leader" if_term_and_repetition
run "leaders that cannot be are refused" impossible_leaders_are_refused
run "broken commands are refused" broken_commands_are_refused
run "talk about leaders is data" talk_about_leaders_is_data
run "control.accept none makes all data" control_accept_none_makes_all_data
run "control.allow keeps strangers out" control_allow_keeps_strangers_out
run "a storm of commands" command_storm_is_bounded
run "probes" probe_tells_the_leader
run "whoami is never longer than the question" whoami_is_cut_to_the_question
run "held until somebody leads, released in order" held_until_somebody_leads
run "hold.time 0 holds nothing" nothing_is_held_when_hold_time_is_0
run "held ones expire" held_ones_expire
run "a full hold drops the oldest" full_hold_drops_the_oldest
run "a pod that holds ends with 0" held_at_the_end_is_counted
run "two that believe in each other, framed" believers framed
run "two that believe in each other, raw" believers raw
run "a circle of rising terms is cut" circle_of_rising_terms_is_cut
run "the second hop reaches a newer leader" second_hop_reaches_a_newer_leader
finish
