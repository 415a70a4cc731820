#!/usr/bin/env bash
# tftpd-hpa 5.2 (Debian 12, tftpd-hpa 5.2+20150808-1.4): where only lo has an address, in.tftpd cannot be told to listen on
# 127.0.0.1. It ends with status 66 (to syslog: "cannot resolve local IPv4 bind address"). With another address on any
# interface, even one that it is not to listen on, the same command works.
#
# Cause: it looks the numeric address up by getaddrinfo with AI_ADDRCONFIG, for which glibc counts no loopback address. It
# meets everybody who starts it before the network is up, in a container without one, or in a network namespace; the way out
# is to name no address ("--address :PORT").
#
# Output:
#   --address 127.0.0.1:5369: status 66
#   --address :5369: listens at 0.0.0.0:5369
#   --address 127.0.0.1:5369, and lo has 192.0.2.1 too: listens at 127.0.0.1:5369
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin tftpd-hpa=5.2+20150808-1.4 libwrap0=7.6.q-32

ends_or_listens()
{
    listens 5369 || ! kill -0 "$server_pid" 2>/dev/null
}

try()
{
    local at status=0
    server in.tftpd --foreground --ipv4 --user root --address "$1" --secure "$PWD"
    wait_for ends_or_listens
    at=$(ss -Hlun 'sport = :5369' | awk '{ print $4 }')
    if [[ $at ]]; then
        server_stop
        echo "listens at $at"
    else
        wait "$server_pid" || status=$?
        echo "status $status"
    fi
}

seen "--address 127.0.0.1:5369" "$(try 127.0.0.1:5369)" "status 66"
seen "--address :5369" "$(try :5369)" "listens at 0.0.0.0:5369"
ip addr add 192.0.2.1/32 dev lo
seen "--address 127.0.0.1:5369, and lo has 192.0.2.1 too" "$(try 127.0.0.1:5369)" "listens at 127.0.0.1:5369"
