#!/usr/bin/env bash
# libcoap's coap-server as the app of each pod, with route all; coap-client observes /time through a follower, and goes
# on to get each second after the lead has moved, from the next leader's server.
#
#   tests/apps/test_coap_observe.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
# shellcheck source=lib_row.sh
. "$(dirname "$0")/lib_row.sh"

a=127.0.40.11 # leads at first
b=127.0.40.12
c=127.0.40.13
pods=("$a" "$b" "$c")

servers_and_pods()
{
    local pod app
    for pod in "${pods[@]}"; do
        app=127.0.40.$((100 + ${pod##*.}))
        coap-server-notls -N -A "$app" -p 5683 >"$work/server-$pod.log" 2>&1 &
        app_pids[server-$pod]=$!
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$a" --route all --app "udp://$app:5683" --reply-grace 1s
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "$a" "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
}

# heard NUMBER: the client has got more than NUMBER values.
heard()
{
    (($(wc -l <"$work/observed") > $1))
}

sends_more()
{
    (($(metric "$1" replies_sent_total) + $(metric "$1" replies_relayed_total) > $2))
}

observations_go_on()
{
    local before sent
    servers_and_pods
    : >"$work/observed"
    stdbuf -oL coap-client-notls -s 600 -B 600 -w "coap://$c:12000/time" >"$work/observed" 2>"$work/client.log" &
    app_pids[client]=$!
    wait_until "the leader's server notifies" heard 3
    lead "$b" "$c"
    sent=$(metric "$b" replies_relayed_total)
    wait_until "the next leader's server notifies" sends_more "$b" $((sent + 3))
    before=$(wc -l <"$work/observed")
    wait_until "the client gets them" heard $((before + 1))
    expect "values that came twice" "$(sort "$work/observed" | uniq -d | wc -l)" 0
    app_stop client
    ledger_closes "${pods[@]}"
    tell_more "libcoap \`coap-server\`" change "with \`route: all\` an observation goes on, from the new leader's server"
}

if command -v coap-server-notls >/dev/null && command -v coap-client-notls >/dev/null; then
    run "an observation goes on after the lead has moved" observations_go_on
else
    skip "coap" "libcoap3-bin is not installed (scripts/setup apps)"
fi
apps_finish
