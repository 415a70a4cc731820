#!/usr/bin/env bash
# headlessctl top on a real terminal (tmux): the leader and its successor, other sizes, its end, a pod
# that stops; and its numbers, which equal those of /metrics, of headlessctl status, and of the page.
#
#   tests/cluster/test_top.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib_facts.sh
. "$(dirname "$0")/lib_facts.sh"

a=127.0.62.11 # leads
b=127.0.62.12
c=127.0.62.13

# ---- a terminal

terminal()
{
    tmux -f /dev/null -S "$work/terminal" "$@"
}

# terminal_open LINES COLUMNS: opens it, with a shell that has printed some text.
terminal_open()
{
    env -u NO_COLOR tmux -f /dev/null -S "$work/terminal" new-session -d -y "$1" -x "$2" \
        "PS1='ready> ' bash --norc"
    type_line "stty -g >$work/stty.before; echo before"
    shows "^before"
}

terminal_close()
{
    terminal kill-server
}

terminal_end() # if a scenario did not
{
    terminal kill-server 2>/dev/null || true
}

# Text that is typed before the shell reads appears in its output.
type_line()
{
    wait_until "the shell waits for a line" is_prompted
    terminal send-keys -l "$1"
    terminal send-keys Enter
}

screen()
{
    terminal capture-pane -p
}

is_prompted()
{
    [[ $(screen | sed '/^$/d' | tail -n 1) == "ready>" ]]
}

is_shown()
{
    grep -qE -- "$1" < <(screen)
}

is_not_shown()
{
    ! is_shown "$1"
}

# shows REGEX
shows()
{
    wait_until "the screen shows '$1'" is_shown "$1" || true
    is_shown "$1" || screen
}

# watch ADDRESS OPTION...: runs top in the terminal; its exit code stays on the screen.
watch()
{
    type_line "$headlessctl --admin $1 top --interval 100ms ${*:2}; echo ended with \$?"
    shows "^headlessctl top .* $1 "
}

# is_given_back CODE: the former screen and terminal settings are restored.
is_given_back()
{
    shows "^ended with $1"
    shows "^before"
    is_not_shown "^headlessctl top" || fail "top is still on the screen"
    type_line "stty -g >$work/stty.after; echo after"
    shows "^after"
    expect "settings of the terminal" "$(<"$work/stty.after")" "$(<"$work/stty.before")"
    expect "the cursor is shown" "$(terminal display-message -p '#{cursor_flag}')" 1
    expect "the alternate screen" "$(terminal display-message -p '#{alternate_on}')" 0
    type_line "clear; echo before"
    shows "^before"
}

start()
{
    pods_start "a=$a" "b=$b" "c=$c" -- --leader "$a"
}

# ---- scenarios

shows_who_leads()
{
    start
    terminal_open 24 100
    watch "$b"
    shows "^pod        b \($b\), follower, instance [0-9a-f]{16}, cluster headless"
    shows "^leader     a \($a\)"
    shows "^  1 a .* $a +leader "
    shows "^  2 b .* $b +self "
    shows "^  3 c .* $c +alive "
    pod_kill "$a"
    shows "^leader     [bc] \("
    shows "^  1 a .* $a +dead "
    expect "the leader on the screen" "$(screen | sed -nE 's/^leader .*\((.*)\)$/\1/p')" "$(leader_of "$b")"
    terminal_close
}

fits()
{
    (($(screen | awk -v n="$1" 'length > n' | wc -l) == 0)) && [[ $(screen | head -n 1) == headlessctl\ top* ]]
}

follows_the_size()
{
    start
    terminal_open 40 120
    watch "$a"
    shows "^REQUESTS +PER SECOND +TOTAL   REPLIES +PER SECOND +TOTAL"
    terminal resize-window -y 9 -x 40
    wait_until "it fits in 40 columns" fits 40
    shows "^  # MEMBER"
    is_not_shown "^REQUESTS" || fail "what does not fit is on the screen"
    terminal resize-window -y 40 -x 120
    shows "^REQUESTS +PER SECOND +TOTAL   REPLIES +PER SECOND +TOTAL"
    terminal send-keys q
    is_given_back 0
    terminal_close
}

gives_the_terminal_back()
{
    start
    terminal_open 24 80
    watch "$a"
    expect "the alternate screen" "$(terminal display-message -p '#{alternate_on}')" 1
    terminal send-keys x q
    is_given_back 0
    watch "$a"
    terminal send-keys C-c
    is_given_back 0
    watch "$a"
    terminal send-keys C-z
    shows "Stopped"
    is_not_shown "^headlessctl top" || fail "top is on the screen while it is stopped"
    type_line fg
    shows "^headlessctl top .* $a "
    terminal send-keys q
    shows "^before"
    terminal_close
}

