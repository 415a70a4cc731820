#!/usr/bin/env bash
# Three pods with keys under valgrind: no invalid access, no use of uninitialized memory, no leak. A client sends
# requests, members copy and order them, leaders are commanded and killed, keys change, SIGTERM ends the pods.
#
#   tests/cluster/soak_valgrind.sh BUILD_DIR
#
# Without the seccomp filter, which refuses valgrind's own system calls. Valgrind runs one thread at a
# time, so the heartbeats are slow.
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Open: it has keys of its own.
SANITIZED=1
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

a=127.0.27.11
b=127.0.27.12
c=127.0.27.13
pods=("$a" "$b" "$c")
keys=$work/keys
seen=$work/valgrind # one file per process
memcheck="valgrind --trace-children=yes --error-exitcode=99 --leak-check=full
    --errors-for-leak-kinds=definite,possible --log-file=$seen.%p"
for pod in "${pods[@]}"; do
    pod_places[$pod]=${memcheck//$'\n'/ }
done
pod_environment+=(HEADLESSD_HEARTBEAT_INTERVAL=1s HEADLESSD_HEARTBEAT_MISSES=5 HEADLESSD_SECCOMP=false)

key_new()
{
    "$headlessctl" key new "$keys/$1" >/dev/null
}

# is_sealing KEY ADDRESS...: true if each of these seals with this key.
is_sealing()
{
    local key=$1 pod
    shift
    for pod in "$@"; do
        grep -q "key_sealing.*$key\|keys_read.*$key" "$work/$pod.log" || return 1
    done
}

live()
{
    local route=$1 pod
    rm -rf "$keys"
    mkdir -m 700 "$keys"
    key_new key-1
    pods_start "${pods[@]}" -- --leader "$a" --app echo --route "$route" --keys "$keys"
    stream_start 300 120000 "$b" "$c"
    replies_come "${pods[@]}"
    expect_match "the answer to a signed command" \
        "$("$headlessctl" --data "$c" leader set "$b" --keys "$keys")" " ok "
    wait_until "all follow the commanded one" agree "$b" "${pods[@]}"
    replies_come "${pods[@]}"
    key_new key-2
    wait_until "the new key is read" is_sealing key-2 "${pods[@]}"
    for pod in "${pods[@]}"; do
        for page in metrics status leader readyz; do
            http "$pod:8080/$page" >/dev/null || fail "no /$page from $pod"
        done
    done
    pod_kill "$b"
    wait_until "another one leads" agree_without "$b" "$a" "$c"
    pod_launch "$b" --peers "$(IFS=,; echo "${pods[*]}")" --leader "$a" --app echo --route "$route" --keys "$keys"
    pod_wait "$b"
    replies_come "${pods[@]}"
    stream_end
    pods_stop
    expect "processes that valgrind watched" "$(grep -l Memcheck "$seen".* | wc -l)" 4
    expect "of which ended without a fault" "$(grep -l "ERROR SUMMARY: 0 errors" "$seen".* | wc -l)" 3
    rm -f "$seen".*
}

for route in leader all ordered; do
    run "route $route under valgrind" live "$route"
done
finish
