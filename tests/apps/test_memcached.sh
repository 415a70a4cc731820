#!/usr/bin/env bash
# memcached by UDP as the app, one in each pod, on the app's own address.
#
#   tests/apps/test_memcached.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

memcached_start()
{
    serve "$1" memcached memcached -u root -l 127.0.0.1 -p "$port" -U "$port" -t 1 -m 16
    wait_until "memcached listens" listens "$1"
}

# command_by_udp TEXT: with the frame header of memcached's protocol by UDP; prints the answer without it.
command_by_udp()
{
    printf '\0\1\0\0\0\1\0\0%b' "$1" | at_client "$tools/udp_ask" "$b:12000" - | tail -c +9 | tr -d '\r' | xargs
}

plain()
{
    each_pod memcached_start
    behind plain
    expect "set" "$(command_by_udp 'set x 0 0 5\r\nhello\r\n')" STORED
    expect "get" "$(command_by_udp 'get x\r\n')" "VALUE x 0 5 hello END"
    move_lead "$c"
    expect "get, from the new leader" "$(command_by_udp 'get x\r\n')" END
    expect "set, at the new leader" "$(command_by_udp 'set x 0 0 2\r\nho\r\n')" STORED
    expect "get, from the new leader again" "$(command_by_udp 'get x\r\n')" "VALUE x 0 2 ho END"
    apps_close
    tell plain "works"
    tell set "\`-l 127.0.0.1 -U PORT\`: bound to the address of \`app.target\`"
    tell change "the cache is the new leader's, empty at first"
}

apps_need memcached ss
tell group "Files, caches and devices"
tell server "memcached"
tell version "$(package_version memcached)"
run "memcached answers through a follower, and after a leader change" plain
apps_finish
