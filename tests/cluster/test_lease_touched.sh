#!/usr/bin/env bash
# election: lease, with a Lease that others touch, and with an API server that says things which are none (fake_api.py).
#
#   tests/cluster/test_lease_touched.sh BUILD_DIR
# shellcheck disable=SC2119 # api_start has an optional argument
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_api.sh
. "$(dirname "$0")/lib_api.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

a=127.0.58.11
b=127.0.58.12
c=127.0.58.13
api_address=127.0.58.1

term()
{
    lease '.metadata.annotations["headlessd.io/term"]'
}

# touch_lease TYPE FILTER: the Lease as somebody changes it
touch_lease()
{
    jq -cs '[.[].object | select(.kind == "Lease")] | last | '"$2"' | {type: "'"$1"'", object: .}' "$api/events" \
        >"$work/touched"
    cat "$work/touched" >>"$api/events"
}

# is_written REGEX: by a pod, after the last change: the holder
is_written()
{
    local holders
    holders=$(jq -rs '[.[] | select(.object.kind == "Lease")] | last | select(.type != "DELETED") | .object |
        "\(.spec.holderIdentity) \(.metadata.annotations["headlessd.io/writer"])"' "$api/events")
    [[ $holders =~ ^($1)_[0-9a-f]+\ ($1)_ ]]
}

# The leader creates it again and leads on: each request has its reply.
deleted()
{
    local before i
    world
    api_start
    # A follower that misses two heartbeats, as on a busy machine, fences replies.
    launch_three --heartbeat-interval 1s
    before=$(term)
    stream_start 500 600000 "$a" "$b" "$c"
    for i in 1 2 3; do
        touch_lease DELETED .
        wait_until "the leader has written it again ($i)" is_written pod-11
        replies_come "$a" "$b" "$c"
    done
    stream_end
    expect "lost" "$lost" 0
    expect "duplicated" "$duplicated" 0
    expect "the term" "$(term)" "$before"
    agree "$a" "$a" "$b" "$c" || fail "the leader has changed"
}

# An empty Lease takes its place; then its term is no term of an election.
changed()
{
    local before
    world
    api_start
    launch_three
    before=$(term)
    touch_lease DELETED .
    touch_lease ADDED '{kind, metadata: {name: .metadata.name, uid: "applied"}, spec: {}}'
    wait_until "the leader has written it again" is_written pod-11
    expect "its uid" "$(lease .metadata.uid)" applied
    touch_lease MODIFIED '.metadata.annotations["headlessd.io/term"] = "18446744073709551615"'
    wait_until "the leader has written its term again" has_term "$before"
    agree "$a" "$a" "$b" "$c" || fail "the leader has changed"
    expect "a reply" "$(ask "$c" hello)" hello
}

has_term()
{
    [[ $(term) == "$1" ]]
}

# The leader steps down, and another one, or it again, takes it in a later term at once: its duration is longer than a test.
edited()
{
    local before
    world
    api_start
    launch_three --lease-duration 10m
    before=$(term)
    touch_lease MODIFIED '.spec.holderIdentity = "somebody"'
    wait_until "a pod has taken it" is_written 'pod-1[123]'
    wait_until "the leader has stepped down" logged "$a" lease_lost
    (($(term) > before)) || fail "the term has not grown"
    wait_until "one leads" leads_one
    expect "a reply" "$(ask "$c" hello)" hello
}

leads_one()
{
    [[ $(total is_leader "$a" "$b" "$c") == 1 ]]
}

# Two clusters with one lease.name: the second one says so, is not ready, and does not lead.
foreign()
{
    world
    api_start
    peers=$a launch "$a" --lease-duration 5s --cluster blue
    wait_until "the first leads" agree "$a" "$a"
    peers=$b launch "$b" --lease-duration 5s --cluster green
    wait_until "the log of the second one" logged "$b" 'error lease_foreign: .*choose another Lease'
    wait_until "/readyz of the second one" is_told "$b" '^lease: .*another cluster than "green"'
    touch_lease DELETED .
    wait_until "the first has written it again" is_written pod-11
    expect "leaders" "$(total is_leader "$a" "$b")" 1
    pod_stop "$a"
    wait_until "the second one takes what was given up" is_written pod-12
    wait_until "/readyz says ready" is_told "$b" '^ready$'
}

# bad_answers VERB FAULT TEXT: the reason is told, nothing follows from the answer, and all goes on afterwards.
bad_answers()
{
    faulty "$1" "$2"
    wait_until "the reason: $3" logged "$a" "api_failed: cannot $1 .*$3"
    faulty
    wait_until "the first leads" agree "$a" "$a" "$b" "$c"
    : >"$work/$a.log"
}

answers_that_are_none()
{
    world
    api_start
    launch_three --lease-duration 10m --lease-renew 1s
    bad_answers update 200:html 'is not JSON'
    bad_answers update endless 'too large'
    expect "leaders" "$(total is_leader "$a" "$b" "$c")" 1
}

# The filter allows all that the requests about the Lease need.
no_call_is_refused()
{
    traced "$a"
    world
    api_start
    peers=$a launch "$a"
    wait_until "it leads" agree "$a" "$a"
    faulty update lost
    wait_until "it is renewed" is_renewed "$(lease_stamp)"
    faulty update hang # a copy on a second connection
    wait_until "it cannot be renewed" logged "$a" lease_failing
    faulty
    wait_until "it can be renewed again" logged "$a" lease_renewed
    pod_stop "$a"
    no_refused_call "$a"
}

# Without the API server there is no thread for it, and its libraries are not loaded.
peers_load_nothing()
{
    local pid
    pods_start "$a" -- --app echo
    pid=${pod_pids[$a]}
    if grep -E 'libcurl|libssl' "/proc/$pid/maps"; then
        fail "election: peers has loaded libcurl"
    fi
    expect "threads named platform" "$(cat /proc/"$pid"/task/*/comm | grep -c '^platform' || true)" 0
}

certificate ca
run "a Lease that is deleted three times loses no request" deleted
run "an empty Lease and an absurd term are written again" changed
run "an edited holder deposes the leader, and another one leads at once" edited
run "a Lease of another cluster is left alone" foreign
run "answers that are none decide nothing" answers_that_are_none
run "election: peers loads nothing for it" peers_load_nothing
[[ ${SANITIZED:-} ]] || run "the seccomp filter refuses nothing" no_call_is_refused
finish
