#!/usr/bin/env bash
# Signed leader commands: accepted from any address with a key, once, within their lifetime; all others are
# refused, with the reason in the log and in a counter, and do not block valid commands.
#
#   tests/cluster/test_signed.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Open: it has keys of its own.
. "$(dirname "$0")/lib.sh"

a=127.0.21.11
b=127.0.21.12
c=127.0.21.13
keys=$work/keys
others=$work/others # of another cluster: the same name, other bytes
reasons=(unsigned malformed key time mac replay full address)
unset HEADLESSD_KEYS HEADLESSD_CLUSTER HEADLESSD_ADMIN_LISTEN

mkdir "$keys" "$others"
"$headlessctl" key new "$keys/key-1"
"$headlessctl" key new "$others/key-1"

# signed LEADER [OPTION...]: prints a line for nc.
signed()
{
    local leader=$1
    shift
    "$headlessctl" leader set "$leader" --keys "$keys" --print "$@"
}

# give POD LINE: sends it with nc; prints the reply.
give()
{
    echo "$2" | nc -u -W 1 -w 30 "$1" 12000 || true
}

# order POD LEADER OPTION...: by headlessctl; prints the pod's reply, without the address.
order()
{
    local pod=$1 leader=$2
    shift 2
    "$headlessctl" --data "$pod" leader set "$leader" "$@" | sed 's/^[^ ]* //' || true
}

no_auth()
{
    metric "$1" "control_no_auth_total{reason=\"$2\"}"
}

# refusals_add_up POD TOTAL: the counters by result and by reason both add up to TOTAL.
refusals_add_up()
{
    local reason sum=0
    metric_becomes "$1" 'control_messages_total{result="no_auth"}' "$2"
    for reason in "${reasons[@]}"; do
        sum=$((sum + $(no_auth "$1" "$reason")))
    done
    expect "refusals of $1, by reason" "$sum" "$2"
    ledger_closes "$1"
}

# has_logged POD TEXT
has_logged()
{
    grep -q -F "$2" "$work/$1.log"
}

logs()
{
    wait_until "the log of $1 says \"$2\"" has_logged "$1" "$2"
}

is_past()
{
    ((EPOCHSECONDS > $1))
}

# ---- scenarios

signed_ones_are_obeyed()
{
    local line
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys"
    expect "headlessctl" "$(order "$a" "$b" --keys "$keys")" "ok 2"
    expect "leader" "$(leader_of "$b")" "$b"
    expect "by the environment, through the other pod" \
        "$(HEADLESSD_KEYS=$keys HEADLESSD_CLUSTER=headless order "$b" "$a")" "ok 3"
    line=$(signed "$b")
    expect "by nc" "$(give "$a" "$line")" "ok 4"
    expect "if_term of another term" "$(order "$a" "$a" --keys "$keys" --if-term 7)" "bad term"
    expect "if_term of this one" "$(order "$a" "$a" --keys "$keys" --if-term 4)" "ok 5"
    expect "nobody" "$(order "$a" 127.0.21.99 --keys "$keys")" "no member"
    wait_until "they agree" agree "$a" "$a" "$b"
    expect "refused" "$(no_auth "$a" mac)" 0
    expect "counted as ok" "$(total 'control_messages_total{result="ok"}' "$a" "$b")" 4
    refusals_add_up "$a" 0
    refusals_add_up "$b" 0
}

