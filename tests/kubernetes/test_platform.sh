#!/usr/bin/env bash
# The client of the API server on a real one: what RBAC refuses is named and can be granted, changes arrive, and it goes
# on after the API server has ended, and after its token's end.
#
#   scripts/check-kubernetes BUILD_DIR tests/kubernetes/test_platform.sh
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2154
. "$(dirname "$0")/lib.sh"

a=127.0.58.11
mount=$work/account

api_start()
{
    start_apiserver
    wait_until "the API server has a certificate" api_has_certificate
    [[ -e $state/admin.conf ]] || write_kubeconfig
    wait_until "the API server is ready" is_api_ready
}

# For 10 minutes, the shortest time.
give_token()
{
    k create token reader --duration 10m >"$mount/token.new"
    mv "$mount/token.new" "$mount/token"
}

# slice NAME ADDRESS: in the newest version that the API server has.
slice()
{
    local version=v1
    grep -qx discovery.k8s.io/v1 < <(k api-versions) || version=v1beta1
    k apply -f - >/dev/null <<END_OF_SLICE
apiVersion: discovery.k8s.io/$version
kind: EndpointSlice
metadata: {name: $1, labels: {kubernetes.io/service-name: headless}}
addressType: IPv4
endpoints: [{addresses: [$2]}]
ports: []
END_OF_SLICE
}

logged()
{
    grep -qE -- "$1" "$work/$a.log"
}

is_up()
{
    [[ $(metric "$a" api_up) == "$1" ]]
}

has_problem()
{
    grep -qE -- "$1" < <(http "$a:8080/status" | jq -r .api.problem)
}

has_none()
{
    [[ $(http "$a:8080/status" | jq -r .api.problem) == "" ]] && is_up 1
}

told_times()
{
    grep -cE "slices: ($1)" "$work/$a.log" || true
}

is_told_more()
{
    (($(told_times "$1") > $2))
}

# Its endpoints name no pod, so it begins no cluster and is never ready.
pod_with_api()
{
    k create serviceaccount reader >/dev/null
    cp "$state/certs/apiserver.crt" "$mount/ca.crt"
    echo "$namespace" >"$mount/namespace"
    give_token
    pod_start_alone "$a" --peers "$a" --app echo --log-level debug --discovery-kubernetes headless \
        --platform-api "https://$node:6443" --platform-token "$mount/token" --platform-ca "$mount/ca.crt"
}

# The rule that the message names, verb by verb, as its reader would add it.
grant()
{
    wait_until "403 for $1" has_problem "cannot $1 endpointslices in namespace \"default\": 403: .*verbs: \[$1\]"
    expect_match "/readyz" "$("${pod_wrapper[@]}" curl -s --max-time 10 "http://$a:8080/readyz" || true)" "API server: cannot $1"
    k create role "reader-$1" --verb "$1" --resource endpointslices.discovery.k8s.io >/dev/null
    k create rolebinding "reader-$1" --role "reader-$1" --serviceaccount default:reader >/dev/null
}

rights_and_changes()
{
    local before
    pod_with_api
    grant list
    grant watch
    wait_until "nothing is wrong" has_none
    slice one 10.244.0.77
    wait_until "a slice is added" logged 'slices: (added|listed)'
    slice one 10.244.0.78
    wait_until "it is changed" logged 'slices: modified'
    k delete endpointslice one >/dev/null
    wait_until "it is deleted" logged 'slices: deleted'

    kill -KILL "$kube_apiserver_pid" # SIGTERM would wait a minute for the watch
    wait_until "the API server has ended" has_ended "$kube_apiserver_pid"
    wait_until "it is down" is_up 0
    is_alive "$a" || fail "the pod does not answer"
    before=$(told_times 'added|listed')
    api_start
    wait_until "it is up" has_none
    slice two 10.244.0.79
    wait_until "changes arrive again" is_told_more 'added|listed' "$before"

    k delete rolebinding reader-watch reader-list >/dev/null
    kill -KILL "$kube_apiserver_pid" # ends the watch, which was allowed when it began
    wait_until "the API server is gone" has_ended "$kube_apiserver_pid"
    api_start
    wait_until "the right is missed" has_problem '403'
    k create rolebinding reader-watch --role reader-watch --serviceaccount default:reader >/dev/null
    k create rolebinding reader-list --role reader-list --serviceaccount default:reader >/dev/null
    wait_until "and is back" has_none
}

# A token ends with its service account.
token_ends()
{
    pod_with_api
    grant list
    grant watch
    wait_until "nothing is wrong" has_none
    k delete serviceaccount reader >/dev/null
    kill -KILL "$kube_apiserver_pid"
    wait_until "the API server is gone" has_ended "$kube_apiserver_pid"
    api_start
    wait_until "the token is refused" has_problem '401: the API server refuses the token in'
    k create serviceaccount reader >/dev/null
    give_token
    wait_until "a new one is taken" has_none
    expect "secrets in the log" "$(grep -c "$(<"$mount/token")" "$work/$a.log" || true)" 0
}

# A write with an old version is a conflict, and each write is one. Outcomes are those of enum platform_outcome.
guarded_updates()
{
    k create serviceaccount reader >/dev/null
    k create role reader --verb create,get,update --resource leases.coordination.k8s.io >/dev/null
    k create rolebinding reader --role reader --serviceaccount default:reader >/dev/null
    cp "$state/certs/apiserver.crt" "$mount/ca.crt"
    echo "$namespace" >"$mount/namespace"
    give_token
    "$tools/api_lease" ours 500 --discovery-kubernetes x --platform-api "https://$node:6443" \
        --platform-token "$mount/token" --platform-ca "$mount/ca.crt" >"$work/updates" 2>"$work/updates.log" ||
        fail "status $?: $(<"$work/updates.log")"
    expect_match "outcomes" "$(xargs <"$work/updates")" 'create 0 again 1 get 0 updates 500 of 500, .* update 0 old 1$'
    [[ -z ${V:-} ]] || cat "$work/updates"
}

mkdir -p "$state" "$mount"
cluster_network
write_keys
start_etcd
api_start
run "rights and changes" rights_and_changes
k delete role,rolebinding,serviceaccount --all >/dev/null 2>&1 || true
run "the end of a token" token_ends
k delete role,rolebinding,serviceaccount --all >/dev/null 2>&1 || true
run "guarded updates of a Lease" guarded_updates
finish
