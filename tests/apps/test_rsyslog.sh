#!/usr/bin/env bash
# rsyslogd (imudp) as the app, one in each pod; logger is the client.
#
#   tests/apps/test_rsyslog.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

syslog_start()
{
    local dir=$work/syslog-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/rsyslog.conf" <<END
global(workDirectory="$dir" net.enableDNS="off")
module(load="imudp")
template(name="line" type="string" string="%fromhost-ip% %hostname% %msg%\n")
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
    tell plain "works; \`fromhost-ip\` is the session's address, \`hostname\` what the client writes"
    tell set "\`global(net.enableDNS=\"off\")\`; tell clients apart by \`hostname\`"
    tell change "no line is lost by a command; each pod's server has the lines of its own time"
}

apps_need rsyslogd logger ss
tell group "Logs and management"
tell server "rsyslog (imudp)"
tell version "$(package_version rsyslog)"
run "rsyslog gets every line through a follower, and after a leader change" plain
apps_finish
