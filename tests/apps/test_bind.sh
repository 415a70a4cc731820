#!/usr/bin/env bash
# BIND as the app: an authoritative zone, and recursion as it is configured by default, for its own networks.
#
#   tests/apps/test_bind.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# named_start POD [OPTION]
named_start()
{
    local dir=$work/named-${1##*.}
    mkdir -p "$dir"
    cat >"$dir/example.test" <<END
@ 3600 IN SOA ns hostmaster 1 3600 900 86400 300
@ 3600 IN NS ns
@ 3600 IN TXT "named of $1"
ns 3600 IN A 192.0.2.53
END
    cat >"$dir/named.conf" <<END
options {
    directory "$dir";
    pid-file none;
    session-keyfile none;
    listen-on port $port { any; };
    listen-on-v6 { none; };
    dnssec-validation no;
    ${named_option:-}
};
controls { };
zone "example.test" { type primary; file "example.test"; };
END
    serve "$1" named named -f -c "$dir/named.conf"
    wait_until "named of $1 answers" named_is "$1" at_pod "$1" 127.0.0.1 "$port"
}

# named_is POD at_client | at_pod POD ADDRESS PORT
named_is()
{
    [[ $(ask_for example.test "${@:2}") == "\"named of $1\"" ]]
}

# ask_for NAME COMMAND... ADDRESS PORT
ask_for()
{
    "${@:2:$#-3}" dig "@${*: -2:1}" -p "${*: -1}" +short +time=5 +tries=3 "$1" TXT 2>/dev/null || true
}

# offers_recursion ADDRESS PORT: prints yes or no, for a client of another network.
offers_recursion()
{
    at_client dig -b "$client2" "@$1" -p "$2" +time=5 +tries=3 example.test TXT |
        sed -nE 's/^;; flags: qr.* ra;.*/yes/p; s/^;; flags: qr [^r]*r?d?;.*/no/p'
}

plain()
{
    each_pod named_start
    behind plain
    expect "recursion for another network, asked directly" "$(offers_recursion "$a" "$port")" no
    expect "recursion for another network, through headlessd" "$(offers_recursion "$b" 12000)" yes
    expect "the leader's named answers" "$(ask_for example.test at_client "$b" 12000)" "\"named of $a\""
    move_lead "$c"
    expect "the new leader's named answers" "$(ask_for example.test at_client "$b" 12000)" "\"named of $c\""
    apps_close
    tell plain "works, but **is an open resolver by default**: \`localnets\` has 127.0.0.0/8, so all clients may recurse"
    tell change "none: each query stands alone"
}

closed()
{
    named_option="$1"
    each_pod named_start
    behind plain
    expect "recursion, through headlessd" "$(offers_recursion "$b" 12000)" no
    expect "the leader's named answers" "$(ask_for example.test at_client "$b" 12000)" "\"named of $a\""
    apps_close
}

# One answer a second for each client network: 20 ports of one client have as many.
rate_limit()
{
    local i answered=0
    named_option="rate-limit { responses-per-second 1; slip 0; };"
    each_pod named_start
    behind plain
    for i in {1..20}; do
        [[ $(at_client dig -b "$client#$((40000 + i))" "@$b" -p 12000 +short +time=5 +tries=1 example.test TXT) != \"named* ]] ||
            answered=$((answered + 1))
    done
    expect "answers to 20 ports of one client" "$answered" 20
    apps_close
    tell plain "\`rate-limit\` takes each port of a client for another network, and limits nobody who has many"
}

# burst: 20 queries at once from 20 ports of one client; prints how many are answered until nothing arrives for a second.
burst()
{
    at_client python3 - "$client" "$b" <<'END'
import select, socket, struct, sys
name = b"".join(bytes([len(label)]) + label for label in (b"example", b"test", b""))
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + name + struct.pack(">HH", 16, 1)
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
for i, s in enumerate(sockets):
    s.bind((sys.argv[1], 40000 + i))
    s.sendto(query, (sys.argv[2], 12000))
answered = 0
while ready := select.select(sockets, [], [], 1 if answered else 30)[0]:
    answered += sum(bool(s.recv(1500)) for s in ready)
print(answered)
END
}

# With localnets as by default: the networks of the pod.
own_address()
{
    named_option="rate-limit { responses-per-second 1; slip 0; };"
    each_pod named_start
    behind client
    expect "recursion for another network" "$(offers_recursion "$b" 12000)" no
    expect_between "answers to 20 ports of one client" "$(burst)" 1 10
    move_lead "$c"
    expect_between "answers of the new leader's to 20 ports of one client" "$(burst)" 1 10
    expect "recursion for another network, at the new leader" "$(offers_recursion "$b" 12000)" no
    apps_close
    tell client "works: access lists and \`rate-limit\` apply to the client's own address, as without headlessd"
}

apps_need named dig python3
tell group "DNS"
tell server "BIND"
tell version "$(package_version bind9)"
run "BIND answers through a follower, and after a leader change" plain
run "BIND does not recurse when told so" closed "recursion no;"
run "BIND does not recurse for session addresses when told so" closed "allow-recursion { !127.128.0.0/9; localnets; };"
named_option=""
run "BIND's rate limit knows no client by its network" rate_limit
run "app.source client: BIND limits a client, and recurses for its own networks only" own_address
tell set "\`recursion no;\`, or \`allow-recursion { !127.128.0.0/9; localnets; };\`"
tell set "one \`cookie-secret\` in all pods"
apps_finish
