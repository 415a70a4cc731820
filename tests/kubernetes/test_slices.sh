#!/usr/bin/env bash
# discovery.kubernetes on a real API server: pods find each other by EndpointSlices, with and without DNS; the API server
# stops for a while; the RBAC rule is taken away and given back.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"

# Appended to the patches of as_echo.
without_dns=("  - patch: |"
    "      apiVersion: apps/v1"
    "      kind: StatefulSet"
    "      metadata: {name: headlessd}"
    "      spec: {template: {spec: {containers: [{name: headlessd, env:"
    "        [{name: HEADLESSD_DISCOVERY_DNS, \$patch: delete}]}]}}}")

# begin NAME LINE...: three pods with the component, that echo.
begin()
{
    local name=$1 lines
    shift
    mapfile -t lines < <(as_echo 3)
    applies "$(overlay "$name" "resources: [ROOT/manifests/overlays/kubernetes]" \
        "components: [ROOT/manifests/components/slices]" "${lines[@]}" "$@")"
    rolled_out headlessd
}

has_pods()
{
    [[ $(k get pods -o 'jsonpath={.items[*].metadata.name}' | wc -w) == "$1" ]]
}

scale()
{
    k scale statefulset/headlessd --replicas "$1" >/dev/null
    rolled_out headlessd
    wait_until "there are $1 pods" has_pods "$1"
    client_goes_on 100
}

# has_members POD N
has_members()
{
    local figures
    read -r -a figures <<<"$(metric "$(pod_address "$1")" 'members{state="'{self,leader,alive}'"}')"
    [[ ${figures[*]} =~ ^[0-9]\ [0-9]\ [0-9]$ ]] && ((figures[0] + figures[1] + figures[2] == $2))
}

only_slices()
{
    begin only "${without_dns[@]}"
    expect "variables of DNS" "$(k get statefulset headlessd -o yaml | grep -c DISCOVERY_DNS || true)" 0
    client_start headlessd
    scale 5
    wait_until "headlessd-4 knows five members" has_members headlessd-4 5
    scale 2
    wait_until "headlessd-0 knows two members" has_members headlessd-0 2
    client_end
    log_has headlessd-0 'slices_changed.*discovery.kubernetes: headlessd-peers has 5 endpoints' ||
        fail "no line has five endpoints"
    log_has headlessd-0 slices_version || # v1beta1 of Kubernetes 1.20 does not say it
        log_has headlessd-0 'slices_changed.*, [1-9] of them terminating' || fail "no line has a terminating pod"
    ! log_has headlessd-0 'discovery_(changed|failed)' || fail "DNS was asked"
}

# Its connections stay open, and nothing comes.
without_api_server()
{
    local before address
    begin stopped "${without_dns[@]}"
    client_start headlessd
    address=$(pod_address headlessd-0)
    before=$(page "$address" leader)
    kill -STOP "${kube_apiserver_pid:?}"
    client_goes_on 2000
    expect "the leader" "$(page "$address" leader)" "$before"
    kill -CONT "${kube_apiserver_pid:?}"
    wait_until "the API server is ready" is_api_ready
    client_goes_on 100
    client_end
    k rollout restart statefulset/headlessd >/dev/null
    rolled_out headlessd
}

rule='endpointslices.*403.*verbs: .list.'

# New processes are refused, and find each other by DNS; those that run keep their watch.
without_rule()
{
    local pod
    begin rule
    k delete rolebinding headlessd-slices >/dev/null
    client_start headlessd
    k rollout restart statefulset/headlessd >/dev/null
    rolled_out headlessd
    client_goes_on 100
    client_end
    for pod in headlessd-{0,1,2}; do
        wait_until "/readyz of $pod names the rule" readyz "$pod" "^ready.*$rule"
        log_has "$pod" "api_failed.*$rule" || fail "the log of $pod does not name the rule"
        wait_until "$pod knows three members" has_members "$pod" 3
    done
    applies "$work/overlays/rule"
    for pod in headlessd-{0,1,2}; do
        wait_until "$pod follows the slices again" log_has "$pod" slices_back
        wait_until "/readyz of $pod is as before" readyz "$pod" '^ready$'
    done
}

cluster_start
run_in only restricted "discovery.kubernetes alone: kubectl scale to five and to two loses nothing" only_slices
run_in stopped restricted "an API server that stops changes nothing" without_api_server
run_in rule restricted "without its RBAC rule DNS takes over, and /readyz and the log name the rule" without_rule
finish
