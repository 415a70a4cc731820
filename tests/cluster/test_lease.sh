#!/usr/bin/env bash
# election: lease, with an API server whose faults a file scripts (fake_api.py).
#
#   tests/cluster/test_lease.sh BUILD_DIR
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
launch_options=(--lease-duration 5s)

# holder: the last number of the holder's address
holder()
{
    lease '.spec.holderIdentity // ""' | sed -E 's/^pod-([0-9]+)_.*/\1/'
}

is_held_by()
{
    [[ $(holder) == "${1##*.}" ]]
}

# The next leader has the votes or evidence, and writes one record over the last one; then the Lease is given up.
killed_and_stopped()
{
    local term leader next=$c
    world
    api_start
    launch_three
    expect "the holder" "$(holder)" "${a##*.}"
    term=$(lease '.metadata.annotations["headlessd.io/term"]')
    pod_kill "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    leader=$(leader_of "$b")
    wait_until "it holds the Lease" is_held_by "$leader"
    (($(lease '.metadata.annotations["headlessd.io/term"]') > term)) || fail "the term has not grown"
    expect "transitions" "$(lease .spec.leaseTransitions)" 1
    expect "a reply" "$(ask "$b" hello)" hello
    [[ $leader != "$c" ]] || next=$b
    pod_stop "$leader"
    wait_until "the last one leads" agree "$next" "$next"
    wait_until "it holds the Lease" is_held_by "$next"
    pod_stop "$next"
    expect "the holder after all have ended" "$(holder)" ""
}

# Each write takes effect, and no reply arrives: a read shows that it was ours.
lost_replies()
{
    local version
    world
    faulty update lost
    api_start
    launch_three
    version=$(lease_stamp)
    wait_until "it is renewed" is_renewed "$version"
    agree "$a" "$a" "$b" "$c" || fail "the leader has changed"
    expect "a reply" "$(ask "$c" hello)" hello
}

# Not ready before the API server has shown the Lease; a leader without renewals ends in time, and goes on afterwards.
refusals()
{
    world
    faulty $'get 403\nlist 403'
    api_start
    for address in "$a" "$b" "$c"; do
        launch "$address"
    done
    wait_until "/readyz has the rule" is_told "$b" '^lease: .*leases.*403.*verbs: \[(get|list)'
    faulty
    wait_until "the first leads" agree "$a" "$a" "$b" "$c"
    wait_until "/readyz says ready" is_told "$b" '^ready$'
    faulty $'update 503\ncreate 503\nget 503'
    wait_until "the leader cannot renew" logged "$a" lease_failing
    wait_until "nobody leads" metric_is "$a" is_leader 0
    expect "leaders" "$(total is_leader "$a" "$b" "$c")" 0
    faulty
    wait_until "a pod leads again" agree_on_one
    expect "a reply" "$(ask "$c" hello)" hello
}

agree_on_one()
{
    [[ $(total is_leader "$a" "$b" "$c") == 1 ]]
}

# Somebody gives the Lease to the API server's own election: no pod writes it, and each says why.
coordinated()
{
    world
    echo '{"type":"ADDED","object":{"kind":"Lease","metadata":{"name":"headlessd","uid":"x"},'\
'"spec":{"strategy":"OldestEmulationVersion"}}}' >"$api/events"
    api_start
    launch "$a"
    wait_until "/readyz has the reason" is_told "$a" '^lease: .*spec.strategy'
    expect "requests that write" "$(grep -cE '^(update|create)' "$api/requests" || true)" 0
}

certificate ca
# by_votes ADDRESS: a pod with election: peers
by_votes()
{
    pod_launch "$1" --bind "$1" --name "pod-${1##*.}" --app echo --peers "$a,$b,$c"
}

# A new pod with the other option stays out, and both sides say so; the others go on.
kept_apart()
{
    world
    api_start
    launch "$a"
    launch "$b"
    wait_until "one leads by the Lease" agree any "$a" "$b"
    by_votes "$c"
    wait_until "the pod without a Lease says why it is not ready" is_told "$c" '^joining: other pods have election: lease'
    wait_until "the leader says so as well" logged "$(leader_of "$a")" 'election_differs.*has election: peers, this pod lease'
    expect "a reply" "$(ask "$a" hello)" hello
    pod_stop "$a"
    pod_stop "$b"
    by_votes "$a"
    wait_until "one leads by votes" agree any "$a" "$c"
    launch "$b"
    wait_until "the pod with a Lease says why it is not ready" is_told "$b" '^joining: other pods have election: peers'
    expect "the holder" "$(holder)" ""
}

run "a killed leader is replaced by one write, and the last pod releases the Lease" killed_and_stopped
run "writes whose replies are lost count when a read shows them" lost_replies
run "403 and 503: not ready, and nobody leads without renewals, until the API server allows them again" refusals
run "a Lease with a strategy is left alone" coordinated
run "a pod with election: peers and pods with lease keep apart" kept_apart
finish
