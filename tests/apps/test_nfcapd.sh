#!/usr/bin/env bash
# nfcapd as the app, one in each pod; softflowd exports the flows of a small capture.
#
#   tests/apps/test_nfcapd.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_servers.sh
. "$(dirname "$0")/lib_servers.sh"

nfcapd_start()
{
    local dir=$work/flows-${1##*.} command
    rm -rf "$dir"
    mkdir -p "$dir"
    nfcapd_command "$dir"
    serve "$1" nfcapd "${command[@]}"
    wait_until "nfcapd listens" listens "$1"
}

# Its last process may write after the one that we have started has ended.
has_written()
{
    grep -q '198\.51\.100\.' < <(nfdump -R "$work/flows-$1" -q -o "fmt:%sa" 2>/dev/null)
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
    flows_export "$work" "$b:12000"
    wait_until "the leader's nfcapd has the export" has_some "$a"
    move_lead "$c"
    flows_export "$work" "$b:12000"
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
flows_capture "$work/flows.pcap"
tell group "Logs and management"
tell server "nfdump \`nfcapd\`"
tell version "$(package_version nfdump)"
run "nfcapd gets all flows through a follower, and after a leader change" plain
run "app.source client: nfcapd has the exporter's own address, and after a leader change" own_address
apps_finish
