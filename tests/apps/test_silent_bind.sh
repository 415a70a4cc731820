#!/usr/bin/env bash
# BIND sees the same client after a silence, so its DNS cookie is accepted; and 20 clients in 20 networks, so that its
# rate limit does not take them for one.
#
#   tests/apps/test_silent_bind.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.80.11 # leads
b=127.0.80.12
client=127.0.80.201
client_cookie=0123456789abcdef

# named_start OPTIONS: these are lines of named's options.
named_start()
{
    mkdir -p "$work/named"
    cat >"$work/named/named.conf" <<END
options {
    directory "$work/named";
    pid-file none;
    session-keyfile none;
    listen-on port 5300 { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    notify no;
    $1
};
controls { };
zone "example.test" { type primary; file "zone"; };
END
    cat >"$work/named/zone" <<'END'
$TTL 3600
@ SOA ns hostmaster 1 3600 900 86400 300
@ NS ns
ns A 192.0.2.53
@ TXT "hello"
END
    named -g -n 1 -c "$work/named/named.conf" >"$work/named.log" 2>&1 &
    app_pids[named]=$!
    wait_until "named runs" grep -q ' running$' "$work/named.log"
    pods_start "$a" "$b" -- --app udp://127.0.0.1:5300 --leader "$a" "${@:2}"
}

# query SOURCE OPTION...: asks the follower once.
query()
{
    dig "@$b" -p 12000 -b "$1" +tries=1 +time=10 +nobadcookie "${@:2}" example.test TXT
}

cookie_is_accepted()
{
    local cookie
    named_start "require-server-cookie yes;" --app-idle 1s
    query "$client#40001" "+cookie=$client_cookie" >"$work/answer" || fail "no answer"
    expect_match "a client without the server's cookie" "$(<"$work/answer")" 'status: BADCOOKIE'
    cookie=$(sed -nE 's/^; COOKIE: ([0-9a-f]+) .*/\1/p' "$work/answer")
    expect "the server's cookie is new" "${cookie:0:16}" "$client_cookie"
    metric_becomes "$a" sessions 0
    query "$client#40001" "+cookie=$cookie" >"$work/answer" || fail "no answer"
    expect_match "its cookie after a silence" "$(<"$work/answer")" 'status: NOERROR'
    expect "resumed" "$(metric "$a" sessions_resumed_total)" 1
    ledger_closes "$a" "$b"
    tell_more "BIND" plain "a client's cookie stays valid after a silence longer than \`app.idle\`"
}

rate_limit_is_for_each_client()
{
    local i answered=0
    named_start "rate-limit { responses-per-second 5; slip 0; };"
    for i in {1..20}; do
        query "127.0.$((200 + i)).1#40001" +short >"$work/answer" && [[ $(<"$work/answer") == '"hello"' ]] &&
            answered=$((answered + 1))
    done
    expect "answered, of 20 clients in 20 networks" "$answered" 20
    ledger_closes "$a" "$b"
}

if ! command -v named >/dev/null || ! command -v dig >/dev/null; then
    skip "BIND as the app" "named or dig is not installed (scripts/setup apps)"
else
    run "BIND accepts a cookie after a silence" cookie_is_accepted
    run "BIND's rate limit lets 20 clients pass" rate_limit_is_for_each_client
fi
apps_finish
