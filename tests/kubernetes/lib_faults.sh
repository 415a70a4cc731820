# Faults of an API server, and what must hold after each. Sourced after lib_lease.sh.
#
#   drive TEXT FUNCTION   one fault: sets leader, and followers, by name; calls FUNCTION; waits until a pod leads again and
#                         the client has replies
#   renewals N            waits until the Lease was renewed so often
#   same_leader TERM      the holder of before, in this term
#   nobody_leads          true if no pod has a leader
#   faults_end            client_end, and the ledger of each pod closes
#   address_of POD        also while the API server is away
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh sets them; others use them

client_options=(terms)
# No pod is taken for dead on a busy machine; a stopping pod serves for as long as its address may be in use.
settings=(DRAIN_TIME=20s HOLD_TIME=1m HEARTBEAT_INTERVAL=250ms HEARTBEAT_MISSES=12)
leader="" followers=()

# look: sets leader, the holder, and followers, by name.
look()
{
    local pod
    wait_until "the Lease has a holder that leads" agrees
    leader=$(holder)
    followers=()
    for pod in $(pods_here); do
        [[ $pod == "$leader" ]] || followers+=("$pod")
    done
}

# By the kubelet's files.
pods_here()
{
    (cd "$state/pods/$namespace" && echo headlessd-*)
}

address_of()
{
    cat "$(pod_file "$1" address)"
}

# drive TEXT FUNCTION: a fault, and what must hold after each of them.
drive()
{
    local text=$scenario started
    local scenario="$text: $1"
    started=$(now_ms)
    look
    "$2"
    api_heal
    wait_until "the Lease has a holder that leads" agrees
    client_goes_on 100
    echo "> $1: $(holder) leads in term $(term), $(($(now_ms) - started)) ms"
}

# The pods are ended by the kubelet, so their counters are shown here.
faults_end()
{
    local pod
    client_end
    for pod in $(pods_here); do
        ((lost == 0)) || show_losses "$(address_of "$pod")"
        ledger_closes "$(address_of "$pod")"
    done
}

term()
{
    lease_field '.metadata.annotations.headlessd\.io/term'
}

same_leader()
{
    expect "the holder" "$(holder)" "$leader"
    expect "the term" "$(term)" "$1"
}

is_renewed_since()
{
    [[ $(lease_field .spec.renewTime) > "$1" ]]
}

renewals()
{
    local i
    for ((i = 0; i < $1; i++)); do
        wait_until "the Lease is renewed" is_renewed_since "$(lease_field .spec.renewTime)"
    done
}

nobody_leads()
{
    local pod
    for pod in $(pods_here); do
        metric_is "$(address_of "$pod")" has_leader 0 || return 1
    done
}
