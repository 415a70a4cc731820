#!/usr/bin/env bash
# rsyslogd as the app, which stands still while a burst arrives: the kernel drops what its socket has no room for. Each
# datagram is a line of its log, or a drop that app_socket_drops_total has.
#
#   tests/apps/test_rsyslog_drops.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR/../cluster source=lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.49.11
app=127.0.49.111
burst=20000

rsyslog_configure()
{
    cat >"$work/rsyslog.conf" <<END
module(load="imudp")
template(name="message" type="string" string="%msg%\n")
ruleset(name="all") {
    action(type="omfile" file="$work/lines" template="message" ioBufferSize="4k" flushOnTXEnd="on")
}
input(type="imudp" address="$app" port="5514" ruleset="all" rateLimit.interval="0")
END
}

# Its buffer is net.core.rmem_default: imudp asks for none.
rsyslog_start()
{
    rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" >"$work/rsyslogd.log" 2>&1 &
    app_pids[rsyslogd]=$!
}

lines()
{
    wc -l 2>/dev/null <"$work/lines" || echo 0
}

# writes_line: sends one. True when rsyslogd has written one.
writes_line()
{
    "$tools/udp_ask" -n "$a:12000" "<13>Nov 30 00:00:00 host app: hello"
    (($(lines) > 0))
}

# Every datagram that was delivered is a line or a drop.
adds_up()
{
    (($(lines) + $(metric "$a" app_socket_drops_total) == $(metric "$a" datagrams_delivered_total)))
}

stands_still_in_a_burst()
{
    local sent=0
    rsyslog_configure
    rsyslog_start
    pods_start "$a" -- --app "udp://$app:5514"
    wait_until "rsyslogd writes" writes_line
    wait_until "all is written" adds_up
    expect "drops before" "$(metric "$a" app_socket_drops_total)" 0
    kill -STOP "${app_pids[rsyslogd]}"
    wait_until "it stands still" pod_stands "${app_pids[rsyslogd]}"
    while ((sent < burst)); do # less at once than a socket of the pod has room for
        "$tools/udp_ask" -n -k 100 "$a:12000" "<13>Nov 30 00:00:00 host app: burst"
        sent=$((sent + 100))
        wait_until "it is delivered" delivered_all "$sent"
    done
    wait_until "the pod says that the app's socket drops" drops_some
    kill -CONT "${app_pids[rsyslogd]}"
    wait_until "each is a line or a drop" adds_up
    expect_match "log" "$(grep ' app_drops: ' "$work/$a.log")" "$app:5514 was full"
    expect "our own sockets dropped" "$(kernel_drops "$a")" 0
    ledger_closes "$a"
    tell_more "rsyslog (imudp)" plain "lines for which its socket had no room are counted (\`app_socket_drops_total\`)"
    echo "  $(lines) lines, $(metric "$a" app_socket_drops_total) dropped at rsyslogd's socket"
}

delivered_all()
{
    (($(metric "$a" datagrams_delivered_total) >= $1))
}

drops_some()
{
    (($(metric "$a" app_socket_drops_total) > 0))
}

if command -v rsyslogd >/dev/null; then
    run "rsyslogd's socket is full" stands_still_in_a_burst
else
    skip "rsyslogd's socket is full" "rsyslogd is not installed (scripts/setup apps)"
fi
apps_finish
