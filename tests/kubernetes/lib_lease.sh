# Pods of one StatefulSet, headlessd, that elect by a Lease or by votes. Sourced after lib.sh and lib_client.sh.
#
#   pods_apply NAME LEASE|PEERS REPLICAS APP SETTING=VALUE...   waits until all are ready and follow one leader; sets all,
#                         their addresses
#   holder                the pod in the Lease; nothing without one. lease_field PATH: a field of it
#   leading               the pods that lead, as they say themselves
#   agrees                true if the pod that leads is the holder
#   pod_process POD, pod_of ADDRESS
#   api_cut ADDRESS...    drops all packets between these pods and the API server
#   api_refuse ADDRESS... resets their connections, and refuses new ones
#   api_cut_connections   drops those of the connections that all pods have now; new ones work
#   api_heal              removes all of these
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh sets them; others use them

selector=app.kubernetes.io/name=headlessd
all=()

pods_apply()
{
    local name=$1 election=$2 replicas=$3 app=$4 lines
    shift 4
    mapfile -t lines < <(with_settings "$app" "$replicas" "$@")
    [[ $election == peers ]] || lines+=("components: [ROOT/manifests/components/lease]")
    applies "$(overlay "$name" "resources: [ROOT/manifests/overlays/kubernetes]" "${lines[@]}")"
    rolled_out headlessd
    read -r -a all < <(pod_addresses "$selector")
    expect "addresses of pods" "${#all[@]}" "$replicas"
    wait_until "all follow one leader, and their votes count" are_one "${all[@]}"
}

are_one()
{
    local agreed=""
    agree any "$@" && are_settled "$@"
}

lease_field()
{
    k get lease headlessd -o "jsonpath={$1}" 2>/dev/null
}

holder()
{
    lease_field .spec.holderIdentity | sed 's/_[0-9a-f]*$//'
}

leading()
{
    local pod
    for pod in $(k get pods -l "$selector" -o 'jsonpath={.items[*].metadata.name}'); do
        [[ $(metric "$(pod_address "$pod")" is_leader) != 1 ]] || echo "$pod"
    done | xargs
}

agrees()
{
    local name
    name=$(holder)
    [[ $name && $(leading) == "$name" ]]
}

pod_process()
{
    cat "$(pod_file "$1" pid.headlessd)"
}

# The kubelet's files are there also while the API server is away.
pod_of()
{
    local file
    for file in "$state/pods/$namespace"/*/address; do
        [[ $(<"$file") != "$1" ]] || basename "$(dirname "$file")"
    done
}

# ---- the pods' way to the API server

api_ports='{443, 6443, 6444}'

# In the network of the API server; a pod's connection to the Service's address has the pod's address and port.
api_faults()
{
    nft list table ip faults >/dev/null 2>&1 || nft -f - <<RULES
table ip faults {
    set pods { type ipv4_addr; }
    set refused { type ipv4_addr; }
    set connections { type ipv4_addr . inet_service; }
    chain input {
        type filter hook input priority filter;
        ip saddr @pods tcp dport $api_ports drop
        ip saddr @refused tcp dport $api_ports reject with tcp reset
        ip saddr . tcp sport @connections tcp dport $api_ports drop
    }
    chain output {
        type filter hook output priority filter;
        ip daddr @pods tcp sport $api_ports drop
        ip daddr . tcp dport @connections tcp sport $api_ports drop
    }
}
RULES
}

api_cut()
{
    api_faults
    nft add element ip faults pods "{ $(IFS=,; echo "$*") }"
}

api_refuse()
{
    api_faults
    nft add element ip faults refused "{ $(IFS=,; echo "$*") }"
}

api_cut_connections()
{
    local address connections
    connections=$(ss -Htn state established "( sport = :6443 or sport = :6444 )" | awk '{ print $NF }' |
        sed -nE 's/^\[?(::ffff:)?(10\.244\.[0-9.]+)\]?:([0-9]+)$/\2 . \3/p' | grep -vE '^10\.244\.0\.')
    expect_match "connections of pods" "$connections" '10\.244\.'
    api_faults
    nft add element ip faults connections "{ ${connections//$'\n'/, } }"
}

api_heal()
{
    nft flush set ip faults pods
    nft flush set ip faults refused
    nft flush set ip faults connections
}
