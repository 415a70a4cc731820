#!/usr/bin/env bash
# Changes under running pods of the image: another wire version, the ConfigMap, the Secret; and an app as sidecar.
#
#   tests/containers/test_changes.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

next_image=${HEADLESSD_NEXT_IMAGE:?"is set by scripts/check-containers"}
network_make
a=$subnet.11
b=$subnet.12
c=$subnet.13
d=$subnet.14
e=$subnet.15
pods=("$a" "$b" "$c")
key=()
for _ in {0..1}; do
    key+=("$(head -c 32 /dev/urandom | base64)")
done

others_version()
{
    metric "$1" 'peer_messages_dropped_total{reason="version"}'
}

meets_another_version()
{
    [[ $(others_version "$1") =~ ^[1-9] ]]
}

# Pods of two wire versions report each other: those with a majority have a leader, the others never lead.
two_wire_versions()
{
    local address term
    base_config 5 echo
    pods_launch "$a" "$b" "$c"
    term=$(metric "$agreed" term)
    stream_start 500 60000 "$a" "$b" "$c"
    pod_image=$next_image
    pod_launch "$d"
    pod_launch "$e"
    for address in "$a" "$b" "$c" "$d" "$e"; do
        wait_until "$address counts messages of the other version" meets_another_version "$address"
    done
    expect "leaders" "$(leaders "$a" "$b" "$c" "$d" "$e")" "$agreed"
    for address in "$d" "$e"; do
        expect "ready" "$(http "$address:8080/readyz" || true)" ""
        expect_match "readyz of $address" "$(curl -s "http://$address:8080/readyz")" "^[a-z]+: "
        expect "its leader" "$(leader_of "$address")" none
    done
    pod_image=""
    pod_stop "$d"
    pod_stop "$e"
    pod_launch "$subnet.16"
    pod_launch "$subnet.17"
    pods_up "$a" "$b" "$c" "$subnet.16" "$subnet.17"
    stream_end
    expect "lost" "$lost" 0
    expect "term" "$(metric "$a" term)" "$term"
    ledger_closes "${!pod_ids[@]}"
}

# all_metric NAME VALUE: waits until each pod has this value.
all_metric()
{
    local address
    for address in "${pods[@]}"; do
        metric_becomes "$address" "$1" "$2"
    done
}

config_map_swapped()
{
    local address
    base_config 3 echo 'hold.time: 2s'
    pods_launch "${pods[@]}"
    stream_start 500 60000 "${pods[@]}"
    base_config 3 echo 'hold.time: 3s'
    all_metric config_reloads_total 1
    base_config 3 echo 'hold.tme: 3s'
    all_metric config_last_reload_successful 0
    base_config 3 echo 'hold.time: 4s'
    all_metric config_last_reload_successful 1
    stream_end
    expect "lost" "$lost" 0
    for address in "${pods[@]}"; do
        grep -q 'option_reloaded.*hold.time' "$work/$address.log" || fail "$address does not name what changed"
        grep -q 'headlessd.yaml:[0-9]*: hold.tme: no such option' "$work/$address.log" ||
            fail "$address does not name the mistake"
    done
    ledger_closes "${pods[@]}"
}

# give ADDRESS NUMBER...: updates this pod's copy of the Secret to these keys, as kubelet does.
give()
{
    local address=$1 number given=()
    shift
    for number in "$@"; do
        given+=("key-$number" "${key[number]}")
    done
    mount_write "$work/keys-${address##*.}" "${given[@]}"
}

seals_with()
{
    [[ $(http "$1:8080/status" | jq -r '.keys.keys[] | select(.seals).name') == "key-$2" ]]
}

# Kubelets update their pods at different times.
key_rotated()
{
    local address
    base_config 3 echo 'keys: /run/secrets/headlessd'
    for address in "${pods[@]}"; do
        give "$address" 0
        pod_options=(--volume "$work/keys-${address##*.}:/run/secrets/headlessd:ro")
        pod_launch "$address"
    done
    pods_up "${pods[@]}"
    stream_start 500 60000 "${pods[@]}"
    for address in "${pods[@]}"; do
        give "$address" 0 1
        metric_becomes "$address" keys 2
    done
    for address in "${pods[@]}"; do
        wait_until "$address seals with the new key" seals_with "$address" 1
    done
    for address in "${pods[@]}"; do
        give "$address" 1
        metric_becomes "$address" keys 1
    done
    stream_end
    expect "lost" "$lost" 0
    expect "alarms" "$(total key_mismatch "${pods[@]}")" 0
    expect "frames that could not be opened" "$(total 'datagrams_dropped_total{reason="auth"}' "${pods[@]}")" 0
    together_closes "${pods[@]}"
}

# The app reads a PROXY header with the client's address.
app_beside_it()
{
    local address
    base_config 3 udp://127.0.0.1:5353 'app.proxy_protocol: v2'
    for address in "${pods[@]}"; do
        pod_launch "$address"
        sidecar_launch "$address" 127.0.0.1:5353 proxy
    done
    pods_up "${pods[@]}"
    for address in "${pods[@]}"; do
        expect_match "answer through $address" "$(ask "$address" hello)" \
            "^client $client:[0-9]+ asked $address:12000 hello$"
    done
    together_closes "${pods[@]}"
}

run "pods of two wire versions report each other" two_wire_versions
run "a changed ConfigMap takes effect" config_map_swapped
run "key rotation loses nothing" key_rotated
run "a UDP app as sidecar replies" app_beside_it
finish
