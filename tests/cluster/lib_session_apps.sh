# Pods whose apps have a state for each client (session_app.c). Sourced after lib.sh, by a file that sets pods to the
# addresses of its pods, of which the first leads.
# shellcheck shell=bash disable=SC2154 # lib.sh and the file set what is used here

# pods_with_apps OPTION...: the pods, each with an app named after the pod's last number.
pods_with_apps()
{
    local pod app peers
    peers=$(IFS=,; echo "${pods[*]}")
    for pod in "${pods[@]}"; do
        app=${pod%.*}.$((100 + ${pod##*.})):5300
        app_start "app-$pod" "$tools/session_app" "$app" "app-${pod##*.}"
        pod_launch "$pod" --peers "$peers" --leader "${pods[0]}" --app "udp://$app" "$@"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "${pods[0]}" "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
}
