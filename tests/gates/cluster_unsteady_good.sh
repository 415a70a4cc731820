#!/usr/bin/env bash
# Fails once, as in a machine that stopped for a second, and passes the second time.
mark=$1/unsteady
if [[ ! -e $mark ]]; then
    touch "$mark"
    echo "  * scenario: all agree: not within 3000 ms"
    echo "1 passed, 1 failed"
    exit 1
fi
rm "$mark"
echo "2 passed, 0 failed"
