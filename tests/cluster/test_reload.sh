#!/usr/bin/env bash
# The configuration is reloaded when its file changes, without a signal: changes like those of kubelet and editors,
# files with errors, under traffic. SIGHUP: test_stop.sh.
#
#   tests/cluster/test_reload.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

a=127.0.71.11 # leads
b=127.0.71.12
all_three=$a,$b,127.0.71.13
map=$work/map            # like kubelet's mount of a ConfigMap
file=$map/headlessd.yaml # the symlink in it
version=0

# map_write LINE...: writes a new directory, and replaces ..data by rename, like kubelet.
map_write()
{
    local old
    old=$(readlink "$map/..data" || true)
    version=$((version + 1))
    mkdir -p "$map/..version_$version"
    printf '%s\n' "$@" >"$map/..version_$version/headlessd.yaml"
    ln -s "..version_$version" "$map/..data_tmp"
    mv -T "$map/..data_tmp" "$map/..data"
    [[ -L $file ]] || ln -s ..data/headlessd.yaml "$file"
    [[ -z $old ]] || rm -r "${map:?}/$old"
}

# said POD EVENT: prints the number of these lines in its log.
said()
{
    grep -c " $2: " "$work/$1.log" || true
}

# says POD EVENT TIMES: waits for exactly TIMES of these lines.
says()
{
    (($(said "$1" "$2") == $3))
}

# says_within POD EVENT TIMES MS: with the limit where durations are asserted.
says_within()
{
    local started
    started=$(now_ms)
    wait_until "$1 says $2, $3 times" says "$1" "$2" "$3"
    timed expect_between "milliseconds until $1 said $2" $(($(now_ms) - started)) 0 "$4"
}

config_map_swap()
{
    map_write 'hold.time: 30s'
    pod_start_alone "$a" -c "$file" --peers "$all_three"
    expect "reloads at the start" "$(metric "$a" config_reloads_total)" 0
    expect_between "the time of the first reading" \
        "$(metric "$a" config_last_reload_success_timestamp_seconds)" $((EPOCHSECONDS - 60)) $EPOCHSECONDS
    "$tools/udp_ask" -n -k 5 "$a:12000" "held" || fail "cannot send"
    metric_becomes "$a" datagrams_held 5
    map_write 'hold.time: 0'
    says_within "$a" option_reloaded 1 5000
    expect_log "$a" 'option_reloaded: hold.time$'
    expect_log "$a" 'reloading: .* file has changed'
    dropped_becomes "$a" hold_expired 5
    metric_becomes "$a" config_reloads_total 1
    expect "the result" "$(metric "$a" config_last_reload_successful config_reloads_refused_total)" "1 0"
    expect "in /status" "$(http "$a:8080/status" | jq -c '[.counters.config_reloads_total,
        .gauges.config_last_reload_successful]')" "[1,1]"
    ledger_closes "$a"
}

# write_over HOW LINE...: replaces the file, or writes it in place.
write_over()
{
    local how=$1
    shift
    case $how in
    rename) replace_file "$work/config.yaml" "$@" ;;
    backup) mv "$work/config.yaml" "$work/config.yaml~" && printf '%s\n' "$@" >"$work/config.yaml" ;;
    place) printf '%s\n' "$@" >"$work/config.yaml" ;;
    esac
}

editors()
{
    local how count=0
    write_over place 'app.idle: 10s'
    pods_start "$a" "$b" -- -c "$work/config.yaml" --leader "$a"
    for how in rename backup place; do
        count=$((count + 1))
        write_over "$how" "app.idle: $((count + 10))s"
        says_within "$a" option_reloaded "$count" 5000
        says_within "$b" option_reloaded "$count" 5000
    done
    expect "errors" "$(said "$a" reload_failed)" 0
    ledger_closes "$a" "$b"
}

