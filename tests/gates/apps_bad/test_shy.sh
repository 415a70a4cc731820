#!/usr/bin/env bash
# Sample: only the server's name is read of it. There is no row of it in apps.
tell()
{
    echo "$*"
}
tell server "Shy"
