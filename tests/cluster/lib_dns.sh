# A real DNS server for discovery, and pods that use only this one. Sourced after lib.sh.
#
#   dns_start                  starts dnsmasq at $dns_address, in the current network namespace
#   dns_set NAME ADDRESS...    sets the addresses of a name; returns when the server has them
#   dns_silent, dns_heard      drops queries; accepts them again
#   dns_stop                   stops the server
#   dns_patience S N           lookups take up to N attempts of S seconds
#   dns_asked ADDRESS...       these pods use it: they get their own /etc/resolv.conf
#
# Only this mount namespace and these processes use the name server; no file of the machine is
# changed. Needs root: see dns_possible.
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh sets them, and uses what is set here

dns_address=127.0.12.53

dns_possible()
{
    ((EUID == 0)) && [[ -e /etc/resolv.conf ]] && command -v dnsmasq >/dev/null &&
        unshare --mount true 2>/dev/null
}

dns_start()
{
    : >>"$work/hosts"
    dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --no-resolv --no-hosts \
        --addn-hosts="$work/hosts" --listen-address="$dns_address" --bind-interfaces \
        --local=/test/ --user=root --log-facility=- 2>"$work/dns.out" &
    dns_pid=$!
    app_pids[dns]=$dns_pid
    wait_until "the name server answers" dns_answers
}

dns_stop()
{
    app_stop dns
}

dns_answers()
{
    dns_look nobody.test >/dev/null
}

# dns_look NAME: prints its addresses, sorted, in one line; false without a reply.
dns_look()
{
    local answer
    answer=$(kdig +short +timeout=1 +retry=0 "@$dns_address" "$1" A) || return 1
    [[ $answer != *"ERROR"* && $answer != *"WARNING"* ]] || return 1
    sort <<<"$answer" | xargs
}

dns_has()
{
    [[ $(dns_look "$1") == "$2" ]]
}

dns_set()
{
    local name=$1 address
    shift
    for address in "$@"; do
        echo "$address $name"
    done >"$work/hosts"
    kill -HUP "$dns_pid"
    wait_until "the name server knows" dns_has "$name" "$(printf '%s\n' "$@" | sort | xargs)"
}

dns_silent()
{
    nft -f - <<RULES
table inet silence {
    chain input { type filter hook input priority 0; ip daddr $dns_address udp dport 53 drop; }
}
RULES
}

dns_heard()
{
    nft delete table inet silence
}

# dns_patience SECONDS ATTEMPTS: timeout and attempts of these pods' lookups.
dns_patience()
{
    printf 'nameserver %s\noptions timeout:%d attempts:%d\n' "$dns_address" "$1" "$2" >"$work/resolv.conf"
}

dns_asked()
{
    local address
    dns_patience 1 1
    cat >"$work/with_dns" <<SCRIPT
#!/bin/sh
exec unshare --mount sh -c 'mount --bind "\$0" /etc/resolv.conf && exec "\$@"' \
    "$work/resolv.conf" "\$@"
SCRIPT
    chmod +x "$work/with_dns"
    for address in "$@"; do
        pod_places["$address"]=$work/with_dns
    done
}