# Logged once, with file and line; the same error again only after another change of the file.
broken_file()
{
    map_write 'hold.time: 30s'
    pod_start_alone "$a" -c "$file" --peers "$all_three" --log-format json
    map_write 'hold.time: 0' 'hold.tme: 1s'
    metric_becomes "$a" config_last_reload_successful 0
    metric_becomes "$a" config_reloads_refused_total 1
    expect_log "$a" '"event":"config_error","message":"[^"]*headlessd.yaml:2: hold.tme: no such option'
    "$tools/udp_ask" -n -k 5 "$a:12000" "held" || fail "cannot send"
    metric_becomes "$a" datagrams_held 5
    map_write 'hold.time: 0' '# mended' 'hold.tme: 1s'
    metric_becomes "$a" config_reloads_refused_total 2
    map_write 'hold.time: 0'
    metric_becomes "$a" config_last_reload_successful 1
    dropped_becomes "$a" hold_expired 5
    expect "reloads and refused ones" \
        "$(metric "$a" config_reloads_total config_reloads_refused_total)" "3 2"
    expect_log "$a" '"event":"reload_failed"' 2
    jq -e -s 'map(select(.event == "reload_failed")) | length == 2' "$work/$a.log" >"$work/jq.out" ||
        fail "each line is JSON, and two reloads failed: $(<"$work/jq.out")"
    ledger_closes "$a"
}

file_that_vanishes()
{
    write_over place 'app.idle: 10s'
    pods_start "$a" -- -c "$work/config.yaml"
    rm "$work/config.yaml"
    says_within "$a" reload_failed 1 5000
    expect_log "$a" "config_error: $work/config.yaml: No such file"
    expect "reload" "$(metric "$a" config_last_reload_successful)" 0
    kill -HUP "${pod_pids[$a]}" # the request gets its log line, and no further one
    says_within "$a" reload_failed 2 2000
    write_over place 'app.idle: 11s'
    says_within "$a" option_reloaded 1 5000
    expect "failures" "$(said "$a" reload_failed)" 2
    expect "reload" "$(metric "$a" config_last_reload_successful)" 1
}

# refuses_file TEXT TIMES: replaces the file by one with this text, and waits until it is refused.
refuses_file()
{
    printf '%s' "$1" >"$work/config.next"
    mv "$work/config.next" "$work/config.yaml"
    says_within "$a" reload_failed "$2" 5000
}

# In force as before, and each removal has its line.
restrictions_last()
{
    # With KEYED=1 the environment sets control.accept, which takes precedence over the file.
    local pod_environment=("${pod_environment[@]/#HEADLESSD_CONTROL_ACCEPT=*/UNSET=}")
    write_over place 'data.allow: 127.0.0.0/8' 'control.accept: none' 'keys.mode: enforce'
    pods_start "$a" -- -c "$work/config.yaml"
    refuses_file '' 1
    refuses_file '{}' 2
    refuses_file $'# only this\n' 3
    refuses_file 'data.allow: 127.0.0.0/8' 4 # its end is missing
    rm "$work/config.yaml"
    ln -s ..data/nothing "$work/config.yaml"
    says_within "$a" reload_failed 5 5000
    rm "$work/config.yaml"
    mkdir "$work/config.yaml"
    kill -HUP "${pod_pids[$a]}"
    says_within "$a" reload_failed 6 5000
    rmdir "$work/config.yaml"
    mkfifo "$work/config.yaml"
    kill -HUP "${pod_pids[$a]}"
    says_within "$a" reload_failed 7 5000
    rm "$work/config.yaml"
    expect "removed restrictions" "$(said "$a" restriction_removed)" 0
    expect "in force" "$(http "$a:8080/status" | jq -r '.options["control.accept"]')" none
    write_over rename 'control.accept: open'
    says_within "$a" restriction_removed 2 5000
    expect_log "$a" 'restriction_removed: data.allow: 0.0.0.0/0,::/0 allows more than 127.0.0.0/8; nothing sets it any more'
    expect_log "$a" 'restriction_removed: control.accept: open allows more than none'
    pods_stop "$a"
}

