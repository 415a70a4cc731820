#!/usr/bin/env bash
# nfcapd as the app, one in each pod; softflowd exports the flows of a small capture.
#
#   tests/apps/test_nfcapd.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

nfcapd_start()
{
    rm -rf "$work/flows-${1##*.}"
    mkdir -p "$work/flows-${1##*.}"
    serve "$1" nfcapd nfcapd -b 127.0.0.1 -p "$port" -w "$work/flows-${1##*.}" -S 0
    wait_until "nfcapd listens" listens "$1"
}

# capture_write: five flows by UDP.
capture_write()
{
    python3 - "$work/flows.pcap" <<'END'
import struct, sys
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    for flow in range(1, 6):
        udp = struct.pack(">HHHH", 1000 + flow, 53, 12, 0) + b"flow"
        ip = struct.pack(">BBHHHBBH4B4B", 0x45, 0, 32, flow, 0, 64, 17, 0, 198, 51, 100, flow, 203, 0, 113, 1)
        out.write(struct.pack("<IIII", 1700000000 + flow, 0, 32, 32) + ip + udp)
END
}

export_flows()
{
    at_client softflowd -r "$work/flows.pcap" -n "$b:12000" -v 5 -d -p "$work/softflowd.pid" -c none >"$work/softflowd.out" 2>&1 ||
        fail "softflowd: $(tail -n 1 "$work/softflowd.out")"
}

# Its last process may write after the one that we have started has ended.
has_written()
{
    nfdump -R "$work/flows-$1" -q -o "fmt:%sa" 2>/dev/null | grep -q '198\.51\.100\.'
}

# flows N: those that the server of pod N has written when it ends.
flows()
{
    app_stop "nfcapd-$1"
    wait_until "nfcapd of pod $1 has written its flows" has_written "$1"
    nfdump -R "$work/flows-$1" -q -o "fmt:%sa %ra" 2>/dev/null | awk '{ print $1, $2 }'
}

# two_leaders WAY EXPORTER: the exports of a client before and after a leader change, by an exporter that this regex matches.
two_leaders()
{
    local first third
    each_pod nfcapd_start
    behind "$1"
    export_flows
    wait_until "the leader's nfcapd has the export" has_some "$a"
    move_lead "$c"
    export_flows
    wait_until "the new leader's nfcapd has the export" has_some "$c"
    apps_close
    first=$(flows 1)
    third=$(flows 3)
    expect "flows of the leader" "$(grep -c '^198\.51\.100\.' <<<"$first")" 5
    expect "flows of the new leader" "$(grep -c '^198\.51\.100\.' <<<"$third")" 5
    expect_match "the exporter" "$(head -n 1 <<<"$first")" " $2\$"
    expect_match "the exporter, at the new leader" "$(head -n 1 <<<"$third")" " $2\$"
}

plain()
{
    two_leaders plain "$session_source"
    tell plain "works; the exporter (\`%ra\`) is the session's address"
    tell change "NetFlow v9 and IPFIX: the new leader's has no templates until the exporter sends them again"
}

own_address()
{
    two_leaders client "${client//./\\.}"
    tell client "works: the exporter is the client's own address"
}

has_some()
{
    (($(delivered_by "$1") > 0))
}

apps_need nfcapd nfdump softflowd python3 ss
capture_write
tell group "Logs and management"
tell server "nfdump \`nfcapd\`"
tell version "$(package_version nfdump)"
run "nfcapd gets all flows through a follower, and after a leader change" plain
run "app.source client: nfcapd has the exporter's own address, and after a leader change" own_address
apps_finish
