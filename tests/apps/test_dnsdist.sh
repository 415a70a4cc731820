#!/usr/bin/env bash
# dnsdist as the app, plain and with PROXY v2, where its access list is asked about another address than users expect; and
# with app.source client.
#
#   tests/apps/test_dnsdist.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# dnsdist_start POD: answers by itself; dnsdist_lines has more settings.
dnsdist_start()
{
    local conf=$work/dnsdist-${1##*.}.conf
    cat >"$conf" <<END
setLocal("127.0.0.1:$port")
setSecurityPollSuffix("")
addAction(AllRule(), SpoofAction({"192.0.2.${1##*.}"}))
${dnsdist_lines:-}
END
    serve "$1" dnsdist dnsdist --supervised -C "$conf"
    wait_until "dnsdist of $1 listens" listens "$1"
}

# answer CLIENT: through the follower; nothing when it is dropped.
answer()
{
    at_client dig -b "$1" "@$b" -p 12000 +short +time=5 +tries=3 example.test A 2>/dev/null || true
}

plain()
{
    each_pod dnsdist_start
    behind plain
    expect "a client of another network" "$(answer "$client2")" "192.0.2.1"
    move_lead "$c"
    expect "after the leader change" "$(answer "$client2")" "192.0.2.3"
    apps_close
    tell plain "works, but **for all clients by default**: \`setACL\` has 127.0.0.0/8 from the start"
    tell change "none: each query stands alone"
}

# The list allows only one client: the other is answered all the same.
proxy_without_the_setting()
{
    dnsdist_lines="setProxyProtocolACL({\"127.128.0.0/9\"})
setACL({\"$client/32\"})"
    each_pod dnsdist_start
    behind proxy
    expect "a client of the list" "$(answer "$client")" "192.0.2.1"
    expect "another client" "$(answer "$client2")" "192.0.2.1"
    apps_close
}

# applies_its_list WAY: the list allows only one client, and another one gets no answer.
applies_its_list()
{
    local before
    each_pod dnsdist_start
    behind "$1"
    expect "a client of the list" "$(answer "$client")" "192.0.2.1"
    move_lead "$c"
    expect "a client of the list, after the leader change" "$(answer "$client")" "192.0.2.3"
    before=$(delivered_by "$c")
    at_client dig -b "$client2" "@$b" -p 12000 +time=1 +tries=1 example.test A >"$work/dig.out" || true
    metric_becomes "$c" datagrams_delivered_total $((before + 1))
    expect "a client of the list, after another one" "$(answer "$client")" "192.0.2.3"
    expect "replies" "$(metric "$c" 'replies_received_total{from="app"}')" $((before + 1))
    apps_close
}

proxy()
{
    dnsdist_lines="setProxyProtocolACL({\"127.128.0.0/9\"})
setProxyProtocolApplyACLToProxiedClients(true)
setACL({\"$client/32\"})"
    applies_its_list proxy
    tell proxy "works"
    tell set "PROXY v2: \`setProxyProtocolACL({\"127.128.0.0/9\"})\` and \`setProxyProtocolApplyACLToProxiedClients(true)\`; without the latter \`setACL\` is asked about neither address and all clients are served"
}

own_address()
{
    dnsdist_lines="setACL({\"$client/32\"})"
    applies_its_list client
    tell client "works: \`setACL\` applies to the client's own address"
}

apps_need dnsdist dig ss
tell group "DNS"
tell server "dnsdist"
tell version "$(package_version dnsdist)"
run "dnsdist answers through a follower, and after a leader change" plain
run "dnsdist with PROXY v2 alone ignores its access list" proxy_without_the_setting
run "dnsdist with PROXY v2 applies its access list to the client when told so" proxy
run "app.source client: dnsdist applies its access list to the client, and after a leader change" own_address
apps_finish
