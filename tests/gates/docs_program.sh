#!/usr/bin/env bash
# Stands in for headlessd --document-options.
[[ $1 == --document-options ]] && echo "# Options"
