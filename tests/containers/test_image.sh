#!/usr/bin/env bash
# Properties of the image: its labels, user, port and programs; the start time and memory of one pod; and the
# messages of pods that cannot start.
#
#   tests/containers/test_image.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

network_make
a=$subnet.11

image_says()
{
    podman image inspect "$image" | jq -c ".[0] | $1"
}

described()
{
    local label program
    expect_match "user, by number and not root" "$(image_says .Config.User)" '^"[1-9][0-9]*(:0)?"$'
    expect "ports" "$(image_says '.Config.ExposedPorts | keys')" '["12000/udp"]'
    expect_match "entry point" "$(image_says .Config.Entrypoint)" '^\["(/usr/bin/)?headlessd"\]$'
    for label in title description licenses; do
        expect_match "label $label" "$(image_says ".Labels[\"org.opencontainers.image.$label\"]")" '^"..*"$'
    done
    for program in headlessd headlessctl headless-bench; do
        expect_match "$program" "$(in_client "$program" --version)" "^$program "
    done
    expect_match "commands of headless-bench" "$(in_client headless-bench --help)" "This build has send and sink only"
}

# podman runs no health-check timer here: run the check now.
health_check_passes()
{
    base_config 1 echo
    pods_launch "$a"
    expect "echo" "$(ask "$a" hello)" hello
    podman healthcheck run "${pod_ids[$a]}" || fail "the healthcheck fails"
    expect "health" "$(podman container inspect --format '{{.State.Health.Status}}' "${pod_ids[$a]}")" healthy
    ledger_closes "$a"
}

# Time from just before the exec of headlessd to the first 200 that a polling client outside gets. It uses the client's
# existing network, because podman's time to make one is not the daemon's.
alive_soon_after_exec()
{
    local began answered poll
    for _ in 1 2 3; do
        # shellcheck disable=SC2016 # the inner shell expands it
        timeout 20 "${pod_wrapper[@]}" bash -c 'until "$1" "$2" /livez; do :; done; echo "at ${EPOCHREALTIME/./}"' - \
            "$tools/http_look" "$client:8080" >"$work/answered" 2>/dev/null &
        poll=$!
        # shellcheck disable=SC2016
        pod_ids[$client]=$(container "$client" --network "container:$client_id" --env POD_IP="$client" \
            --entrypoint bash "$image" -c 'echo "at ${EPOCHREALTIME/./}"; exec headlessd')
        wait "$poll" || fail "it never answered"
        answered=$(sed -n 's/^at //p' "$work/answered")
        began=$(sed -n 's/.* at \([0-9]*\)$/\1/p' "$work/$client.log" | head -n 1)
        expect_between "microseconds from exec to the first 200 of /livez" $((answered - began)) 1 300000
        echo "> /livez $(((answered - began) / 1000)) ms after exec"
        pod_stop "$client"
        rm -f "$work/$client.log"
    done
}

# memory_of PROCESS: bytes charged to its cgroup, the page cache of its files included.
memory_of()
{
    local path
    if path=$(grep ':memory:' "/proc/$1/cgroup"); then
        cat "/sys/fs/cgroup/memory${path##*:}/memory.usage_in_bytes"
    else
        path=$(grep '^0::' "/proc/$1/cgroup")
        cat "/sys/fs/cgroup${path#0::}/memory.current"
    fi
}

# resident PROCESS: KiB
resident()
{
    sed -nE 's/^VmRSS:[^0-9]*([0-9]+) kB/\1/p' "/proc/$1/status"
}

# It runs with no more than this.
idle_memory()
{
    local pid resident charged
    base_config 1 echo
    pod_options=(--memory 20m)
    pods_launch "$a"
    pid=${pod_pids[$a]}
    resident=$(resident "$pid")
    charged=$(($(memory_of "$pid") / 1024))
    expect_between "KiB resident" "$resident" 1000 $((20 << 10))
    expect_between "KiB charged to the container" "$charged" 500 $((20 << 10))
    echo "> idle: $resident KiB resident, $charged KiB charged to the container"
    expect "echo" "$(ask "$a" hello)" hello
}

