#!/usr/bin/env bash
# iperf3 as the app: its tests by UDP are arranged by TCP, at the same port.
#
#   tests/apps/test_iperf3.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

iperf_start()
{
    serve "$1" iperf iperf3 -s -B 127.0.0.1 -p "$port"
    wait_until "iperf3 listens" iperf_listens "$1"
}

iperf_listens()
{
    [[ $(at_pod "$1" ss -Hltn "sport = :$port") ]]
}

plain()
{
    each_pod iperf_start
    behind plain
    at_client iperf3 -c "$b" -p 12000 -u -n 10000 >"$work/iperf.out" 2>&1 && fail "iperf3 works now: say so in the row"
    expect_match "iperf3 says" "$(cat "$work/iperf.out")" "unable to connect"
    apps_close
    tell plain "does not work: the client needs TCP at the same port. Use \`headless-bench\`"
    tell change "-"
}

apps_need iperf3 ss
tell group "Media and telephony"
tell server "iperf3"
tell version "$(package_version iperf3)"
run "iperf3 asks for TCP" plain
apps_finish
