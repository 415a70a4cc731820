#!/usr/bin/env bash
# An operator with kubectl and overlays/kubernetes-lease: get, describe, auth can-i, scale and rollout restart do what
# they do for any workload, and lose nothing. A change between election: peers and lease over running pods is refused.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"

# make NAME OVERLAY: three pods of this overlay, that echo; prints its directory. No leader's time ends because the machine
# is busy.
make()
{
    local lines
    mapfile -t lines < <(as_echo 3 LEASE_DURATION=137s)
    overlay "$1" "resources: [ROOT/manifests/overlays/$2]" "${lines[@]}"
}

pods()
{
    k get pods -o 'jsonpath={.items[*].metadata.name}'
}

transitions()
{
    lease_field .spec.leaseTransitions
}

# is_held_by POD
is_held_by()
{
    agrees && [[ $(holder) == "$1" ]]
}

# ---- one day of an operator

shows()
{
    local name described word
    name=$(holder)
    expect "the pod that kubectl get lease names" "$(k get pod "$name" -o name)" "pod/$name"
    expect_match "kubectl get lease" "$(k get lease headlessd --no-headers)" "^headlessd +${name}_[0-9a-f]{16} +[0-9]+[smh]"
    described=$(k describe lease headlessd)
    for word in "Holder Identity: +${name}_" "Lease Duration Seconds: +137" "Lease Transitions: +[0-9]" "Renew Time: +20" \
        "headlessd.io/term: +[0-9]" "headlessd.io/fence: +(peers|lease)"; do
        expect_match "kubectl describe lease" "$described" "$word"
    done
}

# The objects of the overlay stay as they are, though pods have written the Lease: kubectl apply is no edit of the holder.
applied_again()
{
    local before
    before=$(holder)/$(transitions)
    k diff -k "$1" >"$work/diff.out" 2>&1 || fail "it differs from its own objects: $(<"$work/diff.out")"
    applies "$1"
    expect "holder and transitions" "$(holder)/$(transitions)" "$before"
}

# may VERB RESOURCE...: the pods' account, by RBAC
may()
{
    k auth can-i "$@" --as "system:serviceaccount:$namespace:headlessd" || true
}

exactly_these_rights()
{
    local verb
    for verb in get update list watch; do
        expect "$verb of the Lease" "$(may "$verb" leases.coordination.k8s.io/headlessd)" yes
        expect "$verb of another Lease" "$(may "$verb" leases.coordination.k8s.io/other)" no
    done
    expect "create of Leases" "$(may create leases.coordination.k8s.io)" yes
    for verb in patch delete; do
        expect "$verb of the Lease" "$(may "$verb" leases.coordination.k8s.io/headlessd)" no
    done
    for verb in "get pods" "list secrets" "get configmaps" "create events"; do
        # shellcheck disable=SC2086 # two words
        expect "$verb" "$(may $verb)" no
    done
}

has_pods()
{
    [[ $(pods | wc -w) == "$1" ]]
}

# scale N: ready pods, one holder
scale()
{
    k scale statefulset/headlessd --replicas "$1" >/dev/null
    rolled_out headlessd
    wait_until "there are $1 pods" has_pods "$1"
    wait_until "the holder leads, and nobody else" agrees
    client_goes_on 100
}

five_and_two()
{
    local before
    before=$(holder)/$(transitions)
    scale 5
    expect "holder and transitions" "$(holder)/$(transitions)" "$before"
    in_client "$headlessctl" --data "$(pod_address headlessd-4):12000" leader set headlessd-4 >"$work/set.out" 2>&1 ||
        fail "leader set: $(<"$work/set.out")"
    wait_until "headlessd-4 holds the Lease" is_held_by headlessd-4
    before=$(transitions)
    scale 2
    expect_match "the holder" "$(holder)" '^headlessd-[01]$'
    expect_between "holders since headlessd-4" $(($(transitions) - before)) 1 2
    scale 3
}

restart()
{
    local before
    before=$(transitions)
    k rollout restart statefulset/headlessd >/dev/null
    rolled_out headlessd
    wait_until "the holder leads, and nobody else" agrees
    expect_between "holders in a rolling restart" $(($(transitions) - before)) 1 3
    client_goes_on 100
}

operator()
{
    local directory
    directory=$(make operator kubernetes-lease)
    applies "$directory"
    rolled_out headlessd
    wait_until "the holder leads, and nobody else" agrees
    shows
    applied_again "$directory"
    exactly_these_rights
    client_start headlessd
    five_and_two
    restart
    client_end
    shows
}

# ---- from peers to lease, and back

# has_one_leader: it counts more than one at any time as a failure.
has_one_leader()
{
    local names
    names=$(leading)
    [[ $names != *" "* ]] || fail "two pods lead: $names"
    [[ $names ]]
}

# keeps_out POD REASON
keeps_out()
{
    has_one_leader || true
    readyz "$1" "$2"
}

leads_by_votes()
{
    has_one_leader && [[ $(holder) != "$(leading)" ]]
}

leads_by_lease()
{
    has_one_leader && agrees
}

# kept_apart OVERLAY REASON: applied over running pods, the first pod of the rolling update stays out and says why; the
# others serve.
kept_apart()
{
    local before
    before=$(leading)
    client_start headlessd
    applies "$1"
    wait_until "headlessd-2 is kept out, and says why" keeps_out headlessd-2 "$2"
    client_goes_on 500
    expect "leaders" "$(leading | wc -w)" 1
    [[ $before == headlessd-2 ]] || expect "the leader" "$(leading)" "$before"
    expect "the pod that is kept out" "$(metric "$(pod_address headlessd-2)" is_leader)" 0
    client_end
}

# all_at_once OVERLAY CONDITION: as docs/kubernetes.md tells.
all_at_once()
{
    local began
    began=$(now_ms)
    k scale statefulset/headlessd --replicas 0 >/dev/null
    wait_until "no pod is left" has_pods 0
    applies "$1"
    rolled_out headlessd
    wait_until "one pod leads" "$2"
    echo "> $scenario: $((($(now_ms) - began) / 100))00 ms without a leader, at most"
    client_start headlessd
    client_end
}

change()
{
    local peers lease
    peers=$(make peers kubernetes)
    lease=$(make lease kubernetes-lease)
    applies "$peers"
    rolled_out headlessd
    wait_until "one pod leads" has_one_leader
    kept_apart "$lease" '^joining: other pods have election: peers, this one has lease'
    all_at_once "$lease" leads_by_lease
    kept_apart "$peers" '^joining: other pods have election: lease, this one has peers'
    all_at_once "$peers" leads_by_votes
}

cluster_start
run_in operator restricted "get, describe, can-i, scale and rollout restart with election: lease lose nothing" operator
run_in change restricted "election changes with all pods stopped, and not over running ones" change
finish
