# Shared by the scripts: packages, steps with their time and log, and lists of files.
#
#   source "$(dirname "$0")/lib.sh"
#
# The caller's directory becomes the repository's root.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck disable=SC2034 # for those who source this file
build_packages=(gcc libc6-dev cmake ninja-build pkg-config libjson-c-dev libyaml-dev
    libmicrohttpd-dev libsodium-dev libseccomp-dev libcurl4-openssl-dev ccache)
# shellcheck disable=SC2034
test_packages=(universal-ctags libcap2-bin clang clang-format clang-tidy libclang-rt-14-dev llvm libcriterion-dev shellcheck cppcheck
    netcat-openbsd socat curl openssl dnsmasq-base knot knot-dnsutils dnsperf iproute2 nftables iptables ethtool procps
    jq patch prometheus util-linux libnetfilter-queue-dev faketime spin binutils strace
    man-db mandoc tmux systemd python3-yaml python3-jsonschema)
# shellcheck disable=SC2034
package_packages=(dpkg-dev file lintian)
# shellcheck disable=SC2034
manifests_packages=(unzip yamllint)
# shellcheck disable=SC2034
containers_packages=(podman runc netavark aardvark-dns iptables debootstrap)
# Of the image of servers in tests/containers/test_transparent.sh, with their clients.
# shellcheck disable=SC2034
containers_servers=(bind9 coturn kamailio freeradius freeradius-utils nfdump softflowd sip-tester)
# The servers and clients of tests/apps.
# shellcheck disable=SC2034
apps_packages=(bind9 bind9-dnsutils unbound knot knot-dnsutils dnsdist pdns-recursor chrony freeradius freeradius-utils
    coturn kamailio sip-tester libcoap3-bin tftpd-hpa tftp-hpa dnsmasq-base openssl gnutls-bin ngtcp2-client
    ngtcp2-server wireguard-go wireguard-tools iputils-ping snmpd snmp nfdump softflowd rsyslog memcached iperf3
    krb5-kdc krb5-admin-server krb5-user openvpn mosh bsdutils)
# For the components of Kubernetes: see scripts/kubernetes. Its own kubectl is built, too.
# shellcheck disable=SC2034
kubernetes_packages=(iproute2 nftables openssl knot-dnsutils jq python3 util-linux ca-certificates)
# shellcheck disable=SC2034
browser_packages=(chromium fonts-dejavu-core)

red="" green="" plain=""
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    # shellcheck disable=SC2034
    red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

die()
{
    echo "${red}$*${plain}" >&2
    exit 1
}

now_ms()
{
    echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# seconds MS: "12.3"
seconds()
{
    printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# ---- root and packages

as_root()
{
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, or sudo: $*"
    fi
}

missing_packages()
{
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == "install ok installed" ]] ||
            echo "$package"
    done
}

# Debian starts daemons when it installs them, and tests need their ports: refuse, but only while
# we install, and never touch a policy that somebody else made.
policy=/usr/sbin/policy-rc.d
policy_mark="# of headlessd's scripts, while they install packages"

refuse_daemons()
{
    [[ -e $policy ]] && return
    printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

allow_daemons()
{
    if grep -qsF "$policy_mark" "$policy"; then
        as_root rm -f "$policy"
    fi
}

apt()
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# Installing with the lists that are there is quick; where they are missing or old, get them once.
install_packages()
{
    local status=0
    refuse_daemons
    {
        compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null &&
            apt install -y --no-install-recommends "$@"
    } || {
        apt update && apt install -y --no-install-recommends "$@"
    } || status=$?
    allow_daemons
    return "$status"
}

# need_packages PACKAGE...: install what is missing.
need_packages()
{
    local missing
    command -v dpkg-query >/dev/null ||
        die "packages are installed on Debian only; elsewhere please install the like of: $*"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} > 0)) || return 0
    echo "installing: ${missing[*]}"
    trap allow_daemons EXIT
    install_packages "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
    trap - EXIT
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) || die "still not installed: ${missing[*]}"
}

# debian_mirror: prints the machine's own mirror of Debian 12, as apt has it; nothing where apt has none.
debian_mirror()
{
    # shellcheck disable=SC2016 # apt-get fills it in
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sed -n 's/ bookworm main$//p' | head -n 1
}

# ---- files

# source_files PATTERN... -- DIRECTORY...: the project's files, without the bad samples of tests/gates.
source_files()
{
    local patterns=() directories=() directory
    while [[ $1 != -- ]]; do
        patterns+=(-o -name "$1")
        shift
    done
    shift
    for directory in "$@"; do
        [[ ! -e $directory ]] || directories+=("$directory")
    done
    find "${directories[@]}" -path tests/gates -prune -o -type f \( "${patterns[@]:1}" \) -print |
        LC_ALL=C sort
}

c_files()
{
    source_files '*.c' '*.h' -- include src bench tests
}

# Everything that a shell reads: by name, or by first line.
shell_files()
{
    local file line
    source_files '*' -- scripts tests bench manifests findings .ci | while read -r file; do
        line=""
        IFS= read -r line 2>/dev/null <"$file" || true
        [[ $file != *.sh && ! $line =~ ^#!.*[/\ ](ba|da)?sh ]] || echo "$file"
    done
}

# need_build BUILD_DIR [TARGET]: it must be complete, or at least this target of it (scripts/build), and newer than the
# sources (except builds of bad samples, which scripts/check-gates makes itself).
need_build()
{
    local newer complete=$1/complete
    [[ -e $complete || -z ${2:-} ]] || complete=$1/complete-$2
    [[ -e $complete ]] || die "$1 is not built"
    [[ $1 != build/gates/* ]] || return 0
    newer=$(find include src bench tests cmake CMakeLists.txt -path tests/gates -prune -o -type f \
        \( -name '*.[ch]' -o -name CMakeLists.txt -o -name '*.cmake' -o -path 'src/admin/page/*' \) \
        -newer "$complete" -print -quit)
    [[ -z $newer ]] || die "$1 is older than $newer: scripts/build ${1##*/}"
}

# ---- networks

# own_network ARRAY: sets it to the words in front of a command that give it a network of its own: nobody else's
# ports, loopback addresses, sockets; and, where that may be made, process ids of its own: a busy machine uses all
# 32,768 within a minute, and the id of a process that has ended may then be that of another test's. False where no
# network may be made; ARRAY may still become root by itself. The names of network namespaces are then its own, too,
# since tests derive them from their process ids.
own_network()
{
    local -n words=$1
    local ids=(--pid --fork --kill-child --mount-proc)
    words=()
    if ((EUID != 0)) && sudo true; then
        words=(sudo)
    fi
    "${words[@]}" unshare --net ip link set lo up 2>/dev/null || return 1
    local names='mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns'
    "${words[@]}" unshare --net "${ids[@]}" sh -c "$names" 2>/dev/null || ids=() names=true
    # The shell stays, to wait for processes whose parent has ended.
    words+=(unshare --net "${ids[@]}" sh -c "ip link set lo up && $names"' && "$@"; exit "$?"' sh)
}

# ---- sanitizers

# without_aslr COMMAND...: sanitizers map their shadow memory where a kernel with much randomness
# may already have put something. If the randomness cannot be turned off, run the command as it is.
without_aslr()
{
    if setarch -R true 2>/dev/null; then
        setarch -R "$@"
    else
        "$@"
    fi
}
