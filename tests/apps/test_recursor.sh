#!/usr/bin/env bash
# PowerDNS Recursor as the app, plain and with PROXY v2.
#
#   tests/apps/test_recursor.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# recursor_start POD: recursor_lines has more settings.
recursor_start()
{
    local dir=$work/recursor-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/example.test" <<END
@ 3600 IN SOA ns hostmaster 1 3600 900 86400 300
@ 3600 IN NS ns
@ 3600 IN TXT "recursor of $1"
ns 3600 IN A 192.0.2.53
END
    cat >"$dir/recursor.conf" <<END
socket-dir=$dir
daemon=no
disable-syslog=yes
local-address=0.0.0.0:$port
auth-zones=example.test=$dir/example.test
threads=1
security-poll-suffix=
dnssec=off
${recursor_lines:-}
END
    serve "$1" recursor pdns_recursor --config-dir="$dir"
    wait_until "the recursor of $1 listens" listens "$1"
}

# answer ADDRESS PORT CLIENT: the text, or nothing when it is dropped.
answer()
{
    at_client dig -b "$3" "@$1" -p "$2" +short +time=5 +tries=3 example.test TXT 2>/dev/null || true
}

plain()
{
    each_pod recursor_start
    behind plain
    expect "a client of another network, through headlessd" "$(answer "$b" 12000 "$client2")" "\"recursor of $a\""
    move_lead "$c"
    expect "after the leader change" "$(answer "$b" 12000 "$client2")" "\"recursor of $c\""
    apps_close
    tell plain "works, but **is an open resolver by default**: \`allow-from\` has 127.0.0.0/8"
    tell change "none: each query stands alone; the cache is the new leader's"
}

proxy()
{
    recursor_lines="proxy-protocol-from=127.128.0.0/9
allow-from=$client/32
quiet=no
loglevel=6"
    each_pod recursor_start
    behind proxy
    expect "a client of the list" "$(answer "$b" 12000 "$client")" "\"recursor of $a\""
    move_lead "$c"
    expect "a client of the list, after the leader change" "$(answer "$b" 12000 "$client")" "\"recursor of $c\""
    at_client dig -b "$client2" "@$b" -p 12000 +time=1 +tries=1 example.test TXT >"$work/dig.out" || true
    wait_until "the recursor drops another client" log_says recursor-3 "not matched by allow-from.*$client2"
    apps_close
    tell proxy "works: \`allow-from\` applies to the client's own address"
    tell set "PROXY v2: \`proxy-protocol-from=127.128.0.0/9\`"
}

apps_need pdns_recursor dig ss
tell group "DNS"
tell server "PowerDNS Recursor"
tell version "$(package_version pdns-recursor)"
run "the recursor answers through a follower, and after a leader change" plain
run "the recursor with PROXY v2 applies its access list to the client" proxy
apps_finish
