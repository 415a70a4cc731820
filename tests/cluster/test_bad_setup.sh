#!/usr/bin/env bash
# Errors in a pod's setup by manifests/base: a pod that cannot run exits with 2 after one line; one whose error may
# be corrected from outside runs, and reports in one line of its log and of /readyz what to change.
#
#   tests/cluster/test_bad_setup.sh BUILD_DIR
#
# Open: missing keys are one of the errors
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_dns.sh
. "$(dirname "$0")/lib_dns.sh"

a=127.0.73.11
base=$(dirname "$0")/../../manifests/base/headlessd.yaml
file=$work/headlessd.yaml
dns_address=127.0.73.53

# setting SETTING...: the environment of the manifests, with these errors. The bound address stands for the pod's
# network.
setting=()
set_up()
{
    cp "$base" "$file"
    setting=("${pod_environment[@]}" HEADLESSD_BIND="$a" POD_IP="$a" POD_NAME=headlessd-0 "$@")
}

# write LINE...: replaces the ConfigMap's file by rename, like editors.
write()
{
    printf '%s\n' "$@" >"$file.new"
    mv "$file.new" "$file"
}

# ---- errors that end the pod

# ends PATTERN: the pod exits with 2, and PATTERN matches its one line.
ends()
{
    local status=0
    timeout 60 env -i "${setting[@]}" "$headlessd" --config "$file" >"$work/said" 2>&1 || status=$?
    expect "exit status ($1)" "$status" 2
    expect "lines that it says ($1)" "$(wc -l <"$work/said")" 1
    expect_match "what it says" "$(<"$work/said")" "$1"
}

no_address()
{
    local ip
    for ip in headlessd-0 10.0.0 10.0.0.1/24 0.0.0.0 224.0.0.1; do
        set_up POD_IP="$ip"
        ends "^POD_IP: \"$ip\" is "
    done
}

empty_name()
{
    set_up
    write 'quorum.expect: 3' 'discovery.dns: ""'
    ends "headlessd.yaml:2: discovery.dns: \"\" is empty"
    write 'quorum.expect: 3' 'discovery.dns:'
    ends "headlessd.yaml:2: discovery.dns: has no value"
    write 'discovery.dns: headlessd peers'
    ends "headlessd.yaml:1: discovery.dns: \"headlessd peers\" "
}

bad_option()
{
    set_up
    write 'quorum.expect: 3' 'discovery.dsn: headlessd-peers'
    ends 'headlessd.yaml:2: discovery.dsn: no such option, did you mean discovery.dns\?'
    write 'hold.time: 2'
    ends 'headlessd.yaml:1: hold.time: "2" '
    write 'quorum.expect: 0'
    ends 'headlessd.yaml:1: quorum.expect: "0" is out of range 1..129'
    write 'app.target: udp://5300'
    ends 'headlessd.yaml:1: app.target: '
    write 'route: al'
    ends 'headlessd.yaml:1: route: "al" '
    write 'batch: 8' 'batch: 9'
    ends 'headlessd.yaml:2: batch: '
    write 'batch: 8' $'\troute: all'
    ends 'headlessd.yaml:2: not valid YAML: '
    rm "$file"
    ends 'headlessd.yaml: No such file or directory'
    mkdir "$file"
    ends 'headlessd.yaml: Is a directory'
    rmdir "$file"
}

# ---- errors that may be corrected

# start: starts the pod, and waits for /livez.
start()
{
    "${place[@]}" env -i "${setting[@]}" "$headlessd" --config "$file" >"$work/$a.log" 2>&1 &
    pod_pids[$a]=$!
    wait_until "it lives" is_alive "$a"
}

# readyz: prints its status and text.
readyz()
{
    curl -s --max-time 10 -w '%{stderr}%{http_code}' "http://$a:8080/readyz" 2>"$work/code" >"$work/body" || true
    echo "$(<"$work/code") $(<"$work/body")"
}

# says STATUS PATTERN: waits until /readyz has this status and one line that matches.
says()
{
    [[ $(readyz) =~ ^$1\ $2 && $(wc -l <"$work/body") == 1 ]]
}

# ctl_says PATTERN: headlessctl in the pod prints it, for images without curl.
ctl_says()
{
    [[ $("$headlessctl" --admin "$a:8080" status) =~ readiness\ +$1 ]]
}

# logged EVENT PATTERN: the log has the event once, and PATTERN matches it.
logged()
{
    expect_log "$a" " $1: " 1
    expect_match "the line about $1" "$(grep " $1: " "$work/$a.log")" "$2"
}

