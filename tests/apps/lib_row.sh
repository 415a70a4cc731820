# Rows of docs/apps.md: "tell" states the row of the file's own server; "tell_more" adds to the row of another file's.
# "apps_finish" writes them to BUILD_DIR/apps, only if every scenario passed; scripts/check-apps makes the table of all.
# Sourced after tests/cluster/lib.sh.
# shellcheck shell=bash disable=SC2154 # lib.sh of the cluster tests sets what is used here

apps_row=$build/apps/$(basename "$0" .sh).row
rm -f "$apps_row"
# group: section of docs/apps.md; server, version: as tried; plain, proxy, client: whether it works with udp://, with PROXY
# v2, and with app.source client; set: what to set in the server; change: what a leader change does. Texts of one field
# are joined by "; ".
apps_fields="group server version plain proxy client set change"
declare -A told=()
more_told=()

# tell FIELD TEXT
tell()
{
    [[ " $apps_fields " == *" $1 "* ]] || fail "tell: there is no field $1"
    told[$1]=${told[$1]:+${told[$1]}; }$2
}

# tell_more SERVER FIELD TEXT: scripts/check-apps reads the server's name, in double quotes, in the source.
tell_more()
{
    [[ " plain proxy client set change " == *" $2 "* ]] || fail "tell_more: there is no field $2"
    more_told+=("more"$'\t'"$1"$'\t'"$2"$'\t'"$3")
}

# package_version PACKAGE: the upstream version, without Debian's epoch and revision.
package_version()
{
    dpkg-query -W -f '${Version}' "$1" | sed -E 's/^[0-9]+://; s/-[^-]*$//; s/[+~](dfsg|deb|ds|really|debian).*//'
}

apps_finish()
{
    local field
    if ((failed == 0 && skipped == 0)); then
        mkdir -p "${apps_row%/*}"
        {
            ((${#told[@]} == 0)) || for field in $apps_fields; do
                printf '%s\t%s\n' "$field" "${told[$field]:-}"
            done
            ((${#more_told[@]} == 0)) || printf '%s\n' "${more_told[@]}"
        } >"$apps_row"
    fi
    finish
}
