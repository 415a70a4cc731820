#!/usr/bin/env bash
# Sample: only the server's name is read of it. There is a row of it in apps.
tell()
{
    echo "$*"
}
tell server "Odd"
