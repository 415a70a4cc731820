# Pods with election: lease. Sourced after lib_api.sh.
#
#   launch ADDRESS OPTION...      with $launch_options, and as peers $peers or $a, $b and $c
#   launch_three OPTION...        $a, $b and $c; waits until the first leads
#   lease FILTER                  of the Lease as it is now, by jq; lease_stamp
#   is_renewed STAMP              it has another stamp
# shellcheck shell=bash disable=SC2154 # lib.sh and the test set them

launch_options=()

launch()
{
    local address=$1
    shift
    pod_launch "$address" --bind "$address" --name "pod-${address##*.}" --app echo --peers "${peers:-$a,$b,$c}" \
        --election lease --platform-api "https://$api_address:6443" \
        --platform-token "$mount/token" --platform-ca "$mount/ca.crt" "${launch_options[@]}" "$@"
}

launch_three()
{
    local address
    for address in "$a" "$b" "$c"; do
        launch "$address" "$@"
    done
    wait_until "the first leads" agree "$a" "$a" "$b" "$c"
}

lease()
{
    jq -rs '[.[].object | select(.kind == "Lease")] | last | '"$1" "$api/events"
}

lease_stamp()
{
    lease '.metadata.annotations["headlessd.io/stamp"]'
}

is_renewed()
{
    [[ $(lease_stamp) != "$1" ]]
}
