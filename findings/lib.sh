# Harness of the scripts here. Each names its packages of Debian 12, in one version, and calls "begin": this downloads and
# unpacks them into a temporary directory, installs nothing, and runs the script again, in an empty network namespace with
# lo only, in which its processes end with it. Needs root, apt-get, dpkg, iproute2 and util-linux.
#
#   begin PACKAGE=VERSION...   returns in that namespace only, in an empty directory; programs of the packages are in PATH
#   server COMMAND...          starts it in the background, its output goes to the file log; server_stop ends it
#   wait_for COMMAND...        until the command succeeds; ends the script after 20 s
#   seen WHAT IS SHOULD        prints it, and ends the script where it is not as stated
# shellcheck shell=bash
set -euo pipefail

begin()
{
    local root status=0 libraries
    if [[ ${FINDING_DIRECTORY:-} ]]; then
        cd "$FINDING_DIRECTORY"
        ip link set lo up
        return
    fi
    root=$(mktemp -d)
    # shellcheck disable=SC2064 # this directory
    trap "rm -rf '$root'" EXIT
    mkdir "$root/work" "$root/packages"
    chmod 755 "$root" "$root/work"
    (cd "$root/packages" && apt-get download -qq -o APT::Sandbox::User=root "$@")
    find "$root/packages" -name '*.deb' -exec dpkg -x {} "$root" \;
    libraries=$(echo "$root"/usr/lib/*-linux-gnu):$(echo "$root"/lib/*-linux-gnu)
    FINDING_DIRECTORY=$root/work PATH=$root/usr/sbin:$root/usr/bin:$PATH LD_LIBRARY_PATH=$libraries TZ=UTC \
        unshare --net --pid --fork --kill-child bash "$0" || status=$?
    exit "$status"
}

server()
{
    "$@" >log 2>&1 </dev/null &
    server_pid=$!
}

server_stop()
{
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
}

wait_for()
{
    local _
    for _ in {1..200}; do
        ! "$@" || return 0
        sleep 0.1 # between two polls
    done
    echo "not within 20 s: $*"
    exit 1
}

# listens PORT: by UDP.
listens()
{
    [[ $(ss -Hlun "sport = :$1") ]]
}

seen()
{
    echo "$1: $2"
    [[ $2 == "$3" ]] || {
        echo "changed: stated is '$3'"
        exit 1
    }
}
