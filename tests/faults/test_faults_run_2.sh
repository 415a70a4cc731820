#!/usr/bin/env bash
# Fault injection, the second half of the places: see test_faults_run.sh.
#
#   tests/faults/test_faults_run_2.sh BUILD_DIR
#
# Open: the scenarios choose their keys
half=2
# shellcheck source-path=SCRIPTDIR source=test_faults_run.sh
. "$(dirname "$0")/test_faults_run.sh"
