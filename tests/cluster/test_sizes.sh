#!/usr/bin/env bash
# Datagrams of every size, from empty to UDP's maximum: through the leader and a follower, in frames and
# raw, with rings and without. Unchanged.
#
#   tests/cluster/test_sizes.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.2.11
b=127.0.2.12
# Around every internal limit: the slot (2048), the frame's room (1400 - 28 - 52 - 24), an Ethernet MTU, and what one
# datagram holds beside the heads of a frame (52) and a record (24).
sizes=(0 1 2 47 1295 1296 1297 1308 1309 1400 1472 1473 2047 2048 2049 4096 9000 65000 65431 65432 65443 65444 65507)

# echoed ADDRESS SIZE...: each size alone, byte by byte
echoed()
{
    local pod=$1 size
    shift
    for size in "$@"; do
        expect "$size bytes through $pod" "$(ask_status -z "$size" -e "$pod:12000")" 0
    done
}

# all_split POD...: every member is known to read records over frames
all_split()
{
    local pod
    for pod in "$@"; do
        wait_until "records are split at $pod" metric_is "$pod" records_split 1
    done
}

# framed OPTION...
framed()
{
    pods_start "$a" "$b" -- --app echo --leader "$a" "$@"
    all_split "$a" "$b"
    echoed "$a" "${sizes[@]}"
    echoed "$b" "${sizes[@]}"
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" $((2 * ${#sizes[@]}))
    together_closes "$a" "$b"
    expect "not put together" "$(total 'datagrams_dropped_total{reason="incomplete"}' "$a" "$b")" 0
}

trains_of_one_size()
{
    local size
    pods_start "$a" "$b" -- --app echo --leader "$a"
    # many in a row: several records per frame, frames that end anywhere, copies next to iovecs
    for size in 0 1 64 650 1308 1309 2048 2049; do
        expect "60 of $size bytes" "$(ask_status -k 60 -z "$size" -e "$b:12000")" 0
    done
    expect "10 of 9000 bytes" "$(ask_status -k 10 -z 9000 -e "$b:12000")" 0
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 490
    together_closes "$a" "$b"
}

mixed_sizes()
{
    pods_start "$a" "$b" -- --app echo --leader "$a"
    "$bench" send --to "$a:12000,$b:12000" --flows 8 --size 48:3,1308:1,1400:2,2048:1,9000:1 \
        --count 5000 --outstanding 12 --burst 8 --timeout 60s --expect-all >"$work/bench.out" 2>&1 ||
        fail "not all replies arrived intact: $(grep -E 'answered|missing|corrupt' "$work/bench.out")"
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" 5000
    together_closes "$a" "$b"
}

small_mtu_and_large_mtu()
{
    local mtu
    for mtu in 576 9000 65535; do
        pods_start "$a" "$b" -- --app echo --leader "$a" --relay-mtu "$mtu"
        all_split "$a" "$b"
        echoed "$b" 0 1 400 511 512 1472 9000 65443 65507
        expect "40 of 600 bytes" "$(ask_status -k 40 -z 600 -e "$b:12000")" 0
        together_closes "$a" "$b"
        pods_stop
    done
}

raw()
{
    local all=("${sizes[@]}") bytes=0 size
    pods_start "$a" "$b" -- --app discard --leader "$a" --relay-format raw
    for size in "${all[@]}"; do
        "$tools/udp_ask" -z "$size" -n "$b:12000" || fail "cannot send"
        bytes=$((bytes + size))
    done
    metric_becomes "$b" datagrams_relayed_total "${#all[@]}"
    metric_becomes "$a" datagrams_delivered_total "${#all[@]}"
    expect "bytes at the leader" "$(metric "$a" 'received_bytes_total{socket="data"}')" "$bytes"
    ledger_closes "$a" "$b"
}

run "every size arrives, in frames" framed
run "every size arrives, in frames, without rings" framed --workers 0
run "every size arrives, in frames, two of each thread" framed --workers 2 --receivers 2
run "many of one size arrive" trains_of_one_size
run "mixed sizes arrive under load" mixed_sizes
run "every size arrives with small and large relay.mtu" small_mtu_and_large_mtu
run "every size arrives, raw" raw
finish
