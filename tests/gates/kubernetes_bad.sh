#!/usr/bin/env bash
# A bad sample: the peers' Service has ready pods only, so that no pod finds the others, and none becomes ready.
# shellcheck source-path=SCRIPTDIR source=../kubernetes/lib.sh
. "$(dirname "$0")/../kubernetes/lib.sh"

hidden_peers()
{
    applies "$(overlay hidden "resources: [ROOT/manifests/overlays/kubernetes]" "patches:" \
        "  - target: {kind: Service, name: headlessd-peers}" \
        "    patch: '- {op: replace, path: /spec/publishNotReadyAddresses, value: false}'")"
    rolled_out headlessd
}

cluster_start
run_in hidden restricted "pods that cannot find each other" hidden_peers
finish
