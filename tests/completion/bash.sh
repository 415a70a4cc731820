#!/usr/bin/env bash
# What bash completes with the scripts that the programs make.
#
#   tests/completion/bash.sh DIRECTORY      DIRECTORY: of the scripts, named as the programs
#
# Last line: "count: PASSED FAILED 0".
set -euo pipefail

directory=${1:?"usage: $0 DIRECTORY"}
passed=0 failed=0
for program in headlessd headlessctl headless-bench; do
    # shellcheck source=/dev/null
    . "$directory/$program"
done

# complete_line LINE: what is offered at its end, sorted, in one line. Words are broken as readline
# does it, also at = and :.
complete_line()
{
    local program=${1%% *} spaced function
    spaced=${1//=/ = }
    read -r -a COMP_WORDS <<<"${spaced//:/ : }"
    [[ $1 != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    function=$(complete -p "$program" | sed -E 's/.*-F ([^ ]+) .*/\1/')
    COMPREPLY=()
    "$function" "$program" "${COMP_WORDS[COMP_CWORD]}" "" || true
    printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -s -d ' '
}

# offers LINE WORDS: these and no others
offers()
{
    local is
    is=$(complete_line "$1")
    if [[ $is == "$2" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "--- '$1' offers '$is', should offer '$2'"
    fi
}

offers "headlessd --relay-f" "--relay-format"
offers "headlessd --relay-" "--relay-confirm --relay-format --relay-keep --relay-keep-time --relay-linger --relay-mtu --relay-port"
offers "headlessd --relay-format " "framed proxy-v2 raw"
offers "headlessd --relay-format r" "raw"
offers "headlessd --relay-format=" "framed proxy-v2 raw"
offers "headlessd --relay-format=p" "proxy-v2"
offers "headlessd --self 10.0.0.1 --route " "all leader local ordered"
offers "headlessd --app " "discard echo whoami"
offers "headlessd --app-t" "--app-target"
offers "headlessd --rcvbuf " "max"
offers "headlessd --data-port " ""
offers "headlessd --data-port 5300 --log-l" "--log-level"
offers "headlessd --document" ""
offers "headlessd --check-config --log-format " "auto json text"
offers "headlessctl " "events key leader probe publish sessions status top"
offers "headlessctl lea" "leader"
offers "headlessctl leader " "get list set"
offers "headlessctl leader set " ""
offers "headlessctl leader set --i" "--if-term"
offers "headlessctl leader get --" "--admin --help --json --version"
offers "headlessctl --admin 10.0.0.12:8080 st" "status"
offers "headlessctl --interface status l" "leader"
offers "headlessctl probe --in" "--interval"
offers "headlessctl top --" "--admin --count --help --interval --version"
offers "headless-bench " "compare plot search send sink smoke"
offers "headless-bench send --one" "--one-way"
offers "headless-bench sink --one" ""
offers "headless-bench plot --kind " "latency loss time"
offers "headless-bench plot --out $directory/headlessct" "$directory/headlessctl"
offers "headless-bench compare $directory/headlessc" "$directory/headlessctl"
offers "headlessd -c $directory/headlessct" "$directory/headlessctl"
echo "count: $passed $failed 0"
((failed == 0))
