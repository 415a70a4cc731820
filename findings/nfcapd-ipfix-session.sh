#!/usr/bin/env bash
# nfcapd 1.7.1 (Debian 12, nfdump 1.7.1-2+deb12u1): of two IPFIX exporters at one address, say behind a NAT, it decodes the
# flows of one by the template of the other, and records source and destination exchanged, without an error.
#
# RFC 7011, section 8: a template belongs to a transport session and an observation domain; by section 8.4 (UDP) a collector
# should keep it with the exporter's source UDP port. nfcapd knows an exporter by address and domain
# (phaag/nfdump issue 159). Each exporter here sends a template 256 of its own in domain 0, from a port of its own: the first
# one source before destination, the second one destination before source. The first one's flow after that is wrong.
#
# Output:
#   the first exporter's flow: 10.0.0.1 10.0.0.2
#   the second exporter's flow: 10.1.0.1 10.1.0.2
#   the first exporter's flow from 10.0.0.3 to 10.0.0.4: 10.0.0.4 10.0.0.3
#   exporters: 1
#   bad packets: 0
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin nfdump=1.7.1-2+deb12u1

queue_is_empty()
{
    [[ $(ss -Hlun "sport = :4739" | awk '{ print $2 }') == 0 ]]
}

# send DESCRIPTOR SEQUENCE HEX: an IPFIX message of domain 0 with one set.
send()
{
    local size=$((16 + ${#3} / 2))
    # shellcheck disable=SC2059 # the argument is the format
    printf "$(printf '000a%04x6553f100%08x00000000%s' "$size" "$2" "$3" | sed 's/../\\x&/g')" |
        dd bs=1500 iflag=fullblock status=none >&"$1" # one datagram: bash writes in lines
    wait_for queue_is_empty
}

# template HEX: addresses, then packets, bytes, ports, protocol, start and end in milliseconds.
template()
{
    echo "0002002c01000009${1}000200080001000800070002000b0002000400010098000800990008"
}

# flow HEX: two addresses; 3 packets, 300 bytes, port 1000 to 53, UDP, a second in November 2023.
flow()
{
    echo "01000031${1}0000000000000003000000000000012c03e80035110000018bcfe568000000018bcfe56be8"
}

mkdir flows
server nfcapd -b 127.0.0.1 -p 4739 -w flows -t 3600
wait_for listens 4739
exec 3<>/dev/udp/127.0.0.1/4739 4<>/dev/udp/127.0.0.1/4739 # two sources: two ports
send 3 0 "$(template 00080004000c0004)"                     # sourceIPv4Address, destinationIPv4Address
send 3 0 "$(flow 0a0000010a000002)"
send 4 0 "$(template 000c000400080004)" # destinationIPv4Address, sourceIPv4Address
send 4 0 "$(flow 0a0100020a010001)"
send 3 1 "$(flow 0a0000030a000004)"
server_stop
nfdump -q -R flows -o 'fmt:%sa %da' | awk '{ print $1, $2 }' >recorded
seen "the first exporter's flow" "$(sed -n 1p recorded)" "10.0.0.1 10.0.0.2"
seen "the second exporter's flow" "$(sed -n 2p recorded)" "10.1.0.1 10.1.0.2"
seen "the first exporter's flow from 10.0.0.3 to 10.0.0.4" "$(sed -n 3p recorded)" "10.0.0.4 10.0.0.3"
seen "exporters" "$(grep -c 'New ipfix exporter' log)" 1
seen "bad packets" "$(sed -n 's/.*Bad Packets: //p' log)" 0
