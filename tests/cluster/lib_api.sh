# An API server with scripted faults (fake_api.py), and the files of a service account. Sourced after lib.sh.
#
#   certificate NAME      a CA that signs itself, with $api_address, which the test sets
#   world                 an API server's directory $api, and the mount $mount, with the token "first"
#   api_start [NAME]      the API server, with this certificate (ca)
#   faulty [VERB FAULT]   what happens to requests from now on; nothing: no fault
#   give_token TOKEN [CA] as the kubelet does it, with this certificate (ca)
# shellcheck shell=bash disable=SC2154 # lib.sh and the test set them

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
