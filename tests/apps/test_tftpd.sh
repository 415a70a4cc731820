#!/usr/bin/env bash
# tftpd-hpa as the app: it answers each transfer from a port of its own (app.reply_from).
#
#   tests/apps/test_tftpd.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

tftp_start()
{
    local dir=$work/tftp-${1##*.}
    mkdir -p "$dir"
    { echo "file of $1" && head -c 20000 /dev/zero | tr '\0' x; } >"$dir/file"
    chmod -R a+rX "$work"
    serve "$1" tftpd in.tftpd -L -u root -a "127.0.0.1:$port" -s "$dir"
    wait_until "tftpd listens" listens "$1"
}

# fetch: through the follower; prints the first line and the size.
fetch()
{
    rm -f "$work/got"
    at_client timeout 60 tftp -m binary "$b" 12000 -c get file "$work/got" >"$work/tftp.out" 2>&1 || true
    echo "$(head -n 1 "$work/got") $(stat -c %s "$work/got")"
}

plain()
{
    each_pod tftp_start
    behind plain --app-reply-from port
    expect "the leader's file" "$(fetch)" "file of $a 20018"
    move_lead "$c"
    expect "the new leader's file" "$(fetch)" "file of $c 20018"
    apps_close
    tell plain "works with \`app.reply_from: port\`, since each transfer has a port of its own"
    tell set "nothing in tftpd; in headlessd \`app.reply_from: port\`"
    tell change "a transfer under way ends: the client must begin again"
}

apps_need in.tftpd tftp ss
tell group "Files, caches and devices"
tell server "tftpd-hpa"
tell version "$(package_version tftpd-hpa)"
run "tftpd sends files through a follower, and after a leader change" plain
apps_finish
