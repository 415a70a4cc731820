#!/usr/bin/env bash
# Multicast groups: each pod's app gets each datagram once, and the client gets one reply, the leader's.
# Three pods and a client in namespaces, on a bridge that forwards only to links that have joined.
#
#   tests/cluster/test_multicast.sh BUILD_DIR
#
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib_net.sh
. "$(dirname "$0")/lib_net.sh"
# shellcheck source-path=SCRIPTDIR source=lib_stream.sh
. "$(dirname "$0")/lib_stream.sh"

net_possible || {
    skip "multicast in namespaces" "needs root and network namespaces"
    finish
    exit
}
net_make 3
net_make_multicast
pod_environment+=(HEADLESSD_RCVBUF=max)
ipv4=239.77.1.1
ipv6=ff05::77
link=ff02::77 # link-local: it cannot be joined without an interface
stream_options=(-i eth0)
rate=300
span=2000 # milliseconds
timed eval rate=1000 span=4000

# use 4|6: selects the family of the pods' addresses.
use()
{
    local i
    pods=()
    for i in 1 2 3; do
        [[ $1 == 4 ]] && pods+=("10.77.0.$i") || pods+=("[fd77::$i]")
    done
    a=${pods[0]} b=${pods[1]} c=${pods[2]}
}
use 4

peers()
{
    local IFS=, list
    list="${pods[*]}"
    echo "${list//[][]/}"
}

are_members()
{
    (($(net_members "$1") == 3))
}