what_needs_a_restart()
{
    map_write 'relay.port: 12001' 'app.target: echo' 'app.idle: 10s'
    pods_start "$a" "$b" -- -c "$file" --leader "$a"
    map_write 'relay.port: 12099' 'app.target: discard' 'app.idle: 11s'
    says_within "$a" option_needs_restart 2 5000
    expect_log "$a" 'option_needs_restart: relay.port '
    expect_log "$a" 'option_needs_restart: app.target '
    expect_log "$a" ' option_reloaded: ' 1
    says_within "$b" option_needs_restart 2 5000
    expect "serves as before" "$(ask_status -e "$b:12000" "echo")" 0
    ledger_closes "$a" "$b"
}

has_reloaded()
{
    (($(metric "$1" config_reloads_total) >= $2))
}

# The first eight come faster than the polls, and only the last one is read.
ten_swaps_under_traffic()
{
    local i pod
    map_write 'app.idle: 10s'
    pods_start "$a" "$b" -- -c "$file" --leader "$a" --app echo --hold-time 1m --rcvbuf max
    "$bench" send --to "$a:12000,$b:12000" --flows 8 --size 64-1400 --rate 200/s --duration 10m --timeout 60s \
        --max-lateness 60s --json --expect-all >"$work/bench.out" 2>&1 &
    bench_pid=$!
    for i in {1..10}; do
        map_write "app.idle: $((i + 10))s"
        if ((i < 8)); then
            sleep 0.3 # the pace of these swaps
            continue
        fi
        for pod in "$a" "$b"; do
            wait_until "$pod reads it" has_reloaded "$pod" $((i - 7))
        done
    done
    kill -INT "$bench_pid"
    wait "$bench_pid" || true
    expect "what was lost, mistaken or doubled" \
        "$(jq -c '.counts | [.missing, .corrupt, .duplicate, .refused]' "$work/bench.out")" "[0,0,0,0]"
    expect_between "answers" "$(jq .counts.answered "$work/bench.out")" 200 1000000
    expect "refused" "$(metric "$a" config_reloads_refused_total)" 0
    ledger_closes "$a" "$b"
}

# Read at once, and not again for the change of the file.
sighup_is_quicker_and_not_doubled()
{
    map_write 'app.idle: 10s'
    pods_start "$a" -- -c "$file"
    map_write 'app.idle: 11s'
    kill -HUP "${pod_pids[$a]}"
    says_within "$a" option_reloaded 1 1000
    map_write 'app.idle: 12s' # the previous one would have been noticed by now
    says_within "$a" option_reloaded 2 5000
    expect "reloads" "$(metric "$a" config_reloads_total)" 2
    expect "by a signal" "$(grep -c 'reloading: .*SIGHUP' "$work/$a.log")" 1
}

# A pipe is read once: its end changes nothing.
configuration_from_a_pipe()
{
    mkfifo "$work/pipe"
    printf 'app.idle: 10s\nname: piped\n' >"$work/pipe" &
    pods_start "$a" -- -c "$work/pipe"
    expect "its name" "$(http "$a:8080/leader" | jq -r .me.name)" piped
    wait_until "three seconds are over" is_up_for "$a" 3 # time for three polls
    expect "reloads" "$(metric "$a" config_reloads_total)" 0
    kill -HUP "${pod_pids[$a]}" # nobody writes to it: the main thread must not wait for that
    says_within "$a" reload_failed 1 5000
    pods_stop "$a"
    rm "$work/pipe"
}

run "a replaced ConfigMap takes effect" config_map_swap
run "a file that is renamed, replaced or written in place takes effect" editors
run "a broken file is logged once, with its line, and changes nothing" broken_file
run "a missing file is logged once" file_that_vanishes
run "an empty or incomplete file removes no restriction, and each removal is named" restrictions_last
run "options that need a restart are logged" what_needs_a_restart
run "ten reloads under traffic lose nothing" ten_swaps_under_traffic
run_timed "SIGHUP reloads at once, and the change is not read twice" sighup_is_quicker_and_not_doubled
run "a configuration from a pipe is read once" configuration_from_a_pipe
finish
