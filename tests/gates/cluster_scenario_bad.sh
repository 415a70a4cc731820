#!/usr/bin/env bash
# One scenario of two fails, and its pod has logged something.
# shellcheck source-path=SCRIPTDIR source=../cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"

sound()
{
    expect "a number" 1 1
}

unsound()
{
    printf '  of a pod: %s\n' {1..20} >"$work/127.0.0.1.log"
    expect "a number" 1 2
}

run "a sound scenario" sound
run "an unsound scenario" unsound
finish
