# An API server with scripted faults (fake_api.py), and the files of a service account. Sourced after lib.sh.
#
#   certificate NAME      a CA that signs itself, with $api_address, which the test sets
#   world                 an API server's directory $api, and the mount $mount, with the token "first"
#   api_start [NAME]      the API server, with this certificate (ca)
#   faulty [VERB FAULT]   what happens to requests from now on; nothing: no fault
#   give_token TOKEN [CA] as the kubelet does it, with this certificate (ca)
#   logged ADDRESS REGEX  true if a line of the pod's log matches; is_told ADDRESS REGEX: its /readyz
#   traced ADDRESS        a pod that is started there is run by strace; no_refused_call ADDRESS, after its end: the filter
#                         has refused no call
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh and the test set them, or use them

api=$work/api
mount=$work/account # as a projected volume: ..data is swapped

certificate()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" \
        -addext "subjectAltName=IP:$api_address" -keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null
}

api_start()
{
    app_start api python3 -B "$(dirname "$0")/fake_api.py" "$api" "$api_address" 6443 "$work/${1:-ca}.crt" \
        "$work/${1:-ca}.key"
}

faulty()
{
    replace_file "$api/fault" "$*"
}

give_token()
{
    local version=$mount/..$RANDOM$RANDOM
    mkdir "$version"
    printf '%s\n' "$1" >"$version/token"
    cp "$work/${2:-ca}.crt" "$version/ca.crt"
    printf 'space' >"$version/namespace"
    ln -s "$(basename "$version")" "$mount/..new"
    mv -T "$mount/..new" "$mount/..data"
}

world()
{
    rm -rf "$api" "$mount"
    mkdir -p "$api" "$mount"
    : >"$api/requests"
    : >"$api/events"
    : >"$api/fault"
    : >"$api/told"
    : >"$api/patches"
    echo first >"$api/token"
    ln -s ..data/token "$mount/token"
    ln -s ..data/ca.crt "$mount/ca.crt"
    ln -s ..data/namespace "$mount/namespace"
    give_token first
}

logged()
{
    grep -qE -- "$2" "$work/$1.log"
}

is_told()
{
    [[ $(curl -s --max-time 10 "http://$1:8080/readyz" || true) =~ $2 ]]
}

traced()
{
    pod_places[$1]="strace -D -f -qq -o $work/trace -e status=failed"
}

# That clone3 is refused shows that the calls were recorded.
no_refused_call()
{
    local refused
    unset "pod_places[$1]"
    grep -q 'clone3(.* = -1 ENOSYS' "$work/trace" || fail "no refused call was recorded"
    refused=$(grep -E ' = -1 (EPERM|ENOSYS) ' "$work/trace" | grep -v 'clone3(' || true)
    [[ -z $refused ]] || fail "refused: ${refused:0:500}"
}
