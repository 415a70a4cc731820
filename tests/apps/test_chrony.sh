#!/usr/bin/env bash
# chronyd as the app, one in each pod; chronyd -Q is the client.
#
#   tests/apps/test_chrony.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# chrony_start POD: allowed has its access list.
chrony_start()
{
    local dir=$work/chrony-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/chrony.conf" <<END
port $port
cmdport 0
bindaddress 127.0.0.1
pidfile $dir/pid
local stratum $((4 + ${1##*.}))
$allowed
END
    serve "$1" chrony chronyd -d -x -u root -f "$dir/chrony.conf"
    wait_until "chronyd listens" listens "$1"
}

# clock_is_told: true when a client gets the time through the follower.
clock_is_told()
{
    at_client timeout 30 chronyd -Q -t 20 -f /dev/null "server $b port 12000 iburst maxsamples 1" >"$work/chronyd.out" 2>&1
}

plain()
{
    allowed="allow 127.128.0.0/9"
    each_pod chrony_start
    behind plain
    clock_is_told || fail "no time from the leader: $(cat "$work/chronyd.out")"
    move_lead "$c"
    clock_is_told || fail "no time from the new leader: $(cat "$work/chronyd.out")"
    expect "both were asked" "$(($(delivered_by "$a") > 0 && $(delivered_by "$c") > 0))" 1
    apps_close
    tell plain "works"
    tell change "none; the client goes on with the new leader's clock and stratum"
    tell set "\`allow 127.128.0.0/9\`"
}

# The access list of a network of clients matches nobody.
not_allowed()
{
    allowed="allow 10.77.0.0/24"
    each_pod chrony_start
    behind plain
    printf '\043%047d' 0 | tr 0 '\0' | at_client "$tools/udp_ask" -n "$b:12000" - || fail "cannot send"
    metric_becomes "$a" datagrams_delivered_total 1
    apps_close
    expect "replies" "$(metric "$a" 'replies_received_total{from="app"}')" 0
}

apps_need chronyd ss
tell group "Login and time"
tell server "chrony"
tell version "$(package_version chrony)"
run "chronyd tells the time through a follower, and after a leader change" plain
run "chronyd does not know clients by their networks" not_allowed
apps_finish
