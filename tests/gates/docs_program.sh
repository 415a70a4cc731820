#!/usr/bin/env bash
# Stands in for headless-document.
case $1 in
options) echo "# Options" ;;
schema) echo "{}" ;;
metrics) echo "# Metrics" ;;
esac
