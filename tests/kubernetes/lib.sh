# A Kubernetes cluster of real components in the network namespace that the test file has for itself: etcd, one API
# server, the controllers, CoreDNS (with Kubernetes 1.20 dns.py), and kubelet.py, which runs pods as processes. Sourced
# instead of ../cluster/lib.sh, whose checks and requests it uses.
#
#   cluster_start          all of it; 10.244.0.1 is the node, 10.96.0.1 the API's Service, 10.96.0.10 the name server
#   k ARGUMENT...          kubectl as the cluster's administrator, in $namespace
#   since MINOR            true if the API server is of Kubernetes 1.MINOR or newer
#   applies DIRECTORY      kubectl apply -k; a field that the API server does not know is an error
#   overlay NAME LINE...   prints a directory with a kustomization.yaml of these lines; ROOT has the directory manifests:
#                          the repository's, or a copy whose overlays have the component for this old release
#   run_in NAMESPACE LEVEL TEXT FUNCTION...   a scenario in a namespace of its own, with this level of Pod Security
#   in_client COMMAND...   in the network namespace of a client, 10.244.0.100, which has the cluster's name server
#   pod_address POD        its podIP as the API has it; pod_addresses SELECTOR: of those that are ready
#   rolled_out NAME        waits until a StatefulSet has all its pods, ready, of its last revision
#   pod_file POD FILE      of the kubelet: address, pid.CONTAINER, log.CONTAINER, netns
#   page ADDRESS PAGE      of the admin port; readyz POD REGEX: true if its /readyz matches
#   log_has POD REGEX      true if a line of its log matches
#
# scripts/check-kubernetes sets KUBERNETES, the directory of the programs that scripts/kubernetes has built.
# shellcheck shell=bash disable=SC2154,SC2034 # set in the cluster's lib.sh, or used by the tests
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib.sh"

components=${KUBERNETES:?"is set by scripts/check-kubernetes"}
sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=$work/cluster
node=10.244.0.1
client=10.244.0.100
api=10.96.0.1
name_server=10.96.0.10
namespace=default
net_prefix=hdk$$
component_pids=() # in the order of their start
kubelet_options=() controller_options=()
minor=$("$components/kube-apiserver" --version | sed -nE 's/^Kubernetes v1\.([0-9]+)\..*/\1/p')
root=$sources/../..
pod_wrapper=(ip netns exec "$net_prefix-client")

since()
{
    ((minor >= $1))
}

