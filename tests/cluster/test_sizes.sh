#!/usr/bin/env bash
# Datagrams of every size, from empty to UDP's maximum: through the leader and a follower, in frames and
# raw, with rings and without. Unchanged, or dropped under a reason.
#
#   tests/cluster/test_sizes.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Open: sealing reduces the largest size.
. "$(dirname "$0")/lib.sh"

a=127.0.2.11
b=127.0.2.12
# The largest that fits into one frame: 65507 less a frame's head (40) and a record's (24).
framed_most=65443
# Around every internal limit: the slot (2048), the frame's room (1400 - 28 - 64), an Ethernet MTU.
sizes=(0 1 2 47 1308 1309 1400 1472 1473 2047 2048 2049 4096 9000 65000 "$framed_most")

# echoed ADDRESS SIZE...: each size alone, byte by byte
echoed()
{
    local pod=$1 size
    shift
    for size in "$@"; do
        expect "$size bytes through $pod" "$(ask_status -z "$size" -e "$pod:12000")" 0
    done
}

# framed OPTION...
framed()
{
    pods_start "$a" "$b" -- --app echo --leader "$a" "$@"
    echoed "$a" "${sizes[@]}" 65507
    echoed "$b" "${sizes[@]}"
    together_closes "$a" "$b"
    # one byte more than a frame can hold
    for size in $((framed_most + 1)) 65507; do
        expect "$size bytes through the follower" \
            "$(ask_status -t 100 -z "$size" -e "$b:12000")" 1
    done
    dropped_becomes "$b" oversize 2
    # the datagrams of the same batch are unaffected
    "$tools/udp_ask" -z 65507 -n "$b:12000" || fail "cannot send"
    echoed "$b" 0 1 1400
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" $((2 * ${#sizes[@]} + 1 + 3))
    together_closes "$a" "$b"
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
        echoed "$b" 0 1 400 511 512 1472 9000 "$framed_most"
        expect "40 of 600 bytes" "$(ask_status -k 40 -z 600 -e "$b:12000")" 0
        together_closes "$a" "$b"
        pods_stop
    done
}

raw()
{
    local all=("${sizes[@]}" 65507) bytes=0 size
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
