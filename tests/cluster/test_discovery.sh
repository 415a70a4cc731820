#!/usr/bin/env bash
# Pods that find each other only by DNS, like those of a headless Service, and failures of DNS.
#
#   tests/cluster/test_discovery.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_dns.sh
. "$(dirname "$0")/lib_dns.sh"

a=127.0.12.1
b=127.0.12.2
c=127.0.12.3
d=127.0.12.4

dns_possible || {
    skip "discovery by DNS" "needs root, mount namespaces and dnsmasq"
    finish
    exit
}
dns_asked "$a" "$b" "$c" "$d"

# launch ADDRESS... -- OPTION...
launch()
{
    local addresses=() address
    while (($# > 0)) && [[ $1 != -- ]]; do
        addresses+=("$1")
        shift
    done
    shift || true
    for address in "${addresses[@]}"; do
        pod_launch "$address" --discovery-dns pods.test. --app echo "$@"
    done
}

# three_by_dns [OPTION...]
three_by_dns()
{
    dns_start
    dns_set pods.test "$a" "$b" "$c"
    launch "$a" "$b" "$c" -- --quorum-expect 3 "$@"
    wait_until "three agree" agree any "$a" "$b" "$c"
}

found_by_dns()
{
    three_by_dns
    expect "echo" "$(ask "$c" hello)" hello
    ledger_closes "$a" "$b" "$c"
}

# Its DISCOVER makes the others look it up: they do not wait for their next lookup, in an hour.
newcomer_is_looked_up()
{
    three_by_dns --discovery-interval 1h
    dns_set pods.test "$a" "$b" "$c" "$d"
    launch "$d" -- --quorum-expect 3
    wait_until "it knows the leader" has_leader "$d"
    wait_until "it is in the list" metric_is "$a" members_alive 4
    ledger_closes "$a" "$b" "$c" "$d"
}

# DNS names addresses only: the names come with the pods' messages. A shared one has no effect on the election.
one_name()
{
    local term pod
    three_by_dns --name x --heartbeat-misses 4 # a shared name is reported after two detection times
    wait_until "settled" are_settled "$a" "$b" "$c"
    term=$(metric "$agreed" term)
    dns_set pods.test "$a" "$b" "$c" "$d"
    launch "$d" -- --quorum-expect 3 --name x --heartbeat-misses 4
    for pod in "$a" "$b" "$c" "$d"; do
        wait_until "$pod knows three others with its name" metric_is "$pod" members_with_own_name 3
        metric_becomes "$pod" members_alive 4
        expect "leader and term of $pod" "$(leader_of "$pod") $(metric "$pod" term)" "$agreed $term"
    done
    expect "through the fourth" "$(ask "$d" hello)" hello
    ledger_closes "$a" "$b" "$c" "$d"
}

dns_goes_away()
{
    local leader
    three_by_dns
    leader=$agreed # set by three_by_dns
    dns_stop
    kill -KILL "${pod_pids[$leader]}"
    wait "${pod_pids[$leader]}" 2>/dev/null || true
    unset "pod_pids[$leader]"
    wait_until "the other two agree" agree_without "$leader" "${!pod_pids[@]}"
    ledger_closes "${!pod_pids[@]}"
}

answers_become_empty()
{
    local term
    three_by_dns
    term=$(metric "$b" term)
    dns_set pods.test
    launch "$d" -- --quorum-expect 3
    wait_until "a newcomer says that nothing is known" \
        grep -q discovery_failed "$work/$d.log"
    expect "ready" "$(http "$d:8080/readyz" 2>/dev/null || echo no)" no
    wait_until "the others agree still" agree any "$a" "$b" "$c"
    expect "term" "$(metric "$b" term)" "$term"
    dns_set pods.test "$a" "$b" "$c" "$d"
    wait_until "it knows the leader" has_leader "$d"
    ledger_closes "$a" "$b" "$c" "$d"
}

nobody_answers_at_first()
{
    launch "$a" "$b" "$c" -- --quorum-expect 3
    wait_until "it is said" grep -q discovery_failed "$work/$a.log"
    expect "leaders" "$(leaders "$a" "$b" "$c")" ""
    dns_start
    dns_set pods.test "$a" "$b" "$c"
    wait_until "three agree" agree any "$a" "$b" "$c"
    ledger_closes "$a" "$b" "$c"
}

# Two dead addresses and this pod: no majority of them replies.
only_dead_addresses()
{
    dns_start
    dns_set pods.test "$a" 127.0.12.98 127.0.12.99
    launch "$a" -- --heartbeat-interval 100ms --heartbeat-misses 4
    wait_until "it has looked" grep -q discovery_changed "$work/$a.log"
    sleep 2 # five detection times, longer than a lone pod waits: it must not become leader
    expect "leads" "$(leaders "$a")" ""
    dns_set pods.test "$a" "$b" "$c"
    launch "$b" "$c"
    wait_until "three agree" agree any "$a" "$b" "$c"
    ledger_closes "$a" "$b" "$c"
}

only_itself()
{
    dns_start
    dns_set pods.test "$a"
    launch "$a"
    wait_until "it leads alone" agree "$a" "$a"
    dns_set pods.test "$a" "$b"
    launch "$b"
    wait_until "two agree" agree any "$a" "$b"
    ledger_closes "$a" "$b"
}

# A Service with a cluster IP: one address, which leads to any of the pods. The kernel translates addresses as
# kube-proxy does.
cluster_ip()
{
    local virtual=127.0.12.77
    dns_start
    dns_set pods.test "$virtual"
    nft -f - <<RULES
table ip service {
    chain output { type nat hook output priority -100; ip daddr $virtual dnat to numgen inc mod 2 map { 0 : $a, 1 : $b }; }
}
RULES
    launch "$a" -- --quorum-expect 3
    launch "$b"
    wait_until "the one that leads alone asks" grep -q \
        'warn  discovery_virtual: .*one address, 127.0.12.77, .* headless .*leads alone, since quorum.expect is not set' "$work/$b.log"
    wait_until "that it leads alone is a warning" grep -q 'warn  others_missing: .*leads alone' "$work/$b.log"
    wait_until "the one that waits asks" grep -q 'discovery_virtual: .* headless' "$work/$a.log"
    if grep -q 'others_missing' "$work/$a.log"; then fail "it does not lead"; fi
    expect_match "readiness" "$("$headlessctl" --admin "$a:8080" status | grep readiness)" 'joining: .*Service headless'
    nft delete table ip service
    dns_set pods.test "$a" "$b"
    wait_until "two agree" agree any "$a" "$b"
    wait_until "/readyz is ready" is_ready "$a"
    ledger_closes "$a" "$b"
}

# A lookup that hangs, here for more than two minutes, delays neither the election nor the stop.
silent_server()
{
    three_by_dns
    dns_silent
    dns_patience 30 5
    launch "$d" -- --quorum-expect 3
    wait_until "it lives" is_alive "$d"
    pod_stop "$d"
    dns_patience 1 1
    wait_until "the others agree still" agree any "$a" "$b" "$c"
    dns_heard
    ledger_closes "$a" "$b" "$c"
}

run "three pods find each other by DNS" found_by_dns
run "a new pod is looked up at once" newcomer_is_looked_up
run "four pods with one name find each other by DNS" one_name
run "the cluster continues without the name server" dns_goes_away
run "empty replies do not change the peers" answers_become_empty
run "pods start without a name server" nobody_answers_at_first
run "a pod with only dead peers does not lead" only_dead_addresses
run "a pod that finds only itself leads" only_itself
run "a Service with a cluster IP is named as such" cluster_ip
run "a silent name server delays neither election nor stop" silent_server
finish
