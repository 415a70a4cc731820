#!/usr/bin/env bash
# udp-limit, the reference of scripts/bench: each of its loops forwards every byte, and its counts are right.
#
#   tests/cluster/test_udp_limit.sh BUILD_DIR
#
# Single-threaded: udp-limit is
# Timed: its loops must keep the sender's pace
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

limit=$build/bench/limit/udp-limit
host=127.0.17
in=$host.11:9000     # where the loop listens
middle=$host.12:9000 # a second one behind it
sink=$host.13:9000
number=2000
rate=20000

# counted NAME FIELD: prints a field of the result of app NAME.
counted()
{
    jq -r "$2" "$work/$1.out"
}

sink_start()
{
    app_start sink "$bench" sink --listen "$sink" --json
}

send()
{
    "$bench" send --to "$in" --one-way --rate "$rate" --count "$number" --flows 8 --size "$1" \
        --max-lateness 10s >"$work/send.out" || fail "could not send: $(cat "$work/send.out")"
}

has_read_all()
{
    [[ $(ss -Hnul src "$1" | awk '{ sum += $2 } END { print sum + 0 }') == 0 ]]
}

# end NAME ADDRESS: stops it when its socket is empty. In the order of a datagram's path.
end()
{
    wait_until "$1 has read all" has_read_all "$2"
    kill -0 "${app_pids[$1]}" || fail "$1 ended: $(tail -n 1 "$work/$1.log")"
    app_stop "$1"
}

# whole NAME: the sink received every byte that NAME forwarded, and the counts agree.
whole()
{
    end sink "$sink"
    expect "received" "$(counted "$1" .received)" "$number"
    expect "sent" "$(counted "$1" .sent)" "$number"
    expect "unsent" "$(counted "$1" .unsent)" 0
    expect "came, whole" "$(counted sink .counts.unique)" "$number"
    expect "came" "$(counted sink .counts.received)" "$number"
    expect "out of order" "$(counted sink .counts.reordered)" 0
    (($(counted "$1" .cpu_ns) > 0)) || fail "no CPU time"
}

forwards()
{
    local mode=$1 size=$2
    sink_start
    app_start "$mode" "$limit" "$mode" --listen "$in" --to "$sink"
    send "$size"
    end "$mode" "$in"
    whole "$mode"
    expect "datagrams on the wire" "$(counted "$mode" .frames)" "$number"
}

# The second loop receives the GSO batches of the first one merged.
merged_pass_whole()
{
    sink_start
    app_start gro "$limit" gro-gso --listen "$middle" --to "$sink"
    app_start gso "$limit" receive-gso --listen "$in" --to "$middle"
    send 100
    end gso "$in"
    end gro "$middle"
    whole gro
    (($(counted gso .trains) < number)) || fail "no train was made: $(cat "$work/gso.out")"
    (($(counted gro .trains) < number)) || fail "no train passed: $(cat "$work/gro.out")"
}

# headlessd's parser accepts its frames.
packs()
{
    sink_start
    app_start unpack "$tools/frame_unpack" "$middle" "$sink"
    app_start pack "$limit" receive-pack-gso --listen "$in" --to "$middle"
    send "$1"
    end pack "$in"
    end unpack "$middle"
    whole pack
    (($(counted pack .frames) < number)) || fail "nothing was packed: $(cat "$work/pack.out")"
}

# sender_is_accurate "RECEIVE_OPTION..." OPTION...: number, sizes and pace are as requested.
sender_is_accurate()
{
    local receive told
    read -ra receive <<<"$1"
    shift
    app_start receive "$limit" receive --listen "$in" --tell "$work/told" "${receive[@]}"
    "$limit" send --to "$in" --rate "$rate" --count "$number" --flows 5 "$@" >"$work/send.out"
    end receive "$in"
    read -r told <"$work/told"
    expect "told" "$told" "$number"
    expect "sent" "$(counted send .sent)" "$number"
    expect "received" "$(counted receive .received)" "$number"
    expect "bytes" "$(counted receive .received_bytes)" $((number * 100))
    expect "nothing goes further" "$(counted receive .sent)" 0
    expect_between "milliseconds" $(($(counted send .span_ns) / 1000000)) \
        $((number * 950 / rate)) $((number * 40000 / rate))
}

refuses_mistakes()
{
    local arguments words code
    for arguments in "" "nosuch" "receive" "one --listen $in" "send --to $in" "send --to $in --rate 0" \
        "receive --listen $in --nosuch 1" "send --to $in --rate 9 --size 9-1" "receive --listen ::1"; do
        read -ra words <<<"$arguments"
        code=0
        "$limit" "${words[@]}" >/dev/null 2>&1 || code=$?
        expect "exit code of '$arguments'" "$code" 2
    done
    grep -q receive-pack-gso < <("$limit" --help) || fail "--help does not tell the modes"
}

run "one" forwards one 64-1400
run "receive-gso" forwards receive-gso 64-1400
run "receive-gso, equal sizes" forwards receive-gso 100
run "gro-gso, nothing merged" forwards gro-gso 64-1400
run "receive-gso, gro-gso: merged datagrams" merged_pass_whole
run "receive-pack-gso" packs 64-1400
run "receive-pack-gso, equal sizes" packs 100
run "send, and receive" sender_is_accurate ""
run "send merged, and receive" sender_is_accurate "" --gso 16
run "send, and a sink" sender_is_accurate "--gro --pause 500"
run "send merged, and a sink" sender_is_accurate "--gro --pause 500" --gso 40
run "errors on the command line are refused" refuses_mistakes
finish
