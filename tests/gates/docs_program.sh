#!/usr/bin/env bash
# Stands in for headlessd --document-options, --document-schema and --document-metrics.
case $1 in
--document-options) echo "# Options" ;;
--document-schema) echo "{}" ;;
--document-metrics) echo "# Metrics" ;;
esac
