#!/usr/bin/env bash
# Log lines about leaders, and the limits of lines that others can cause.
#
#   tests/cluster/test_logs.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.72.11
b=127.0.72.12
c=127.0.72.13

# said POD EVENT: prints the number of these lines in its log.
said()
{
    grep -c " $2: " "$work/$1.log" || true
}

says()
{
    (($(said "$1" "$2") >= $3))
}

# line POD EVENT: prints the newest of these lines.
line()
{
    grep " $2: " "$work/$1.log" | tail -n 1
}

lone_pod()
{
    pods_start "$a" -- --name one
    expect_log "$a" ' alone: ' 1
    expect_match "why" "$(line "$a" alone)" "peers and discovery.dns name no other pod: this pod leads alone$"
    expect_match "the leader" "$(line "$a" leader_changed)" \
        "leader $a \(one\), term 1, by bootstrap, after none; [0-9]+ ms without a leader, 0 held, 0 relayed "
    expect "others missing" "$(said "$a" others_missing)" 0
}

# The other pods are configured, and never start.
lone_pod_of_two()
{
    pod_launch "$a" --peers "$a,$b" --quorum none
    wait_until "it leads" has_leader "$a"
    wait_until "it says so" says "$a" others_missing 1
    expect "alone" "$(said "$a" alone)" 0
    pod_launch "$b" --peers "$a,$b" --quorum none
    wait_until "they agree" agree "$a" "$a" "$b"
    lead "$b" "$a"
    lead "$a" "$b"
    expect "with company nothing more" "$(said "$a" others_missing) $(said "$b" others_missing)" "1 0"
}

# One of three pods waits, and logs once for which ones, until there is a leader.
nobody_leads()
{
    pod_start_alone "$a" --peers "$a,$b,$c" --quorum majority
    wait_until "it is told" says "$a" no_leader 1
    expect_match "the line" "$(line "$a" no_leader)" "no leader for 10 s; 0 of 2 other pods have replied: start the others"
    pod_launch "$b" --peers "$a,$b,$c" --quorum majority
    wait_until "they agree" agree any "$a" "$b"
    expect "lines about it" "$(said "$a" no_leader) $(said "$b" no_leader)" "1 0"
}

leader_outside()
{
    pods_start "$a" -- --relay-format raw --leader "127.0.72.99:9000"
    expect_log "$a" "leader_outside: .*leader: 127.0.72.99:9000 is outside"
}

# One line in all, which names the option.
leader_in_no_list()
{
    pods_start "$a" "$b" -- --leader wbe-0
    wait_until "a leader" agree any "$a" "$b"
    lead "$a" "$a"
    lead "$b" "$a"
    lead "$a" "$a"
    expect_log "$a" leader_unknown
    expect_match "the warning" "$(line "$a" leader_unknown)" \
        "warn  leader_unknown: leader: \"wbe-0\" \(leader, LEADER_IP\) is not a member, .* list it in peers"
    expect "lines about it" "$(said "$a" leader_unknown) $(said "$a" leader_differs)" "1 0"
}

# A listed leader that never runs; after it has run, the advice is another.
leader_that_nobody_has_seen()
{
    local pod
    for pod in "$a" "$b"; do
        pod_launch "$pod" --peers "$a,$b,$c" --leader "$c"
    done
    wait_until "another leads" agree any "$a" "$b"
    wait_until "it is told" says "$a" leader_unknown 1
    lead "$a" "$b"
    lead "$b" "$a"
    expect_match "the warning" "$(line "$a" leader_unknown)" \
        "leader: \"$c\" is none of the 2 members.*leader, LEADER_IP"
    expect "lines about it" "$(said "$a" leader_unknown) $(said "$a" leader_differs)" "1 0"
    pod_launch "$c" --peers "$a,$b,$c" --leader "$c"
    wait_until "it follows" agree "$b" "$a" "$b" "$c"
    lead "$a" "$b"
    wait_until "it is told that another leads" says "$a" leader_differs 1
    lead "$c" "$a"
    expect "lines about it" "$(said "$a" leader_unknown) $(said "$a" leader_differs)" "1 1"
}

has_no_leader()
{
    ! has_leader "$1"
}

# The leader and another pod are stopped: no majority, so requests are held; the other one continues.
change_in_one_line()
{
    local last
    pods_start one="$a" two="$b" three="$c" -- --leader "$a" --hold-time 1m --relay-confirm none
    pod_freeze "$a"
    pod_freeze "$c"
    "$tools/udp_ask" -n -k 3 "$b:12000" "lost" || fail "cannot send"
    metric_becomes "$b" relay_unconfirmed 3
    wait_until "nobody leads" has_no_leader "$b"
    "$tools/udp_ask" -n -k 5 "$b:12000" "held" || fail "cannot send"
    metric_becomes "$b" datagrams_held 5
    pod_thaw "$c"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    wait_until "it is told" says "$b" leader_changed 2
    last=$(line "$b" leader_changed)
    expect_match "the line" "$last" "leader ($b \(two\)|$c \(three\)), term [0-9]+, by (verdict|evidence), \
after $a \(one\), term [0-9]+; [1-9][0-9]* ms without a leader, 5 held, 3 relayed to the previous one and not confirmed$"
    expect "the gap, as in /metrics" "$(metric "$b" leader_gap_seconds | awk '{ print int($1 * 1000) }')" \
        "$(sed -E 's/.*; ([0-9]+) ms without.*/\1/' <<<"$last")"
    pod_kill "$a"
}

