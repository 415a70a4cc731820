#!/usr/bin/env bash
# nfcapd knows an exporter by its address: after a silence, the flows still belong to the template that it sent before.
#
#   tests/apps/test_silent_nfcapd.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.81.11 # leads
b=127.0.81.12
exporter=127.0.81.201:40001

# number BYTES VALUE: as escapes of printf, big endian.
number()
{
    local hex
    hex=$(printf "%0$((2 * $1))x" "$2")
    while [[ $hex ]]; do
        printf '\\x%s' "${hex:0:2}"
        hex=${hex:2}
    done
}

# header COUNT SEQUENCE: of NetFlow v9, up for a minute.
header()
{
    echo "$(number 2 9)$(number 2 "$1")$(number 4 60000)$(number 4 "$EPOCHSECONDS")$(number 4 "$2")$(number 4 1)"
}

# Template 256: source, destination, packets, bytes, ports, protocol, first and last (29 bytes).
template()
{
    local fields="8 4 12 4 2 4 1 4 7 2 11 2 4 1 22 4 21 4" field flowset=""
    for field in $fields; do
        flowset+=$(number 2 "$field")
    done
    echo "$(header 1 1)$(number 2 0)$(number 2 44)$(number 2 256)$(number 2 9)$flowset"
}

# Five flows, and three bytes of padding.
flows()
{
    local i flowset=""
    for i in 1 2 3 4 5; do
        flowset+=$(number 4 $((0x0a000000 + i)))$(number 4 $((0x0a000100 + i)))$(number 4 "$i")$(number 4 $((100 * i)))
        flowset+=$(number 2 "$((1000 + i))")$(number 2 53)$(number 1 17)$(number 4 58000)$(number 4 59000)
    done
    echo "$(header 5 2)$(number 2 256)$(number 2 152)$flowset$(number 3 0)"
}

# export_packet ESCAPES: through the follower.
export_packet()
{
    # shellcheck disable=SC2059 # the argument is the format
    printf "$1" | "$tools/udp_ask" -n -s "$exporter" "$b:12000" - || fail "cannot send"
}

template_is_known_after_a_silence()
{
    mkdir "$work/flows"
    nfcapd -b 127.0.81.53 -p 5300 -w "$work/flows" -t 86400 >"$work/nfcapd.log" 2>&1 &
    app_pids[nfcapd]=$!
    wait_until "nfcapd listens" grep -q 'Startup' "$work/nfcapd.log"
    pods_start "$a" "$b" -- --app udp://127.0.81.53:5300 --leader "$a" --app-idle 1s
    export_packet "$(template)"
    metric_becomes "$a" sessions_opened_total 1
    metric_becomes "$a" sessions 0
    export_packet "$(flows)"
    metric_becomes "$a" datagrams_delivered_total 2
    expect "resumed" "$(metric "$a" sessions_resumed_total)" 1
    ledger_closes "$a" "$b"
    app_stop nfcapd # it writes its file
    wait_until "it has written the flows" flows_are_written
    expect "flows" "$(nfdump -q -R "$work/flows" -o csv | grep -c '10\.0\.0\.[1-5]')" 5
    tell_more "nfdump \`nfcapd\`" plain "the templates of an exporter stay known after a silence longer than \`app.idle\`"
}

flows_are_written()
{
    compgen -G "$work/flows/nfcapd.[0-9]*" >/dev/null
}

if ! command -v nfcapd >/dev/null || ! command -v nfdump >/dev/null; then
    skip "nfcapd as the app" "nfdump is not installed (scripts/setup apps)"
else
    run "nfcapd knows the template of before a silence" template_is_known_after_a_silence
fi
apps_finish
