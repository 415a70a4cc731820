#!/usr/bin/env bash
echo "1 passed, 1 failed"
exit 1
