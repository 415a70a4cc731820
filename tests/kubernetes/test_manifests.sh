#!/usr/bin/env bash
# The manifests, applied by kubectl to a real API server: no field is unknown, real controllers make the pods, which
# find each other by CoreDNS, and each one serves.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

selector=app.kubernetes.io/name=headlessd

# serve POD...: each is ready and has the same leader; a datagram to any is replied to by the leader, from the address
# that it was sent to, since the client's socket is connected.
serve()
{
    local pod leader_name="" addresses=() agreed=""
    for pod in "$@"; do
        addresses+=("$(pod_address "$pod")")
    done
    wait_until "all have one leader" agree any "${addresses[@]}"
    agree any "${addresses[@]}" || fail "no leader"
    for pod in "$@"; do
        [[ $(pod_address "$pod") != "$agreed" ]] || leader_name=$pod
    done
    for pod in "$@"; do
        expect_match "reply through $pod" "$(ask "$(pod_address "$pod")" "$(printf '%-150s' hi)")" \
            "^$leader_name $agreed leader term [0-9]+ via $(pod_address "$pod") you $client:[0-9]+\$"
    done
}

# dns_has NAME ADDRESSES: the cluster's DNS has exactly these, in any order.
dns_has()
{
    local answer
    answer=$(in_client kdig +short +timeout=1 +retry=0 "@$name_server" "$1.$namespace.svc.cluster.local" A)
    [[ $(sort <<<"$answer" | xargs) == "$(tr ' ' '\n' <<<"$2" | sort | xargs)" ]]
}

# Applied again, nothing differs: the API server has set nothing that the files set otherwise.
is_unchanged()
{
    k diff -k "$1" >"$work/diff.out" 2>&1 || fail "$1 differs from its own objects: $(<"$work/diff.out")"
}

as_shipped_for_kubernetes()
{
    applies "$manifests/overlays/kubernetes"
    rolled_out headlessd
    serve headlessd-{0,1,2}
    wait_until "DNS has the three pods" dns_has headlessd "$(pod_addresses $selector)"
    wait_until "the disruption budget counts them" budget_is 2/3
    is_unchanged "$manifests/overlays/kubernetes"
    killed_process
}

# The kubelet starts a process that was killed again, in the same pod.
killed_process()
{
    local address
    address=$(pod_address headlessd-1)
    kill -KILL "$(<"$(pod_file headlessd-1 pid.headlessd)")"
    wait_until "the process is started again" has_restarts headlessd-1 1
    rolled_out headlessd
    expect "its address" "$(pod_address headlessd-1)" "$address"
    serve headlessd-{0,1,2}
}

