#!/usr/bin/env bash
# OpenVPN as the app, one in each pod with the same certificate; the client is another OpenVPN. ping goes through.
#
#   tests/apps/test_openvpn.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# certificate NAME: makes $work/NAME.key and $work/NAME.pem, and prints the fingerprint.
certificate()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" \
        -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
    openssl x509 -noout -fingerprint -sha256 -in "$work/$1.pem" | sed 's/.*=//'
}

# As in a pod with this server: it reads nothing but its options.
server_start()
{
    serve "$1" vpn openvpn --dev tun --proto udp4 --local 127.0.0.1 --port "$port" --topology subnet \
        --server 10.88.0.0 255.255.255.0 --dh none --key "$work/server.key" --cert "$work/server.pem" \
        --peer-fingerprint "$client_print" --keepalive 1 4 --verb 3
    wait_until "openvpn listens" listens "$1"
}

client_start()
{
    serve "$client" vpn openvpn --client --dev tun --proto udp4 --remote "$b" 12000 --nobind --connect-retry 1 \
        --key "$work/client.key" --cert "$work/client.pem" --peer-fingerprint "$server_print" --verb 3
}

is_through()
{
    at_client ping -c 1 -W 1 10.88.0.1 >"$work/ping.out" 2>&1
}

plain()
{
    each_pod server_start
    behind plain
    client_start
    wait_until "ping goes through the leader's tunnel" is_through
    wait_until "the server tells who the client is" log_says vpn-1 "$session_source:[0-9]+ .*Peer Connection Initiated"
    move_lead "$c"
    wait_until "the client notices" log_says vpn-100 "Inactivity timeout \(--ping-restart\), restarting"
    wait_until "ping goes through the new leader's tunnel" is_through
    wait_until "it had a new handshake" log_says vpn-3 "Peer Connection Initiated"
    app_stop vpn-100
    apps_close
    tell plain "works; its log has the session's address"
    tell set "the same key, certificate and CA in all pods; \`keepalive 1 4\` or so: clients notice a leader change by it"
    tell change "the client makes a new handshake by itself, after \`ping-restart\` (the second number of \`keepalive\`)"
}

# drain.sessions stay: the tunnel goes on without a handshake.
tunnel_stays()
{
    each_pod server_start
    behind plain --drain-sessions stay --drain-time 5m
    client_start
    wait_until "ping goes through the leader's tunnel" is_through
    wait_until "the leader knows of its session" metric_is "$a" sessions 1
    move_lead "$c"
    wait_until "all ask the former leader first" metric_is "$b" former_leader_serves 1
    wait_until "ping goes through the former leader's tunnel" is_through
    expect "handshakes with the new leader's server" "$(grep -c "Peer Connection Initiated" "$work/vpn-3.log")" 0
    expect "handshakes with the former leader's" "$(grep -c "Peer Connection Initiated" "$work/vpn-1.log")" 1
    app_stop vpn-100
    apps_close
    sessions_end_at "$b"
    tell change "with \`drain.sessions: stay\` the tunnel goes on with the former leader's server"
}

apps_need openvpn openssl ping ss
if [[ ! -c /dev/net/tun ]]; then
    skip "OpenVPN" "there is no /dev/net/tun"
    finish
    exit
fi
server_print=$(certificate server)
client_print=$(certificate client)
tell group "Tunnels and terminals"
tell server "OpenVPN"
tell version "$(package_version openvpn)"
run "OpenVPN has its tunnel through a follower, and after a leader change" plain
run "a tunnel stays with the former leader's server" tunnel_stays
apps_finish
