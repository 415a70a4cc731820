#!/usr/bin/env bash
# election: lease on a real API server: kubectl shows the leader, and the Lease decides on it, whatever happens to the pods, to
# the API server, to the Lease or to the permission to write it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"

# begin NAME REPLICAS SETTING=VALUE...: pods with the component, that echo.
begin()
{
    local name=$1 lines
    shift
    mapfile -t lines < <(as_echo "$@")
    applies "$(overlay "$name" "resources: [ROOT/manifests/overlays/kubernetes]" \
        "components: [ROOT/manifests/components/lease]" "${lines[@]}")"
    rolled_out headlessd
    wait_until "the Lease has a holder that all pods follow" agrees
}

is_held_by_other_than()
{
    local name
    name=$(holder)
    [[ $name && $name != "$1" && $(leading) == "$name" ]]
}

one_holder()
{
    local before
    begin one 3
    expect "pods that lead" "$(leading)" "$(holder)"
    expect_match "kubectl get lease" "$(k get lease headlessd)" "headlessd-[0-2]_[0-9a-f]{16}"
    before=$(holder)
    client_start headlessd
    k delete pod "$before" --wait=false >/dev/null
    wait_until "another pod than $before holds the Lease" is_held_by_other_than "$before"
    rolled_out headlessd
    client_goes_on 100
    client_end
}

# The process ends without a word, and is replaced by votes or evidence, not after the Lease's duration.
killed()
{
    local before
    begin killed 3 FAILOVER_ON_REFUSED=fast
    before=$(holder)
    kill -KILL "$(pod_process "$before")"
    wait_until "another pod than $before holds the Lease" is_held_by_other_than "$before"
    log_has "$(holder)" 'lease_taken.*by (votes|evidence)' || fail "it took the Lease neither by votes nor by evidence"
    rolled_out headlessd
    edited
    deleted
}

term()
{
    lease_field '.metadata.annotations.headlessd\.io/term'
}

has_later_term()
{
    (($(term) > $1)) && agrees
}

# The holder, by hand: nobody is believed to lead because somebody wrote it, and the leader steps down.
edited()
{
    local before was
    before=$(holder)
    was=$(term)
    k label lease headlessd example.com/kept=yes >/dev/null
    k patch lease headlessd --type merge -p '{"spec":{"holderIdentity":"nobody"}}' >/dev/null
    wait_until "a pod holds the Lease in a later term" has_later_term "$was"
    wait_until "$before has stepped down" log_has "$before" 'lease_lost'
    expect "a label of others" "$(lease_field '.metadata.labels.example\.com/kept')" yes
}

deleted()
{
    local before
    wait_until "the Lease has a holder" agrees
    before=$(holder)
    client_start headlessd
    k delete lease headlessd >/dev/null
    wait_until "$before has written the Lease again" agrees
    expect "the holder" "$(holder)" "$before"
    client_goes_on 100
    client_end
}

# is_replaced POD UID: there is another one with an address.
is_replaced()
{
    [[ $(k get pod "$1" -o 'jsonpath={.metadata.uid}' 2>/dev/null) != "$2" && $(pod_address "$1" 2>/dev/null) ]]
}

rule='leases.*403.*verbs: '

# The leader leads on for 2/3 of the duration; a new pod cannot read the Lease, and is not ready.
without_rule()
{
    local before new uid
    before=$(holder)
    new="headlessd-0"
    [[ $before != "$new" ]] || new="headlessd-1"
    uid=$(k get pod "$new" -o 'jsonpath={.metadata.uid}')
    client_start headlessd
    k delete rolebinding headlessd-lease >/dev/null
    k delete pod "$new" --wait=false >/dev/null
    wait_until "$new is replaced" is_replaced "$new" "$uid"
    wait_until "/readyz of $new names the rule" readyz "$new" "^lease.*$rule"
    wait_until "/readyz of $before names the rule" readyz "$before" "^ready.*$rule"
    expect "the leader" "$(leading)" "$before"
    applies "$work/overlays/stopped"
    rolled_out headlessd
    wait_until "/readyz of $before is as before" readyz "$before" '^ready$'
    client_goes_on 100
    client_end
}

# With established connections that nobody reads; pods time out, and the leader leads on. The last scenario, and short:
# kube-controller-manager ends when it cannot renew its own Lease for 10 s.
without_api_server()
{
    local before address
    begin stopped 3 LEASE_DURATION=137s LEASE_RENEW=1s
    without_rule
    before=$(holder)
    address=$(pod_address "$before")
    client_start headlessd
    kill -STOP "${kube_apiserver_pid:?}"
    wait_until "$before cannot renew" log_has "$before" lease_failing
    client_goes_on 2000
    expect "the leader" "$(page "$address" leader | jq -r .leader.name)" "$before"
    kill -CONT "${kube_apiserver_pid:?}"
    wait_until "the API server is ready" is_api_ready
    wait_until "the Lease has a holder that all pods follow" agrees
    expect "the holder" "$(holder)" "$before"
    client_goes_on 100
    client_end
}

# Two pods have no majority without each other: evidence, and the Lease.
two_pods()
{
    local before
    begin two 2 FAILOVER_ON_REFUSED=fast LEASE_DURATION=137s
    before=$(holder)
    kill -KILL "$(pod_process "$before")"
    wait_until "the other pod holds the Lease" has_moved_alone "$before"
    rolled_out headlessd
    wait_until "one pod leads" agrees
}

has_moved_alone()
{
    (($(leading | wc -w) < 2)) || fail "two pods lead: $(leading)"
    is_held_by_other_than "$1"
}

cluster_start
run_in one restricted "exactly one pod leads, kubectl shows it, and its deletion loses nothing" one_holder
run_in killed restricted "kill, edit, delete: one pod leads by the Lease, and goes on" killed
run_in two restricted "of two pods one leads, and the other one after it is killed" two_pods
run_in stopped restricted "no permission, and an API server that stops, lose nothing while the leader lives" without_api_server
finish
