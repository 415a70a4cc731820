# For scripts/bench admin: response times of the admin port under full load, and the cost of scraping for the
# data plane. Sourced after lib_bench.sh.
# shellcheck shell=bash disable=SC2154 # set in scripts/bench and lib_bench.sh

admin_rate=200000
admin_full_rate=600000 # more than two cores can carry
admin_paths=(/livez /readyz /metrics)

# cost_of SECONDS: the forwarder's CPU time, in ns a datagram delivered; sets cost.
cost_of()
{
    local own came
    read_counters framed-1
    own=$ret_own came=$ret_came
    sleep "$1"
    read_counters framed-1
    ((ret_came > came)) || die "nothing was delivered: $(tail -qn 3 "$work"/*.log)"
    cost=$(((ret_own - own) / (ret_came - came)))
}

scrape()
{
    begin scraper pod "$build/tests/http_time" "$pod_out:8080" 1000000 100 "${admin_paths[@]}"
}

# admin_pair ROUND: "QUIET SCRAPED", measured one after the other; every second round in reverse order.
admin_pair()
{
    local quiet scraped
    if (($1 % 2)); then
        cost_of "$span" && quiet=$cost
    fi
    scrape
    cost_of "$span" && scraped=$cost
    finish scraper
    if (($1 % 2 == 0)); then
        cost_of "$span" && quiet=$cost
    fi
    echo "$quiet $scraped"
}

# admin_send RATE SECONDS: in the background.
admin_send()
{
    begin sender client nice -n -10 "$limit" send --to "$pod_in:$port" --rate "$1" --size 100 --flows 8 \
        --gso 1 --duration "$2"
    sleep "$warm"
}

# Prints the median of the ratios, and their range.
admin_ratio()
{
    awk '{ printf "%.4f\n", $2 / $1 }' "$work/pairs" | sort -n | awk '
        { ratio[NR] = $1 }
        END { printf "%.3f %.3f %.3f\n", ratio[int((NR + 1) / 2)], ratio[1], ratio[NR] }'
}

admin_verdict()
{
    awk -v is="$1" -v most="$2" 'BEGIN { print is <= most ? "pass" : "**miss**" }'
}

admin_page()
{
    local round path ok median p90 p99 most ratio least greatest
    bench_open
    use_sink paused
    measure_other_load >&2
    start_forwarder framed-1
    admin_send "$admin_rate" 600
    for ((round = 1; round <= rounds; round++)); do
        admin_pair "$round" | tee -a "$work/pairs" >&2
    done
    finish sender
    admin_send "$admin_full_rate" 30
    in_host pod "$build/tests/http_time" "$pod_out:8080" 300 10 "${admin_paths[@]}" >"$work/times"
    finish sender
    stop_forwarder framed-1
    read -r ratio least greatest < <(admin_ratio)
    cat <<PAGE
# The admin port under load

Written by \`scripts/bench admin\`: $rounds pairs of spans of $span s, a follower that relays (framed, pipeline).

| | target | measured | |
|---|---|---|---|
| own CPU a datagram at $admin_rate/s, each of ${admin_paths[*]} requested every 100 ms, to no requests: median (range) | <= 1.03x | $ratio ($least..$greatest) | $(admin_verdict "$ratio" 1.03) |
PAGE
    while read -r path ok median p90 p99 most; do
        echo "| $path at $admin_full_rate/s offered, an overload: p99, ms; $ok of 300 answered, p50 $median µs," \
            "p90 $p90 µs, max. $most µs | <= 50 | $((p99 / 1000)).$((p99 % 1000 / 100)) | $(admin_verdict "$p99" 50000) |"
    done <"$work/times"
}
