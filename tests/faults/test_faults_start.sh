#!/usr/bin/env bash
# Faults at start: each call fails once, with each errno of its manual page (faults_start.py); too few descriptors, too
# little memory, ports that are taken, a read-only root, no /proc, no /sys, no names, what a parent process has left. The
# pod serves, or ends with a status and a line that says why.
#
#   tests/faults/test_faults_start.sh BUILD_DIR
#
# FAULT_MATCH: only calls at places that match this pattern. The table of cases is BUILD_DIR/faults/start.tsv.
#
# Open: the scenarios choose their keys
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"

a=127.0.97.11
app=127.0.97.54:5300

# ---- each call fails once

# calls NAME OPTION...: a configuration for faults_start.py.
calls()
{
    echo "${@:2}" >"$work/$1.start"
}

each_call()
{
    mkdir -p "$build/faults" "$work/keys"
    chmod 700 "$work/keys"
    head -c 32 /dev/urandom | base64 >"$work/keys/2026-11"
    echo "hold.time: 1s" >"$work/pod.yaml"
    ip route add 224.0.0.0/4 dev lo 2>/dev/null || true
    app_start app "$tools/udp_app" "$app" echo
    calls a_threads --config "$work/pod.yaml" --keys "$work/keys" --store "$work/store-@SELF@" --app echo \
        --multicast-groups 239.1.2.3%lo --data-rate 100000 --app-notify 127.0.0.1:9999 --receivers 2 --workers 2
    calls b_inline --workers 0 --app "udp://$app" --route ordered --multicast-groups 239.1.2.3
    calls c_app --app "udp://$app"
    calls d_names --discovery-dns localhost --quorum-expect 1
    python3 "$(dirname "$0")/faults_start.py" "$build" "$work" "$build/faults/start.tsv" "${FAULT_MATCH:-}" \
        >"$work/said" 2>&1 || fail "faults at start are not handled well"
    sed 's/^/  /' "$work/said"
}

# ---- a machine that lacks something

# starts PREFIX... -- OPTION...: starts the pod; waits until it is ready or has ended. Sets outcome: serves, or its
# exit status and last line, or "says" where it runs and logs that the admin port has no descriptors.
starts()
{
    local prefix=() pid status=0
    while [[ $1 != -- ]]; do
        prefix+=("$1")
        shift
    done
    shift
    env -i "${pod_environment[@]}" "${prefix[@]}" "$headlessd" --self "$a" "$@" >"$work/$a.log" 2>&1 &
    pid=$!
    pod_pids[$a]=$pid
    wait_until "ready, or over (${prefix[*]})" is_known
    if grep -q " admin_server: " "$work/$a.log" && is_serving "$pid"; then # no descriptor is left for the admin port
        pod_stop "$a"
        outcome=says
    elif is_serving "$pid"; then
        pod_stop "$a"
        outcome=serves
    else
        wait_until "it ends (${prefix[*]})" has_ended "$pid"
        unset "pod_pids[$a]"
        wait "$pid" || status=$?
        outcome="$status: $(tail -n 1 "$work/$a.log")"
    fi
}

# The admin port replies before the last threads are started, and their start may fail.
is_known()
{
    { grep -q " admin_server: " "$work/$a.log" && grep -q " started: " "$work/$a.log"; } || has_ended "${pod_pids[$a]}" ||
        { is_ready "$a" && [[ $(ask "$a" hello) == hello ]]; }
}

is_serving()
{
    ! has_ended "$1" && ! grep -q ' start_failed: ' "$work/$a.log"
}

# ends_well PATTERN: it serves, or has ended by itself with a line that matches.
ends_well()
{
    [[ $outcome == serves || $outcome == says || $outcome =~ ^[12]:\ .*($1) ]] || fail "$outcome, and should match: $1"
}

# Below 5 the dynamic linker cannot load the libraries.
few_descriptors()
{
    local limit served=""
    for limit in {5..30}; do
        starts prlimit --nofile="$limit" -- --app echo
        ends_well "Too many open files"
        [[ $outcome == serves ]] && served=yes
    done
    [[ $served ]] || fail "it does not serve with 30 descriptors"
}