others_are_refused()
{
    local line
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys"
    expect "unsigned" "$(give "$a" "{\"leader\":\"$b\"}")" "no auth"
    logs "$a" "no auth: it is not signed"
    expect "unsigned, by headlessctl" "$(order "$a" "$b")" "no auth"
    expect "another key of that name" "$(order "$a" "$b" --keys "$others")" "no auth"
    logs "$a" 'no auth: key "key-1": its mac is wrong'
    mv "$others/key-1" "$others/key-2"
    expect "an unknown key" "$(order "$a" "$b" --keys "$others")" "no auth"
    logs "$a" 'no auth: key "key-2": this pod does not have its key'
    mv "$others/key-2" "$others/key-1"
    expect "another cluster" "$(order "$a" "$b" --keys "$keys" --cluster blue)" "no auth"
    line=$(signed "$b")
    expect "another leader" "$(give "$a" "${line/$b/$a}")" "no auth"
    expect "the signature of another" "$(give "$a" "${line/\"time\"/\"if_term\":1,\"time\"}")" \
        "no auth"
    expect "a part of one" "$(give "$a" "${line%%,\"mac\"*}}")" "no auth"
    logs "$a" "no auth: its signature is incomplete"
    expect "leader" "$(leader_of "$b")" "$a"
    expect "term" "$(metric "$a" term)" 1
    expect "unsigned" "$(no_auth "$a" unsigned)" 2
    expect "wrong mac" "$(no_auth "$a" mac)" 4
    expect "unknown key" "$(no_auth "$a" key)" 1
    expect "not whole" "$(no_auth "$a" malformed)" 1
    refusals_add_up "$a" 8
    expect "nothing of that is data" "$(metric "$a" datagrams_delivered_total)" 0
}

once_and_in_time()
{
    local line old started=$EPOCHSECONDS
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys"
    old=$(signed "$b")
    wait_until "the pods' first second is over" is_past "$started"
    line=$(signed "$b")
    expect "the first time" "$(give "$a" "$line")" "ok 2"
    expect "again" "$(give "$a" "$line")" "no auth"
    logs "$a" "no auth: it was received before"
    expect "a space longer" "$(give "$a" "$line ")" "no auth"
    expect "signed anew" "$(order "$a" "$a" --keys "$keys")" "ok 3"
    expect "again, to undo it" "$(give "$a" "$line")" "no auth"
    expect "replayed" "$(no_auth "$a" replay)" 3
    # A command that was never sent, but is older than five seconds.
    wait_until "its time is over" is_past $((EPOCHSECONDS + 6))
    expect "too late" "$(give "$a" "$old")" "no auth"
    logs "$a" "its time is more than 5 s off this pod's clock"
    expect "again, long after" "$(give "$a" "$line")" "no auth"
    expect "out of time" "$(no_auth "$a" time)" 2
    expect "leader" "$(leader_of "$b")" "$a"
    refusals_add_up "$a" 5
}

# Two workers: each remembers its own commands, the supervisor those of both.
once_whichever_worker_has_it()
{
    local line port
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys" --receivers 2 --workers 2
    line=$(signed "$b")
    for port in {41001..41024}; do
        "$tools/udp_ask" -n -s "127.0.0.1:$port" "$a:12000" "$line" || fail "cannot send"
    done
    metric_becomes "$a" 'control_messages_total{result="ok"}' 1
    metric_becomes "$a" 'control_no_auth_total{reason="replay"}' 23
    refusals_add_up "$a" 23
}

