# The four views of a pod: headlessctl status --json, headlessctl top, the page, and /metrics. Each is converted
# into lines "NAME VALUE", with a line for each member, and at rest these lines are equal. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154 # lib.sh sets them

# number_in FILE LABEL: prints its total in a frame of top.
number_in()
{
    sed -nE "s/(.*   |^)$2 +([0-9]+|-) +([0-9]+)(   .*)?$/\3/p" "$1"
}

# From headlessctl status --json.
facts_of_json()
{
    jq -r '
        .counters as $c | ($c.datagrams_received_total) as $in | (.me.role == "leader") as $leads |
        "leader \(.leader.name)", "term \(.term)",
        "received \($in.data + $in.multicast)", "delivered \($c.datagrams_delivered_total)",
        "between \(if $leads then $in.relay else $c.datagrams_relayed_total end)",
        "sent \($c.replies_sent_total)",
        "back \(if $leads then $c.replies_relayed_total else $c.replies_received_total.relay end)",
        "answered \(if $leads then $c.replies_received_total.app else "-" end)",
        "held \(.gauges.datagrams_held)", "queued \(.gauges.datagrams_queued)", "sessions \(.gauges.sessions)",
        (["datagrams", "replies", "copies"][] as $of | $c["\($of)_dropped_total"] | to_entries[] |
            select(.value > 0) | "dropped \(.key) \(.value)"),
        "ledger \(.ledger | .requests == 0 and .replies == 0 and .copies == 0)",
        (.members[] | "member \(.name) \(.address) \(.state)")' "$1"
}

# With the datagrams relayed to and received from each member, which the page shows, too.
carried_of_json()
{
    jq -r '.me.address as $me | .members[] | select(.address != $me) | "\(.address) \(.relayed) \(.received)"' "$1"
}

# figure FILE NAME{LABELS}: prints a metric's value in a copy of /metrics.
figure()
{
    awk -v name="headlessd_$2" '$1 == name { print $2 }' "$1"
}

# facts_of_metrics FILE MEMBERS: /metrics has no names of leader and members, only the number of members by state.
facts_of_metrics()
{
    local f=$1 leads
    leads=$(figure "$f" is_leader)
    echo "term $(figure "$f" term)"
    echo "received $(($(figure "$f" 'datagrams_received_total{socket="data"}') + $(figure "$f" 'datagrams_received_total{socket="multicast"}')))"
    echo "delivered $(figure "$f" datagrams_delivered_total)"
    if ((leads)); then
        echo "between $(figure "$f" 'datagrams_received_total{socket="relay"}')"
        echo "back $(figure "$f" replies_relayed_total)"
        echo "answered $(figure "$f" 'replies_received_total{from="app"}')"
    else
        echo "between $(figure "$f" datagrams_relayed_total)"
        echo "back $(figure "$f" 'replies_received_total{from="relay"}')"
        echo "answered -"
    fi
    echo "sent $(figure "$f" replies_sent_total)"
    echo "held $(figure "$f" datagrams_held)"
    echo "queued $(figure "$f" datagrams_queued)"
    echo "sessions $(figure "$f" sessions)"
    sed -nE 's/^headlessd_(datagrams|replies|copies)_dropped_total\{reason="(.*)"\} ([1-9].*)/dropped \2 \3/p' "$f"
    echo "ledger $(awk '/^headlessd_ledger_/ && $2 != 0 { open = 1 } END { print open ? "false" : "true" }' "$f")"
    sed -nE 's/^headlessd_members\{state="(.*)"\} ([1-9].*)/members \1 \2/p' "$f"
}

# From a frame of top. LEADS: yes, or empty.
facts_of_top()
{
    local f=$1 leads=$2
    sed -nE 's/^leader     (.*) \(.*/leader \1/p; s/^term       ([0-9]+), .*/term \1/p' "$f"
    echo "received $(($(number_in "$f" 'from clients') + $(number_in "$f" 'from groups')))"
    echo "delivered $(number_in "$f" 'to this app')"
    echo "between $(number_in "$f" "$([[ $leads ]] && echo from pods || echo relayed)")"
    echo "sent $(number_in "$f" 'to clients')"
    echo "back $(number_in "$f" "$([[ $leads ]] && echo to pods || echo pods replied)")"
    echo "answered $([[ $leads ]] && number_in "$f" 'app replied' || echo -)"
    sed -nE 's/^inside     ([0-9]+) held, ([0-9]+) queued, ([0-9]+) sessions/held \1\nqueued \2\nsessions \3/p' "$f"
    sed -nE '/^DROPPED/,$ s/^([a-z_]+) +[0-9-]+ +([0-9]+)   (requests|answers|copies)$/dropped \1 \2/p' "$f"
    echo "ledger $(grep -qx 'ledger     ok' "$f" && echo true || echo false)"
    sed -nE 's/^ +[0-9]+ ([^ ]+) +([0-9.]+) +([a-z]+) .*/member \1 \2 \3/p' "$f"
}