colors_only_where_wanted()
{
    start
    terminal_open 24 100
    watch "$a"
    grep -q $'\e\[' < <(terminal capture-pane -p -e) || fail "no colors on a terminal"
    terminal send-keys q
    is_given_back 0
    type_line "export NO_COLOR=1"
    watch "$a"
    terminal capture-pane -p -e >"$work/plain"
    ! grep -q $'\e' "$work/plain" || fail "colors in spite of NO_COLOR"
    terminal send-keys q
    is_given_back 0
    terminal_close
}

says_when_the_pod_is_gone()
{
    start
    terminal_open 24 100
    watch "$b"
    pod_stop "$b"
    shows "^no reply for [0-9]+ s: Connection refused; the data below is older"
    shows "^pod        b \($b\)"
    pod_launch "$b" --peers "a=$a,b=$b,c=$c"
    wait_until "its replies are shown" is_not_shown "^no reply"
    shows "^pod        b \($b\)"
    pod_freeze "$b"
    shows "^no reply for [0-9]+ s: Connection timed out"
    terminal send-keys q # it ends in this state, too
    is_given_back 0
    pod_thaw "$b"
    terminal_close
}

# Label in a frame, and metric.
numbers=(
    'from clients=datagrams_received_total{socket="data"}'
    'from pods=datagrams_received_total{socket="relay"}'
    'from groups=datagrams_received_total{socket="multicast"}'
    'to this app=datagrams_delivered_total'
    'relayed=datagrams_relayed_total'
    'app replied=replies_received_total{from="app"}'
    'pods replied=replies_received_total{from="relay"}'
    'to clients=replies_sent_total'
    'to pods=replies_relayed_total'
    'fenced=replies_fenced_total'
    'malformed=datagrams_dropped_total{reason="malformed"}'
)

# agrees ADDRESS: a frame, the screen, and headlessctl status have the values of /metrics.
agrees()
{
    local row should expected
    "$headlessctl" --admin "$1" top --count 1 >"$work/frame" || fail "top --count 1: status $?"
    "$headlessctl" --admin "$1" status >"$work/status"
    watch "$1"
    screen >"$work/screen"
    terminal send-keys q
    is_given_back 0
    for row in "${numbers[@]}"; do
        should=$(metric "$1" "${row#*=}")
        [[ ${row%%=*} != malformed || $should != 0 ]] || should=""
        expect "top of $1, ${row%%=*}" "$(number_in "$work/frame" "${row%%=*}")" "$should"
        expect "screen of $1, ${row%%=*}" "$(number_in "$work/screen" "${row%%=*}")" "$should"
    done
    expected="delivered  $(metric "$1" datagrams_delivered_total) to this pod's app, $(metric "$1" sessions) sessions"
    expect "status of $1" "$(grep ^delivered "$work/status")" "$expected"
    expected="relayed    $(metric "$1" datagrams_relayed_total) to another pod"
    expect "status of $1" "$(grep ^relayed "$work/status")" "$expected"
    expected="replies    $(metric "$1" replies_sent_total) sent to clients, $(metric "$1" replies_relayed_total)"
    expect "status of $1" "$(grep -o '^replies .* clients, [0-9]*' "$work/status")" "$expected"
    expect "ledger on the screen" "$(grep ^ledger "$work/screen")" "ledger     ok"
    expect "ledger in the status" "$(grep ^ledger "$work/status")" "ledger     ok"
}

numbers_agree_at_rest()
{
    local i
    start
    for i in {1..7}; do
        expect "answer" "$(ask "$b" "hello $i")" "hello $i"
    done
    for i in {1..3}; do
        expect "answer" "$(ask "$a" "hello $i")" "hello $i"
    done
    for i in "$b:12000 --count 2000" "$c:12000 --count 1000" "$a:12000 --count 500"; do
        # shellcheck disable=SC2086 # words
        "$bench" send --closed-loop --size 100 --timeout 60s --expect-all --to $i >/dev/null || fail "the bench: status $?"
    done
    printf 'no frame' >"/dev/udp/$a/12001"
    for i in {1..3}; do
        printf 'no frame' >"/dev/udp/$b/12001"
    done
    dropped_becomes "$a" malformed 1
    dropped_becomes "$b" malformed 3
    ledger_closes "$a" "$b" "$c"
    expect "datagrams from clients, of all pods" "$(total 'datagrams_received_total{socket="data"}' "$a" "$b" "$c")" 3510
    expect "delivered by the leader" "$(metric "$a" datagrams_delivered_total)" 3510
    expect "answers to clients, of all pods" "$(total replies_sent_total "$a" "$b" "$c")" 3510
    terminal_open 30 100
    for i in "$a" "$b" "$c"; do
        agrees "$i"
        all_four_agree "$i"
    done
    terminal_close
    pod_kill "$a" # after another pod has become leader
    wait_until "b and c follow another" agree_without "$a" "$b" "$c"
    expect "answer" "$(ask "$b" again)" again
    ledger_closes "$b" "$c"
    wait_until "a is dead, at b" metric_is "$b" 'members{state="dead"}' 1
    wait_until "a is dead, at c" metric_is "$c" 'members{state="dead"}' 1
    all_four_agree "$b"
    all_four_agree "$c"
}

