#!/usr/bin/env bash
# election: lease on a real API server that fails, refuses or is cut off. A client checks by the terms in the replies that
# never two leaders serve, and that each request has its reply.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"
# shellcheck source-path=SCRIPTDIR source=lib_lease.sh
. "$(dirname "$0")/lib_lease.sh"
# shellcheck source-path=SCRIPTDIR source=lib_faults.sh
. "$(dirname "$0")/lib_faults.sh"

# ---- lease.duration 137s: the leader leads on

connections_cut()
{
    local before
    before=$(term)
    api_cut_connections
    renewals 3
    client_goes_on 100
    same_leader "$before"
}

followers_cut()
{
    local pod before
    before=$(term)
    api_refuse "$(address_of "${followers[0]}")" "$(address_of "${followers[1]}")"
    for pod in "${followers[@]}"; do
        wait_until "/readyz of $pod names the API server" readyz "$pod" '^ready.*API server: .*no connection'
    done
    client_goes_on 100
    same_leader "$before"
    api_heal
    for pod in "${followers[@]}"; do
        wait_until "/readyz of $pod is as before" readyz "$pod" '^ready$'
    done
}

log_count()
{
    grep -cE "$2" "$(pod_file "$1" log.headlessd)" || true
}

log_grows()
{
    (($(log_count "$1" "$2") > $3))
}

etcd_stopped()
{
    local before failed
    before=$(term)
    failed=$(log_count "$leader" lease_failing)
    kill -STOP "${etcd_pid:?}"
    wait_until "$leader cannot renew" log_grows "$leader" lease_failing "$failed"
    client_goes_on 1000
    kill -CONT "$etcd_pid"
    wait_until "the API server is ready" is_api_ready
    renewals 2
    same_leader "$before"
}

etcd_client()
{
    curl -sf "http://127.0.0.1:2379/v3/$1" -d "$2"
}

# restarts_of POD WHY: of its watches
restarts_of()
{
    metric "$(address_of "$1")" "watch_restarts_total{why=\"$2\"}"
}

has_expired()
{
    (($(restarts_of "$1" expired) > $2))
}

# A follower misses changes, which etcd forgets, as do the API servers, which are started again.
killed_and_compacted()
{
    local before expired revision pod=${followers[0]}
    before=$(term)
    expired=$(restarts_of "$pod" expired)
    api_refuse "$(address_of "$pod")"
    renewals 3
    revision=$(etcd_client maintenance/status '{}' | jq -r .header.revision)
    etcd_client kv/compaction "{\"revision\": \"$revision\", \"physical\": true}" >/dev/null || fail "no compaction"
    kill -KILL "${kube_apiserver_pid:?}" "${etcd_pid:?}"
    wait "$kube_apiserver_pid" "$etcd_pid" 2>/dev/null || true
    client_goes_on 100
    start_etcd
    start_apiserver
    wait_until "the API server is ready" is_api_ready
    api_heal
    wait_until "the watch of $pod has expired" has_expired "$pod" "$expired"
    renewals 2
    wait_until "/readyz of $pod is as before" readyz "$pod" '^ready$'
    same_leader "$before"
}

# hold_seats: requests of the service account whose bodies never come, which occupy what its level has. It lets one in
# even with 0 seats.
hold_seats()
{
    k create token headlessd >"$work/seats.token"
    app_start seats in_client python3 -c '
import socket, ssl, sys, time
address, path, token = sys.argv[1], sys.argv[2], open(sys.argv[3]).read().strip()
head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n" \
    "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
connections = []
for i in range(12):
    connection = ssl._create_unverified_context().wrap_socket(socket.create_connection((address, 443)))
    connection.sendall(head.encode())
    connections.append(connection)
    time.sleep(0.1)
print("ready", file=sys.stderr, flush=True)
time.sleep(600)' "$api" "/apis/coordination.k8s.io/v1/namespaces/$namespace/leases" "$work/seats.token"
}

level()
{
    if since 29; then
        echo "limited: {nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: {type: Reject}}"
    else
        echo "limited: {assuredConcurrencyShares: 1, limitResponse: {type: Reject}}"
    fi
}

# All requests of the service account are of a level that others of its requests have occupied.
throttled()
{
    local before version=v1
    since 29 || version=v1beta1
    before=$(term)
    k apply -f - >/dev/null <<STARVED
apiVersion: flowcontrol.apiserver.k8s.io/$version
kind: PriorityLevelConfiguration
metadata: {name: starved}
spec:
  type: Limited
  $(level)
---
apiVersion: flowcontrol.apiserver.k8s.io/$version
kind: FlowSchema
metadata: {name: starved}
spec:
  matchingPrecedence: 10
  priorityLevelConfiguration: {name: starved}
  rules:
    - subjects: [{kind: ServiceAccount, serviceAccount: {name: headlessd, namespace: $namespace}}]
      resourceRules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"]}]
STARVED
    hold_seats
    wait_until "/readyz of $leader says 429" readyz "$leader" '^ready.*429: the API server limits'
    client_goes_on 100
    same_leader "$before"
    app_stop seats
    k delete flowschema,prioritylevelconfiguration starved >/dev/null
    renewals 2
    wait_until "/readyz of $leader is as before" readyz "$leader" '^ready$'
    same_leader "$before"
}