# A limit that lets the program begin at all; one with which it serves.
little_memory()
{
    local mib served="" ended=""
    for mib in 24 28 32 40 48 64 96 128 192 256 384 512; do
        starts prlimit --as=$((mib << 20)) -- --app echo
        ends_well "Cannot allocate memory|out of memory|Resource temporarily unavailable|[Ff]ailed to map|cannot allocate"
        if [[ $outcome == serves ]]; then served=yes; else ended=yes; fi
    done
    [[ $served && $ended ]] || fail "one of the limits should suffice, another should not"
}

is_taken()
{
    [[ -n $(ss -Hlnut "src = $a:$1"; ss -Hnu "src = $a:$1") ]]
}

# taken PORT OPTION SOCAT...: another process has the port.
taken()
{
    socat "${@:3}" >"$work/other" 2>&1 &
    app_pids[other]=$!
    wait_until "another process has port $1" is_taken "$1"
    starts env -- --app echo
    app_stop other
    [[ $outcome == 1:* ]] || fail "port $1 is taken: $outcome"
    grep -q "bind_failed: cannot .* $a:$1 ($2): Address already in use" "$work/$a.log" ||
        fail "port $1 is taken: $(<"$work/$a.log")"
}

ports_taken()
{
    taken 12000 data.port -u "UDP4-RECV:12000,bind=$a" STDOUT
    taken 12001 relay.port -u "UDP4-RECV:12001,bind=$a" STDOUT
    taken 12002 peer.port -u "UDP4-RECV:12002,bind=$a" STDOUT
    # With fork: is_known connects, and a connection must not end the listening socket; it is closed at once.
    taken 8080 admin.listen -U "TCP4-LISTEN:8080,bind=$a,reuseaddr,fork" /dev/null
}

no_permission()
{
    starts setpriv --bounding-set=-all --inh-caps=-all --reuid=65534 --clear-groups -- --app echo --data-port 53
    [[ $outcome == serves ]] || {
        ends_well "cannot start"
        grep -q "bind_failed: cannot bind $a:53 (data.port): Permission denied" "$work/$a.log" ||
            fail "$(<"$work/$a.log")"
    }
}

# hidden MOUNT...: a mount namespace in which these commands have run.
hidden()
{
    starts unshare --mount sh -c "$1"' && exec "$@"' sh -- --app echo "${@:2}"
}

without()
{
    hidden 'umount -l /proc'
    expect "without /proc" "$outcome" serves
    hidden 'mount -t tmpfs none /sys'
    expect "without /sys" "$outcome" serves
    hidden "mount -t tmpfs none /proc && mount -t tmpfs none /sys && mount -t tmpfs none /dev"
    expect "without /proc, /sys and /dev" "$outcome" serves
    hidden "mount --bind / / && mount -o remount,ro,bind /"
    expect "with a read-only root" "$outcome" serves
    # The store cannot be written; that shows when there is a term to store.
    hidden "mount --bind / / && mount -o remount,ro,bind /" --store /var/headlessd.term --peers "$a,127.0.97.12"
    expect "with a store on a read-only root" "$outcome" serves
}

# unnamed MOUNT: the pod lives, and says that the name has no address.
unnamed()
{
    env -i "${pod_environment[@]}" unshare --mount sh -c "$1"' && exec "$@"' sh "$headlessd" --self "$a" --app echo \
        --discovery-dns nobody.invalid. --quorum-expect 1 >"$work/$a.log" 2>&1 &
    pod_pids[$a]=$!
    wait_until "it says that the name has no address ($1)" grep -q "discovery_failed: .*nobody.invalid" "$work/$a.log"
    wait_until "it lives ($1)" is_alive "$a"
    pod_stop "$a"
}

no_names()
{
    unnamed 'mount --bind /dev/null /etc/resolv.conf'
    unnamed 'mount -t tmpfs none /etc'
}

# A socket must not get the number of standard error: the log would be sent to it.
closed_descriptors()
{
    local redirect fd
    for redirect in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
        starts sh -c 'exec "$@" '"$redirect" sh -- --app echo
        expect "with $redirect" "$outcome" serves
        pod_launch_closed "$redirect"
        for fd in 0 1 2; do
            [[ $(readlink "/proc/${pod_pids[$a]}/fd/$fd") != socket:* ]] || fail "$redirect: $fd is a socket"
        done
        pod_stop "$a"
    done
}

