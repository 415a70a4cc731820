#!/usr/bin/env bash
# Fault injection: each call of running pods fails once, with each errno of its manual page (faults_run.py).
#
#   tests/faults/test_faults_run.sh BUILD_DIR
#
# This file has the first half of the places, test_faults_run_2.sh the second: the cases mostly wait. FAULT_MATCH: all
# places that match this pattern. The table of cases is BUILD_DIR/faults/run-1.tsv.
#
# Open: the scenarios choose their keys
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../cluster/lib_dns.sh
. "$(dirname "$0")/../cluster/lib_dns.sh"

a=127.0.98.11
b=127.0.98.12
c=127.0.98.13
dns_address=127.0.98.53
app=127.0.98.54:5300
app6="[::1]:15398"
half=${half:-1}
result=$build/faults/run-$half.tsv
match=${FAULT_MATCH:-}
preload=${FAULT_PRELOAD:-$build/tests/fault_inject.so}

mkdir -p "$build/faults" "$work/faults" "$work/keys"
chmod 700 "$work/keys"
head -c 32 /dev/urandom | base64 >"$work/keys/2026-11"
: >"$result"
# A pod that is delayed is not one that failed; the drops of a full admin port are not faults either.
pod_environment+=(LD_PRELOAD="$preload" FAULT_DIR="$work/faults")
ip route add 224.0.0.0/4 dev lo 2>/dev/null || true

# inject POD...: runs the cases on these pods, the first of which leads.
inject()
{
    local pod pods=()
    for pod in "$@"; do
        pods+=("$pod=${pod_pids[$pod]}")
    done
    python3 "$(dirname "$0")/faults_run.py" "$build" "$work" "$result" "${pods[@]}" \
        --match "$match" --half "$half" >"$work/said" 2>&1 ||
        fail "faults are not handled well: $(grep -m 3 ' FAIL ' "$work/said" | tr '\n' ' ')"
    sed 's/^/  /' "$work/said"
}

# cluster OPTION...: three pods.
cluster()
{
    local pod
    printf 'hold.time: 1s\n' >"$work/pod.yaml"
    for pod in "$a" "$b" "$c"; do
        pod_launch "$pod" --config "$work/pod.yaml" --peers "$a,$b,$c" --leader "$a" --control-accept open \
            --store "$work/store-$pod" "$@"
    done
    wait_until "three agree" agree "$a" "$a" "$b" "$c"
    inject "$a" "$b" "$c"
}

keyed_with_app()
{
    app_start app "$tools/udp_app" "$app" echo
    cluster --keys "$work/keys" --app "udp://$app" --app-notify 127.0.98.60:9999 --data-rate 1000000 \
        --multicast-groups 239.1.2.3%lo
}

inline_ordered()
{
    cluster --workers 0 --app echo --route ordered
}

app_with_a_socket_for_each_client()
{
    app_start app "$tools/udp_app" "$app6" echo
    cluster --app "udp://$app6" --app-max-sessions 16 --relay-format framed
}

with_names()
{
    dns_start
    dns_set pods.test "$a" "$b"
    dns_asked "$a" "$b"
    printf 'hold.time: 1s\n' >"$work/pod.yaml"
    for pod in "$a" "$b"; do
        pod_launch "$pod" --config "$work/pod.yaml" --discovery-dns pods.test --discovery-interval 1s \
            --quorum-expect 2 --app echo --leader "$a"
    done
    wait_until "the two agree" agree "$a" "$a" "$b"
    match="in resolver"
    inject "$a" "$b"
}

run "faults of pods with keys, an app, groups and a store" keyed_with_app
run "faults of pods that run to completion, in one order" inline_ordered
run "faults of pods whose app has a socket for each client" app_with_a_socket_for_each_client
if dns_possible; then
    run "faults of the resolver" with_names
else
    skip "faults of the resolver" "needs root, mount namespaces and dnsmasq"
fi
finish
