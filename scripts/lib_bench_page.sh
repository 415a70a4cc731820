# For scripts/bench: makes a page with tables and plots from its results. Sourced after lib.sh.
#
# Results are lines "CASE ROUND FORWARDER COLUMN VALUE" with tabs between them.
# shellcheck shell=bash disable=SC2154 # set in scripts/bench

# The targets, one row each, separated by |:
#   text | >= or <= or - (reported only) | limit | ratio, or mib (the largest of all runs) |
#   case forwarder | case forwarder (of the divisor) | column
# A ratio is taken within each round; the median of the ratios is compared with the limit.
targets()
{
    cat <<'ROWS'
own CPU a datagram, raw, run to completion, relative to the minimal receive + GSO|<=|1.15|ratio|base raw-0|base receive-gso|own
the same, pipeline|<=|1.35|ratio|base raw-1|base receive-gso|own
own CPU, sealed relative to open frames, pipeline (the defaults)|<=|1.15|ratio|base sealed-1|base framed-1|own
the same, run to completion|<=|1.15|ratio|base sealed-0|base framed-0|own
own CPU, framed, run to completion, relative to the minimal receive + pack + GSO|<=|1.25|ratio|base framed-0|base receive-pack-gso|own
the same, pipeline|-|0|ratio|base framed-1|base receive-pack-gso|own
the same, run to completion, sizes of 64 to 1,400 mixed|<=|1.4|ratio|mix framed-0|mix receive-pack-gso|own
own CPU of nginx stream, relative to headlessd, at a rate that both carry: raw, run to completion|>=|10|ratio|carried nginx|carried raw-0|own
the same, framed, pipeline (the defaults)|>=|10|ratio|carried nginx|carried framed-1|own
the same, at 200,000/s, per delivered datagram: raw, run to completion|>=|10|ratio|base nginx|base raw-0|own
CPU of the whole machine, relative to nftables DNAT, single arrivals, to an app: raw, run to completion|<=|0.9|ratio|app raw-0|app dnat|machine
the same, pipeline|<=|0.9|ratio|app raw-1|app dnat|machine
the same, framed, pipeline|<=|0.9|ratio|app framed-1|app dnat|machine
the same, to a sink that is not woken: raw, run to completion|-|0|ratio|base raw-0|base dnat|machine
own CPU, merged arrivals, raw, pipeline (the default), relative to the minimal GRO + GSO|<=|1.25|ratio|merged raw-1|merged gro-gso|own
the same, run to completion|<=|1.25|ratio|merged raw-0|merged gro-gso|own
delivered at 150 % load, raw, run to completion, relative to the minimal receive + GSO|>=|0.95|ratio|over150 raw-0|over150 receive-gso|delivered
the same, pipeline|>=|0.95|ratio|over150 raw-1|over150 receive-gso|delivered
delivered at 200 % load, raw, run to completion|>=|0.95|ratio|over200 raw-0|over200 receive-gso|delivered
the same, pipeline|>=|0.95|ratio|over200 raw-1|over200 receive-gso|delivered
delivered at 200 % load, framed, run to completion, relative to the minimal receive + pack + GSO|>=|0.95|ratio|over200 framed-0|over200 receive-pack-gso|delivered
the same, pipeline|>=|0.95|ratio|over200 framed-1|over200 receive-pack-gso|delivered
round trip at 1,000/s, relative to nginx stream, run to completion, p50|<=|1.1|ratio|trip framed-0|trip nginx|p50
the same, p99|<=|1.1|ratio|trip framed-0|trip nginx|p99
round trip at 1,000/s, relative to nginx stream, pipeline, p50|<=|1.6|ratio|trip framed-1|trip nginx|p50
the same, p99|<=|1.6|ratio|trip framed-1|trip nginx|p99
round trip measured by headless-bench, relative to sockperf on the same path, p50|<=|1.1|ratio|tools headless-bench|tools sockperf|p50
sockperf relative to headless-bench, p50|<=|1.1|ratio|tools sockperf|tools headless-bench|p50
resident memory, idle, MiB|<=|16|mib|any framed-1||idle
maximum resident memory, defaults, MiB: framed|<=|96|mib|any framed-1||peak
the same, raw|<=|96|mib|any raw-1||peak
own CPU, 2 receivers and 2 workers at twice the load, relative to 1 and 1|<=|1.1|ratio|threads2 raw-2|threads1 raw-1|own
ROWS
}

