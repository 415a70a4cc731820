#!/usr/bin/env bash
# softflowd 1.1.0 (Debian 12, softflowd 1.1.0-1+b1): flows of a capture file (-r) are exported with wrong times. By NetFlow 9
# and IPFIX those of every capture are in the future, up to 49.7 days. By NetFlow 5 a capture of yesterday has its own times,
# one that is older than 49.7 days has times in the last 49.7 days. Only -A (absolute times, of IPFIX alone) exports the
# capture's own.
#
# Cause: the time of a flow is exported in milliseconds since the start of softflowd, in 32 bits. A capture is from before
# that start, so that the difference is negative and wraps. The collector (here nfcapd 1.7.1) adds it to the start, and for
# NetFlow 5 takes 2^32 ms off where the sum is after the export. The manual page does not restrict -r to any captures.
#
# Output of a run at any time after 2013:
#   capture of 2013, -v 5: wrong, in the past
#   capture of 2013, -v 9: wrong, in the future
#   capture of 2013, -v 10: wrong, in the future
#   capture of 2013, -v 10 -A milli: right
#   capture of yesterday, -v 5: right
#   capture of yesterday, -v 9: wrong, in the future
#   capture of yesterday, -v 10: wrong, in the future
#   capture of yesterday, -v 10 -A milli: right
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin softflowd=1.1.0-1+b1 libpcap0.8=1.10.3-1 libdbus-1-3=1.14.10-1~deb12u1 nfdump=1.7.1-2+deb12u1

# little_endian NUMBER: its four bytes, as escapes of printf.
little_endian()
{
    printf '%08x' "$1" | sed -E 's/(..)(..)(..)(..)/\\x\4\\x\3\\x\2\\x\1/'
}

# One UDP packet of 32 bytes, link type raw IP.
capture_write()
{
    local packet='\x45\0\0\x20\0\1\0\0\x40\x11\0\0\xc6\x33\x64\1\xcb\0\x71\1\x03\xe9\0\x35\0\x0c\0\0flow'
    # shellcheck disable=SC2059 # the argument is the format
    printf "\xd4\xc3\xb2\xa1\2\0\4\0$(for i in 0 0 65535 101 "$capture_time" 0 32 32; do little_endian "$i"; done)$packet"
}

has_flow()
{
    grep -q '^[0-9]' < <(nfdump -q -R flows -o 'fmt:%ts' 2>/dev/null)
}

# exported OPTION...: what the collector has as the flow's time.
exported()
{
    local first
    rm -rf flows
    mkdir flows
    server nfcapd -b 127.0.0.1 -p 9995 -w flows -t 3600
    wait_for listens 9995
    softflowd -r capture -n 127.0.0.1:9995 -d -c none -p "$PWD/pid" "$@" >exporter.log 2>&1
    wait_for queue_is_empty
    server_stop
    wait_for has_flow
    first=$(date -d "$(nfdump -q -R flows -o 'fmt:%ts')" +%s)
    if ((first >= capture_time - 5 && first <= capture_time + 5)); then
        echo right
    elif ((first > EPOCHSECONDS)); then
        echo "wrong, in the future"
    else
        echo "wrong, in the past"
    fi
}

queue_is_empty()
{
    [[ $(ss -Hlun "sport = :9995" | awk '{ print $2 }') == 0 ]]
}

# try WHEN NETFLOW_5
try()
{
    capture_write >capture
    seen "capture of $1, -v 5" "$(exported -v 5)" "$2"
    seen "capture of $1, -v 9" "$(exported -v 9)" "wrong, in the future"
    seen "capture of $1, -v 10" "$(exported -v 10)" "wrong, in the future"
    seen "capture of $1, -v 10 -A milli" "$(exported -v 10 -A milli)" right
}

capture_time=1384467201
try 2013 "wrong, in the past"
capture_time=$((EPOCHSECONDS - 86400))
try yesterday right
