#!/usr/bin/env bash
# election: lease, for people: a command and kubectl annotate name the next leader, Events tell of it, and the leader's pod
# has a label. With an API server whose faults a file scripts (fake_api.py).
#
#   tests/cluster/test_lease_people.sh BUILD_DIR
# shellcheck disable=SC2119 # api_start has an optional argument
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_api.sh
. "$(dirname "$0")/lib_api.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"

a=127.0.0.11
b=127.0.0.12
c=127.0.0.13
api_address=127.0.0.1

# annotate TEXT: as kubectl does it
annotate()
{
    local version
    version=$(lease ".metadata.annotations[\"headlessd.io/wanted\"] = $(jq -n --arg x "$1" '$x')" | jq -c .)
    echo "{\"type\":\"MODIFIED\",\"object\":$version}" >>"$api/events"
}

has_no_wish()
{
    [[ $(lease '.metadata.annotations | has("headlessd.io/wanted")') == false ]]
}

# told REASON TEXT: there is an Event
told()
{
    jq -e -s --arg reason "$1" --arg text "$2" 'any(.[]; .reason == $reason and (.note | contains($text)))' \
        "$api/told" >/dev/null
}

# A command moves the Lease by one write of the next leader, which reads nothing before.
by_command()
{
    expect "the reply" "$(ask "$b" '{"leader":"pod-13"}')" "ok $(metric "$c" term)"
    wait_until "it leads" agree "$c" "$a" "$b" "$c"
    expect "the holder" "$(lease .spec.holderIdentity | sed 's/_.*//')" pod-13
    expect "transitions" "$(lease .spec.leaseTransitions)" 1
    wait_until "an Event tells it" told LeaderChanged "pod-13 leads: term $(metric "$c" term), by "
    expect "the object of the Events" "$(jq -r '.regarding | .kind + " " + .name + " " + .uid' "$api/told" | sort -u)" \
        "Lease headlessd $(lease .metadata.uid)"
}

# The leader removes the annotation, whatever it says, and hands over if it may.
by_annotation()
{
    annotate pod-12
    wait_until "it leads" agree "$b" "$a" "$b" "$c"
    has_no_wish || fail "the annotation has stayed"
    logged "$c" 'wanted_taken: headlessd.io/wanted: "pod-12" is to lead' || fail "no line of it"
    wait_until "an Event tells it" told HandoverRequested "pod-13 hands over to pod-12"
    wait_until "it has the label" labelled none leader none
    expect "replies" "$(ask "$c" hello)" hello
    annotate pod-99
    wait_until "it is refused" logged "$b" 'wanted_refused: .*"pod-99" is no member: the annotation was removed'
    wait_until "an Event tells it" told HandoverRefused '"pod-99" is no member'
    annotate pod-12
    wait_until "it is known" logged "$b" 'wanted_taken: .*"pod-12" leads already'
    annotate "$(printf 'x\n%300s' '')"
    wait_until "it is refused" metric_is "$b" 'lease_wanted_total{result="refused"}' 2
}

# Of a leader that died the next one removes the label; a dead pod is refused.
label_moves()
{
    local leader
    : >"$api/patches"
    pod_kill "$b"
    wait_until "another leads" agree_without "$b" "$a" "$c"
    leader=$(leader_of "$a")
    wait_until "it has the label, and has removed the other" has_moved "pod-${leader##*.}"
    wait_until "/metrics has it" metric_is "$leader" role_label 1
    wait_until "the other counts as dead" metric_is "$leader" 'members{state="dead"}' 1
    annotate pod-12
    wait_until "it is refused" logged "$leader" 'wanted_refused: .*"pod-12" is not alive'
    wait_until "it is removed" has_no_wish
    agree "$leader" "$a" "$c" || fail "the leader has changed"
}

# label POD: as the patches leave it
label()
{
    sed -n "s/^$1 //p" "$api/patches" | jq -rs 'last | .metadata.labels["headlessd.io/role"] // "none"'
}

labelled()
{
    [[ "$(label pod-11) $(label pod-12) $(label pod-13)" == "$*" ]]
}

by_people()
{
    world
    api_start
    launch_three --platform-role-label true
    wait_until "the first has the label" labelled leader none none
    by_command
    by_annotation
    label_moves
    end_pods
}

# Without a word: none of them needs to hand over.
end_pods()
{
    local address
    for address in "${!pod_pids[@]}"; do
        pod_kill "$address"
    done
}

has_moved()
{
    [[ $(label "$1") == leader && $(label pod-12) == none && $(grep -c ^pod-12 "$api/patches") -gt 0 ]]
}

# 403 for both: one line of each, and the leader leads. A leader that cannot renew loses the label when it can be written again.
refused()
{
    world
    faulty $'event 403\npatch 403'
    api_start
    launch_three --platform-role-label true --lease-duration 5s
    wait_until "the Events are refused" logged "$a" 'event_failed: .*403.*events.k8s.io.*verbs: \[create\]'
    wait_until "/readyz has the rule" is_told "$a" 'pods/status.*403.*verbs: \[patch\]'
    expect "lines of Events" "$(grep -c event_failed "$work/$a.log")" 1
    expect "the label" "$(metric "$a" role_label)" 0
    expect "a reply" "$(ask "$b" hello)" hello
    faulty
    wait_until "the first has the label" labelled leader none none
    faulty $'update 503\ncreate 503\nget 503'
    wait_until "the label is removed from the leader, which is fenced" labelled none none none
    expect "leaders" "$(total is_leader "$a" "$b" "$c")" 0
    end_pods
}

certificate ca
run "a command and kubectl annotate name the next leader, Events tell of it, and its pod has the label" by_people
run "without the rules Events and labels are missing, and nothing else" refused
finish
