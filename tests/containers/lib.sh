# Pods that are containers, as Kubernetes would run them, on a network with real DNS. Sourced instead of
# ../cluster/lib.sh, whose checks and requests it uses.
#
#   network_make             a network with its own DNS, and a client container in it that sends the requests
#   base_config REPLICAS APP LINE...   the ConfigMap, which every pod mounts; replaced like kubelet does it
#   pod_launch ADDRESS OPTION...       a pod of $image, named after the last number of its address
#   pods_up ADDRESS...       waits until all are ready, agree on a leader, and their votes count
#   in_client COMMAND...     in the client's container
#
# An address is $subnet.N. Pods run with a user unknown to the image, no capabilities, and a read-only root. All
# containers and networks have this run's label, and are removed by their ids at the end. Needs root;
# scripts/check-containers sets HEADLESSD_IMAGE and podman's configuration.
# shellcheck shell=bash disable=SC2154,SC2034 # set in the cluster's lib.sh, or used by the tests
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../cluster/lib_stream.sh
. "$(dirname "$0")/../cluster/lib_stream.sh"
# shellcheck source-path=SCRIPTDIR source=lib_remove.sh
. "$(dirname "$0")/lib_remove.sh"

image=${HEADLESSD_IMAGE:?"is set by scripts/check-containers"}
label=headlessd-test=$$
network=headlessd-test-$$
service="headlessd-peers" # what the StatefulSet of manifests/base asks for
map=$work/config
declare -A pod_ids=() # address -> container
declare -A app_ids=() # and its sidecar
pod_options=()
agreed=""
at_exit+=("containers_remove $label")
# Do not kill their processes by PID: they end with their containers.
trap 'status=$?; pod_pids=(); clean_up "$status"' EXIT

# ---- the network, and the client

# container NAME OPTION...: restricted like a pod; prints its id. Its log is $work/NAME.log.
container()
{
    local name=$1
    shift
    podman run --detach --label "$label" --log-driver k8s-file --log-opt path="$work/$name.log" \
        --user "$((100000 + RANDOM * 8)):0" --cap-drop ALL --security-opt no-new-privileges \
        --read-only --read-only-tmpfs=false --memory 256m "$@"
}

process_of()
{
    podman container inspect --format '{{.State.Pid}}' "$1"
}

network_make()
{
    podman network create --label "$label" "$network" >/dev/null
    subnet=$(podman network inspect --format '{{(index .Subnets 0).Subnet}}' "$network")
    subnet=${subnet%.*}
    client=$subnet.100
    client_id=$(container client --network "$network" --ip "$client" --entrypoint sleep "$image" infinity)
    pod_wrapper=(nsenter --net --target "$(process_of "$client_id")")
    # A bridge takes the lowest MAC address of its links, which changes as containers start; those with the former one
    # in their ARP cache do not reach the name server for half a minute. A configured address stays.
    bridge=$(podman network inspect --format '{{.NetworkInterface}}' "$network")
    ip link set "$bridge" address "$(<"/sys/class/net/$bridge/address")"
}

in_client()
{
    podman exec "$client_id" "$@"
}

# ---- volumes

