#!/usr/bin/env bash
# Runs a command, or a shell, beside a cluster that ends with it: scripts/kubernetes run.
#
#   shell.sh BUILD_DIR [COMMAND...]
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

shift
(($# > 0)) || set -- "${SHELL:-bash}"
cluster_start
((scenario_failures == 0)) || exit 1
echo "kubectl is the cluster's; logs are in $state"
status=0
KUBECONFIG=$state/admin.conf KUBECACHEDIR=$state/kubectl-cache PATH=$components:$PATH "$@" || status=$?
finished=yes
exit "$status"
