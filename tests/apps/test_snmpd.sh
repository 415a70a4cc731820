#!/usr/bin/env bash
# snmpd as the app, one in each pod; snmpget is the client, with SNMPv2c and SNMPv3.
#
#   tests/apps/test_snmpd.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# snmpd_start POD: community has its access line.
snmpd_start()
{
    local dir=$work/snmpd-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/snmpd.conf" <<END
persistentDir $dir
agentAddress udp:127.0.0.1:$port
sysName snmpd of $1
rwcommunity unused 127.0.0.1
$community
createUser bob SHA-256 "a long password" AES "a long password"
rouser bob
END
    serve "$1" snmpd env SNMP_PERSISTENT_FILE="$dir/persistent.conf" snmpd -f -Lo -C -c "$dir/snmpd.conf" -p "$dir/pid"
    wait_until "snmpd listens" listens "$1"
}

v2c=(-v2c -c public)
v3=(-v3 -l authPriv -u bob -a SHA-256 -A "a long password" -x AES -X "a long password")

# get OPTION...: sysName through the follower.
get()
{
    at_client snmpget -m '' -M "$work" -Oqv -t 5 -r 3 "$@" "udp:$b:12000" .1.3.6.1.2.1.1.5.0 2>&1 || true
}

plain()
{
    community="rocommunity public 127.128.0.0/9"
    each_pod snmpd_start
    behind plain
    expect "SNMPv2c" "$(get "${v2c[@]}")" "\"snmpd of $a\""
    expect "SNMPv3" "$(get "${v3[@]}")" "\"snmpd of $a\""
    move_lead "$c"
    expect "SNMPv2c, after the leader change" "$(get "${v2c[@]}")" "\"snmpd of $c\""
    expect "SNMPv3, after the leader change" "$(get "${v3[@]}")" "\"snmpd of $c\""
    apps_close
    tell plain "works, SNMPv2c and SNMPv3"
    tell set "\`rocommunity NAME 127.128.0.0/9\` where a community is bound to a network"
    tell change "v2c: none; v3: another engine, so that a client that keeps the engine ID discovers again"
}

not_allowed()
{
    community="rocommunity public 10.77.0.0/24"
    each_pod snmpd_start
    behind plain
    at_client snmpget -m '' -M "$work" -t 1 -r 0 "${v2c[@]}" "udp:$b:12000" .1.3.6.1.2.1.1.5.0 >"$work/get.out" 2>&1 || true
    metric_becomes "$a" datagrams_delivered_total 1
    expect "SNMPv3, meanwhile" "$(get "${v3[@]}")" "\"snmpd of $a\""
    apps_close
    expect_match "SNMPv2c" "$(cat "$work/get.out")" "Timeout"
}

apps_need snmpd snmpget ss
tell group "Logs and management"
tell server "Net-SNMP \`snmpd\`"
tell version "$(package_version snmpd)"
run "snmpd answers through a follower, and after a leader change" plain
run "snmpd does not know clients by their networks" not_allowed
apps_finish
