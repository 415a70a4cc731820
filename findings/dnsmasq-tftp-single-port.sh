#!/usr/bin/env bash
# dnsmasq 2.90 (Debian 12, dnsmasq-base 2.90-4~deb12u2): with --tftp-single-port and --bind-interfaces its TFTP server sends
# nothing by IPv4, on loopback or another interface. It logs "failed to send packet: Network is unreachable".
#
# Both options are documented, and nothing says that they exclude each other; a single port is what one sets behind NAT,
# Kubernetes Services and UDP proxies. With a port for each transfer, or with --bind-dynamic in place of --bind-interfaces, the
# file arrives.
# Cause (src/tftp.c, tftp_request): with --bind-interfaces the branch for IPv4 does not set the variable addra, and in single
# port mode it is the source address that sendmsg gets in IP_PKTINFO. strace shows ipi_spec_dst=inet_addr("1.0.0.0").
#
# Output:
#   --tftp-single-port: hello
#   --tftp-single-port --bind-dynamic: hello
#   --tftp-single-port --bind-interfaces: nothing
#   its log: dnsmasq: failed to send packet: Network is unreachable
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin dnsmasq-base=2.90-4~deb12u2 libdbus-1-3=1.14.10-1~deb12u1 libjansson4=2.14-2 libmnl0=1.0.4-3 \
    libnetfilter-conntrack3=1.0.9-3 libnfnetlink0=1.0.2-2 libnftables1=1.0.6-2+deb12u2 libnftnl11=1.2.4-2 \
    libxtables12=1.8.9-2

# fetch: the file's text as the client gets it from 127.0.0.1 port 69.
fetch()
{
    exec 3<>/dev/udp/127.0.0.1/69
    printf '\0\1file\0octet\0' >&3                                  # read request
    { timeout 3 head -c 9 <&3 || true; } | tail -c 5 | grep . || echo nothing # 4 bytes of header, and the block
    exec 3>&-
}

try()
{
    server dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --port=0 --no-resolv --user=root --enable-tftp \
        --tftp-root="$PWD" --log-facility=- "$@"
    wait_for listens 69
    fetch
    server_stop
}

printf hello >file
seen "--tftp-single-port" "$(try --tftp-single-port)" hello
seen "--tftp-single-port --bind-dynamic" "$(try --tftp-single-port --bind-dynamic)" hello
seen "--tftp-single-port --bind-interfaces" "$(try --tftp-single-port --bind-interfaces)" nothing
seen "its log" "$(grep -m 1 failed log | sed 's/\[[0-9]*\]//')" "dnsmasq: failed to send packet: Network is unreachable"
