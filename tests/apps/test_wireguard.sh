#!/usr/bin/env bash
# wireguard-go as the app, one in each pod with the same key; the client is another wireguard-go. ping goes through.
#
#   tests/apps/test_wireguard.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Their control sockets are in one directory, /var/run/wireguard, whatever the namespace.
device_of()
{
    echo "hdwg${1##*.}"
}

# device_start ADDRESS KEY INSIDE WG_WORD...: a device in the namespace of that address.
device_start()
{
    local device
    device=$(device_of "$1")
    serve "$1" wg wireguard-go -f "$device"
    wait_until "the device of $1 is there" at_pod "$1" wg show "$device" >"$work/wg.out" 2>&1
    at_pod "$1" wg set "$device" private-key "$work/$2.key" "${@:4}" || fail "wg set"
    at_pod "$1" ip addr add "$3/24" dev "$device"
    at_pod "$1" ip link set "$device" up
}

server_start()
{
    device_start "$1" server 10.88.0.1 listen-port "$port" peer "$(cat "$work/client.pub")" allowed-ips 10.88.0.2/32
}

is_through()
{
    at_client ping -c 1 -W 1 10.88.0.1 >"$work/ping.out" 2>&1
}

plain()
{
    each_pod server_start
    behind plain
    device_start "$client" client 10.88.0.2 peer "$(cat "$work/server.pub")" allowed-ips 10.88.0.1/32 endpoint "$b:12000"
    wait_until "ping goes through the leader's tunnel" is_through
    move_lead "$c"
    wait_until "ping goes through the new leader's tunnel" is_through
    expect "both had the tunnel" "$(($(delivered_by "$a") > 0 && $(delivered_by "$c") > 0))" 1
    app_stop "wg-${client##*.}"
    apps_close
    tell plain "works"
    tell set "the same private key and peers in all pods"
    tell change "the client makes a new handshake by itself, after its own timeout (about 15 s)"
}

apps_need wireguard-go wg ping ss
if [[ ! -c /dev/net/tun ]]; then
    skip "wireguard-go" "there is no /dev/net/tun"
    finish
    exit
fi
for name in server client; do
    (umask 077 && wg genkey >"$work/$name.key")
    wg pubkey <"$work/$name.key" >"$work/$name.pub"
done
tell group "Tunnels and terminals"
tell server "wireguard-go"
tell version "$(package_version wireguard-go)"
run "wireguard-go has its tunnel through a follower, and after a leader change" plain
apps_finish