# Case, and the heading of its table.
case_titles()
{
    cat <<ROWS
base|200,000/s, 100 bytes, 8 flows, single datagrams
carried|$(thousands "$carried")/s (carried by all), 100 bytes, 8 flows, single datagrams
app|200,000/s, 100 bytes, 8 flows, single datagrams, to a leader that is woken for each datagram and reads one at a time, as an app does
merged|200,000/s, 100 bytes, 8 flows, merged arrivals: GSO batches of 64
mix|200,000/s, sizes of 64 to 1,400 bytes mixed, 8 flows, single datagrams
size64|200,000/s, 64 bytes, 8 flows
size512|200,000/s, 512 bytes, 8 flows
size1400|200,000/s, 1,400 bytes, 8 flows
flows1|200,000/s, 100 bytes, 1 flow
flows512|200,000/s, 100 bytes, 512 flows
over150|150 % of the capacity of the minimal receive + GSO: $(thousands "$over150")/s, 100 bytes, 8 flows
over200|200 % of it: $(thousands "$over200")/s, 100 bytes, 8 flows
full|200 % of it, sizes of 64 to 1,400 bytes mixed, 512 flows
threads1|40,000/s, 100 bytes, 512 flows, one receiver and one worker
threads2|80,000/s, 100 bytes, 512 flows, two receivers and two workers
ROWS
}

thousands()
{
    sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"
}

# tenths N: 12 is 1.2
tenths()
{
    echo "$(($1 / 10)).$(($1 % 10))"
}

# statistics PROGRAM [VARIABLE=VALUE...]: awk over the results, with the functions of all tables.
# shellcheck disable=SC2016 # awk expands it
statistics()
{
    local program=$1
    shift
    awk -F '\t' "${@/#/-v}" '
        { value[$1, $3, $4, $2] = $5; if ($2 > rounds) rounds = $2 }
        function sort(n, a,    i, k, x) {
            for (i = 2; i <= n; i++) {
                x = a[i]
                for (k = i - 1; k > 0 && a[k] > x; k--) a[k + 1] = a[k]
                a[k + 1] = x
            }
        }
        # into one[]: the figures of all rounds that have one, sorted; returns their number
        function figures(group, name, column,    r, n) {
            for (r = 1; r <= rounds; r++)
                if ((group, name, column, r) in value && value[group, name, column, r] != "-")
                    one[++n] = value[group, name, column, r] + 0
            sort(n, one)
            return n + 0
        }
        function ratios(a, b, column,    r, n, x, y) {
            for (r = 1; r <= rounds; r++) {
                x = value[part(a, 1), part(a, 2), column, r]
                y = value[part(b, 1), part(b, 2), column, r]
                if (x + 0 > 0 && y + 0 > 0) one[++n] = x / y
            }
            sort(n, one)
            return n + 0
        }
        # into one[]: the figures of all cases and rounds
        function all_of(name, column,    k, n, of) {
            for (k in value) {
                split(k, of, SUBSEP)
                if (of[2] == name && of[3] == column && value[k] != "-") one[++n] = value[k] + 0
            }
            sort(n, one)
            return n + 0
        }
        function part(text, n,    words) { split(text, words, " "); return words[n] }
        function median(n) { return n % 2 ? one[(n + 1) / 2] : (one[n / 2] + one[n / 2 + 1]) / 2 }
        function comma(x,    text) {
            text = sprintf("%.0f", x)
            while (match(text, /^[0-9]+[0-9][0-9][0-9]($|,)/))
                text = thousand(text)
            return text
        }
        function thousand(text,    at) {
            at = index(text, ",") ? index(text, ",") - 1 : length(text)
            return substr(text, 1, at - 3) "," substr(text, at - 2)
        }
        # median (least..most)
        function spread(group, name, column, format,    n) {
            n = figures(group, name, column)
            if (!n) return "-"
            if (format == "") return comma(median(n)) " (" comma(one[1]) ".." comma(one[n]) ")"
            return sprintf(format " (" format ".." format ")", median(n), one[1], one[n])
        }'"$program" "$results"
}