# The manifests as docs/kubernetes.md tells for an old release, in a copy.
manifests_for_old_release()
{
    local file
    root=$work/root
    mkdir "$root"
    cp -r "$sources/../../manifests" "$root"
    for file in "$root"/manifests/overlays/*/kustomization.yaml; do
        grep -q '\.\./\.\./base' "$file" || continue # it is built on another overlay
        grep -q '^components:' "$file" || echo "components:" >>"$file"
        sed -i 's,^components:$,&\n  - ../../components/kubernetes-1.20,' "$file"
    done
}

since 25 || manifests_for_old_release
manifests=$root/manifests

# ---- network

# The machine's own network has routes; one that unshare has just made has none.
cluster_network()
{
    [[ -z $(ip route show) ]] || {
        echo "FAIL: not in a network of its own: run it by scripts/check-kubernetes"
        exit 1
    }
    at_exit+=(cluster_unmake)
    ip link add br0 type bridge
    # A bridge takes the lowest MAC address of its links unless one is configured.
    ip link set br0 address 02:68:64:00:00:01 up
    ip addr add "$node/16" dev br0
    ip addr add "$api/32" dev br0
    ip addr add "$name_server/32" dev br0
    nft -f - <<RULES
table ip services {
    chain prerouting { type nat hook prerouting priority dstnat; }
    chain output { type nat hook output priority -100; }
}
add rule ip services prerouting ip daddr $api tcp dport 443 redirect to :6443
add rule ip services output ip daddr $api tcp dport 443 redirect to :6443
RULES
    cluster_host client "$client"
}

# cluster_host NAME ADDRESS: a host on the bridge that is no pod.
cluster_host()
{
    local host=$net_prefix-$1
    ip netns add "$host"
    ip link add "host-$1" type veth peer name eth0 netns "$host"
    ip link set "host-$1" master br0 up
    ip -n "$host" link set lo up
    ip -n "$host" addr add "$2/16" dev eth0
    ip -n "$host" link set eth0 up
    ip -n "$host" route add default via "$node"
}

in_client()
{
    "${pod_wrapper[@]}" "$@"
}

# ---- components

# component NAME COMMAND...: in the background; its log is $state/NAME.log.
component()
{
    local name=$1
    shift
    "$@" >"$state/$name.log" 2>&1 </dev/null &
    component_pids+=($!)
    declare -g "${name//-/_}_pid=$!"
}

write_keys()
{
    openssl genrsa -out "$state/sa.key" 2048 2>/dev/null
    openssl rsa -in "$state/sa.key" -pubout -out "$state/sa.pub" 2>/dev/null
    openssl rand -hex 16 >"$state/token"
    echo "$(<"$state/token"),admin,admin,\"system:masters\"" >"$state/tokens.csv"
}

# The API server writes its certificate when it starts; it is its own CA.
write_kubeconfig()
{
    cat >"$state/admin.conf" <<END
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://$node:6443", certificate-authority: $state/certs/apiserver.crt}}]
users: [{name: admin, user: {token: $(<"$state/token")}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
END
}

# Its files are in memory: a write that waits for a busy disk ends the controllers (etcd of Debian 12 has no
# --unsafe-no-fsync).
start_etcd()
{
    mkdir -p "$state/etcd"
    mountpoint -q "$state/etcd" || mount -t tmpfs -o mode=700 tmpfs "$state/etcd"
    component etcd "$components/etcd" --data-dir "$state/etcd" --listen-client-urls http://127.0.0.1:2379 \
        --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
}

start_apiserver()
{
    start_apiserver_at kube-apiserver 6443
}

# start_apiserver_at NAME PORT
start_apiserver_at()
{
    component "$1" "$components/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
        --bind-address 0.0.0.0 --advertise-address "$node" --secure-port "$2" --cert-dir "$state/certs" \
        --service-cluster-ip-range 10.96.0.0/16 --service-account-issuer https://kubernetes.default.svc \
        --service-account-signing-key-file "$state/sa.key" --service-account-key-file "$state/sa.pub" \
        --api-audiences https://kubernetes.default.svc --token-auth-file "$state/tokens.csv" \
        --authorization-mode Node,RBAC --allow-privileged=true
}

# Those that the manifests need; none of nodes, whose leases no kubelet renews here.
start_controllers()
{
    local controllers=statefulset,deployment,replicaset,endpointslice,disruption,serviceaccount
    controllers+=,root-ca-cert-publisher,namespace,garbagecollector
    component kube-controller-manager "$components/kube-controller-manager" --kubeconfig "$state/admin.conf" \
        --service-account-private-key-file "$state/sa.key" --root-ca-file "$state/certs/apiserver.crt" \
        --leader-elect=false "${controller_options[@]}" --controllers "$controllers"
}

# CoreDNS reads discovery.k8s.io/v1.
start_dns()
{
    if ! since 21; then
        component dns python3 -B "$sources/dns.py" --server "https://$node:6443" --ca "$state/certs/apiserver.crt" \
            --token "$state/token" --bind "$name_server"
        return
    fi
    cat >"$state/Corefile" <<END
.:53 {
    bind $name_server
    errors
    kubernetes cluster.local {
        endpoint https://$node:6443
        kubeconfig $state/admin.conf test
        ttl 0
    }
}
END
    component coredns "$components/coredns" -conf "$state/Corefile"
}

# The programs that an image stands for are copied: a user that is not root cannot search every directory of a caller.
start_kubelet()
{
    mkdir -p "$state/programs" "$state/pods"
    cp "$headlessd" "$headlessctl" "$bench" "$state/programs"
    ! since 21 || cp "$components/coredns" "$state/programs"
    component kubelet python3 -B "$sources/kubelet.py" --server "https://$node:6443" --ca "$state/certs/apiserver.crt" \
        --token "$state/token" --programs "$state/programs" --state "$state/pods" --prefix "$net_prefix" \
        "${kubelet_options[@]}"
}

k()
{
    KUBECONFIG=$state/admin.conf "$components/kubectl" --namespace "$namespace" --cache-dir "$state/kubectl-cache" "$@"
}

is_api_ready()
{
    [[ $(k get --raw /readyz 2>/dev/null) == ok ]]
}

api_has_certificate()
{
    [[ -s $state/certs/apiserver.crt ]]
}

resolves()
{
    [[ $(in_client kdig +short +timeout=1 +retry=0 "@$name_server" kubernetes.default.svc.cluster.local A 2>/dev/null) == \
        "$api" ]]
}

cluster_start()
{
    mkdir -p "$state"
    cluster_network
    write_keys
    start_etcd
    start_apiserver
    wait_until "the API server has a certificate" api_has_certificate
    write_kubeconfig
    wait_until "the API server is ready" is_api_ready
    start_controllers
    start_dns
    start_kubelet
    wait_until "the DNS knows the API's Service" resolves
    wait_until "the kubelet has registered its nodes" grep -q ready "$state/kubelet.log"
    ((scenario_failures == 0)) || cluster_logs
}

cluster_logs()
{
    local log
    for log in "$state"/*.log "$state/pods/$namespace"/*/log.*; do
        [[ ! -s $log ]] || { echo "  --- ${log#"$state"/}" && tail -n 12 "$log" | cut -c 1-400 | sed 's/^/  /'; }
    done
}

