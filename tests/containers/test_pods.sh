#!/usr/bin/env bash
# Pods of the image that find each other by DNS: five with one leader; killed, stopped, scaled, restarted.
#
#   tests/containers/test_pods.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

network_make
pods=()
for number in 11 12 13 14 15; do
    pods+=("$subnet.$number")
done

# others_than ADDRESS: sets others to the other pods.
others_than()
{
    local address
    others=()
    for address in "${pods[@]}"; do
        [[ $address == "$1" ]] || others+=("$address")
    done
}

# The leader replies through every pod, with the client's address.
five_under_one_leader()
{
    base_config 5 whoami
    pods_launch "${pods[@]}"
    wait_until "DNS has all" dns_has "${pods[@]}"
    expect "leaders" "$(leaders "${pods[@]}")" "$agreed"
    leader_answers_through "${pods[@]}"
    expect "pods that the client reaches by their name" \
        "$(in_client headlessctl --service "$service" probe | grep -c "$agreed")" 5
    together_closes "${pods[@]}"
}

five_that_echo()
{
    base_config 5 echo
    pods_launch "${pods[@]}"
}

all_answer()
{
    local address
    for address in "$@"; do
        expect "echo through $address" "$(ask "$address" hello)" hello
    done
}

# SIGKILL: its address no longer replies. A pod with another address replaces it.
leader_killed()
{
    local leader
    five_that_echo
    leader=$agreed
    others_than "$leader"
    stream_start 500 60000 "${others[@]}"
    replies_come "$leader"
    pod_kill "$leader"
    wait_until "another leads" agree_without "$leader" "${others[@]}"
    replies_come "${others[@]}"
    stream_end
    expect_between "milliseconds in the dark" "$gap_ms" 0 2500
    expect_between "lost, at 500 a second" "$lost" 0 500
    all_answer "${others[@]}"
    pod_launch "$subnet.16"
    pods_up "${others[@]}" "$subnet.16"
    all_answer "${others[@]}" "$subnet.16"
    ledger_closes "${others[@]}" "$subnet.16"
}

# Its clients continue for more than a second; every request is answered.
leader_stopped()
{
    local leader
    five_that_echo
    leader=$agreed
    others_than "$leader"
    stream_start 500 2500 "${pods[@]}"
    replies_come "$leader"
    pod_term "$leader"
    wait_until "another leads" agree_without "$leader" "${others[@]}"
    wait_until "the stream is over" has_ended "$stream_pid"
    stream_end
    expect "lost" "$lost" 0
    expect "refused" "$refused" 0
    pod_gone "$leader"
    all_answer "${others[@]}"
    ledger_closes "${others[@]}"
}

scaled_up_and_down()
{
    local two=("${pods[@]:0:2}") three=("${pods[@]:2}") address
    base_config 2 echo
    pods_launch "${two[@]}"
    stream_start 500 60000 "${two[@]}"
    for address in "${three[@]}"; do
        pod_launch "$address"
    done
    pods_up "${pods[@]}"
    wait_until "DNS has all" dns_has "${pods[@]}"
    all_answer "${three[@]}"
    for address in "${three[@]}"; do
        pod_term "$address"
    done
    for address in "${three[@]}"; do
        pod_gone "$address"
    done
    pods_up "${two[@]}"
    wait_until "DNS has two" dns_has "${two[@]}"
    all_answer "${two[@]}"
    stream_end
    expect "lost" "$lost" 0
    ledger_closes "${two[@]}"
}

# Each pod restarts with another address, the leader too; clients use the other four.
restarted_one_by_one()
{
    local number=20 address total_sent=0 former=("${pods[@]}")
    five_that_echo
    for address in "${former[@]}"; do
        number=$((number + 1))
        others_than "$address"
        stream_start 500 60000 "${others[@]}"
        pod_stop "$address"
        pods=("${others[@]}" "$subnet.$number")
        pod_launch "$subnet.$number"
        pods_up "${pods[@]}"
        stream_end
        expect "lost while $address was restarted" "$lost" 0
        total_sent=$((total_sent + sent))
    done
    wait_until "DNS has the new ones" dns_has "${pods[@]}"
    expect_between "sent" "$total_sent" 2000 100000
    all_answer "${pods[@]}"
    ledger_closes "${pods[@]}"
    pods=("${former[@]}")
}

run "five pods find each other by DNS, and reply by one leader" five_under_one_leader
run "the leader's container is killed" leader_killed
run "the leader's container is stopped" leader_stopped
run "scaling from two to five, and back" scaled_up_and_down
run "all pods are restarted one by one" restarted_one_by_one
finish