# put_token POD TEXT: as a kubelet replaces it.
put_token()
{
    local file
    file=$(dirname "$(pod_file "$1" address)")/volumes/api/token
    cp --preserve=mode "$(realpath "$file")" "$work/token"
    echo -n "$2" >"$work/token"
    mv "$work/token" "$(realpath "$file")"
}

token_rotated()
{
    local before
    before=$(term)
    put_token "$leader" "$(<"$state/token")0"
    wait_until "/readyz of $leader says 401" readyz "$leader" '^ready.*401: the API server refuses the token'
    client_goes_on 100
    put_token "$leader" "$(k create token headlessd --bound-object-kind Pod --bound-object-name "$leader")"
    renewals 2
    wait_until "/readyz of $leader is as before" readyz "$leader" '^ready$'
    same_leader "$before"
}

long()
{
    pods_apply long lease 3 whoami "${settings[@]}" LEASE_DURATION=137s LEASE_RENEW=1s
    client_start headlessd
    drive "connections cut" connections_cut
    drive "API server cut off for the followers" followers_cut
    drive "etcd stopped" etcd_stopped
    drive "etcd and API server killed, versions compacted" killed_and_compacted
    drive "429" throttled
    drive "token rotated" token_rotated
    faults_end
}

# ---- lease.duration 6s: the leader is fenced after 4 s

led_by_other()
{
    local name
    name=$(holder)
    [[ $name && $name != "$leader" ]] && metric_is "$(address_of "$name")" is_leader 1
}

leader_cut()
{
    api_cut "$(address_of "$leader")"
    wait_until "another pod than $leader holds the Lease" led_by_other
    wait_until "$leader does not lead" metric_is "$(address_of "$leader")" is_leader 0
    log_has "$leader" lease_failing || fail "$leader does not log that it cannot renew"
    wait_until "$leader sees no API server" metric_is "$(address_of "$leader")" api_up 0
    client_goes_on 100
    api_heal
    wait_until "$leader sees the API server again" metric_is "$(address_of "$leader")" api_up 1
}

api_server_stopped()
{
    kill -STOP "${kube_apiserver_pid:?}"
    wait_until "nobody leads" nobody_leads
    wait_until "/readyz of $leader tells why" readyz "$leader" 'API server: .*(has not responded|no connection)'
    kill -CONT "$kube_apiserver_pid"
    wait_until "the API server is ready" is_api_ready
}

# Requests are held meanwhile, for hold.time.
without_rule()
{
    k get rolebinding headlessd-lease -o json | jq 'del(.metadata.uid, .metadata.resourceVersion)' >"$work/rule.json"
    k delete rolebinding headlessd-lease >/dev/null
    wait_until "nobody leads" nobody_leads
    wait_until "/readyz of $leader names the rule" readyz "$leader" 'leases.*403.*verbs: '
    k create -f "$work/rule.json" >/dev/null
}

has_later_term()
{
    local now
    now=$(term)
    ((${now:-0} > $1)) && agrees
}

# To a living pod of ours, which does not lead because of that.
holder_edited()
{
    local before identity
    before=$(term)
    identity=${followers[0]}_$(page "$(address_of "${followers[0]}")" status | jq -r .pod.instance)
    k patch lease headlessd --type merge -p "{\"spec\":{\"holderIdentity\":\"$identity\"}}" >/dev/null
    wait_until "a pod leads in a later term" has_later_term "$before"
    wait_until "$leader has stepped down" log_has "$leader" lease_lost
}

lease_deleted()
{
    k delete lease headlessd >/dev/null
    wait_until "$leader has written it again" agrees
    expect "the holder" "$(holder)" "$leader"
}

# The kubelet does not run meanwhile, so the process goes on, with a token of a pod that does not exist.
pod_deleted()
{
    local former
    former=$(address_of "$leader")
    kill -STOP "${kubelet_pid:?}"
    k delete pod "$leader" --force --grace-period 0 >/dev/null 2>&1
    wait_until "another pod than $leader holds the Lease" led_by_other
    wait_until "$leader does not lead" metric_is "$former" is_leader 0
    wait_until "$leader has logged why" log_has "$leader" '401: the API server refuses the token'
    client_goes_on 100
    kill -CONT "$kubelet_pid"
    rolled_out headlessd
}

short()
{
    pods_apply short lease 3 whoami "${settings[@]}" LEASE_DURATION=6s
    client_start headlessd
    drive "API server cut off for the leader" leader_cut
    drive "Lease deleted" lease_deleted
    drive "API server stopped" api_server_stopped
    drive "RBAC rule taken away and given back" without_rule
    drive "holder edited to a follower" holder_edited
    drive "token of a deleted pod" pod_deleted
    faults_end
}

cluster_start
api_faults
run_in long restricted "the leader leads on while its Lease lasts" long
run_in short restricted "never two leaders at the end of a Lease" short
finish
