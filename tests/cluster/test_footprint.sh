#!/usr/bin/env bash
# Footprint of an idle pod: the time from exec to the first reply of /livez, and its memory, with the configuration of
# manifests/base. The bounds are those of a shipped build.
#
#   tests/cluster/test_footprint.sh BUILD_DIR
#
# Alone: it measures milliseconds
# Timed: it measures milliseconds
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_dns.sh
. "$(dirname "$0")/lib_dns.sh"

a=127.0.74.11
b=127.0.74.12
c=127.0.74.13
base=$(dirname "$0")/../../manifests/base/headlessd.yaml
dns_address=127.0.74.53
livez_ms=300
idle_kib=$((20 * 1024))
rounds=5

# launch ADDRESS: like the manifests, with its name in the name server. A file has the time of its exec.
launch()
{
    # shellcheck disable=SC2016 # the other bash expands it
    "$work/with_dns" env -i PATH="$PATH" POD_IP="$1" POD_NAME="pod-${1##*.}" HEADLESSD_DISCOVERY_DNS=pods.test. \
        HEADLESSD_DRAIN_TIME=50ms bash -c 'echo "${EPOCHREALTIME/[.,]/}" >"$1"; exec "${@:2}"' - \
        "$work/$1.executed" "$headlessd" --config "$base" >"$work/$1.log" 2>&1 &
    pod_pids[$1]=$!
}

# livez_after: sets took, the milliseconds from exec to the first reply.
livez_after()
{
    rm -f "$work/$a.executed"
    launch "$a"
    wait_until "it is executed" test -s "$work/$a.executed"
    until is_alive "$a" 2>/dev/null || has_ended "${pod_pids[$a]}"; do
        : # each poll takes some milliseconds
    done
    took=$(($(now_ms) - $(<"$work/$a.executed") / 1000))
}

lives_soon()
{
    local took worst=0 i
    dns_start
    for ((i = 0; i < rounds; i++)); do
        livez_after
        ((took <= worst)) || worst=$took
        pod_stop "$a"
    done
    echo "> /livez answers $worst ms after exec, the worst of $rounds starts"
    expect_between "milliseconds from exec to /livez" "$worst" 0 "$livez_ms"
}

# resident ADDRESS: prints its memory in KiB.
resident()
{
    awk '/^VmRSS:/ { print $2 }' "/proc/${pod_pids[$1]}/status"
}

# Idle, but with probes, like pods.
is_light()
{
    local pod kib worst=0
    dns_start
    dns_set pods.test "$a" "$b" "$c"
    for pod in "$a" "$b" "$c"; do
        launch "$pod"
    done
    wait_until "three agree" agree any "$a" "$b" "$c"
    for pod in "$a" "$b" "$c"; do
        http "$pod:8080/metrics" >"$work/page"
        http "$pod:8080/status" >"$work/page"
        http "$pod:8080/" >"$work/page"
        kib=$(resident "$pod")
        ((kib <= worst)) || worst=$kib
    done
    echo "> an idle pod has $worst KiB, the worst of three"
    expect_between "KiB of an idle pod" "$worst" 1 "$idle_kib"
}

if ! dns_possible; then
    skip "time to /livez and idle memory" "needs root, mount namespaces and dnsmasq"
elif [[ -n ${SANITIZED:-} ]]; then
    skip "time to /livez and idle memory" "sanitizers need additional time and memory"
else
    dns_asked "$a" "$b" "$c"
    run "/livez replies within $livez_ms ms of exec" lives_soon
    run "an idle pod uses less than 20 MiB" is_light
fi
finish
