#!/usr/bin/env bash
# election: lease for people, on a real API server: kubectl annotate names the next leader, kubectl describe shows the
# Events of leader changes, and a Service has the pod that leads as its only endpoint (components/leader-label).
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"

# is_led_by POD: it holds the Lease, has the label alone, and is the only endpoint of the Service
is_led_by()
{
    [[ $(holder) == "$1" && $(k get pods -l headlessd.io/role=leader -o name) == "pod/$1" &&
        $(endpoints) == "$(pod_address "$1")" ]]
}

# The Endpoints object was replaced by slices, of which 1.20 has v1beta1.
endpoints()
{
    k get endpointslices -l kubernetes.io/service-name=headlessd-leader -o json |
        jq -r '.items[].endpoints[]? | select(.conditions.ready != false) | .addresses[]' | xargs
}

is_led_by_holder()
{
    local name
    name=$(holder)
    [[ $name && $name != "${1:-}" ]] && is_led_by "$name"
}

# told REASON TEXT: kubectl describe shows such an Event of the Lease
told()
{
    [[ $(k describe lease headlessd) =~ $1.*$2 ]]
}

# other_than POD
other_than()
{
    [[ $1 == headlessd-0 ]] && echo headlessd-1 || echo headlessd-0
}

has_no_wish()
{
    [[ ! $(lease_field '.metadata.annotations.headlessd\.io/wanted') ]]
}

by_people()
{
    local before next lines
    mapfile -t lines < <(as_echo 3 FAILOVER_ON_REFUSED=fast)
    applies "$(overlay people "resources: [ROOT/manifests/overlays/kubernetes]" \
        "components: [ROOT/manifests/components/lease, ROOT/manifests/components/leader-label]" "${lines[@]}")"
    rolled_out headlessd
    wait_until "the Service has the leader" is_led_by_holder
    before=$(holder)
    wait_until "an Event tells it" told "Normal +LeaderChanged" "$before leads: term [0-9]+, by first"
    next=$(other_than "$before")
    annotated "$before" "$next"
    refused "$next"
    killed "$next"
    without_rule
}

# The handover loses nothing, and the annotation is gone.
annotated()
{
    client_start headlessd
    k annotate lease headlessd "headlessd.io/wanted=$2" >/dev/null
    wait_until "$2 leads" is_led_by "$2"
    has_no_wish || fail "the annotation has stayed"
    wait_until "an Event tells the wish" told "Normal +HandoverRequested" "$1 hands over to $2"
    wait_until "an Event tells the leader" told "Normal +LeaderChanged" "$2 leads: term [0-9]+, by leave, after $1"
    client_goes_on 100
    client_end
    grep -h leader_changed "$(pod_file "$2" log.headlessd)" | tail -n 1 | grep -oE '[0-9]+ ms without a leader' |
        sed "s/^/> $scenario: the pod that was named: /"
}

refused()
{
    k annotate lease headlessd headlessd.io/wanted=headlessd-9 >/dev/null
    wait_until "it is refused" log_has "$1" 'wanted_refused.*headlessd-9.*is no member'
    wait_until "an Event tells it" told "Warning +HandoverRefused" '"headlessd-9" is no member'
    wait_until "the annotation is removed" has_no_wish
    expect "the holder" "$(holder)" "$1"
}

# The pod stays, so its label has to be removed by another one.
killed()
{
    kill -KILL "$(pod_process "$1")"
    wait_until "the Service has another leader than $1" is_led_by_holder "$1"
    rolled_out headlessd
}

# A pod that becomes leader without the permission says so, and leads.
without_rule()
{
    local before next
    before=$(holder)
    next=$(other_than "$before")
    k delete rolebinding headlessd-leader-label >/dev/null
    k annotate lease headlessd "headlessd.io/wanted=$next" >/dev/null
    wait_until "/readyz of $next names the rule" readyz "$next" "^ready.*pods/status.*403.*verbs: .patch"
    expect "the holder" "$(holder)" "$next"
    applies "$work/overlays/people"
    wait_until "the Service has the leader" is_led_by_holder
    wait_until "/readyz of $next is as before" readyz "$next" '^ready$'
}

cluster_start
run_in people restricted "people name the leader, see its changes, and reach it by a Service" by_people
finish
