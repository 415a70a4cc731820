#!/usr/bin/env bash
# A rolling restart and changes of the number of pods by kubectl, under traffic: nothing is lost.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_client.sh
. "$(dirname "$0")/lib_client.sh"

# begin: three pods that echo, and the client.
begin()
{
    local lines
    mapfile -t lines < <(as_echo 3)
    applies "$(overlay echo "resources: [ROOT/manifests/overlays/kubernetes]" "${lines[@]}")"
    rolled_out headlessd
    client_start headlessd
}

uids()
{
    k get pods -o 'jsonpath={.items[*].metadata.uid}'
}

# are_others UIDS: no pod is left that was there before.
are_others()
{
    local uid now
    now=$(uids)
    for uid in $1; do
        [[ $now != *$uid* ]] || return 1
    done
}

rollout_restart()
{
    local before
    begin
    before=$(uids)
    k rollout restart statefulset/headlessd >/dev/null
    rolled_out headlessd
    are_others "$before" || fail "not all pods were replaced"
    client_goes_on 100
    client_end
}

has_pods()
{
    [[ $(k get pods -o 'jsonpath={.items[*].metadata.name}' | wc -w) == "$1" ]]
}

# scale N
scale()
{
    k scale statefulset/headlessd --replicas "$1" >/dev/null
    rolled_out headlessd
    wait_until "there are $1 pods" has_pods "$1"
    client_goes_on 100
}

knows_five()
{
    local figures
    read -r -a figures <<<"$(metric "$1" 'members{state="'{self,leader,alive}'"}')"
    [[ ${figures[*]} =~ ^[0-9]\ [0-9]\ [0-9]$ ]] && ((figures[0] + figures[1] + figures[2] == 5))
}

three_five_two()
{
    begin
    scale 5
    wait_until "headlessd-4 knows five members" knows_five "$(pod_address headlessd-4)"
    scale 2
    client_end
}

cluster_start
run_in restart restricted "kubectl rollout restart loses nothing" rollout_restart
run_in scale restricted "kubectl scale to five and to two loses nothing" three_five_two
finish
