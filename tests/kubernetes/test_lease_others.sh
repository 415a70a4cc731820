#!/usr/bin/env bash
# election: lease with two API servers, with a new CA, with an elector that is none of ours, and with eight candidates at once.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"
# shellcheck source-path=SCRIPTDIR source=lib_faults.sh
. "$(dirname "$0")/lib_faults.sh"

# ---- the API servers' certificates

# The pods' CA is this test's, not what the controllers publish.
controller_options=(--controllers=-root-ca-cert-publisher)

make_certificate()
{
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$state/$1.key" -out "$state/$1.crt" -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=IP:$node,IP:$api,IP:127.0.0.1" 2>/dev/null
}

# serve_by NEW OTHER: the API server's certificate is NEW; the cluster's own components accept both.
serve_by()
{
    cat "$state/$1.crt" "$state/$2.crt" >"$state/certs/apiserver.crt"
    cp "$state/$1.key" "$state/certs/apiserver.key"
}

publish_ca()
{
    k create configmap kube-root-ca.crt --from-file "ca.crt=$state/$1.crt" --dry-run=client -o yaml |
        k apply -f - >/dev/null 2>&1
}

ca_rotated()
{
    local before
    before=$(term)
    serve_by new old
    kill -KILL "${kube_apiserver_pid:?}"
    wait "$kube_apiserver_pid" 2>/dev/null || true
    start_apiserver
    wait_until "the API server is ready" is_api_ready
    wait_until "/readyz of $leader tells why" readyz "$leader" '^ready.*API server: .*certificate of'
    client_goes_on 100
    publish_ca new
    renewals 2
    wait_until "/readyz of $leader is as before" readyz "$leader" '^ready$'
    same_leader "$before"
}

# ---- two API servers

# pods_use EXPRESSION PORT: new connections of pods
pods_use()
{
    nft insert rule ip services prerouting ip saddr 10.244.0.0/16 ip saddr != "{ $node, $client }" ip daddr "$api" \
        tcp dport 443 "$@"
}

# Pods use one of two, which stops with open connections; then each second new connection goes to the other one.
one_of_two()
{
    local before
    before=$(term)
    pods_use redirect to :6444
    api_refuse "${all[@]}" # ends the connections to the first one
    wait_until "$leader has no API server" metric_is "$(address_of "$leader")" api_up 0
    api_heal
    renewals 2
    pods_use numgen random mod 2 0 redirect to :6443
    kill -STOP "${second_apiserver_pid:?}"
    renewals 4
    client_goes_on 100
    same_leader "$before"
    kill -KILL "$second_apiserver_pid"
    wait "$second_apiserver_pid" 2>/dev/null || true
    renewals 4
    same_leader "$before"
    pods_use redirect to :6443
}

is_second_ready()
{
    [[ $(k --server "https://$node:6444" get --raw /readyz 2>/dev/null) == ok ]]
}

servers()
{
    start_apiserver_at second-apiserver 6444
    wait_until "the second API server is ready" is_second_ready
    publish_ca old
    pods_apply servers lease 3 whoami "${settings[@]}" LEASE_DURATION=137s LEASE_RENEW=1s
    client_start headlessd
    drive "one of two API servers stopped, then killed" one_of_two
    drive "CA rotated" ca_rotated
    faults_end
}

# ---- others who want the Lease

elector_start()
{
    local more=()
    since 24 || more=(--port=0)
    component elector "$components/kube-controller-manager" --kubeconfig "$state/admin.conf" --controllers=ttl \
        --secure-port 10258 --leader-elect-resource-name=headlessd --leader-elect-resource-namespace="$namespace" \
        --leader-elect-lease-duration=5s --leader-elect-renew-deadline=3s --leader-elect-retry-period=1s "${more[@]}"
    wait_until "the elector asks for the Lease" grep -q 'ttempting to acquire leader lease' "$state/elector.log"
}

is_foreign()
{
    local name
    name=$(holder)
    [[ $name && $name != headlessd-* ]]
}

no_pods()
{
    [[ ! $(k get pods -o name) ]]
}

are_told()
{
    local pod
    for pod in $(pods_here); do
        readyz "$pod" "$1" || return 1
    done
}

# It waits while a pod leads, and takes the released Lease when there is none. Then no pod leads until it has ended.
foreign_elector()
{
    local former
    look
    elector_start
    renewals 4
    expect "the holder" "$(holder)" "$leader"
    k scale statefulset/headlessd --replicas 0 >/dev/null
    wait_until "the elector holds the Lease" is_foreign
    wait_until "the pods have ended" no_pods
    k scale statefulset/headlessd --replicas 3 >/dev/null
    wait_until "/readyz of all pods names the elector" are_told "^joining: Lease .*is held by .*, which no pod of this cluster"
    former=$(lease_field .spec.holderIdentity)
    renewals 4
    expect "the holder" "$(lease_field .spec.holderIdentity)" "$former"
    expect "leaders" "$(leading)" ""
    kill -KILL "${elector_pid:?}"
    wait "$elector_pid" 2>/dev/null || true
    wait_until "a pod holds the Lease" agrees
    rolled_out headlessd
    client_start headlessd
    client_goes_on 100
    faults_end
}

# No pod has a leader; then all may write the Lease.
eight_at_once()
{
    api_cut "${all[@]}"
    wait_until "nobody leads" nobody_leads
    api_heal
    wait_until "one pod holds the Lease and leads" agrees
}

electors()
{
    publish_ca new
    pods_apply electors lease 3 whoami "${settings[@]}" LEASE_DURATION=6s
    foreign_elector
}

eight()
{
    publish_ca new
    pods_apply eight lease 8 whoami "${settings[@]}" LEASE_DURATION=6s
    client_start headlessd
    drive "eight candidates at once" eight_at_once
    faults_end
}

mkdir -p "$state/certs"
make_certificate old
make_certificate new
serve_by old new
cluster_start
api_faults
run_in servers restricted "the leader leads on while API servers and their CA change" servers
run_in electors restricted "no pod leads while another elector holds the Lease" electors
run_in eight restricted "eight candidates at once, and one leader" eight
finish
