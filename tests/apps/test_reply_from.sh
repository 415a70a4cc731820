#!/usr/bin/env bash
# Servers that reply from elsewhere than app.target: tftpd-hpa (a port for each transfer), and memcached on the wildcard
# address.
#
#   tests/apps/test_reply_from.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR/../cluster source=lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.29.11 # leads
b=127.0.29.12
c=127.0.29.13
pods=("$a" "$b" "$c")
app=127.0.0.1 # tftpd-hpa may reply from the address that the kernel chooses

# tftpd_start: one process for each transfer, which ends by itself. Without an address: getaddrinfo finds none where only
# lo is up; it replies from the address that it was asked at.
tftpd_start()
{
    chmod 755 "$work"
    mkdir -p "$work/files"
    chmod 755 "$work/files"
    head -c 100000 /dev/urandom >"$work/files/first"
    head -c 5000 /dev/urandom >"$work/files/second"
    chmod 644 "$work/files"/*
    in.tftpd --foreground --ipv4 --address ":5369" --secure "$work/files" 2>"$work/tftpd.log" &
    app_pids[tftpd]=$!
    wait_until "tftpd listens" listens 0.0.0.0 5369
}

# listens ADDRESS PORT
listens()
{
    grep -q . < <(ss -Hlun src "$1:$2")
}

# fetch FILE POD
fetch()
{
    rm -f "$work/got"
    (cd "$work" && timeout 60 tftp -m binary "$2" 12000 -c get "$1" got)
    cmp -s "$work/files/$1" "$work/got"
}

file_arrives()
{
    tftpd_start
    pods_start "${pods[@]}" -- --app "udp://$app:5369" --leader "$a" --app-reply-from port
    fetch first "$b" || fail "another file arrived through $b"
    fetch second "$c" || fail "another file arrived through $c"
    fetch second "$a" || fail "another file arrived through the leader"
    # one client, two transfers from one port: the second begins at app.target again
    rm -f "$work/got"
    (cd "$work" && printf 'get first got\nget second got2\n' | timeout 60 tftp -m binary "$b" 12000 >/dev/null)
    cmp -s "$work/files/first" "$work/got" || fail "the first of two files differs"
    cmp -s "$work/files/second" "$work/got2" || fail "the second of two files differs"
    expect "strangers" "$(metric "$a" 'replies_dropped_total{reason="stranger"}')" 0
    expect "leader" "$(leaders "${pods[@]}")" "$a"
    ledger_closes "${pods[@]}"
}

# The file does not arrive with the default, and a line says why.
default_is_reported()
{
    tftpd_start
    pods_start "$a" -- --app "udp://$app:5369"
    (cd "$work" && printf 'rexmt 1\ntimeout 2\nget second got\n' | timeout 60 tftp -m binary "$a" 12000 >/dev/null) || true
    expect_match "with both addresses" "$(grep app_replies_elsewhere "$work/$a.log")" \
        "from $app:[0-9]+ .* app\.target is $app:5369: app\.reply_from port takes them"
    ledger_closes "$a"
    tell_more "tftpd-hpa" set "without it no file arrives, and a log line (\`app_replies_elsewhere\`) names the option"
}

memcached_start()
{
    memcached -u nobody -l 0.0.0.0 -p 0 -U 11211 2>"$work/memcached.log" &
    app_pids[memcached]=$!
    wait_until "memcached listens" listens 0.0.0.0 11211
}

# memcached_version POD: the reply to a request by UDP: a header of 8 bytes, and "VERSION ...".
memcached_version()
{
    printf '\0\1\0\0\0\1\0\0version\r\n' | "$tools/udp_ask" -t "${2:-10000}" "$1:12000" - | tr -d '\0-\37' || true
}

wildcard_is_reported()
{
    memcached_start
    pods_start "$a" -- --app "udp://127.0.29.54:11211"
    expect "reply" "$(memcached_version "$a" 200)" ""
    metric_becomes "$a" 'replies_dropped_total{reason="stranger"}' 1
    expect_match "with both addresses" "$(grep app_replies_elsewhere "$work/$a.log")" \
        "from 127\.0\.0\.1:11211 .* app\.target is 127\.0\.29\.54:11211: .* app\.reply_from any takes them"
    ledger_closes "$a"
}

wildcard_is_taken()
{
    memcached_start
    pods_start "${pods[@]}" -- --app "udp://127.0.29.54:11211" --leader "$a" --app-reply-from any
    expect_match "reply" "$(memcached_version "$b")" "VERSION"
    expect_match "and again" "$(memcached_version "$c")" "VERSION"
    ledger_closes "${pods[@]}"
    tell_more "memcached" set "\`-l 0.0.0.0\` with an \`app.target\` other than 127.0.0.1: \`app.reply_from: any\`"
}

for program in in.tftpd tftp memcached ss; do
    if ! command -v "$program" >/dev/null; then
        skip "replies from elsewhere" "$program is not installed (scripts/setup apps)"
        finish
        exit
    fi
done
run "tftpd-hpa: files arrive through followers" file_arrives
run "tftpd-hpa: by default a log line names the option" default_is_reported
run "memcached on the wildcard: by default a log line names the option" wildcard_is_reported
run "memcached on the wildcard replies with app.reply_from any" wildcard_is_taken
apps_finish
