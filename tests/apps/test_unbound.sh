#!/usr/bin/env bash
# Unbound as the app, plain and with PROXY v2; its default access list is the one that matters.
#
#   tests/apps/test_unbound.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# unbound_start POD: unbound_lines has more lines of its section server.
unbound_start()
{
    local dir=$work/unbound-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/unbound.conf" <<END
server:
    directory: "$dir"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    interface: 0.0.0.0@$port
    module-config: "iterator"
    local-zone: "example.test." static
    local-data: 'example.test. TXT "unbound of $1"'
${unbound_lines:-}
remote-control:
    control-enable: no
END
    serve "$1" unbound unbound -d -c "$dir/unbound.conf"
    wait_until "unbound of $1 listens" listens "$1"
}

# answer ADDRESS PORT CLIENT: the text, or the status of a refusal.
answer()
{
    at_client dig -b "$3" "@$1" -p "$2" +time=5 +tries=3 example.test TXT |
        sed -nE 's/^example.test.*TXT\s+//p; s/.*status: (REFUSED),.*/\1/p'
}

plain()
{
    each_pod unbound_start
    behind plain
    expect "a client of another network, directly" "$(answer "$a" "$port" "$client2")" REFUSED
    expect "a client of another network, through headlessd" "$(answer "$b" 12000 "$client2")" "\"unbound of $a\""
    move_lead "$c"
    expect "after the leader change" "$(answer "$b" 12000 "$client")" "\"unbound of $c\""
    apps_close
    tell plain "works, but **is an open resolver by default**: its access list allows 127.0.0.0/8"
    tell change "none: each query stands alone; the cache is the new leader's"
}

refused()
{
    unbound_lines="    access-control: 127.128.0.0/9 refuse"
    each_pod unbound_start
    behind plain
    expect "any client" "$(answer "$b" 12000 "$client")" REFUSED
    apps_close
}

proxy()
{
    unbound_lines="    proxy-protocol-port: $port
    access-control: $client/32 allow"
    each_pod unbound_start
    behind proxy
    expect "a client of the list" "$(answer "$b" 12000 "$client")" "\"unbound of $a\""
    expect "another client" "$(answer "$b" 12000 "$client2")" REFUSED
    move_lead "$c"
    expect "a client of the list, after the leader change" "$(answer "$b" 12000 "$client")" "\"unbound of $c\""
    expect "another client, after the leader change" "$(answer "$b" 12000 "$client2")" REFUSED
    apps_close
    tell proxy "works: \`access-control\` applies to the client's own address"
    tell set "PROXY v2: \`proxy-protocol-port: PORT\`; then this port takes nothing without the header"
    tell set "plain: \`access-control: 127.128.0.0/9 refuse\` lets nobody in, \`allow\` everybody: so use PROXY v2 for a resolver"
}

apps_need unbound dig ss
tell group "DNS"
tell server "Unbound"
tell version "$(package_version unbound)"
run "Unbound answers through a follower, and after a leader change" plain
run "Unbound refuses session addresses when told so" refused
run "Unbound with PROXY v2 applies its access list to the client" proxy
apps_finish
