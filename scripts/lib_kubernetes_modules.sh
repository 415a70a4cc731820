# The newest components of Kubernetes, from Go modules: sourced by scripts/kubernetes.
# shellcheck shell=bash disable=SC2154,SC2034 # set by scripts/kubernetes, or used by it

version=$(sed -nE 's,^[[:space:]]*k8s.io/kubernetes (v[0-9.]+)$,\1,p' "$sources/go.mod")
minor=${version#v1.}
settings="-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
settings+=" -X k8s.io/component-base/version.gitMinor=${minor%%.*}"
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -trimpath -buildvcs=false" GOWORK=off

# program | directory of its go.mod | package; the smallest first
programs()
{
    cat <<END
etcd $sources go.etcd.io/etcd/server/v3
coredns $sources/coredns .
kubectl $sources k8s.io/kubernetes/cmd/kubectl
kube-controller-manager $sources k8s.io/kubernetes/cmd/kube-controller-manager
kube-apiserver $sources k8s.io/kubernetes/cmd/kube-apiserver
END
}

# find_tools: sets go to one that is new enough for go.mod, and go_version.
find_tools()
{
    local wanted
    wanted=$(sed -n 's/^go //p' "$sources/go.mod")
    for go in go /usr/local/go/bin/go /usr/lib/go-1.*/bin/go; do
        go=$(command -v "$go") || continue
        go_version=$(cd "$sources" && "$go" env GOVERSION 2>/dev/null) || continue
        printf '%s\n%s\n' "go$wanted" "$go_version" | sort --check=quiet --version-sort && return
    done
    give_up "no Go $wanted or newer, and none that may download one"
}

stamp()
{
    echo "$go_version"
    cat "$sources"/go.mod "$sources"/go.sum "$sources"/coredns/{go.mod,go.sum,main.go}
}

# Without a module proxy nothing can be built; anything else is a fault of go.mod or go.sum.
no_packages()
{
    local line
    line=$(grep -v '^go: downloading' "$1" | tail -n 1)
    grep -qE 'dial tcp|lookup |[Tt]imeout|TLS|unexpected EOF|connection' "$1" && give_up "no module proxy: $line"
    die "scripts/kubernetes: $line"
}

build_all()
{
    local name directory package
    while read -r name directory package; do
        build_one "$name" "$directory" "$package" </dev/null
    done < <(programs)
}