are_introduced()
{
    [[ $(total members_authenticated "$@") == $(($# * ($# - 1))) ]]
}

# replayed POD LINE LEADER TERM: the pod, which has not had it, accepts it, but it has no effect: its target had it.
replayed()
{
    expect_match "a replay at $1" "$(give "$1" "$2")" '^no (quorum|auth)$' # auth: after five seconds
    expect "leader" "$(leader_of "$1")" "$3"
    expect "term" "$(metric "$1" term)" "$4"
}

# Each pod keeps its own nonces, but the target of a command, which it names, decides.
once_whichever_pod_has_it()
{
    local line pods=("$a" "$b" "$c")
    pods_start "${pods[@]}" -- --leader "$a" --keys "$keys"
    wait_until "all know each other" are_introduced "${pods[@]}"
    line=$(signed "$b")
    expect "the first time" "$(give "$a" "$line")" "ok 2"
    expect "a later one" "$(order "$c" "$a" --keys "$keys")" "ok 3"
    replayed "$c" "$line" "$a" 3
    # Also one that had no effect, since its target led.
    line=$(signed "$a")
    expect "it leads already" "$(give "$b" "$line")" "ok 3"
    expect "a later one" "$(order "$a" "$c" --keys "$keys")" "ok 4"
    replayed "$a" "$line" "$c" 4
    # At two pods at once, it is one command.
    line=$(signed "$b")
    give "$a" "$line" >"$work/one" &
    give "$c" "$line" >"$work/other"
    wait "$!"
    expect "at two pods" "$(cat "$work/one" "$work/other" | xargs)" "ok 5 ok 5"
    wait_until "they agree" agree "$b" "${pods[@]}"
    for pod in "${pods[@]}"; do
        ledger_closes "$pod"
    done
}

# A restarted pod remembers no commands: those signed before its start are refused.
not_again_after_a_restart()
{
    local line=""
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys"
    line=$(signed "$b")
    expect "the first time" "$(give "$a" "$line")" "ok 2"
    wait_until "another second" is_past "$EPOCHSECONDS"
    pod_stop "$a"
    pod_launch "$a" --peers "$a,$b" --keys "$keys"
    pod_wait "$a"
    wait_until "it follows" agree "$b" "$a" "$b"
    wait_until "it votes" is_up_for "$a" 4
    expect "back" "$(order "$b" "$a" --keys "$keys")" "ok 3"
    expect "again" "$(give "$a" "$line")" "no auth"
    expect_between "refused for its age" \
        "$(($(no_auth "$a" replay) + $(no_auth "$a" time)))" 1 1
    refusals_add_up "$a" 1
}

open_with_keys_is_said()
{
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys" --control-accept open
    expect_log "$a" 'control.accept is open' 1
    expect "unsigned" "$(give "$a" "{\"leader\":\"$b\"}")" "ok 2"
    expect "signed" "$(order "$a" "$a" --keys "$keys")" "ok 3"
    expect "wrongly signed" "$(order "$a" "$b" --keys "$others")" "no auth"
    refusals_add_up "$a" 1
}

# A signed command is accepted from any address, an unsigned one from none.
signatures_are_better_than_addresses()
{
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys" --control-accept open \
        --control-allow none
    expect "unsigned" "$(give "$a" "{\"leader\":\"$b\"}")" "no auth"
    logs "$a" "no auth: its address is not in control.allow"
    expect "signed" "$(order "$a" "$b" --keys "$keys")" "ok 2"
    expect "by its address" "$(no_auth "$a" address)" 1
    refusals_add_up "$a" 1
}

# While keys are introduced: a pod without keys cannot verify signatures, and checks the address.
pods_without_keys_accept_by_address()
{
    pods_start "$a" "$b" -- --leader "$a"
    expect "signed" "$(order "$a" "$b" --keys "$keys")" "ok 2"
    refusals_add_up "$a" 0
}

key_of_the_past_is_good()
{
    "$headlessctl" key new "$keys/key-2"
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys"
    expect "list" "$("$headlessctl" key list "$keys" | awk '{ print $1, $3 }')" \
        "key-2 newest"$'\n'"key-1 "
    expect "the newest" "$(order "$a" "$b" --keys "$keys")" "ok 2"
    expect "the older one" "$(order "$a" "$a" --keys "$keys" --key key-1)" "ok 3"
    refusals_add_up "$a" 0
    rm "$keys/key-2"
}

force_needs_a_signature_too()
{
    pod_start_alone "$a" --peers "$a,$b" --keys "$keys"
    expect "unsigned" "$(order "$a" "$a" --force)" "no auth"
    expect "is_leader" "$(metric "$a" is_leader)" 0
    expect_match "signed" "$(order "$a" "$a" --force --keys "$keys")" '^ok [0-9]+$'
    expect "is_leader" "$(metric "$a" is_leader)" 1
    refusals_add_up "$a" 1
}

signed_without_keys_is_an_error()
{
    local said
    said=$("$headlessd" --self "$a" --check-config --control-accept signed 2>&1 || true)
    expect_match "check-config" "$said" 'control\.accept.*keys'
}

# flood POD TEXT NAME: sends bursts until $work/stop exists; prints the number sent.
flood()
{
    local fd sent=0
    exec {fd}<>"/dev/udp/$1/12000"
    while [[ ! -e $work/stop ]]; do
        for _ in {1..50}; do
            printf '%s' "$2" >&"$fd"
            sent=$((sent + 1))
        done
        sleep 0.01 # not to test the kernel's buffer
    done
    echo "$sent" >"$work/$3.sent"
}

# reply_in_flood LINE: sets answer. Signs again if the kernel may have dropped the command.
reply_in_flood()
{
    local drops
    for _ in 1 2 3; do
        drops=$(kernel_drops "$a")
        answer=$(ask "$a" "$(signed "$1")")
        [[ -z $answer && $(kernel_drops "$a") != "$drops" ]] || return 0
    done
}

has_refused()
{
    local refused
    refused=$(metric "$a" 'control_messages_total{result="no_auth"}')
    [[ $refused =~ ^[0-9]+$ ]] && ((refused >= $1))
}

# During a flood, valid commands get their replies: each with one datagram, without repetition.
floods_block_no_command()
{
    local line leader answer="" pids=() sent=0 term=1 lines started
    pods_start "$a" "$b" -- --leader "$a" --keys "$keys" --rcvbuf max
    started=$EPOCHSECONDS
    line=$(signed "$a")
    expect "the one that is replayed" "$(give "$a" "$line")" "ok 1"
    rm -f "$work"/stop "$work"/*.sent
    flood "$a" "$(signed "$b" --cluster blue)" forged &
    pids+=($!)
    flood "$a" "$line" replayed &
    pids+=($!)
    flood "$a" "{\"leader\":\"$b\"}" unsigned &
    pids+=($!)
    wait_until "the floods run" has_refused 1000
    for leader in "$b" "$a" "$b" "$a" "$b" "$a"; do
        term=$((term + 1))
        reply_in_flood "$leader"
        expect "answer in the flood" "$answer" "ok $term"
        reply_in_flood 127.0.21.99
        expect "answer to a wish that cannot be, in the flood" "$answer" "no member"
    done
    wait_until "the floods run on" has_refused 5000
    touch "$work/stop"
    wait "${pids[@]}"
    for lines in forged replayed unsigned; do
        sent=$((sent + $(<"$work/$lines.sent")))
    done
    wait_until "all have been read" is_closed "$a"
    refusals_add_up "$a" $((sent - $(kernel_drops "$a")))
    expect "for its rate" "$(dropped "$a" rate)" 0
    expect "heartbeats were missed" "$(metric "$b" 'leader_changes_total{cause="verdict"}')" 0
    lines=$(grep -c 'command_refused.*no auth' "$work/$a.log")
    expect_between "lines in the log, ten a second at most" "$lines" 3 \
        $((10 * (EPOCHSECONDS - started + 2)))
    ledger_closes "$b"
}

run "signed commands are accepted" signed_ones_are_obeyed
run "other commands are refused" others_are_refused
run "a command is accepted once, and in its lifetime" once_and_in_time
run "a command is accepted once, whichever worker receives it" once_whichever_worker_has_it
run "a command has effect once, whichever pod receives it" once_whichever_pod_has_it
run "a command is not accepted again after a restart" not_again_after_a_restart
run "control.accept open with keys is logged" open_with_keys_is_said
run "signatures take precedence over addresses" signatures_are_better_than_addresses
run "pods without keys accept by address" pods_without_keys_accept_by_address
run "a previous key is accepted" key_of_the_past_is_good
run "force needs a signature, too" force_needs_a_signature_too
run "signed without keys is an error" signed_without_keys_is_an_error
run_timed "floods do not block valid commands" floods_block_no_command
finish
