#!/usr/bin/env bash
# election: lease on a real API server: kubectl shows the leader, and the Lease decides on it, whatever happens to the pods, to
# the API server, to the Lease or to the permission to write it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"

# begin NAME REPLICAS SETTING=VALUE...: pods with the component, that echo.
begin()
{
    local name=$1 replicas=$2 lines setting
    shift 2
    mapfile -t lines < <(as_echo "$replicas")
    for setting in "$@"; do
        lines+=("      - op: add" "        path: /spec/template/spec/containers/0/env/-"
            "        value: {name: HEADLESSD_${setting%%=*}, value: \"${setting#*=}\"}")
    done
    applies "$(overlay "$name" "resources: [ROOT/manifests/overlays/kubernetes]" \
        "components: [ROOT/manifests/components/lease]" "${lines[@]}")"
    rolled_out headlessd
    wait_until "the Lease has a holder that all pods follow" agrees
}

# page ADDRESS PAGE
page()
{
    in_client curl -s --max-time 5 "http://$1:8080/$2"
}

# holder: the pod in the Lease; nothing without one
holder()
{
    k get lease headlessd -o 'jsonpath={.spec.holderIdentity}' 2>/dev/null | sed 's/_[0-9a-f]*$//'
}

# leaders: the pods that lead, as they say themselves
leaders()
{
    local pod
    for pod in $(k get pods -l app.kubernetes.io/name=headlessd -o 'jsonpath={.items[*].metadata.name}'); do
        [[ $(metric "$(pod_address "$pod")" is_leader) != 1 ]] || echo "$pod"
    done | xargs
}

agrees()
{
    local name
    name=$(holder)
    [[ $name && $(leaders) == "$name" ]]
}

is_held_by_other_than()
{
    local name
    name=$(holder)
    [[ $name && $name != "$1" && $(leaders) == "$name" ]]
}

# pod_process POD
pod_process()
{
    cat "$(pod_file "$1" pid.headlessd)"
}

log_has()
{
    grep -qE "$2" "$(pod_file "$1" log.headlessd)"
}

one_holder()
{
    local before
    begin one 3
    expect "pods that lead" "$(leaders)" "$(holder)"
    expect_match "kubectl get lease" "$(k get lease headlessd)" "headlessd-[0-2]_[0-9a-f]{16}"
    before=$(holder)
    client_start headlessd
    k delete pod "$before" --wait=false >/dev/null
    wait_until "another pod than $before holds the Lease" is_held_by_other_than "$before"
    rolled_out headlessd
    client_goes_on 100
    client_end
}

cluster_start
run_in one restricted "exactly one pod leads, kubectl shows it, and its deletion loses nothing" one_holder
finish
