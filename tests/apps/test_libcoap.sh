#!/usr/bin/env bash
# libcoap's example server as the app, one in each pod; coap-client is the client.
#
#   tests/apps/test_libcoap.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

coap_start()
{
    serve "$1" coap coap-server-notls -A 127.0.0.1 -p "$port"
    wait_until "coap-server listens" listens "$1"
}

# coap METHOD [TEXT]: on /example_data through the follower.
coap()
{
    at_client coap-client-notls -B 20 -m "$1" ${2:+-e "$2"} "coap://$b:12000/example_data" 2>/dev/null || true
}

plain()
{
    each_pod coap_start
    behind plain
    coap put "kept by $a" >"$work/put.out"
    expect "the leader keeps it" "$(coap get)" "kept by $a"
    move_lead "$c"
    [[ $(coap get) != "kept by $a" ]] || fail "the new leader has the former one's state"
    coap put "kept by $c" >"$work/put.out"
    expect "the new leader keeps it" "$(coap get)" "kept by $c"
    apps_close
    tell plain "works"
    tell change "requests: none; resources are the new leader's"
}

apps_need coap-server-notls coap-client-notls ss
tell group "Files, caches and devices"
tell server "libcoap \`coap-server\`"
tell version "$(package_version libcoap3-bin)"
run "coap-server answers through a follower, and after a leader change" plain
apps_finish
