#!/usr/bin/env bash
# Kamailio as the app, one in each pod; sipp sends OPTIONS without rport.
#
#   tests/apps/test_kamailio.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_servers.sh
. "$(dirname "$0")/lib_servers.sh"

sip_start()
{
    local dir=$work/sip-${1##*.} command
    mkdir -p "$dir"
    kamailio_config "OK of $1" "$sip_line" >"$dir/kamailio.cfg"
    kamailio_command "$dir"
    serve "$1" sip "${command[@]}"
    wait_until "kamailio listens" listens "$1"
}

# ask_options SECONDS: through the follower; false without a 200.
ask_options()
{
    (cd "$work" && sip_ask "$work/options.xml" "$1" "$b:12000")
}

plain()
{
    sip_line="force_rport();"
    each_pod sip_start
    behind plain
    ask_options 30 || fail "no 200 of the leader"
    move_lead "$c"
    ask_options 30 || fail "no 200 of the new leader"
    expect "both were asked" "$(($(delivered_by "$a") > 0 && $(delivered_by "$c") > 0))" 1
    apps_close
    tell plain "works with \`force_rport()\`; without it answers to clients without \`rport\` go to the session's address at the port of \`Via\`, and are lost"
    tell set "\`force_rport()\` for every request; \`listen=... advertise ADDRESS:PORT\`"
    tell change "single requests: none; dialogs and registrations are the former leader's unless the pods share a database"
}

without_rport()
{
    sip_line=""
    each_pod sip_start
    behind plain
    expect_broken "Kamailio answers a client without rport" ask_options 2
    apps_close
}

# A server sees the client's own address and the port of its Via.
own_address()
{
    sip_line=""
    each_pod sip_start
    behind client
    ask_options 30 || fail "no 200 of the leader"
    move_lead "$c"
    ask_options 30 || fail "no 200 of the new leader"
    expect "both were asked" "$(($(delivered_by "$a") > 0 && $(delivered_by "$c") > 0))" 1
    apps_close
    tell client "works, also without \`force_rport()\` and for clients without \`rport\`"
}

apps_need kamailio sipp ss
sip_scenario >"$work/options.xml"
tell group "Media and telephony"
tell server "Kamailio"
tell version "$(package_version kamailio)"
run "Kamailio answers through a follower with force_rport, and after a leader change" plain
run "Kamailio without force_rport answers to another port" without_rport
run "app.source client: Kamailio answers without force_rport, and after a leader change" own_address
apps_finish
