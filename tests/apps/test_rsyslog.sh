#!/usr/bin/env bash
# rsyslogd (imudp) as the app, one in each pod; logger is the client.
#
#   tests/apps/test_rsyslog.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# syslog_start POD: syslog_global has settings of global().
syslog_start()
{
    local dir=$work/syslog-${1##*.}
    mkdir -p "$dir"
    rm -f "$dir/lines"
    cat >"$dir/rsyslog.conf" <<END
global(workDirectory="$dir" ${syslog_global:-})
module(load="imudp")
template(name="line" type="string" string="%fromhost% %hostname% %msg%\n")
ruleset(name="all") { action(type="omfile" file="$dir/lines" template="line" fileCreateMode="0644") }
input(type="imudp" address="127.0.0.1" port="$port" ruleset="all")
END
    serve "$1" syslog rsyslogd -n -i "$dir/pid" -f "$dir/rsyslog.conf"
    wait_until "rsyslogd listens" listens "$1"
}

send_line()
{
    at_client logger -n "$b" -P 12000 -d --rfc3164 -t "$1" "$2"
}

# has_line N REGEX
has_line()
{
    grep -qE -- "$2" "$work/syslog-$1/lines"
}

plain()
{
    local i
    syslog_global='net.enableDNS="off"'
    each_pod syslog_start
    behind plain
    for i in {1..20}; do send_line before "line $i."; done
    for i in {1..20}; do wait_until "line $i is there" has_line 1 "line $i\."; done
    expect_match "the sender" "$(head -n 1 "$work/syslog-1/lines")" "^$session_source $(hostname -s) "
    move_lead "$c"
    for i in {1..20}; do send_line after "line $i."; done
    for i in {1..20}; do wait_until "line $i is there" has_line 3 "line $i\."; done
    expect "lines of both" "$(cat "$work"/syslog-[13]/lines | wc -l)" 40
    apps_close
    tell plain "works; \`fromhost\` and \`fromhost-ip\` are the session's address, \`hostname\` what the client writes"
    tell set "\`global(net.enableDNS=\"off\")\`; tell clients apart by \`hostname\`, which each must write: a client of ten ports has ten session addresses"
    tell change "no line is lost by a command; each pod's server has the lines of its own time"
}

# send_from PORT TEXT
send_from()
{
    at_client "$tools/udp_ask" -n -s "$client:$1" "$b:12000" "$2" || fail "cannot send"
}

# names FIELD TEXT: how many different ones the lines with this text have.
names()
{
    grep -F -- "$2" "$work/syslog-1/lines" | cut -d ' ' -f "$1" | sort -u | wc -l
}

# As Debian configures it, rsyslog asks DNS for the name of each address, and takes the address where there is none.
ten_ports()
{
    local i
    syslog_global=""
    each_pod syslog_start
    behind plain
    for i in {1..10}; do
        send_from $((40000 + i)) "<13>Nov 30 00:00:00 web-7 app: line $i."
        send_from $((40000 + i)) "<13>app: entry $i."
    done
    for i in {1..10}; do
        wait_until "line $i is there" has_line 1 " line $i\."
        wait_until "entry $i is there" has_line 1 " entry $i\."
    done
    expect "senders of one client" "$(names 1 " line")" 10
    expect "its names, as it writes them" "$(names 2 " line")" 1
    expect "its names, where it writes none" "$(names 2 " entry")" 10
    apps_close
}

own_address()
{
    local i
    syslog_global='net.enableDNS="off"'
    each_pod syslog_start
    behind client
    for i in {1..10}; do
        send_from $((40000 + i)) "<13>app: entry $i."
    done
    for i in {1..10}; do wait_until "entry $i is there" has_line 1 " entry $i\."; done
    move_lead "$c"
    send_line after "line 1."
    wait_until "line 1 is there" has_line 3 " line 1\."
    expect "senders" "$(cut -d ' ' -f 1 "$work"/syslog-[13]/lines | sort -u)" "$client"
    expect "names, where the client writes none" "$(names 2 " entry")" 1
    apps_close
    tell client "works: \`fromhost-ip\` is the client's own address, whatever its port"
}

apps_need rsyslogd logger ss
tell group "Logs and management"
tell server "rsyslog (imudp)"
tell version "$(package_version rsyslog)"
run "rsyslog gets every line through a follower, and after a leader change" plain
run "rsyslog has ten senders for ten ports of one client, and one name" ten_ports
run "app.source client: rsyslog has one sender for ten ports of one client, and after a leader change" own_address
apps_finish
