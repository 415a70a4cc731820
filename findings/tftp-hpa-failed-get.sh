#!/usr/bin/env bash
# tftp-hpa 5.2 (Debian 12, tftp-hpa 5.2+20150808-1.4): "tftp HOST PORT -c get FILE" empties the local file of that name when
# the server does not have it, and exits with 0. A time-out empties it too, but has status 69. So a script that fetches a new
# version loses the old one, and cannot tell by the status that the server refused.
#
# The local file is opened for writing before the first request is sent. The manual page states no exit status.
#
# Output:
#   the server has no such file: Error code 1: File not found, status 0, 0 bytes are left of 5
#   no server replies: Transfer timed out., status 69, 0 bytes are left of 5
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin tftp-hpa=5.2+20150808-1.4 tftpd-hpa=5.2+20150808-1.4 libwrap0=7.6.q-32

# get: prints the message, the status and the size of the local file.
get()
{
    local status=0
    printf first >config
    tftp -m binary 127.0.0.1 5369 -c get config >message 2>&1 || status=$?
    echo "$(grep -m 1 . message), status $status, $(stat -c %s config) bytes are left of 5"
}

mkdir empty
server in.tftpd --foreground --ipv4 --user root --address :5369 --secure "$PWD/empty"
wait_for listens 5369
seen "the server has no such file" "$(get)" "Error code 1: File not found, status 0, 0 bytes are left of 5"
server_stop
seen "no server replies" "$(get)" "Transfer timed out., status 69, 0 bytes are left of 5"
