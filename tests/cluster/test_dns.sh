#!/usr/bin/env bash
# A real application: Knot DNS behind the leader; kdig and dnsperf send queries through the followers.
# Needs knotd, kdig (knot, knot-dnsutils) and dnsperf.
#
#   tests/cluster/test_dns.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.5.11 # leads
b=127.0.5.12
c=127.0.5.13
dns=127.0.5.53
dns_port=5300
names=400

write_zone()
{
    local i
    {
        echo "@ 3600 SOA ns hostmaster 1 3600 900 86400 300"
        echo "@ 3600 NS ns"
        echo "ns 3600 A $dns"
        echo "large 60 TXT $(printf '"%0200d" ' {1..5})"
        for ((i = 0; i < names; i++)); do
            echo "host$i 60 A 192.0.2.$((i % 250 + 1))"
        done
    } >"$work/example.test.zone"
    {
        echo "@ 3600 SOA ns.example.test. hostmaster.example.test. 1 3600 900 86400 300"
        echo "@ 3600 NS ns.example.test."
    } >"$work/whoami.test.zone"
    for ((i = 0; i < names; i++)); do
        echo "host$i.example.test A"
    done >"$work/queries"
}

# start_knot [LINE]: starts it, with another line in its section "server".
start_knot()
{
    mkdir -p "$work/knot"
    cat >"$work/knot.conf" <<END
server:
    rundir: "$work/knot"
    listen: "$dns@$dns_port"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    ${1:-}
database:
    storage: "$work/knot"
log:
  - target: stderr
    any: notice
zone:
  - domain: example.test
    file: "$work/example.test.zone"
    zonefile-sync: -1
    journal-content: none
  - domain: whoami.test
    file: "$work/whoami.test.zone"
    zonefile-sync: -1
    journal-content: none
    module: mod-whoami
END
    knotd -c "$work/knot.conf" >"$work/knot.out" 2>"$work/knot.log" &
    app_pids[knot]=$!
    wait_until "Knot answers" knot_answers
}

knot_answers()
{
    [[ $(kdig "@$dns" -p "$dns_port" +short +timeout=1 +retry=0 host1.example.test A 2>/dev/null) \
        == 192.0.2.2 ]]
}

# dig POD WORD...
dig()
{
    local pod=$1
    shift
    kdig "@$pod" -p 12000 +short +timeout=10 +retry=0 "$@" 2>&1 || true
}

# ask_by_hand: sends a few queries through each pod.
ask_by_hand()
{
    local pod
    for pod in "$a" "$b" "$c"; do
        expect "host7 through $pod" "$(dig "$pod" host7.example.test A)" 192.0.2.8
        expect "host399 through $pod" "$(dig "$pod" host399.example.test A)" 192.0.2.150
        expect_match "a large answer through $pod" \
            "$(dig "$pod" +bufsize=4096 large.example.test TXT)" '^"0{199}1" .*"0{199}5"$'
    done
}

# flood FLOODER POD: 5,000 queries, none lost.
flood()
{
    dnsperf -s "$2" -p 12000 -d "$work/queries" -n $((5000 / names + 1)) -Q 1000000 -q 50 -t 60 \
        -c 8 >"$work/dnsperf.$1" 2>&1
}

# 10,000 queries through both followers at once.
flood_both()
{
    local i file pids=()
    flood 1 "$b" &
    pids+=("$!")
    flood 2 "$c" &
    pids+=("$!")
    for i in 0 1; do
        wait "${pids[i]}" || fail "dnsperf ends with $?"
    done
    for i in 1 2; do
        file=$work/dnsperf.$i
        expect "queries lost" "$(figure_of "$file" 'Queries lost')" 0
        expect "queries completed" "$(figure_of "$file" 'Queries completed')" \
            "$(figure_of "$file" 'Queries sent')"
        expect_between "queries sent" "$(figure_of "$file" 'Queries sent')" 5000 6000
        expect_match "response codes" "$(grep 'Response codes' "$file")" \
            'NOERROR [0-9]+ \(100.00%\)'
    done
}

# figure_of FILE WORDS
figure_of()
{
    awk -v words="$2:" 'index($0, words) { sub(".*" words " *", ""); print $1; exit }' "$1"
}

plain()
{
    start_knot
    pods_start "$a" "$b" "$c" -- --app "udp://$dns:$dns_port" --leader "$a"
    ask_by_hand
    flood_both
    together_closes "$a" "$b" "$c"
    expect "delivered" "$(metric "$a" datagrams_delivered_total)" \
        "$(metric "$a" 'replies_received_total{from="app"}')"
    expect "Knot sees sessions, not clients" "$(dig "$b" whoami.test A | cut -d. -f1)" 127
    [[ $(dig "$b" -b 127.0.5.77 whoami.test A) != 127.0.5.77 ]] || fail "without PROXY, the client"
}

with_proxy_protocol()
{
    start_knot "proxy-allowlist: 127.128.0.0/9"
    pods_start "$a" "$b" "$c" -- --app "udp://$dns:$dns_port" --leader "$a" \
        --app-proxy-protocol v2
    ask_by_hand
    expect "the client, through a follower" "$(dig "$b" -b 127.0.5.77 whoami.test A)" 127.0.5.77
    expect "the client, through the other" "$(dig "$c" -b 127.0.5.78 whoami.test A)" 127.0.5.78
    expect "the client, through the leader" "$(dig "$a" -b 127.0.5.79 whoami.test A)" 127.0.5.79
    flood_both
    together_closes "$a" "$b" "$c"
}

# The leadership moves to a pod whose app is another process; no pod is restarted.
lead_moves_between_questions()
{
    local pod
    start_knot
    pods_start "$a" "$b" "$c" -- --app "udp://$dns:$dns_port" --leader "$a"
    for pod in "$b" "$c" "$a"; do
        lead "$pod" "$pod"
        lead "$pod" "$a" "$b" "$c"
        ask_by_hand
    done
    together_closes "$a" "$b" "$c"
    expect "each led" "$(($(metric "$a" datagrams_delivered_total) > 0 && \
        $(metric "$b" datagrams_delivered_total) > 0 && \
        $(metric "$c" datagrams_delivered_total) > 0))" 1
}

for program in knotd kdig dnsperf; do
    if ! command -v "$program" >/dev/null; then
        skip "Knot behind the leader" "$program is not installed"
        finish
        exit
    fi
done
write_zone
run "Knot: kdig and 10,000 queries of dnsperf through two followers" plain
run "Knot with PROXY v2 replies with the client's address" with_proxy_protocol
run "Knot: queries continue after a leader change" lead_moves_between_questions
finish
