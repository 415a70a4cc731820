#!/usr/bin/env bash
# app.source client as another user than 0, by a capability of the program's file, as docs/kubernetes.md advises: there no
# user but 0 has ambient capabilities.
#
#   tests/cluster/test_source_user.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"

net_possible || {
    skip "all of it" "network namespaces need root"
    finish
    exit
}
net_make 1
a=10.77.0.1
program=$work/headlessd
place=${pod_places[$a]}

# as_user SETS: the command prefix of a user without capabilities, whose bounding set is this.
as_user()
{
    echo "$place setpriv --reuid 65534 --regid 0 --clear-groups --inh-caps=-all --bounding-set=$1"
}

file_capability()
{
    cp "$headlessd" "$program"
    setcap cap_net_admin=ep "$program"
    chmod 755 "$work"
    app_start app ip netns exec "$(net_place "$a")" "$tools/udp_app" 127.0.0.1:5300 source
    pod_places[$a]=$(as_user -all,+net_admin)
    headlessd=$program pods_start "$a" -- --app udp://127.0.0.1:5300 --app-source client
    expect "the client" "$(ask -s "$net_client:4444" "$a" hi)" "from $net_client:4444 hi"
    expect "capabilities" "$(sed -n 's/^CapPrm:[[:space:]]*0*//p' "/proc/${pod_pids[$a]}/status")" ""
    ledger_closes "$a"
}

# The kernel does not execute it: so the image of docs/kubernetes.md is one of its own.
not_permitted()
{
    local prefix said status=0
    read -ra prefix <<<"$(as_user -all)"
    said=$(timeout 60 "${prefix[@]}" "$program" --version 2>&1) || status=$?
    expect "exit status" "$status" 126
    expect_match "what it says" "$said" "Operation not permitted"
}

run "another user, with a file capability" file_capability
run "not with an empty bounding set" not_permitted
finish