has_restarts()
{
    [[ $(k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].restartCount}') == "$2" ]]
}

budget_is()
{
    [[ $(k get poddisruptionbudget headlessd -o 'jsonpath={.status.desiredHealthy}/{.status.currentHealthy}') == "$1" ]]
}

# A pod that is not ready is no address of the Service, but one of the peers' Service.
not_ready_but_a_peer()
{
    local addresses
    applies "$(overlay one "resources: [ROOT/manifests/overlays/kubernetes]" \
        "patches: [{target: {kind: StatefulSet}, patch: '- {op: replace, path: /spec/replicas, value: 1}'}]")"
    wait_until "the pod runs" has_phase headlessd-0 Running
    addresses=$(pod_address headlessd-0)
    wait_until "it is a peer" dns_has headlessd-peers "$addresses"
    expect "ready pods" "$(pod_addresses $selector)" ""
    dns_has headlessd "" || fail "DNS has a pod that is not ready"
    k scale statefulset/headlessd --replicas 3 >/dev/null
    rolled_out headlessd
    serve headlessd-{0,1,2}
}

has_phase()
{
    [[ $(k get pod "$1" -o 'jsonpath={.status.phase}') == "$2" ]]
}

# The kinds that the API server does not have; before 1.25 kubectl checks fields by its OpenAPI document.
stand_ins()
{
    k apply --validate=strict -f "$sources/stand_ins.yaml" >/dev/null
    k wait --for condition=Established crd --all --timeout 60s >/dev/null
    wait_until "the schema of the last stand-in is published" publishes PrometheusRule
}

publishes()
{
    k get --raw /openapi/v2 | jq -e --arg kind "$1" 'any(.definitions[]; .["x-kubernetes-group-version-kind"][0].kind == $kind)' \
        >/dev/null
}

as_shipped_for_openshift()
{
    stand_ins
    applies "$manifests/overlays/openshift"
    rolled_out headlessd
    serve headlessd-{0,1,2}
    expect_match "node port" "$(k get service headlessd-nodeport -o 'jsonpath={.spec.ports[0].nodePort}')" '^3[0-9]{4}$'
    is_unchanged "$manifests/overlays/openshift"
    k apply --validate=strict --dry-run=server -k "$manifests/overlays/openshift-lease" >"$work/apply.out" 2>&1 ||
        fail "overlays/openshift-lease: $(<"$work/apply.out")"
    k apply --validate=strict --dry-run=server -f "$manifests/components/transparent/scc.yaml" >"$work/apply.out" 2>&1 ||
        fail "scc.yaml: $(<"$work/apply.out")"
}

# Pods wait for the keys, and take them from the Secret when it comes.
keys()
{
    applies "$(overlay keys "resources: [ROOT/manifests/overlays/kubernetes]" \
        "components: [ROOT/manifests/components/keys]")"
    wait_until "a pod tells that it has no key" says_key headlessd-0
    head -c 32 /dev/urandom | base64 >"$work/2026-11"
    k create secret generic headlessd-keys --from-file "$work/2026-11" >/dev/null
    rolled_out headlessd
    serve headlessd-{0,1,2}
}

says_key()
{
    grep -q '^key: ' < <(in_client curl -s "http://$(pod_address "$1"):8080/readyz")
}

# The server beside headlessd is CoreDNS: its plugin whoami replies with the source address that it sees.
sidecar()
{
    applies "$(overlay sidecar "resources: [ROOT/manifests/overlays/kubernetes]" \
        "components: [ROOT/manifests/components/sidecar, $1]")"
    rolled_out headlessd
    expect_match "who the server sees" "$(in_client kdig "@$(pod_address headlessd-1)" -p 12000 example.org A)" "$2"
}

# new-app creates the Deployment, of one pod; the component changes it.
new_app()
{
    k create --validate=strict -f - >"$work/create.out" 2>&1 <<'END'
apiVersion: apps/v1
kind: Deployment
metadata: {name: udp-server, labels: {app: udp-server}}
spec:
  selector: {matchLabels: {deployment: udp-server}}
  template:
    metadata: {labels: {deployment: udp-server}}
    spec: {containers: [{name: udp-server, image: "headlessd", ports: [{containerPort: 12000, protocol: UDP}]}]}
END
    applies "$manifests/components/new-app"
    k rollout status deployment/udp-server --timeout "$((patience_ms / 1000))s" >/dev/null ||
        fail "the Deployment is not rolled out"
    wait_until "three pods are ready" has_ready 3 deployment=udp-server
    wait_until "they are all one cluster" is_one_cluster
}

has_ready()
{
    [[ $(pod_addresses "$2" | wc -w) == "$1" ]]
}

is_one_cluster()
{
    local addresses
    read -r -a addresses <<<"$(pod_addresses deployment=udp-server)"
    ((${#addresses[@]} == 3)) && agree any "${addresses[@]}"
}

# The API server accepts the components that cannot run here.
other_components()
{
    local name directory
    for name in hostnetwork loadbalancer monitoring multicast; do
        directory=$(overlay "$name" "resources: [ROOT/manifests/overlays/kubernetes]" \
            "components: [ROOT/manifests/components/$name]")
        k apply --validate=strict --dry-run=server -k "$directory" >"$work/apply.out" 2>&1 ||
            fail "$name: $(<"$work/apply.out")"
    done
}

# refuses FIELD SED [PATTERN]: the objects that standard input has, changed by this expression, because of this field.
refuses()
{
    local good bad
    good=$(cat)
    bad=$(sed -E "$2" <<<"$good")
    [[ $bad != "$good" ]] || fail "changes nothing: $2"
    expect_match "$1" "$(k apply --validate=strict --dry-run=server -f - <<<"$bad" 2>&1 || true)" \
        "${3:-unknown field \"([^\" ]*[.])?$1\"}"
}

# Each kind has a fault.
wrong_fields()
{
    stand_ins
    k kustomize "$manifests/overlays/openshift" >"$work/openshift.yaml"
    refuses replicass 's/replicas: 3/replicass: 3/' <"$work/openshift.yaml"
    refuses lookupPolicies 's/lookupPolicy:/lookupPolicies:/' <"$work/openshift.yaml"
    refuses dockerFilePath 's/dockerfilePath:/dockerFilePath:/' <"$work/openshift.yaml"
    refuses "triggers" 's/type: ConfigChange/type: ConfigChanged/' 'Unsupported value: "ConfigChanged"' <"$work/openshift.yaml"
    refuses scrapeInterval 's/interval: 15s/scrapeInterval: 15s/' <"$work/openshift.yaml"
    refuses since 's/for: 2m/since: 2m/' <"$work/openshift.yaml"
    refuses allowedCapability 's/allowedCapabilities/allowedCapability/' <"$manifests/components/transparent/scc.yaml"
    refuses runAsUser 's/type: RunAsAny/type: Any/' 'Unsupported value: "Any"' <"$manifests/components/transparent/scc.yaml"
}

# Admission by the level of Pod Security.
forbidden_capability()
{
    local directory
    directory=$(overlay capability "resources: [ROOT/manifests/overlays/kubernetes]" \
        "components: [ROOT/manifests/components/sidecar, ROOT/manifests/components/transparent]")
    expect_match "NET_ADMIN at the level restricted" "$(k apply --dry-run=server -k "$directory" 2>&1 || true)" \
        'would violate PodSecurity "restricted:latest": .*NET_ADMIN'
}

cluster_start
run_in udp restricted "overlays/kubernetes: three pods, one leader, each serves" as_shipped_for_kubernetes
run_in peers restricted "a pod that is not ready is found by its peers only" not_ready_but_a_peer
run_in openshift restricted "overlays/openshift: three pods, one leader, each serves" as_shipped_for_openshift
run_in keys restricted "components/keys: pods wait for the Secret, and take it" keys
if since 21; then
    run_in sidecar restricted "components/sidecar: a server in the pod" \
        sidecar ROOT/manifests/components/multicast 'IN[[:space:]]A[[:space:]]127\.(1(2[89]|[3-9].)|2..)\.'
    run_in transparent privileged "components/transparent: the server sees the client" \
        sidecar ROOT/manifests/components/transparent "IN[[:space:]]A[[:space:]]$client"
else
    skip "components/sidecar and components/transparent" "their server is CoreDNS, which is not built for Kubernetes 1.20"
fi
run_in new-app privileged "components/new-app: three pods, one leader" new_app
run_in others privileged "the other components are accepted" other_components
run_in refusals restricted "an unknown field or value is refused, of every kind" wrong_fields
if since 23; then
    run_in capability restricted "a capability is refused at the level restricted" forbidden_capability
else
    skip "a capability at the level restricted" "Kubernetes 1.$minor has no Pod Security levels"
fi
finish
