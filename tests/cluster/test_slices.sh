#!/usr/bin/env bash
# Pods that find each other by EndpointSlices alone, from an API server that a file scripts (fake_api.py).
#
#   tests/cluster/test_slices.sh BUILD_DIR
# shellcheck disable=SC2119 # api_start has an optional argument
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_api.sh
. "$(dirname "$0")/lib_api.sh"

# Slices have no loopback addresses.
a=10.57.0.11
b=10.57.0.12
c=10.57.0.13
api_address=10.57.0.1
for address in "$api_address" "$a" "$b" "$c"; do
    ip addr add "$address/32" dev lo
done

# endpoint ADDRESS UID [CONDITIONS]
endpoint()
{
    echo '{"addresses":["'"$1"'"],"conditions":{'"${3:-}"'},"targetRef":{"kind":"Pod","name":"p","uid":"'"$2"'"}}'
}

# slice TYPE ENDPOINT...: one more event of the slice "one".
slice()
{
    local type=$1 IFS=,
    shift
    echo '{"type":"'"$type"'","object":{"kind":"EndpointSlice","metadata":{"name":"one"},"addressType":"IPv4",'\
'"endpoints":['"$*"']}}' >>"$api/events"
}

# launch ADDRESS OPTION...
launch()
{
    local address=$1
    shift
    pod_launch "$address" --bind "$address" --name "pod-${address##*.}" --app echo --discovery-kubernetes headless \
        --leader-list "pod-11,pod-12,pod-13" --platform-api "https://$api_address:6443" \
        --platform-token "$mount/token" --platform-ca "$mount/ca.crt" --log-level debug "$@"
}

all_alive()
{
    [[ $(metric "$a" members_alive) == 3 && $(metric "$b" members_alive) == 3 && $(metric "$c" members_alive) == 3 ]]
}

launch_three()
{
    local address
    for address in "$a" "$b" "$c"; do
        launch "$address" --quorum-expect 3
    done
    wait_until "the first in the list leads" agree "$a" "$a" "$b" "$c"
    wait_until "all know that all are alive" all_alive
    wait_until "their votes count" are_settled "$a" "$b" "$c"
}

three()
{
    slice "$@" "$(endpoint "$a" one)" "$(endpoint "$b" two "${second:-}")" "$(endpoint "$c" three)"
}

# The second is next in the order, but its pod is to end: a deletion waits for its grace period.
terminating_is_no_successor()
{
    local address second=""
    world
    three ADDED
    api_start
    launch_three
    second='"serving":true,"terminating":true'
    three MODIFIED
    for address in "$a" "$b" "$c"; do
        wait_until "$address knows that one ends" logged "$address" 'slices_changed: .* 3 endpoints, 1 of them terminating'
    done
    pod_stop "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    expect "the leader" "$(leader_of "$b")" "$c"
    expect "a reply" "$(ask "$b" hello)" hello
}

# A pod that slices no longer have was deleted by force, and goes on; without any endpoint they say nothing.
vanished_is_not_dead()
{
    world
    three ADDED
    api_start
    launch_three
    slice MODIFIED "$(endpoint "$b" two)" "$(endpoint "$c" three)"
    wait_until "the leader's pod has no endpoint" logged "$c" 'slices_changed: .* has 2 endpoints'
    expect "a reply" "$(ask "$c" hello)" hello
    agree "$a" "$a" "$b" "$c" || fail "the leader has changed"
    slice MODIFIED
    wait_until "/readyz says that there is no endpoint" is_told "$c" 'ready; discovery.kubernetes: .* has no endpoint'
    expect "a reply" "$(ask "$c" again)" again
    agree "$a" "$a" "$b" "$c" || fail "the leader has changed"
}

# Kubernetes 1.20.
older_version()
{
    world
    echo v1beta1 >"$api/version"
    three ADDED
    api_start
    launch_three
    wait_until "/readyz says nothing of the missing version" is_told "$a" '^ready$'
    logged "$a" 'slices_version: .* no discovery.k8s.io/v1: trying v1beta1' || fail "no line has the version"
}

odd_endpoints()
{
    world
    slice ADDED "$(endpoint 127.0.0.1 a)" "$(endpoint 224.0.0.5 b)" "$(endpoint fd00::1 c)" "$(endpoint 0.0.0.0 d)" \
        '{"addresses":null}' "$(endpoint "$a" e)" "$(endpoint "$a" e)"
    api_start
    launch "$a" --quorum-expect 1
    wait_until "it leads alone" agree "$a" "$a"
    logged "$a" \
        'slices_rejected: .*loopback 1, unspecified 1, multicast 1, foreign 2, duplicate 1' || fail "they are not counted"
    logged "$a" 'slices_changed: .* has 1 endpoints' || fail "it has others"
}

not_found()
{
    world
    faulty list 403
    api_start
    launch "$a" --quorum-expect 3
    wait_until "/readyz names the rule" is_told "$a" \
        '^joining: discovery.kubernetes: .* API server: cannot list endpointslices .* 403: .*verbs: \[list\]'
    faulty
    wait_until "/readyz says that there is no endpoint" is_told "$a" \
        '^joining: discovery.kubernetes: Service "headless" has no endpoint: '
    slice ADDED "$(endpoint "$a" one)"
    wait_until "/readyz says that there is no other" is_told "$a" '^joining: discovery.kubernetes names no other pod'
    slice MODIFIED "$(endpoint "$a" one)" "$(endpoint "$b" two)"
    wait_until "/readyz says that it does not reply" is_told "$a" '^joining: 0 of 1 other pods'
}

certificate ca
run "a terminating pod is no successor" terminating_is_no_successor
run "a pod that slices lack is not dead" vanished_is_not_dead
run "an API server with v1beta1 only" older_version
run "endpoints that cannot be pods are left out" odd_endpoints
run "/readyz tells why no pod is known" not_found
finish
