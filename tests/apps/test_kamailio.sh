#!/usr/bin/env bash
# Kamailio as the app, one in each pod; sipp sends OPTIONS without rport.
#
#   tests/apps/test_kamailio.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

sip_start()
{
    local dir=$work/sip-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/kamailio.cfg" <<END
debug=0
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
listen=udp:127.0.0.1:$port
loadmodule "sl.so"
request_route {
    $sip_line
    sl_send_reply("200", "OK of $1");
}
END
    serve "$1" sip kamailio -DD -E -f "$dir/kamailio.cfg" -P "$dir/pid" -Y "$dir" -w "$dir" -m 16 -M 4
    wait_until "kamailio listens" listens "$1"
}

scenario_write()
{
    cat >"$work/options.xml" <<'END'
<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="options">
<send retrans="500"><![CDATA[
OPTIONS sip:test@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:client@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:test@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Content-Length: 0

]]></send>
<recv response="200"></recv>
</scenario>
END
}

# ask_options SECONDS: through the follower; false without a 200.
ask_options()
{
    (cd "$work" && at_client sipp -sf "$work/options.xml" -m 1 -i "$client" -p 5060 -nostdin -timeout "$1" -timeout_error \
        "$b:12000" >"$work/sipp.out" 2>&1)
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
scenario_write
tell group "Media and telephony"
tell server "Kamailio"
tell version "$(package_version kamailio)"
run "Kamailio answers through a follower with force_rport, and after a leader change" plain
run "Kamailio without force_rport answers to another port" without_rport
run "app.source client: Kamailio answers without force_rport, and after a leader change" own_address
apps_finish
