#!/usr/bin/env zsh
# What zsh completes with the scripts that the programs make: an interactive zsh, whose keys we are.
#
#   timeout 60 zsh -f tests/completion/zsh.zsh DIRECTORY    DIRECTORY: of the files _PROGRAM
#
# Last line: "count: PASSED FAILED 0".
emulate -R zsh
zmodload zsh/zpty

directory=${1:?directory}
integer passed=0 failed=0

# A shell that says what its line is when ^X is pressed, and nothing else that looks like it.
zpty shell "TERM=dumb PS1='' RPS1='' zsh -f -i"
zpty -w shell "fpath=(${(q)directory} \$fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep"
zpty -w shell "setopt list_ambiguous no_auto_menu no_auto_list no_prompt_cr; zstyle ':completion:*' format ''"
zpty -w shell "tell() { print -r -- \"\"; print -r -- \"LI\"\"NE[\$BUFFER]\"; BUFFER=''; zle accept-line }"
zpty -w shell "zle -N tell; bindkey '^X' tell; bindkey '^I' complete-word; print REA\"\"DY"
zpty -r -m shell said '*READY*' || exit 1

# completes LINE WITH: the line after a tab at its end
completes()
{
    local said is
    zpty -w -n shell "$1"$'\t'$'\x18'
    if ! zpty -r -m shell said '*LINE\[*\]*'; then
        print -r -- "--- '$1': the shell has ended: $said"
        exit 1
    fi
    is=${${said##*LINE\[}%%\]*}
    if [[ $is == "$2" ]]; then
        (( passed++ ))
    else
        (( failed++ ))
        print -r -- "--- '$1' becomes '$is', should become '$2'"
    fi
}

completes 'headlessd --relay-fo' 'headlessd --relay-format='
completes 'headlessd --relay-format=fr' 'headlessd --relay-format=framed '
completes 'headlessd --relay-format pro' 'headlessd --relay-format proxy-v2 '
completes 'headlessd --route o' 'headlessd --route ordered '
completes 'headlessd --check' 'headlessd --check-config '
completes 'headlessd --document' 'headlessd --document'
completes "headlessd -c $directory/_headlessct" "headlessd -c $directory/_headlessctl "
completes 'headlessctl lea' 'headlessctl leader '
completes 'headlessctl leader s' 'headlessctl leader set '
completes 'headlessctl leader set --fo' 'headlessctl leader set --force '
completes 'headlessctl leader get --fo' 'headlessctl leader get --fo'
completes 'headlessctl --admin 10.0.0.12:8080 sta' 'headlessctl --admin 10.0.0.12:8080 status '
completes 'headlessctl probe --interv' 'headlessctl probe --interval='
completes 'headless-bench sm' 'headless-bench smoke '
completes 'headless-bench send --one' 'headless-bench send --one-way '
completes 'headless-bench sink --one' 'headless-bench sink --one'
completes 'headless-bench plot --kind la' 'headless-bench plot --kind latency '
completes "headless-bench compare $directory/_headlessct" "headless-bench compare $directory/_headlessctl "
zpty -d shell
print "count: $passed $failed 0"
(( failed == 0 ))