# used_ms ADDRESS: prints the CPU time of all threads of this pod by /proc: user and system, each truncated to 10 ms.
used_ms()
{
    sed 's/^.*) //' "/proc/${pod_pids[$1]}/stat" | awk -v hz="$(getconf CLK_TCK)" '{ print int(($12 + $13) * 1000 / hz) }'
}

# The pod has installed its seccomp filter by now.
shows_what_the_process_takes()
{
    local before metrics after confined cpu resident fds most_fds started
    start
    "$bench" send --to "$a:12000" --count 5000 --closed-loop --size 100 >/dev/null || fail "the bench: status $?"
    before=$(used_ms "$a")
    metrics=$(metric "$a" confined process_cpu_seconds_total process_resident_memory_bytes process_open_fds \
        process_max_fds process_start_time_seconds)
    "$headlessctl" --admin "$a" top --count 2 --interval 100ms >"$work/frames" || fail "status $?"
    after=$(used_ms "$a")
    read -r confined cpu resident fds most_fds started <<<"$metrics"
    [[ -n ${SANITIZED:-} ]] || expect "confined" "$confined" 1 # a sanitizer needs all calls
    expect_between "CPU time in /metrics, in ms" "$(awk -v s="$cpu" 'BEGIN { print int(s * 1000) }')" \
        $((before - 30)) $((after + 30))
    expect_match "the first frame's" "$(grep -m1 ^cpu "$work/frames")" '^cpu        [0-9]+\.[0-9] s$'
    expect_match "the second's" "$(grep ^cpu "$work/frames" | tail -n 1)" '^cpu        [0-9]+\.[0-9] s, [0-9]+\.[0-9] % of one$'
    expect_between "resident memory" "$resident" 1000000 2000000000
    expect "most open files" "$most_fds" "$(awk '/^Max open files/ { print $4 }' "/proc/${pod_pids[$a]}/limits")"
    # The pod also counts the connection of the request, and one that it has not closed yet.
    expect_between "open files" "$fds" "$(find "/proc/${pod_pids[$a]}/fd" -mindepth 1 | wc -l)" \
        $(($(find "/proc/${pod_pids[$a]}/fd" -mindepth 1 | wc -l) + 2))
    expect_between "start" "$started" $(($(date +%s) - 60)) "$(date +%s)"
}

is_plain_text_without_a_terminal()
{
    local status=0
    start
    "$headlessctl" --admin "$c" top --count 2 --interval 100ms >"$work/frames" || fail "status $?"
    expect "frames" "$(grep -c '^headlessctl top' "$work/frames")" 2
    expect "rates of the first" "$(grep -m1 '^relayed' "$work/frames" | awk '{ print $2 }')" -
    expect "rates of the second" "$(grep '^relayed' "$work/frames" | awk 'END { print $2 }')" 0
    ! grep -q '[^ -~]' "$work/frames" || fail "more than text: $(grep -m1 '[^ -~]' "$work/frames")"
    "$headlessctl" --admin "$c" top --interval 100ms | head -n 3 >"$work/frames" || true
    expect "lines, until the reader has gone" "$(wc -l <"$work/frames")" 3
    "$headlessctl" --admin 127.0.62.99 top --count 1 >"$work/frames" || status=$?
    expect "exit code without an answer" "$status" 1
    expect_match "a frame without a reply" "$(<"$work/frames")" "no reply for 0 s: Connection refused; trying again"
    status=0
    "$headlessctl" --admin "$c" top --interval 99ms 2>"$work/wrong" || status=$?
    expect "exit code" "$status" 2
    expect "a short interval" "$(<"$work/wrong")" "headlessctl: --interval of top is at least 100ms"
}

lists_the_succession()
{
    start
    "$headlessctl" --admin "$b" leader list >"$work/list"
    expect_match "leader list" "$(<"$work/list")" "  1 a +$a +leader .*
  2 b +$b +self .*
  3 c +$c +alive "
    expect "as JSON" "$("$headlessctl" --admin "$b" leader list --json | jq -r 'map(.name + " " + .state) | join(", ")')" \
        "a leader, b self, c alive"
}

at_exit+=(terminal_end)
run "top shows the leader" shows_who_leads
run "top follows the terminal's size" follows_the_size
run "top restores the terminal" gives_the_terminal_back
run "colors are used only on request" colors_only_where_wanted
run "top reports that the pod does not reply" says_when_the_pod_is_gone
run "numbers agree at rest" numbers_agree_at_rest
run "top shows the CPU time and memory of the process" shows_what_the_process_takes
run "the output without a terminal is plain text" is_plain_text_without_a_terminal
run "top lists the succession" lists_the_succession
finish
