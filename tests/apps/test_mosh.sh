#!/usr/bin/env bash
# mosh-server as the app, one in each pod, each with the key that it has made; the client is mosh-client, in a terminal of
# "script".
#
#   tests/apps/test_mosh.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

declare -A keys=()

# mosh_start POD: it goes into the background by itself, and ends where no client has come within a minute.
mosh_start()
{
    local name=mosh-${1##*.}
    # shellcheck disable=SC2016 # the shell there expands it
    at_pod "$1" mosh-server new -i 127.0.0.1 -p "$port" -- \
        sh -c 'while read -r line; do echo "$0-has-$line"; done' "$name" >"$work/$name.log" 2>&1 </dev/null
    keys[$name]=$(sed -n 's/^MOSH CONNECT [0-9]* //p' "$work/$name.log" | tr -d '\r')
    app_pids[$name]=$(sed -nE 's/.*detached, pid = ([0-9]+).*/\1/p' "$work/$name.log")
    wait_until "mosh-server listens" listens "$1"
}

# client_start NAME SERVER: through the follower, with the key of that server.
client_start()
{
    client_open "$1" env MOSH_KEY="${keys[$2]}" MOSH_PREDICTION_DISPLAY=never TERM=xterm script -qfc \
        "stty rows 24 cols 80; exec mosh-client $b 12000" /dev/null
}

# shows CLIENT TEXT: somewhere on its screen.
shows()
{
    grep -qaF -- "$2" "$work/$1.out"
}

plain()
{
    each_pod mosh_start
    behind plain
    client_start first mosh-1
    client_says first one
    wait_until "the leader's terminal replies" shows first mosh-1-has-one
    move_lead "$c"
    client_says first two
    client_start second mosh-3
    client_says second three
    wait_until "the new leader's terminal replies" shows second mosh-3-has-three
    expect "replies to another key" "$(grep -ac 'has-two' "$work/first.out")" 0
    move_lead "$a"
    wait_until "the first goes on" shows first mosh-1-has-two
    client_close second
    client_close first
    apps_close
    tell plain "works, one client for each server and key, as without headlessd"
    tell set "\`mosh-server new -i 127.0.0.1 -p PORT\`; clients get the key of the leader's server (\`MOSH_KEY\`), and begin within a minute"
    tell change "the terminal stands still, since the new leader's server has another key, and goes on when the former one leads again"
}

apps_need mosh-server mosh-client script ss
export LC_ALL=C.UTF-8
tell group "Tunnels and terminals"
tell server "mosh"
tell version "$(package_version mosh)"
run "mosh has its terminal through a follower, and after a leader change and back" plain
apps_finish