# The last one that was started ends first: the kubelet ends its pods.
cluster_unmake()
{
    local i
    for ((i = ${#component_pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${component_pids[i]}" 2>/dev/null || continue
        [[ ${component_pids[i]} == "${kubelet_pid:-}" ]] || kill -KILL "${component_pids[i]}" 2>/dev/null || true
        wait "${component_pids[i]}" 2>/dev/null || true
    done
    umount "$state/etcd" || true
    ip netns del "$net_prefix-client" 2>/dev/null || true
    ip link del br0 2>/dev/null || true
}

# ---- scenarios

# run_in NAMESPACE LEVEL TEXT FUNCTION...
run_in()
{
    local level=$2 text=$3
    namespace=$1
    shift 3
    run "$text" in_namespace "$level" "$@"
    namespace=default
}

in_namespace()
{
    local level=$1
    shift
    k create namespace "$namespace" >/dev/null
    k label namespace "$namespace" "pod-security.kubernetes.io/enforce=$level" >/dev/null
    wait_until "the namespace has its service account" has_account
    "$@"
    ((scenario_failures == 0)) || { k get pods,events; cluster_logs; }
    k delete namespace "$namespace" --timeout "$((patience_ms / 1000))s" >"$work/delete.out" 2>&1 ||
        fail "the namespace does not end: $(tail -n 1 "$work/delete.out")"
}

has_account()
{
    k get serviceaccount default >/dev/null 2>&1
}

overlay()
{
    local directory=$work/overlays/$1
    shift
    mkdir -p "$directory"
    printf '%s\n' "apiVersion: kustomize.config.k8s.io/v1beta1" "kind: Kustomization" \
        "${@//ROOT/$(realpath --relative-to "$directory" "$root")}" >"$directory/kustomization.yaml"
    echo "$directory"
}

applies()
{
    k apply --validate=strict -k "$1" >"$work/apply.out" 2>&1 || fail "kubectl apply -k $1: $(<"$work/apply.out")"
}

# ---- pods

pod_address()
{
    k get pod "$1" -o 'jsonpath={.status.podIP}'
}

pod_addresses()
{
    k get pods -l "$1" -o json | jq -r '.items[] | select(.metadata.deletionTimestamp == null)
        | select(any(.status.conditions[]?; .type == "Ready" and .status == "True")) | .status.podIP' | xargs
}

pod_file()
{
    echo "$state/pods/$namespace/$1/$2"
}

page()
{
    in_client curl -s --max-time 5 "http://$1:8080/$2"
}

# By the kubelet's file, which is there also while the API server is away.
readyz()
{
    [[ $(page "$(cat "$(pod_file "$1" address)")" readyz) =~ $2 ]]
}

log_has()
{
    grep -qE "$2" "$(pod_file "$1" log.headlessd)"
}

rolled_out()
{
    k rollout status "statefulset/$1" --timeout "$((patience_ms / 1000))s" >"$work/rollout.out" 2>&1 ||
        fail "$1 is not rolled out: $(tail -n 1 "$work/rollout.out")"
}