address_of_another()
{
    set_up POD_IP=192.0.2.1 # a documentation address: no host has it
    start
    wait_until "/readyz names POD_IP" says 503 'joining: self \(POD_IP\) is 192.0.2.1, .*status.podIP'
    ctl_says 'joining: self \(POD_IP\) is 192.0.2.1, ' || fail "headlessctl status does not say so"
    logged self_elsewhere 'error self_elsewhere: self \(POD_IP\) is 192.0.2.1, .*status.podIP'
    expect_log "$a" ' error ' 1
}

# has_self: true if /status has this address of the pod.
has_self()
{
    [[ $(http "$a:8080/status" | jq -r .me.address) == "$a" ]]
}

address_is_found_out()
{
    local ip
    set_up
    write 'app.target: whoami'
    for ip in POD_IP= OTHER=; do
        mapfile -t setting < <(printf '%s\n' "${setting[@]}" | grep -v '^POD_IP=')
        setting+=("$ip")
        start
        wait_until "it has found its address ($ip)" has_self
        wait_until "ready" says 200 'ready$'
        expect "lines of level error" "$(grep -c ' error ' "$work/$a.log")" 0
        pod_stop "$a"
    done
}

# An empty variable counts as unset: the file's name is used, and without one no option names the others.
nothing_named()
{
    set_up HEADLESSD_DISCOVERY_DNS=
    write 'quorum.expect: 3'
    start
    wait_until "/readyz names discovery.dns" says 503 'joining: quorum.expect is 3, .*set discovery.dns to '
    logged others_unnamed 'quorum.expect is 3, .*set discovery.dns to '
}

name_without_address()
{
    dns_start
    set_up HEADLESSD_DISCOVERY_DNS=nobody.test.
    start
    wait_until "/readyz has the name" says 503 \
        'joining: discovery.dns: no address for "nobody.test.": Name or service not known; '
    logged discovery_failed 'discovery.dns: no address for "nobody.test.": Name or service not known; '
    dns_set nobody.test "$a"
    wait_until "then it has one: its own" says 503 \
        'joining: discovery.dns names no other pod, and quorum.expect is 3: '
    dns_set nobody.test "$a" 127.0.73.12 127.0.73.13
    wait_until "then there are others" says 503 'joining: 0 of 2 other pods .*12001 and 12002/udp pass '
}

option_on_reload()
{
    set_up
    write 'hold.time: 2s'
    start
    wait_until "ready" says 200 'ready$'
    write 'hold.time: 2s' 'hold.tme: 3s'
    wait_until "/readyz has the line" says 200 \
        'ready, .*refused: .*headlessd.yaml:2: hold.tme: no such option, did you mean hold.time\?$'
    ctl_says 'ready, .*headlessd.yaml:2: hold.tme' || fail "headlessctl status does not say so"
    logged config_error 'headlessd.yaml:2: hold.tme: no such option, did you mean hold.time\?'
    write 'hold.time: 2 s' 'hold.tme: 3s'
    wait_until "two errors are one line" says 200 'ready, .*headlessd.yaml:1: hold.time: .*and 1 more'
    write 'hold.time: 3s'
    wait_until "it is mended" says 200 'ready$'
}

# Without the optional Secret the kubelet mounts an empty directory.
no_secret()
{
    local keys=$work/secret
    set_up HEADLESSD_KEYS="$keys"
    start
    wait_until "/readyz has the directory" says 503 "key: $keys: No such file or directory \(keys\)"
    logged keys_failed "$keys: No such file or directory \(keys\)"
    mkdir "$keys"
    wait_until "an empty one" says 503 "key: $keys: holds no key; .*headlessctl key new"
    echo "no key" >"$keys/2026-11"
    wait_until "what is no key" says 503 "key: .*2026-11"
    head -c 32 /dev/urandom | base64 >"$keys/2026-11"
    wait_until "the kubelet brings it" grep -q ' keys_read: ' "$work/$a.log"
    wait_until "it is no longer the key" says 503 'joining: '
    expect_log "$a" ' keys_failed: ' 3
    echo "no key" >"$keys/2026-12"
    wait_until "the previous keys are kept" grep -q ' keys_failed: .*2026-12.*keeping the previous keys' "$work/$a.log"
}

place=()
run "a POD_IP that is no address ends the pod" no_address
run "an empty discovery name ends the pod" empty_name
run "a bad option in the ConfigMap ends the pod" bad_option
run "a POD_IP of another machine is reported" address_of_another
run "without POD_IP the pod determines its address" address_is_found_out
run "a missing list of pods is reported" nothing_named
run "a bad option in a changed ConfigMap is reported" option_on_reload
run "a missing or empty Secret, and one without a key, are reported" no_secret
if dns_possible; then
    dns_asked "$a"
    place=("$work/with_dns")
    run "a discovery name with too few addresses is reported" name_without_address
else
    skip "a discovery name with too few addresses is reported" "needs root, mount namespaces and dnsmasq"
fi
finish