# The table of targets: one row each; rows without figures say "not run".
targets_table()
{
    echo "| | target | median (range) | |"
    echo "|---|---|---|---|"
    # shellcheck disable=SC2016 # awk expands it
    targets | while IFS='|' read -r text op limit kind a b column; do
        statistics 'END {
            n = kind == "ratio" ? ratios(a, b, column) : all_of(part(a, 2), column)
            if (!n) { printf "| %s | %s | - | not run |\n", text, want(); exit }
            if (kind == "ratio") {
                figure = median(n)
                shown = sprintf("%.2f (%.2f..%.2f)", figure, one[1], one[n])
            } else {
                figure = one[n] / 1024
                shown = sprintf("%.1f", figure)
            }
            reached = op == "<=" ? figure <= limit : figure >= limit
            printf "| %s | %s | %s | %s |\n", text, want(), shown,
                op == "-" ? "" : reached ? "pass" : "**miss**"
        }
        function want() { return op == "-" ? "-" : op " " limit (kind == "ratio" ? "x" : "") }' \
            "text=$text" "op=$op" "limit=$limit" "kind=$kind" "a=$a" "b=$b" "column=$column"
    done
}

# case_table CASE: a row for each forwarder of the case.
case_table()
{
    local name
    cat <<'HEAD'
| | own CPU, ns a datagram | whole machine, ns a datagram | offered a second | delivered a second | delivered % |
|---|---|---|---|---|---|
HEAD
    for name in "${order[@]}"; do
        # shellcheck disable=SC2016 # awk expands it
        statistics 'END {
            if (figures(group, name, "machine"))
                printf "| %s | %s | %s | %s | %s | %s |\n", title, spread(group, name, "own"),
                    spread(group, name, "machine"), spread(group, name, "offered"),
                    spread(group, name, "delivered"), spread(group, name, "percent", "%.1f")
        }' "group=$1" "name=$name" "title=${titles[$name]}"
    done
}

# trip_table CASE FORWARDER...: round trips.
trip_table()
{
    local case=$1 name
    shift
    echo "| | p50, µs | p99, µs | lost |"
    echo "|---|---|---|---|"
    for name in "$@"; do
        # shellcheck disable=SC2016 # awk expands it
        statistics 'END {
            printf "| %s | %s | %s | %s |\n", title, spread(group, name, "p50", "%.1f"),
                spread(group, name, "p99", "%.1f"), spread(group, name, "lost")
        }' "group=$case" "name=$name" "title=${titles[$name]/nginx stream/nginx stream and an echo server}"
    done
}

has_case()
{
    grep -q "^$1	" "$results"
}

case_tables()
{
    local case title
    while IFS='|' read -r case title; do
        has_case "$case" || continue
        printf '\n### %s\n\n' "$title"
        case_table "$case"
    done < <(case_titles)
}

# ---- plots

# draw CASE FILE TITLE: bars of own and whole-machine CPU a datagram, with their ranges.
draw()
{
    local name data=$work/plot.tsv
    for name in "${order[@]}"; do
        # shellcheck disable=SC2016 # awk expands it
        statistics 'END {
            n = figures(group, name, "own")
            own = n ? median(n) "\t" one[1] "\t" one[n] : "0\t0\t0"
            n = figures(group, name, "machine")
            gsub(/, | \+ 2/, "&\\n", title)
            if (n) printf "\"%s\"\t%s\t%s\t%s\t%s\n", title, own, median(n), one[1], one[n]
        }' "group=$1" "name=$name" "title=${titles[$name]}"
    done >"$data"
    gnuplot <<PLOT
set terminal svg size 960,460 font "sans-serif,12" background "#ffffff"
set output "$2"
set title "$3"
set datafile separator "\t"
set style data histogram
set style histogram errorbars gap 1 lw 1
set style fill solid 0.8 noborder
set boxwidth 0.9
set logscale y
set yrange [100:*]
set ylabel "CPU time, ns a datagram"
set grid ytics lc "#dddddd"
set xtics rotate by -35 scale 0
set key top left
plot "$data" using 2:3:4:xtic(1) title "own" lc "#1565c0", \
    "" using 5:6:7 title "whole machine, sender and sink included" lc "#b0bec5"
PLOT
}

# ---- the page

pictures()
{
    local case
    for case in base merged; do
        has_case "$case" || continue
        draw "$case" "${page%.md}-$case.svg" "$(case_titles | sed -n "s/^$case|//p")"
        printf '![CPU time a datagram](%s)\n\n' "$(basename "${page%.md}")-$case.svg"
    done
}