pod_launch_closed()
{
    env -i "${pod_environment[@]}" sh -c 'exec "$@" '"$1" sh "$headlessd" --self "$a" >"$work/$a.log" 2>&1 &
    pod_pids[$a]=$!
    pod_wait "$a"
}

# ---- what a parent process has left

# inherits WHAT SETUP OPTION...: a shell has run SETUP before; the pod serves.
inherits()
{
    starts bash -c "$2"' && exec "$@"' bash -- --app echo "${@:3}"
    expect "$1" "$outcome" serves
}

inherited()
{
    local long
    long=$(head -c 100000 /dev/zero | tr '\0' x)
    # Numbers above 1023 do not fit into an fd_set.
    inherits "1,500 descriptors" 'ulimit -n 4096; for ((i = 0; i < 1500; i++)); do exec {fd}</dev/null; done'
    inherits "ignored signals" 'trap "" TERM INT HUP PIPE XFSZ'
    inherits "a directory that is gone" 'mkdir gone.$$ && cd gone.$$ && rmdir ../gone.$$' --config "$work/pod.yaml"
    inherits "a variable of 100 KiB" "export FOO=$long"
    starts python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
os.execv(sys.argv[1], sys.argv[1:])' -- --app echo
    expect "blocked signals" "$outcome" serves
    starts env POD_NAME="$long" -- --app echo
    expect_match "a name of 100 KiB" "$outcome" '^2: POD_NAME: .* is longer than 253'
}

# The store's file must be readable at the next start, by this user.
no_permissions_by_umask()
{
    mkdir -p "$work/own"
    chmod 711 "$work"
    ((EUID != 0)) || chown 65534 "$work/own"
    for _ in 1 2; do
        inherits "umask 777" 'umask 777; ((EUID != 0)) || set -- setpriv --reuid=65534 --clear-groups "$@"' \
            --store "$work/own/store"
        if grep store_ignored "$work/$a.log"; then fail "the store cannot be read"; fi
    done
    (umask 777 && "$headlessctl" key new "$work/own/key" >/dev/null)
    expect "mode of a new key" "$(stat -c %a "$work/own/key")" 600
}

# RLIMIT_STACK is the size of each thread's stack, too; all threads have work here.
small_stacks()
{
    local path
    env -i "${pod_environment[@]}" prlimit --stack=32768 "$headlessd" --self "$a" --app whoami --route ordered \
        --discovery-dns localhost --quorum-expect 1 --app-notify 127.0.0.1:9999 >"$work/$a.log" 2>&1 &
    pod_pids[$a]=$!
    pod_wait "$a"
    for path in livez status metrics sessions leader ""; do
        http "$a:8080/$path" >/dev/null || fail "/$path"
    done
    expect "a command" "$(ask "$a" '{"leader":"192.0.2.9"}')" "no member"
    expect_match "a reply" "$(ask "$a" "$(printf '%-99s' hi)")" leader
    kill -HUP "${pod_pids[$a]}"
    wait_until "it obeys SIGHUP" grep -q " reloading: " "$work/$a.log"
    pod_stop "$a"
}

few_processes()
{
    local limit served=""
    for limit in {1..12}; do
        starts setpriv --reuid=65534 --clear-groups prlimit --nproc="$limit" -- --app echo
        ends_well "Resource temporarily unavailable"
        [[ $outcome == serves ]] && served=yes
    done
    [[ $served ]] || fail "it does not serve with 12 threads"
}

pod_environment+=(HEADLESSD_DRAIN_TIME=10ms)
run "each call at start fails" each_call
run "few descriptors" few_descriptors
run "little memory" little_memory
run "ports are taken" ports_taken
run "descriptors 0, 1 and 2 are closed" closed_descriptors
run "inherited descriptors, signals, directory and variables" inherited
run "a umask without the owner's permissions" no_permissions_by_umask
run "small stacks" small_stacks
if ((EUID == 0)) && unshare --mount true 2>/dev/null; then
    run "no permission for the port" no_permission
    run "few processes" few_processes
    run "without /proc, /sys, /dev; a read-only root" without
    run "without name servers" no_names
else
    skip "a machine that lacks something" "needs root, and mount namespaces"
fi
finish
