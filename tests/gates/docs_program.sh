#!/usr/bin/env bash
# Stands in for headlessd --document-options and --document-schema.
case $1 in
--document-options) echo "# Options" ;;
--document-schema) echo "{}" ;;
esac