# mount_write DIRECTORY FILE TEXT...: a volume with these files, replaced atomically like kubelet does it.
mount_write()
{
    local volume=$1 old version
    shift
    old=$(readlink "$volume/..data" || true)
    mkdir -p "$volume"
    version=$(mktemp -d "$volume/..XXXXXX")
    chmod 755 "$version"
    while (($# > 0)); do
        echo "$2" >"$version/$1"
        chmod 440 "$version/$1"
        [[ -L $volume/$1 ]] || ln -s "..data/$1" "$volume/$1"
        shift 2
    done
    ln -s "${version##*/}" "$volume/..data_tmp"
    mv -T "$volume/..data_tmp" "$volume/..data"
    [[ -z $old ]] || rm -r "${volume:?}/$old"
    find "$volume" -xtype l -delete # files that are in it no more
}

# base_config REPLICAS APP LINE...: the ConfigMap of manifests/base, with this number of replicas and further lines.
base_config()
{
    local replicas=$1 app=$2 base
    shift 2
    base=$(sed -E "s/^(quorum.expect:) [0-9]+/\1 $replicas/; s,^(app.target:) [a-z]+,\1 $app," \
        "$(dirname "$0")/../../manifests/base/headlessd.yaml")
    mount_write "$map" headlessd.yaml "$(printf '%s\n' "$base" "$@")"
}

# ---- pods

# pod_launch ADDRESS OPTION...: without waiting. pod_options: further options of podman; pod_image: another image.
pod_launch()
{
    local address=$1 pid mac
    shift
    # A fixed MAC address for each IP address: otherwise this host sends to the previous one for a minute or more.
    printf -v mac '02:68:64:00:00:%02x' "${address##*.}"
    pod_ids[$address]=$(container "$address" --network "$network" --ip "$address" --mac-address "$mac" \
        --network-alias "$service" \
        --env POD_IP="$address" --env POD_NAME="$(name_of "$address")" --env HEADLESSD_DISCOVERY_DNS="$service" \
        --volume "$map:/etc/headlessd:ro" \
        "${pod_options[@]}" "${pod_image:-$image}" --config /etc/headlessd/headlessd.yaml "$@")
    pid=$(process_of "${pod_ids[$address]}")
    ((pid > 0)) || pid=gone
    pod_pids[$address]=$pid
}

# sidecar_launch ADDRESS OPTION...: udp_app in the network of this pod.
sidecar_launch()
{
    local address=$1
    shift
    app_ids[$address]=$(container "app-$address" --network "container:${pod_ids[$address]}" \
        --volume "$tools:/tools:ro" --entrypoint /tools/udp_app "$image" "$@")
}

name_of()
{
    echo "headlessd-${1##*.}"
}

# pods_up ADDRESS...: sets agreed to the leader.
pods_up()
{
    local address before=$scenario_failures
    for address in "$@"; do
        wait_until "pod $address ready" is_ready_or_gone "$address"
    done
    ((scenario_failures == before)) || return 0
    wait_until "all agree" agree any "$@"
    wait_until "their votes count" are_settled "$@"
    for address in "$@"; do
        metric_becomes "$address" members_alive $#
    done
}

# pods_launch ADDRESS...: starts the pods and waits for all.
pods_launch()
{
    local address
    for address in "$@"; do
        pod_launch "$address"
    done
    pods_up "$@"
}

has_exited()
{
    [[ $(podman container inspect --format '{{.State.Status}}' "${pod_ids[$1]}") == exited ]]
}

# pod_term ADDRESS: SIGTERM, as by kubelet, without waiting.
pod_term()
{
    podman kill --signal TERM "${pod_ids[$1]}" >/dev/null || true # pod_gone looks how it has ended
}

# pod_gone ADDRESS: waits until it has exited with 0, and removes its network.
pod_gone()
{
    local id=${pod_ids[$1]}
    wait_until "pod $1 ends after SIGTERM" has_exited "$1"
    expect "exit status of pod $1" "$(podman container inspect --format '{{.State.ExitCode}}' "$id")" 0
    pod_remove "$1"
}

pod_remove()
{
    [[ -z ${app_ids[$1]:-} ]] || podman container rm --force --time 0 "${app_ids[$1]}" >/dev/null
    podman container rm --force --time 0 "${pod_ids[$1]}" >/dev/null
    unset "pod_pids[$1]" "pod_ids[$1]" "app_ids[$1]"
}

pod_stop()
{
    pod_term "$1"
    pod_gone "$1"
}

pod_kill()
{
    podman kill --signal KILL "${pod_ids[$1]}" >/dev/null
    pod_remove "$1"
}

pods_stop()
{
    local address
    ((scenario_failures == 0)) || show_logs
    for address in "${!pod_ids[@]}"; do # all at once: each takes its time to drain
        pod_term "$address"
    done
    for address in "${!pod_ids[@]}"; do
        pod_gone "$address"
    done
    pod_options=()
    pod_image=""
    rm -rf "$work"/*.log "$map" "$work"/keys-*
}

# ---- requests

# leader_answers_through ADDRESS...: with --app whoami, the leader replies through each pod with the client's address.
leader_answers_through()
{
    local address
    for address in "$@"; do
        expect_match "whoami through $address" "$(ask "$address" "$(printf 'x%.0s' {1..150})")" \
            "^$(name_of "$agreed") $agreed leader term [0-9]+ via $address you $client:[0-9]+"
    done
}

# dns_look: the pods' addresses according to the client's resolver, sorted, in one line.
dns_look()
{
    in_client getent ahostsv4 "$service" | awk '$2 == "DGRAM" { print $1 }' | sort -V | xargs
}

dns_has()
{
    [[ $(dns_look) == "$*" ]]
}
