#!/usr/bin/env bash
# FreeRADIUS as the app, one in each pod; radclient is the client. Debian's clients.conf knows 127.0.0.1 and ::1 only.
#
#   tests/apps/test_freeradius.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_servers.sh
. "$(dirname "$0")/lib_servers.sh"

# radius_start POD: radius_clients has its clients.
radius_start()
{
    local dir=$work/radius-${1##*.} command
    mkdir -p "$dir"
    radius_config "$dir" "radius of $1" "$radius_clients" >"$dir/radiusd.conf"
    radius_command "$dir"
    serve "$1" radius "${command[@]}"
    wait_until "freeradius listens" listens "$1"
}

# login [SECRET]: through the follower; prints what the answer says.
login()
{
    radius_login "$b:12000" "${1:-shared}"
}

plain()
{
    radius_clients="$debian
    client pods {
        ipaddr = 127.128.0.0/9
        secret = shared
    }"
    each_pod radius_start
    behind plain
    expect "the leader accepts" "$(login)" "Access-Accept radius of $a"
    move_lead "$c"
    expect "the new leader accepts" "$(login)" "Access-Accept radius of $c"
    apps_close
    tell plain "works; all clients share one secret"
    tell set "\`client\` for \`ipaddr = 127.128.0.0/9\` (in Debian's \`clients.conf\` all clients are unknown)"
    tell change "a single request: none; a conversation of several (EAP) begins again"
}

unknown_client()
{
    radius_clients=$debian
    each_pod radius_start
    behind plain
    echo "User-Name = bob, User-Password = x" |
        at_client radclient -t 1 -r 1 "$b:12000" auth testing123 >"$work/radclient.out" 2>&1 || true
    wait_until "freeradius ignores it" log_says radius-1 "from unknown client $session_source"
    apps_close
}

# An entry for all loopback addresses, made for programs of the same machine, holds for every client.
local_client()
{
    radius_clients="client localhost {
        ipaddr = 127.0.0.0/8
        secret = testing123
    }"
    each_pod radius_start
    behind plain
    expect "a client of another machine" "$(login testing123)" "Access-Accept radius of $a"
    apps_close
    tell set "no entry for 127.0.0.0/8, whose secret would be everybody's"
}

# The clients' network, as where they send to the server itself; Debian's entries stay.
own_address()
{
    radius_clients="$debian
    client network {
        ipaddr = 10.77.0.0/24
        secret = shared
    }"
    each_pod radius_start
    behind client
    expect "the leader accepts" "$(login)" "Access-Accept radius of $a"
    move_lead "$c"
    expect "the new leader accepts" "$(login)" "Access-Accept radius of $c"
    apps_close
    tell client "works: a \`client\` entry, with its own secret, for each client's address or network"
}

apps_need freeradius radclient ss
debian="\$INCLUDE /etc/freeradius/3.0/clients.conf"
tell group "Login and time"
tell server "FreeRADIUS"
tell version "$(package_version freeradius)"
run "FreeRADIUS answers through a follower, and after a leader change" plain
run "FreeRADIUS does not know session addresses by default" unknown_client
run "FreeRADIUS takes session addresses for its own machine where 127.0.0.0/8 is" local_client
run "app.source client: FreeRADIUS knows the client's network, and after a leader change" own_address
apps_finish