# refuses REGEX OPTION...: a pod with these options of podman exits at once, with one line that names the correction.
refuses()
{
    local regex=$1 id status said
    shift
    id=$(container refused --network none --volume "$map:/etc/headlessd:ro" "$@" "$image" \
        --config /etc/headlessd/headlessd.yaml)
    status=$(timeout 10 podman wait "$id")
    said=$(podman logs "$id" 2>&1)
    expect "exit status with $*" "$status" 2
    expect_match "what it says with $*" "$said" "$regex"
    expect "lines with $*" "$(wc -l <<<"$said")" 1
    podman container rm "$id" >/dev/null
    rm "$work/refused.log" # podman would go on in it
}

wrong_environment()
{
    base_config 3 echo
    refuses 'POD_IP: "10.0.0" is not an IP address' --env POD_IP=10.0.0
    mount_write "$map" headlessd.yaml 'discovery.dns: ""'
    refuses 'headlessd.yaml:1: discovery.dns: "" is empty' --env POD_IP=10.0.0.1
    base_config 3 echo 'hold.tme: 3s'
    refuses "headlessd.yaml:[0-9]+: hold.tme: no such option" --env POD_IP=10.0.0.1
}

# The pod runs without a leader, and reports the missing keys, until the Secret exists.
missing_secret()
{
    base_config 1 echo 'keys: /run/secrets/headlessd'
    mkdir "$work/keys-a"
    pod_options=(--volume "$work/keys-a:/run/secrets/headlessd:ro")
    pod_launch "$a"
    wait_until "it lives" is_alive "$a"
    expect_match "readyz" "$(curl -s "http://$a:8080/readyz")" "^key: "
    grep -q 'keys_failed.*/run/secrets/headlessd' "$work/$a.log" || fail "its log does not name the directory"
    mount_write "$work/keys-a" 2026-11 "$(head -c 32 /dev/urandom | base64)"
    pods_up "$a"
}

says()
{
    grep -q "\"event\":\"$2\"" "$work/$1.log"
}

# maps_libcurl PROCESS: the number of its mappings
maps_libcurl()
{
    grep -c libcurl "/proc/$1/maps" || true
}

# lease_pod NAME IMAGE: a pod with an API server that does not reply; sets lease_id.
lease_pod()
{
    lease_id=$(container "$1" --network none "$2" --election lease --platform-api https://127.0.0.1:6443 \
        --platform-namespace default --log-level debug)
}

# Only images with it can have election: lease, and only pods with that option load it.
libcurl_is_an_option()
{
    local other name
    lease_pod without "$image"
    wait_until "without libcurl it says so" says without libcurl_missing
    expect "exit status" "$(timeout 10 podman wait "$lease_id")" 1
    for other in "$HEADLESSD_LIBCURL_IMAGE" "$HEADLESSD_CARRIED_IMAGE"; do
        name=${other##*/}
        lease_pod "$name" "$other"
        wait_until "$name loads it" says "$name" libcurl_loaded
        wait_until "$name goes on" says "$name" started
        echo "> $name, election: lease: $(resident "$(process_of "$lease_id")") KiB resident"
        podman container rm --force --time 0 "$lease_id" >/dev/null
    done
    base_config 1 echo
    pod_image=$HEADLESSD_LIBCURL_IMAGE
    pods_launch "$a"
    expect "mappings of libcurl with election: peers" "$(maps_libcurl "${pod_pids[$a]}")" 0
    echo "> the same image, election: peers: $(resident "${pod_pids[$a]}") KiB resident"
}

run "the image has its labels and an unprivileged user" described
run "the image's health check passes" health_check_passes
((failed == 0)) || {
    finish # nothing else is worth looking at
    exit
}
run "/livez replies soon after exec" alive_soon_after_exec
run "an idle pod uses little memory" idle_memory
run "errors in the environment or the ConfigMap are reported" wrong_environment
[[ -z ${HEADLESSD_LIBCURL_IMAGE:-} ]] ||
    run "libcurl is an option of the image, and loaded only where it is needed" libcurl_is_an_option
run "a missing Secret is reported, and used when it exists" missing_secret
finish
