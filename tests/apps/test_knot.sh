#!/usr/bin/env bash
# Knot DNS, an authoritative server, as the app; kdig asks. mod-whoami tells the client's address as the server sees it.
#
#   tests/apps/test_knot.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# knot_start POD: with an access list for zone transfers as users have them, by the client's address.
knot_start()
{
    local dir=$work/knot-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/example.test.zone" <<END
@ 3600 SOA ns hostmaster ${1##*.} 3600 900 86400 300
@ 3600 NS ns
ns 3600 A 192.0.2.53
@ 3600 TXT "knot of $1"
END
    cat >"$dir/whoami.test.zone" <<END
@ 3600 SOA ns.example.test. hostmaster.example.test. 1 3600 900 86400 300
@ 3600 NS ns.example.test.
END
    cat >"$dir/knot.conf" <<END
server:
    rundir: "$dir"
    listen: "127.0.0.1@$port"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    ${knot_server:-}
database:
    storage: "$dir"
template:
  - id: default
    storage: "$dir"
    file: "%s.zone"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: example.test
  - domain: whoami.test
    module: mod-whoami
END
    serve "$1" knot knotd -c "$dir/knot.conf"
    wait_until "Knot of $1 answers" knot_is "$1" at_pod "$1" 127.0.0.1 "$port"
}

# knot_is POD at_client | at_pod POD ADDRESS PORT: the server of that pod answers there. kdig takes no
# notice of a refusal, so it must not wait long for a server that has just been started.
knot_is()
{
    local pod=$1 patience=1
    shift
    [[ $(query "$@" example.test TXT) == "\"knot of $pod\"" ]]
}

# query COMMAND... ADDRESS PORT NAME TYPE: kdig waits for $patience seconds, four times.
query()
{
    local words=("${@:1:$#-4}") address=${*: -4:1} at=${*: -3:1}
    "${words[@]}" kdig "@$address" -p "$at" +short "+timeout=${patience:-5}" +retry=3 "${*: -2:1}" "${*: -1}" 2>/dev/null || true
}

whoami_of()
{
    at_client kdig -b "$1" "@$b" -p 12000 +short +timeout=5 +retry=3 whoami.test A
}

plain()
{
    each_pod knot_start
    behind plain
    expect "the leader's Knot answers through a follower" "$(query at_client "$b" 12000 example.test TXT)" "\"knot of $a\""
    expect_match "the client, as Knot sees it" "$(whoami_of "$client")" "^$session_source\$"
    move_lead "$c"
    expect "the new leader's Knot answers" "$(query at_client "$b" 12000 example.test TXT)" "\"knot of $c\""
    apps_close
    tell plain "works; \`acl\` by address and \`mod-rrl\` by client need PROXY v2"
    tell change "none: each query stands alone"
}

proxy()
{
    knot_server="proxy-allowlist: 127.128.0.0/9"
    each_pod knot_start
    behind proxy
    expect "the client, as Knot sees it" "$(whoami_of "$client")" "$client"
    expect "another client" "$(whoami_of "$client2")" "$client2"
    move_lead "$c"
    expect "the client, as the new leader's Knot sees it" "$(whoami_of "$client2")" "$client2"
    expect "the new leader's Knot answers" "$(query at_client "$b" 12000 example.test TXT)" "\"knot of $c\""
    apps_close
    tell proxy "works"
    tell set "PROXY v2: \`proxy-allowlist: 127.128.0.0/9\` under \`server\`"
}

apps_need knotd kdig
tell group "DNS"
tell server "Knot DNS"
tell version "$(package_version knot)"
run "Knot answers through a follower, and after a leader change" plain
run "Knot with PROXY v2 sees the client, and after a leader change" proxy
apps_finish
