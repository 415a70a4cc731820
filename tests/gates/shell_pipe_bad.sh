#!/usr/bin/env bash
set -o pipefail
seq 100000 | grep -q 1
