#!/usr/bin/env bash
for file in $*; do
    rm -f $file
done