# on_page FILE ID: prints the text of the element with this id.
on_page()
{
    sed -nE "s/.*<dd data-path=\"$2\">([^<]*)<.*/\1/p" "$1" | tr -d ,
}

facts_of_page()
{
    local f=$1 ways ledger
    mapfile -t ways < <(sed -n '/<svg class="flow"/p' "$f" | grep -oE '<text class="total"[^>]*>[^<]*' | sed 's/.*>//' | tr -d ,)
    sed -nE 's|.*<h1 id="leader">([^<]*)</h1>.*|leader \1|p' "$f"
    sed -nE 's|.*<b id="term">([0-9]+)</b>.*|term \1|p' "$f"
    echo "received ${ways[0]}"
    sed -nE 's|.* Its own app got <b>([0-9,]*)</b>;.*|delivered \1|p' "$f" | tr -d ,
    echo "between ${ways[2]}"
    echo "sent ${ways[1]}"
    echo "back ${ways[3]}"
    echo "answered ${ways[5]/–/-}" # this pod does not know the replies of another pod's app
    for ledger in held queued; do
        echo "$ledger $(on_page "$f" "gauges.datagrams_$ledger")"
    done
    echo "sessions $(on_page "$f" gauges.sessions)"
    sed 's/<li /\n&/g' "$f" | sed -nE 's/^<li data-reason="([a-z_]+)">.* data-total="([0-9]+)".*/dropped \1 \2/p'
    ledger="$(on_page "$f" ledger.requests) $(on_page "$f" ledger.replies) $(on_page "$f" ledger.copies)"
    echo "ledger $([[ $ledger == "0 0 0" ]] && echo true || echo false)"
    sed -nE 's/.*<tr role="row" data-member="([^"]*)" data-name="([^"]*)" data-state="([^"]*)">.*/member \2 \1 \3/p' "$f"
}

carried_of_page()
{
    sed -nE '/data-member=/ s/.*data-member="([^"]*)".*data-total="([0-9]+)".*data-total="([0-9]+)".*/\1 \2 \3/p' "$1"
}

# same WHAT FILE FILE
same()
{
    diff "$2" "$3" >"$work/difference" || fail "$1 differ: $(grep '^[<>]' "$work/difference" | tr '\n' ' ')"
}

# all_four_agree ADDRESS: requested at the same time, all four have the same facts.
all_four_agree()
{
    local leads asked=() pid
    http "$1:8080/" >"$work/page.html" &
    asked+=($!)
    http "$1:8080/metrics" >"$work/metrics.text" &
    asked+=($!)
    "$headlessctl" --admin "$1" top --count 1 >"$work/top.text" &
    asked+=($!)
    "$headlessctl" --admin "$1" status --json >"$work/status.json" || fail "status --json: status $?"
    for pid in "${asked[@]}"; do # each one's status
        wait "$pid" || fail "one of the four: status $?"
    done
    leads=$(jq -r 'select(.me.role == "leader") | "yes"' "$work/status.json")
    facts_of_json "$work/status.json" | sort >"$work/facts.json"
    facts_of_page "$work/page.html" | sort >"$work/facts.page"
    facts_of_top "$work/top.text" "$leads" | sort >"$work/facts.top"
    same "status --json and the page of $1" "$work/facts.json" "$work/facts.page"
    same "status --json and top of $1" "$work/facts.json" "$work/facts.top"
    facts_of_metrics "$work/metrics.text" | sort >"$work/facts.metrics"
    awk '$1 == "member" { states[$4]++; next } $1 != "leader" { print }
        END { for (state in states) print "members", state, states[state] }' "$work/facts.json" | sort >"$work/facts.expected"
    same "status --json and /metrics of $1" "$work/facts.expected" "$work/facts.metrics"
    carried_of_json "$work/status.json" >"$work/carried.json"
    carried_of_page "$work/page.html" >"$work/carried.page"
    same "what was carried, in status --json and on the page of $1," "$work/carried.json" "$work/carried.page"
    expect_between "facts of $1" "$(wc -l <"$work/facts.json")" 15 30
    expect "members that it carries to" "$(wc -l <"$work/carried.json")" 2
}