# meta NAME: prints a fact that the run recorded about itself.
meta()
{
    awk -F '\t' -v name="$1" '$1 == "meta" && $4 == name { print $5 }' "$results"
}

write_page()
{
    carried=$(meta carried) over150=$(meta over150) over200=$(meta over200)
    cat <<PAGE
# Benchmarks

Written by \`scripts/bench\`: $(meta rounds) interleaved rounds, each with one run of every forwarder, spans of
$(meta span) s after $(meta warm) s of warm-up. Figures are medians (minimum..maximum). Ratios are taken
within one round, between runs less than a minute apart, and their median is compared with the target: absolute
figures of a small virtual machine vary by 30 %, ratios are stable. Run to completion is \`workers: 0\`; the pipeline is
one receiver and one worker, connected by rings.

## Targets

$(targets_table)

## Results

$(pictures)
$(case_tables)

### Round trip at 1,000/s, 100 bytes, 8 flows

Client, follower, the leader's echo app, and back the same path; for nginx stream an echo server behind it.

$(trip_table trip nginx framed-0 framed-1 sealed-1)

### Comparison of the bench tool with sockperf

Client to leader without a forwarder, one datagram of 100 bytes at a time, each tool with its own echo server.

$(trip_table tools sockperf headless-bench)

## How it was measured

Client, pod and leader are network namespaces; the pod has a veth link to each of the others and routes
between them. Sender, forwarder and sink share the machine's cores, unpinned. The sender runs at nice -10, like an
interrupt. The sink reads every half a millisecond and receives GRO batches whole (UDP_GRO): waking it and splitting
batches is work of another host, which here would be charged to the forwarder. Only where the whole machine is
measured, against DNAT, the sink is woken and reads one datagram at a time, as an app does. For \`framed\` the sink is
headlessd as the leader, app \`discard\`, which is woken; so is the sink of the minimal receive + pack + GSO.

- **Own CPU**: the run time of all threads of the forwarder (\`/proc/PID/task/*/schedstat\`) in the span, divided by the
  datagrams delivered in it. It includes the kernel's work in their context: the path to the leader's socket.
- **Whole machine**: the time of all cores less the idle and stolen time in \`/proc/stat\`, which is measured (user,
  system and softirq are only sampled); it includes sender and sink.
- **Delivered**: counted by the sink, for packed frames by their records, for \`framed\` by the leader's app;
  offered: sent by the sender's kernel (\`/proc/net/snmp\`).
- **Minimal loops**: \`udp-limit\` (bench/limit), a screenful of C each, in the same place with the same receive
  buffer, $((rcvbuf / 1024)) KiB, the default limit in pods.
- **Arrivals**: a paced open loop, 16 datagrams of one flow, then 16 of the next; merged: 64 in one send with
  UDP_SEGMENT. (With batches of 16 the cost of waking a process on a virtual machine dominates.)
- **nginx stream**: one process, defaults; its sessions stay open, which is the cheap case. **socat**: one way,
  UDP4-RECV to UDP4-SENDTO. **nftables**: one DNAT rule, which implies connection tracking.
- **Load in percent**: of the highest rate of which the minimal receive + GSO loop delivered 99 %,
  $(thousands "$(meta capacity)")/s here. Datagrams that the sender had no CPU time to send are not in "offered".
- **2 receivers and 2 workers** get twice the load of 1 and 1, so that batches have the same size.
- **Resident memory**: VmRSS before the first datagram, VmHWM after the last; the largest of all rounds.

## Environment

$(meta kernel), $(meta cores) x $(meta cpu), $(meta memory) MiB; other programs used $(meta busy) % of it before the run, and the
hypervisor took $(tenths "$(meta stolen)") % of its time during the run.
headlessd $(meta commit), built by $(meta compiler); nginx $(meta nginx); socat $(meta socat);
sockperf $(meta sockperf); nftables $(meta nft). $(meta date).

## Reproduction

\`\`\`sh
./scripts/bench          # installs its packages, about 25 minutes, writes this page
./scripts/bench quick    # 100 bytes, 8 flows, 3 rounds: 4 minutes, writes build/bench/quick.md
./scripts/bench page     # rewrites this page from the last figures, build/bench/full.tsv
\`\`\`

As root, on Debian 12, on a machine without other load.
PAGE
}
