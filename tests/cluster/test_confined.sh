#!/usr/bin/env bash
# Confinement: every thread has the seccomp filter, and the filter refuses no call that pods need. Every
# other cluster test runs under the filter, too; these check for refused calls.
#
#   tests/cluster/test_confined.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_dns.sh
. "$(dirname "$0")/lib_dns.sh"

a=127.0.31.11
b=127.0.31.12
c=127.0.31.13
dns_address=127.0.31.53
app=127.0.31.54:5300
app6="[::1]:15331"

# ---- the kernel's view of a process

# status_of PID FIELD: prints the distinct values of all its threads.
status_of()
{
    sed -n "s/^$2:[[:space:]]*//p" /proc/"$1"/task/*/status | sort -u | xargs
}

filters_here=$(status_of "$$" Seccomp_filters) # filters of a container

confines_every_thread()
{
    local pod pid
    pods_start "$a" "$b" -- --app echo --leader "$a" --workers 2 --receivers 2
    for pod in "$a" "$b"; do
        pid=${pod_pids[$pod]}
        expect "Seccomp of all threads of $pod" "$(status_of "$pid" Seccomp)" 2
        expect "filters of all threads of $pod" "$(status_of "$pid" Seccomp_filters)" \
            $((filters_here + 1))
        expect "NoNewPrivs of all threads of $pod" "$(status_of "$pid" NoNewPrivs)" 1
        expect "metric" "$(metric "$pod" confined)" 1
        expect_match "/status" "$(http "$pod:8080/status")" '"confined":true'
    done
    expect "echo" "$(ask "$b" hello)" hello
    together_closes "$a" "$b"
}

can_be_turned_off()
{
    pods_start "$a" -- --seccomp false --log-level debug
    expect "filters" "$(status_of "${pod_pids[$a]}" Seccomp_filters)" "$filters_here"
    expect "metric" "$(metric "$a" confined)" 0
    expect_match "/status" "$(http "$a:8080/status")" '"confined":false'
    expect_log "$a" 'unconfined: seccomp: false'
}

# Errors as of a kernel without seccomp.
kernel_that_refuses()
{
    pod_places[$a]="strace -D -f -qq -o /dev/null -e trace=seccomp -e inject=seccomp:error=ENOSYS"
    pods_start "$a" -- --app echo
    unset "pod_places[$a]"
    expect "metric" "$(metric "$a" confined)" 0
    expect_log "$a" 'warn  unconfined: the kernel refuses the seccomp filter'
    expect "echo" "$(ask "$a" hello)" hello
}

sanitizers_go_without()
{
    pods_start "$a" -- --log-level debug
    expect "metric" "$(metric "$a" confined)" 0
    expect_log "$a" 'unconfined: seccomp: not in this build'
}

# ---- refused calls

# watch ADDRESS...: records failing calls of these pods.
watch()
{
    local address
    rm -f "$work"/*.trace
    for address in "$@"; do
        pod_places[$address]="strace -D -f -qq -o $work/$address.trace -e status=failed ${pod_places[$address]:-}"
    done
}

# Except clone3, which glibc tries first (docs/confinement.md). Its refusal also shows that others would be recorded.
# The datagrams of TTL 1 that announce a client to nftables are dropped there, with EPERM (docs/source.md).
no_call_was_refused()
{
    local address refused
    for address in "$@"; do
        pod_places[$address]=${pod_places[$address]##*status=failed}
        grep -q 'clone3(.* = -1 ENOSYS' "$work/$address.trace" ||
            fail "no refused call of $address was recorded"
        refused=$(grep -E ' = -1 (EPERM|ENOSYS) ' "$work/$address.trace" | grep -vE 'clone3\(|sendmsg\(.*IP_TTL' || true)
        [[ -z $refused ]] || fail "refused to $address: ${refused:0:500}"
    done
}

# All functions: three pods, an app, a stream of events, a reload, a command, a killed leader, the stop.
a_whole_life()
{
    local leader pods=("$a" "$b" "$c")
    printf 'hold.time: 1s\n' >"$work/config.yaml"
    watch "${pods[@]}"
    for pod in "${pods[@]}"; do
        pod_launch "$pod" -c "$work/config.yaml" --peers "$(IFS=,; echo "${pods[*]}")" \
            --store "$work/store-$pod" "$@"
    done
    wait_until "three agree" agree any "${pods[@]}"
    leader=$agreed
    for pod in "${pods[@]}"; do
        expect_match "through $pod" "$(ask "$pod" hello)" 'hello$'
        "$headlessctl" --admin "$pod:8080" status >"$work/said" || fail "no status of $pod"
    done
    curl -sN "http://$a:8080/events" >"$work/events" &
    app_pids[events]=$!
    wait_until "the stream begins" grep -q '^data: ' "$work/events"
    replace_file "$work/config.yaml" 'hold.time: 3s'
    kill -HUP "${pod_pids[$b]}"
    wait_until "it is read again" grep -q 'option_reloaded: hold.time' "$work/$b.log"
    lead "$c" "${pods[@]}"
    [[ $leader == "$c" ]] || lead "$leader" "${pods[@]}"
    pod_kill "$leader"
    wait_until "the others follow another" agree_without "$leader" "${!pod_pids[@]}"
    for pod in "${!pod_pids[@]}"; do
        expect_match "through $pod" "$(ask "$pod" again)" 'again$'
        [[ -s $work/store-$pod ]] || fail "$pod stored nothing"
    done
    ledger_closes "${!pod_pids[@]}"
    app_stop events
    pods_stop
    no_call_was_refused "${pods[@]}"
}

with_an_ipv4_app()
{
    app_start app "$tools/udp_app" "$app" source
    a_whole_life --app "udp://$app" --app-notify 127.0.31.60:9999
}

with_an_ipv6_app()
{
    app_start app "$tools/udp_app" "$app6" source
    a_whole_life --app "udp://$app6" --workers 0
}

in_one_order()
{
    a_whole_life --app echo --route ordered --admin-listen ':8080'
}

# with_module ADDRESS: a further name service module, which has to be loaded, resolves names.
with_module()
{
    echo 'hosts: hesiod files dns' >"$work/nsswitch.conf"
    cat >"$work/with_module" <<SCRIPT
#!/bin/sh
exec unshare --mount sh -c 'mount --bind "\$0" /etc/nsswitch.conf && exec "\$@"' \
    "$work/nsswitch.conf" "\$@"
SCRIPT
    chmod +x "$work/with_module"
    pod_places[$1]="$work/with_module ${pod_places[$1]:-}"
}

# With so many addresses, the DNS reply is truncated and requested again over TCP.
with_names()
{
    local many=() i
    for i in {100..199}; do
        many+=("127.0.31.$i")
    done
    dns_start
    dns_set pods.test "$a" "$b"
    dns_asked "$a" "$b"
    with_module "$b"
    watch "$a" "$b"
    pod_launch "$a" --discovery-dns pods.test. --discovery-interval 1s --quorum-expect 2 --app echo
    pod_launch "$b" --discovery-dns pods.test --discovery-interval 1s --quorum-expect 2 --app echo
    wait_until "two agree" agree any "$a" "$b"
    expect "echo" "$(ask "$b" hello)" hello
    dns_set pods.test "$a" "$b" "${many[@]}"
    wait_until "all are found" grep -q 'discovery_changed.* has 102 addresses' "$work/$b.log"
    grep -q libnss_hesiod "/proc/${pod_pids[$b]}/maps" || fail "the module was not loaded"
    pods_stop
    no_call_was_refused "$a" "$b"
}

says()
{
    grep -q "$2" "$1"
}

# app.source client, a service manager, and a group whose interface comes and goes after the filter.
with_privileges()
{
    local environment=("${pod_environment[@]}")
    app_start manager "$tools/notify_listen" "$work/notify"
    app_start app "$tools/udp_app" 127.0.0.1:5310 source
    pod_environment+=(NOTIFY_SOCKET="$work/notify")
    watch "$a"
    pod_launch "$a" --app udp://127.0.0.1:5310 --app-source client --multicast-groups 239.1.31.1%conf0
    pod_wait "$a"
    pod_environment=("${environment[@]}")
    wait_until "the manager is told" says "$work/manager.out" READY=1
    ip link add conf0 type veth peer name conf1
    ip addr add 10.79.0.1/24 dev conf0
    ip link set conf0 up
    ip link set conf1 up
    wait_until "the group is joined" metric_is "$a" multicast_groups 1
    "$tools/raw_spoof" 10.79.0.9:4000 "$a:12000" hello # an address of this machine cannot be the source
    metric_becomes "$a" datagrams_delivered_total 1
    ip link del conf0
    wait_until "the group is left" metric_is "$a" multicast_groups 0
    pods_stop
    no_call_was_refused "$a"
}

can_make_interfaces()
{
    ip link add conf0 type veth peer name conf1 2>/dev/null && ip link del conf0
}

if [[ -n ${SANITIZED:-} ]]; then
    run "a build with a sanitizer runs without the filter" sanitizers_go_without
    finish
    exit
fi
run "every thread has the filter" confines_every_thread
run "the filter can be turned off" can_be_turned_off
if strace -D -f -o /dev/null true 2>/dev/null; then
    run "on a kernel without seccomp it runs without the filter" kernel_that_refuses
    run "no call is refused with an IPv4 app" with_an_ipv4_app
    run "no call is refused with an IPv6 app" with_an_ipv6_app
    run "no call is refused with route ordered" in_one_order
    if can_make_interfaces; then
        run "no call is refused with app.source client, a service manager and groups" with_privileges
    else
        skip "no call is refused with groups" "needs root"
    fi
    if dns_possible; then
        run "no call of the resolver is refused" with_names
    else
        skip "no call of the resolver is refused" "needs root, mount namespaces and dnsmasq"
    fi
else
    skip "refused calls are recorded" "needs strace, and permission to trace"
fi
finish