# start GROUPS OPTION...: starts three pods, of which the first leads, and waits until the bridge knows their links. SELF
# in an option is the pod's own address.
start()
{
    local groups=$1 group pod
    shift
    for pod in "${pods[@]}"; do # the configured leader first: otherwise the others may elect another one
        pod_launch "$pod" --peers "$(peers)" --leader "${a//[][]/}" \
            --multicast-groups "$groups" "${@/SELF/${pod//[][]/}}"
        [[ $pod != "$a" ]] || wait_until "pod $a lives" is_alive "$a"
    done
    for pod in "${pods[@]}"; do
        pod_wait "$pod"
    done
    wait_until "all follow the configured leader" agree "${a//[][]/}" "${pods[@]}"
    wait_until "their votes count" are_settled "${pods[@]}"
    for group in ${groups//,/ }; do
        wait_until "the bridge knows the members of $group" are_members "${group%\%*}"
    done
}

# stream_to GROUP: sends a stream, and waits for its end.
stream_to()
{
    local group=$1
    [[ $group != *:* ]] || group="[$group]"
    stream_start "$rate" "$span" "$group"
    wait_until "the stream ends" has_ended "$stream_pid"
    stream_end
}

# each_app_was_given N: each app got N, all by multicast, and only the leader replied.
each_app_was_given()
{
    local pod
    for pod in "${pods[@]}"; do
        metric_becomes "$pod" 'datagrams_received_total{socket="multicast"}' "$1"
        metric_becomes "$pod" datagrams_delivered_total "$1"
        metric_becomes "$pod" 'datagrams_received_total{socket="data"}' 0
    done
    ledger_closes "${pods[@]}"
    expect "between pods" "$(total 'datagrams_received_total{socket="relay"}' "${pods[@]}")" 0
    expect "answers sent" "$(total replies_sent_total "$a")" "$1"
    expect "suppressed at the followers" "$(total replies_suppressed_total "$b" "$c")" $((2 * $1))
    expect "suppressed at the leader" "$(metric "$a" replies_suppressed_total)" 0
    expect "drops by the kernel" "$(total 'socket_drops_total{socket="multicast"}' "${pods[@]}")" 0
}

to_a_group()
{
    start "$@"
    stream_to "${1%\%*}"
    expect "lost" "$lost" 0
    each_app_was_given "$sent"
}

# Pods with IPv4 addresses, and a group of IPv6: the kernel chooses the source of the reply.
to_the_other_family()
{
    local said
    start "$link%eth0"
    said=$(published hello --multicast "$link") || true
    expect_match "the answer" "$said" '^\[(fd77::1|fe80::[0-9a-f:]+%[0-9]+)\]:12000: [0-9.]+ ms: hello'
    expect_match "the only one" "$said" '1 replied$'
    stream_to "$link"
    expect "lost" "$lost" 0
    each_app_was_given $((sent + 1))
}

# Each app records its datagrams: all of them, once.
to_udp_apps()
{
    local pod place i
    rm -rf "$work"/seen-*
    for pod in "${pods[@]}"; do
        mkdir "$work/seen-$pod"
        place=$(net_place "$pod")
        app_start "app-$pod" ip netns exec "$place" "$tools/udp_app" 127.0.0.1:5300 echo "$work/seen-$pod"
    done
    start "$ipv4" --app udp://127.0.0.1:5300 "$@"
    for ((i = 1; i <= 20; i++)); do
        echo "message $i"
    done | published - --multicast "$ipv4" --wait 200ms >"$work/said" || true # one answered later
    wait_until "all apps have seen it" have_seen 20
    for pod in "${pods[@]}"; do
        expect "what the app of $pod saw" "$(contents "$work/seen-$pod" | sort)" \
            "$(printf 'message %d\n' {1..20} | sort)"
    done
    ledger_closes "${pods[@]}"
    expect "answers sent" "$(total replies_sent_total "${pods[@]}")" 20
}

# have_seen N: true if each app has recorded N.
have_seen()
{
    local pod
    for pod in "${pods[@]}"; do
        (($(find "$work/seen-$pod" -name '[0-9]*' | wc -l) == $1)) || return 1
    done
}

contents()
{
    local file
    for file in "$1"/[0-9]*; do
        cat "$file"
        echo
    done
}

# published OPERAND OPTION...: prints headlessctl's output.
published()
{
    "${pod_wrapper[@]}" "$headlessctl" publish --interface eth0 --wait 3s "$@"
}

replies_are_printed()
{
    local said status=0
    start "$ipv4" --app whoami
    said=$(published "$(printf '%99s' "")" --multicast "$ipv4") || fail "exit code of one answer"
    expect_match "the leader's address" "$said" "^$a:12000: [0-9.]+ ms: $a $a leader term [0-9]+ via $a you $net_client"
    expect_match "the only one" "$said" '1 replied$'
    expect "lines" "$(printf 'one\ntwo\n' | published - --multicast "$ipv4:12000" | grep -c '^1 replied$')" 2
    said=$(published x --multicast 239.77.1.9) || status=$?
    expect "exit code where nobody is" "$status" 1
    expect "what it says" "$said" "0 replied"
    said=$(published "$(probe)" --multicast "$ipv4") || true
    expect_match "a probe" "$said" "\"leader\":\"$a\",\"address\":\"$a\",\"via\":\"$a\""
    expect_match "answered by the leader alone" "$said" '1 replied$'
    ledger_closes "${pods[@]}"
}

probe()
{
    printf '{"probe":"77","pad":"%200s"}' ""
}

# All pods receive the command once, and the pod that it names replies.
commanded()
{
    local term said
    start "$ipv4"
    term=$(metric "$a" term)
    said=$(published "{\"leader\":\"$b\"}" --multicast "$ipv4" --wait 10s) || true
    expect_match "who answers" "$said" "^$b:12000: [0-9.]+ ms: ok $((term + 1))"
    expect_match "the only one" "$said" '1 replied$'
    wait_until "all follow it" agree "$b" "${pods[@]}"
    expect "term" "$(metric "$a" term)" $((term + 1))
    said=$(published '{"leader":"10.77.0.9"}' --multicast "$ipv4") || true
    expect "one that names nobody" "$said" "0 replied"
    said=$(published '{"leader":' --multicast "$ipv4") || true
    expect "a broken one" "$said" "0 replied"
    expect "commands, and what became of them" \
        "$(total 'control_messages_total{result="ok"}' "${pods[@]}")" 3
    expect "no member" "$(total 'control_messages_total{result="no_member"}' "${pods[@]}")" 3
    expect "bad json" "$(total 'control_messages_total{result="bad_json"}' "${pods[@]}")" 3
    ledger_closes "${pods[@]}"
}

# No datagram gets two replies; datagrams without a leader are held, and get theirs later.
leader_dies()
{
    local before
    start "$ipv4" --hold-time 1m
    stream_start "$rate" 600000 "$ipv4"
    wait_until "traffic flows" delivers_more $((rate / 2)) "$b"
    pod_kill "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    before=$(total replies_sent_total "$b" "$c")
    wait_until "and answers" sends_more "$before"
    stream_end
    ledger_closes "$b" "$c"
    timed expect_between "lost" "$lost" 0 $((4 * rate)) # until the others have detected the failure
}

sends_more()
{
    (($(total replies_sent_total "$b" "$c") > $1 + rate / 4))
}

# A leader that stops leaves the group; the others continue, and nothing is lost.
one_stops()
{
    start "$ipv4"
    stream_start "$rate" 600000 "$ipv4"
    wait_until "traffic flows" delivers_more $((rate / 2)) "$a"
    pod_stop "$a"
    wait_until "another leads" agree_without "$a" "$b" "$c"
    replies_come "$b" "$c"
    stream_end
    ledger_closes "$b" "$c"
    timed expect_between "lost" "$lost" 0 "$rate" # sent before the change was known: mostly none
}

# An interface without multicast: one log line that says what to do, and unicast continues; the group is joined as soon
# as the interface has multicast.
impossible()
{
    local log=$work/$c.log
    ip -n "$(net_place "$c")" link set eth0 multicast off
    pod_launch "$c" --peers "${c}" --app echo --multicast-groups "$ipv4"
    pod_wait "$c"
    wait_until "it leads" has_leader "$c"
    expect_log "$c" multicast 1
    expect_match "what it says" "$(grep multicast "$log")" \
        "error multicast_failed: multicast.groups: cannot join $ipv4: .*unicast goes on; name an interface"
    expect "groups joined" "$(metric "$c" multicast_groups)" 0
    expect "unicast" "$(ask "$c" hello)" hello
    ip -n "$(net_place "$c")" link set eth0 multicast on
    wait_until "it is tried again" metric_is "$c" multicast_groups 1
    expect_log "$c" "info +group_joined: multicast.groups: joined $ipv4"
    expect "told once" "$(grep -c multicast_failed "$log")" 1
    replies_in_groups "$ipv4"
    ledger_closes "$c"
}

# replies_in_groups GROUP...: pod C replies to requests in each group.
replies_in_groups()
{
    local group
    for group in "$@"; do
        wait_until "the bridge knows that $group was joined" is_joined "$group"
        expect_match "replies in $group" "$(published hello --multicast "$group")" ": hello"$'\n''1 replied$'
    done
}

is_joined()
{
    (($(net_members "$1") == 1))
}

plug_in()
{
    local place
    place=$(net_place "$c")
    ip link add p31 netns "$net_id-sw" type veth peer name eth1 netns "$place"
    ip -n "$net_id-sw" link set p31 master br0 up
    ip -n "$place" addr add 10.78.0.3/24 dev eth1
    ip -n "$place" link set eth1 up
}

# The interface is created after the pod's start, removed, and created again with the same name. The socket of a
# link-local group stays with the first one.
comes_late()
{
    local log=$work/$c.log
    pod_launch "$c" --peers "${c}" --app echo --multicast-groups "$ipv4%eth1,$link%eth1" "$@"
    pod_wait "$c"
    wait_until "it leads" has_leader "$c"
    expect "groups joined at the start" "$(metric "$c" multicast_groups)" 0
    plug_in
    wait_until "both are joined" metric_is "$c" multicast_groups 2
    replies_in_groups "$ipv4" "$link"
    ip -n "$net_id-sw" link del p31
    wait_until "it is noticed" metric_is "$c" multicast_groups 0
    expect_log "$c" "warn  *group_lost" 2
    plug_in
    wait_until "it is joined again" metric_is "$c" multicast_groups 1
    replies_in_groups "$ipv4"
    wait_until "the other one is told" says "$log" "cannot join $link%eth1: .*interface has gone: restart"
    expect "unicast" "$(ask "$c" hello)" hello
    ledger_closes "$c"
    expect "loses nothing" "$(metric "$c" 'datagrams_received_total{socket="multicast"}')" 3
    ip -n "$net_id-sw" link del p31
}

says()
{
    grep -q "$2" "$1"
}

# to_groups RUN NAME GROUP "OPTION..."...: runs the scenario with each of these sets of options.
to_groups()
{
    local run=$1 name=$2 group=$3 options
    shift 3
    for options in "$@"; do
        # shellcheck disable=SC2086 # options are words
        "$run" "$name ${options:-with default options}" to_a_group "$group" $options
    done
}

to_groups run IPv4 "$ipv4" "" "--bind SELF --receivers 2 --workers 0" "--receivers 2 --workers 2"
to_groups run_long IPv4 "$ipv4" "--receivers 2 --workers 0" "--bind SELF" "--route all"
run_long "pods with IPv4 addresses, an IPv6 group" to_the_other_family
run_long "each UDP app gets each datagram once, without rings" to_udp_apps --workers 0
run "each UDP app gets each datagram once" to_udp_apps
use 6
to_groups run IPv6 "$ipv6" "--receivers 2 --workers 2"
to_groups run_long IPv6 "$ipv6" "" "--receivers 2 --workers 0" "--bind SELF"
run_long "IPv6, a link-local group" to_a_group "$link%eth0" --receivers 2
use 4
run "headlessctl publish prints the replies" replies_are_printed
run "a leader command to the group takes effect once" commanded
run "multicast continues after the leader dies" leader_dies
run_long "multicast continues after the leader stops" one_stops
run "an interface without multicast is reported" impossible
run "a group is joined when its interface appears" comes_late
run_long "a group is joined when its interface appears, without rings" comes_late --workers 0
finish
