#!/usr/bin/env bash
# tftpd-hpa as the app: it answers each transfer from a port of its own.
#
#   tests/apps/test_tftpd.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

tftp_start()
{
    local dir=$work/tftp-${1##*.}
    mkdir -p "$dir"
    echo "file of $1" >"$dir/file"
    chmod a+rx "$work"
    serve "$1" tftpd in.tftpd -L -u root -a "127.0.0.1:$port" -s "$dir"
    wait_until "tftpd listens" listens "$1"
}

plain()
{
    each_pod tftp_start
    behind plain
    printf '\0\1file\0octet\0' | at_client "$tools/udp_ask" -n "$b:12000" - || fail "cannot send"
    expect_broken "answers from another port" file_arrives
    apps_close
}

# file_arrives: false as soon as an answer from another port is dropped.
file_arrives()
{
    wait_until "the answer is sent or dropped" answered_or_dropped
    [[ $(metric "$a" 'replies_dropped_total{reason="stranger"}') == 0 ]]
}

answered_or_dropped()
{
    (($(metric "$a" 'replies_dropped_total{reason="stranger"}') + $(metric "$a" replies_relayed_total) > 0))
}

apps_need in.tftpd ss
tell group "Files, caches and devices"
tell server "tftpd-hpa"
tell version "$(package_version tftpd-hpa)"
run "tftpd answers from another port" plain
tell plain "not yet: its answers come from a port per transfer. Use a server with a single port (dnsmasq)"
tell change "-"
apps_finish