# Any client can cause refusals: few lines, with the number of refusals.
refusals_are_few_lines()
{
    local lines more refused started=$EPOCHSECONDS
    pods_start "$a" -- --rcvbuf max
    for _ in {1..4000}; do
        printf '{"leader":"nobody"}' >"/dev/udp/$a/12000"
    done
    wait_until "all came" all_came 4000
    wait_until "many are refused" refuses_many # of those that came at once, a busy machine drops most
    wait_until "one of them is told later" asks_until_told
    refused=$(metric "$a" "$no_member")
    lines=$(said "$a" command_refused)
    more=$(sed -nE 's/.* command_refused: .* \(([0-9]+) more\)$/\1/p' "$work/$a.log" |
        awk '{ sum += $1 } END { print sum + 0 }')
    expect_between "refused" "$refused" 200 5000
    expect_between "lines, ten a second at most" "$lines" 1 $((10 * (EPOCHSECONDS - started + 2)))
    expect "lines, and what they tell" $((lines + more)) "$refused"
    # Refusals of this kind are not logged, only counted in /metrics.
    expect "lines kept back, and refused" "$(metric "$a" log_lines_suppressed_total)" "$more"
    expect "lines written" "$(metric "$a" 'log_lines_total{level="warn"}')" "$(grep -c '^[^ ]* warn ' "$work/$a.log")"
    expect "lines not taken" "$(metric "$a" log_lines_failed_total)" 0
    kill -TERM "${pod_pids[$a]}"
    wait_until "it has ended" has_ended "${pod_pids[$a]}"
    expect_match "its last words" "$(line "$a" log_incomplete)" " $more lines were not written since the start because "
    wait "${pod_pids[$a]}" || fail "it ended with $?"
    unset "pod_pids[$a]"
}

# The reader of the log has ended: this is reported elsewhere.
log_that_nobody_reads()
{
    mkfifo "$work/pipe"
    : >"$work/$a.log" # there is none
    exec {reader}<>"$work/pipe"
    "$headlessd" --self "$a" --drain-time 50ms --log-format text 2>"$work/pipe" {reader}<&- &
    pod_pids[$a]=$!
    wait_until "it is ready" is_ready "$a"
    expect "lines not taken" "$(metric "$a" log_lines_failed_total)" 0
    exec {reader}<&-
    ask "$a" '{"leader":"nobody"}' >/dev/null
    metric_becomes "$a" log_lines_failed_total 1
    http "$a:8080/" >"$work/page.html"
    grep -qE 'Log lines that could not be written: [1-9][0-9]*<' "$work/page.html" || fail "the page does not say so"
}

no_member='control_messages_total{result="no_member"}'

# all_came N: true if N were received or dropped by the kernel.
all_came()
{
    (($(metric "$a" 'datagrams_received_total{socket="data"}') + $(kernel_drops "$a") == $1))
}

refuses_many()
{
    for _ in {1..20}; do
        printf '{"leader":"nobody"}' >"/dev/udp/$a/12000"
    done
    (($(metric "$a" "$no_member") >= 200))
}

asks_until_told()
{
    local before
    before=$(said "$a" command_refused)
    ask -t 200 "$a" '{"leader":"nobody"}' >/dev/null
    (($(said "$a" command_refused) > before)) && grep -qE '(member|more\))$' < <(line "$a" command_refused)
}

# The former name of an option works for one release.
former_option_name()
{
    pods_start "$a" -- --train 8
    expect_log "$a" ' option_renamed: ' 1
    expect_match "the line" "$(line "$a" option_renamed)" " train is now gso: write gso, "
    expect "the option" "$(curl -s "http://$a:8080/status" | jq -r .options.gso)" 8
}

# Also when a reload brings it.
former_option_name_in_a_reload()
{
    echo "{}" >"$work/renamed.yaml"
    pods_start "$a" -- -c "$work/renamed.yaml"
    replace_file "$work/renamed.yaml" "train: 6"
    kill -HUP "${pod_pids[$a]}"
    wait_until "it is logged" says "$a" option_renamed 1
}

run "a pod without peers logs the reason" lone_pod
run "a pod whose peers do not start logs it" lone_pod_of_two
run_long "a pod that has waited for 10 s logs for which pods" nobody_leads
run "a leader outside the cluster is logged" leader_outside
run "a leader in no list is logged once, with its option" leader_in_no_list
run "a leader that no pod has seen is logged once" leader_that_nobody_has_seen
run "a leader change is one line: cause, old, new, term, gap, held, missing" change_in_one_line
run "4,000 refused commands cause few lines" refusals_are_few_lines
run "a log without a reader is reported" log_that_nobody_reads
run "a former option name works and is logged once" former_option_name
run "a former option name that a reload brings is logged" former_option_name_in_a_reload
finish
