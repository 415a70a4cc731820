#!/usr/bin/env bash
# Two instances in one namespace, by namePrefix: their Services, selectors and elections are apart.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# instance NAME OVERLAY: as docs/kubernetes.md tells.
instance()
{
    applies "$(overlay "$1" "namePrefix: $1-" "resources: [ROOT/manifests/overlays/$2]" "patches:" \
        "  - target: {kind: StatefulSet}" "    patch: |" "      - op: add" \
        "        path: /spec/template/spec/containers/0/env/-" "        value: {name: HEADLESSD_CLUSTER, value: $1}")"
}

pods_of()
{
    k get pods -l "app.kubernetes.io/instance=$1-headlessd" -o 'jsonpath={.items[*].metadata.name}'
}

# endpoints SERVICE: the pods that its EndpointSlices name, sorted.
endpoints()
{
    k get endpointslices -l "kubernetes.io/service-name=$1" -o json |
        jq -r '.items[].endpoints[]?.targetRef.name' | sort -u | xargs
}

has_endpoints()
{
    [[ $(endpoints "$1") == "$2" ]]
}

two_instances()
{
    local name other service addresses names
    instance prod kubernetes
    instance test kubernetes
    for name in prod test; do
        rolled_out "$name-headlessd"
        names="$name-headlessd-0 $name-headlessd-1 $name-headlessd-2"
        expect "pods of $name" "$(pods_of "$name")" "$names"
        for service in headlessd headlessd-peers headlessd-metrics; do
            wait_until "$name-$service has the pods of $name" has_endpoints "$name-$service" "$names"
        done
        read -r -a addresses <<<"$(pod_addresses "app.kubernetes.io/instance=$name-headlessd")"
        expect "addresses of $name" "${#addresses[@]}" 3
        wait_until "$name has one leader" agree any "${addresses[@]}"
        for other in "${addresses[@]}"; do
            expect "members that $other knows" "$(http "$other:8080/status" | jq '.members | length')" 3
        done
        expect "disruption budget of $name" \
            "$(k get poddisruptionbudget $name-headlessd -o 'jsonpath={.status.expectedPods}')" 3
    done
}

# Each has its Lease, and no right to the other's.
two_leases()
{
    local name
    instance blue kubernetes-lease
    instance green kubernetes-lease
    for name in blue green; do
        rolled_out "$name-headlessd"
        wait_until "a pod of $name holds its Lease" is_held "$name"
        expect "update of the Lease of $name" "$(may_update blue "$name") $(may_update green "$name")" \
            "$([[ $name == blue ]] && echo yes no || echo no yes)"
    done
}

is_held()
{
    [[ $(k get lease "$1-headlessd" -o 'jsonpath={.spec.holderIdentity}') =~ ^$1-headlessd-[0-2]_[0-9a-f]{16}$ ]]
}

# may_update INSTANCE OTHER: the account of one instance, the Lease of the other
may_update()
{
    k auth can-i update "leases.coordination.k8s.io/$2-headlessd" \
        --as "system:serviceaccount:$namespace:$1-headlessd" || true
}

cluster_start
run_in instances restricted "two instances with a namePrefix do not select each other" two_instances
run_in leases restricted "two instances with election: lease have a Lease each" two_leases
finish
