#!/usr/bin/env bash
# dnsmasq's TFTP server as the app: with --tftp-single-port its answers come from the app's port.
#
#   tests/apps/test_dnsmasq_tftp.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

port=69 # dnsmasq has no other for TFTP

tftp_start()
{
    local dir=$work/tftp-${1##*.}
    mkdir -p "$dir"
    { echo "file of $1" && head -c 20000 /dev/zero | tr '\0' x; } >"$dir/file"
    chmod -R a+rX "$work"
    serve "$1" dnsmasq dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --port=0 --no-resolv --user=root \
        --enable-tftp --tftp-root="$dir" --log-facility=- \
        "${tftp_options[@]}"
    wait_until "dnsmasq listens" listens "$1"
}

# fetch: through the follower; prints the first line and the size.
fetch()
{
    rm -f "$work/got"
    at_client timeout 60 tftp -m binary "$b" 12000 -c get file "$work/got" >"$work/tftp.out" 2>&1 || true
    echo "$(head -n 1 "$work/got") $(stat -c %s "$work/got")"
}

single_port()
{
    tftp_options=(--tftp-single-port --listen-address=127.0.0.1 --bind-dynamic)
    each_pod tftp_start
    behind plain
    expect "the leader's file" "$(fetch)" "file of $a 20018"
    move_lead "$c"
    expect "the new leader's file" "$(fetch)" "file of $c 20018"
    apps_close
    tell plain "works with \`tftp-single-port\`"
    tell set "\`tftp-single-port\`"
    tell change "a transfer under way ends: the client must begin again"
}

# dnsmasq alone, asked directly: it sends nothing. Without one of the two options it sends the file.
bound()
{
    tftp_options=(--tftp-single-port --listen-address=127.0.0.1 --bind-interfaces)
    tftp_start "$a"
    printf '\0\1file\0octet\0' | at_pod "$a" "$tools/udp_ask" -n "127.0.0.1:$port" - || fail "cannot send"
    wait_until "dnsmasq cannot send" log_says dnsmasq-1 "failed to send packet: Network is unreachable"
    tell set "no \`bind-interfaces\` with it: then dnsmasq 2.90 sends nothing by IPv4 (\"Network is unreachable\"), without headlessd too; \`bind-dynamic\` works"
}

apps_need dnsmasq tftp ss
tell group "Files, caches and devices"
tell server "dnsmasq (TFTP)"
tell version "$(package_version dnsmasq-base)"
run "dnsmasq sends files through a follower with a single port, and after a leader change" single_port
run "dnsmasq with a single port and bind-interfaces sends nothing, without headlessd" bound
apps_finish
