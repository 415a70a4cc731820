#!/usr/bin/env bash
# app.source client in pods: the app sees the client's own address and port through every pod, before and after a leader
# change; as in manifests/components/transparent (user 0 with NET_ADMIN alone), and as any user with the capability in its
# ambient set. Apps, each in a container beside it: udp_app, and Debian's BIND, coturn, Kamailio, FreeRADIUS and nfcapd,
# with real clients.
#
#   tests/containers/test_transparent.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../apps/lib_servers.sh
. "$(dirname "$0")/../apps/lib_servers.sh"

servers=${HEADLESSD_SERVERS_IMAGE:?"is set by scripts/check-containers"}
network_make
pods=("$subnet.11" "$subnet.12" "$subnet.13")
port=5353
as_in_the_component=(--user 0:0 --cap-add NET_ADMIN)
any_user=(--cap-add NET_ADMIN) # podman makes it an ambient capability

# has_no_capability ADDRESS: since it serves.
has_no_capability()
{
    expect "capabilities of $1" "$(sed -n 's/^Cap\(Prm\|Eff\|Amb\):[[:space:]]*0*//p' "/proc/${pod_pids[$1]}/status" | xargs)" ""
}

# cluster APP: three pods; APP POD starts the pod's app.
cluster()
{
    local address
    base_config 3 "udp://127.0.0.1:$port" 'app.source: client'
    for address in "${pods[@]}"; do
        pod_launch "$address"
        "$1" "$address"
    done
    pods_up "${pods[@]}"
    for address in "${pods[@]}"; do
        has_no_capability "$address"
    done
}

# move_lead: to another pod; sets agreed, and followers to the other two.
move_lead()
{
    local address former=$agreed
    for address in "${pods[@]}"; do
        [[ $address == "$former" ]] || agreed=$address
    done
    lead "$agreed" "$former"
    wait_until "all follow $agreed" agree "$agreed" "${pods[@]}"
    find_followers
}

find_followers()
{
    local address
    followers=()
    for address in "${pods[@]}"; do
        [[ $address == "$agreed" ]] || followers+=("$address")
    done
}

in_network_of()
{
    nsenter --net --target "${pod_pids[$1]}" "${@:2}"
}

listens()
{
    [[ $(in_network_of "$1" ss -Hlun "sport = :$port") ]]
}

# make_directory ADDRESS: sets dir, empty, for a server of this pod, which has it as /app.
make_directory()
{
    dir=$work/app-$1
    rm -rf "$dir"
    mkdir "$dir"
    chmod 770 "$dir" # its user is any, in group 0
}

# serve ADDRESS PROGRAM OPTION...: in a container beside the pod.
serve()
{
    app_ids[$1]=$(container "app-$1" --network "container:${pod_ids[$1]}" --volume "$work/app-$1:/app" --workdir /app \
        --entrypoint "$2" "$servers" "${@:3}")
    wait_until "the server of $1 listens" listens "$1"
}

# A container with the programs of clients, in the client's network: at_client COMMAND... runs one.
clients_start()
{
    make_directory client
    clients_id=$(container clients --network "container:$client_id" --volume "$dir:/app" --workdir /app \
        --entrypoint sleep "$servers" infinity)
}

at_client()
{
    podman exec --interactive "$clients_id" "$@"
}

# as_the_client_itself APP CHECK: the leader's server, and the next leader's, treat the client as its own address wants.
as_the_client_itself()
{
    pod_options=("${as_in_the_component[@]}")
    cluster "$1"
    find_followers
    "$2"
    move_lead
    "$2"
    together_closes "${pods[@]}"
}

# ---- a container beside it

source_start()
{
    sidecar_launch "$1" "127.0.0.1:$port" source
}

all_see_the_client()
{
    local address
    for address in "${pods[@]}"; do
        expect "the client through $address" "$(ask -s "$client:4444" "$address" hello)" "from $client:4444 hello"
    done
}

beside_it()
{
    pod_options=("${as_in_the_component[@]}")
    cluster source_start
    all_see_the_client
    move_lead
    all_see_the_client
    together_closes "${pods[@]}"
}

# ---- BIND

named_start()
{
    local dir
    make_directory "$1"
    cat >"$dir/named.conf" <<END
options {
    directory "/app";
    pid-file none;
    session-keyfile none;
    listen-on port $port { 127.0.0.1; };
    listen-on-v6 { none; };
    dnssec-validation no;
    allow-query { 127.0.0.1; $client; };
    rate-limit { responses-per-second 1; slip 0; };
};
controls { };
zone "example.test" { type primary; file "example.test"; };
END
    printf '@ 3600 IN SOA ns hostmaster 1 3600 900 86400 300\n@ IN NS ns\n@ IN TXT "named of %s"\nns IN A 192.0.2.53\n' "$1" \
        >"$dir/example.test"
    serve "$1" named -f -c /app/named.conf
}

# answered: how many of 20 queries at once, from 20 ports of the client, until nothing arrives for a second.
answered()
{
    "${pod_wrapper[@]}" python3 - "$client" "${followers[0]}" <<'END'
import select, socket, struct, sys
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\7example\4test\0" + struct.pack(">HH", 16, 1)
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
for i, s in enumerate(sockets):
    s.bind((sys.argv[1], 40000 + i))
    s.sendto(query, (sys.argv[2], 12000))
count = 0
while ready := select.select(sockets, [], [], 1 if count else 30)[0]:
    count += sum(s.recv(1500)[3] & 15 == 0 for s in ready)
print(count)
END
}

# Its allow-query has no address of sessions, and one client with 20 ports gets what one client may.
named_limits_the_client()
{
    expect_between "answers" "$(answered)" 1 10
}

# ---- coturn

turn_start()
{
    local dir
    make_directory "$1"
    serve "$1" turnserver -n --listening-ip=127.0.0.1 --relay-ip="$1" --listening-port="$port" --no-tcp --no-tls --no-dtls \
        --no-cli --log-file=stdout --pidfile=/app/pid --userdb=/app/db --realm=test
}

told_itself()
{
    grep -qE "reflexive addr: $client:[0-9]+$" < <(at_client turnutils_stunclient -p 12000 "${followers[0]}" 2>&1)
}

coturn_tells_the_client()
{
    pod_options=("${any_user[@]}")
    cluster turn_start
    find_followers
    wait_until "the leader's coturn tells the client its own address" told_itself
    move_lead
    wait_until "the new leader's coturn tells the client its own address" told_itself
    together_closes "${pods[@]}"
}

# ---- Kamailio

sip_start()
{
    local dir command
    make_directory "$1"
    kamailio_config "OK of $1" >"$dir/kamailio.cfg"
    kamailio_command /app
    serve "$1" "${command[@]}"
}

# No rport, and no force_rport(): the reply goes to the port of Via at the address that the request came from.
options_are_answered()
{
    sip_scenario >"$work/app-client/options.xml"
    sip_ask options.xml 30 "${followers[0]}:12000" || fail "no 200: $(tail -n 3 "$work/sipp.out")"
}

# ---- FreeRADIUS

radius_start()
{
    local dir command
    make_directory "$1"
    radius_config /app "radius of $1" "client the_client {
    ipaddr = $client
    secret = shared
}" >"$dir/radiusd.conf"
    radius_command /app
    serve "$1" "${command[@]}"
}

radius_knows_the_client()
{
    expect "login" "$(radius_login "${followers[0]}:12000" shared)" "Access-Accept radius of $agreed"
}

# ---- nfcapd

nfcapd_start()
{
    local dir command
    make_directory "$1"
    nfcapd_command /app
    serve "$1" "${command[@]}"
}

# export_flows: five of a small capture, to the leader.
export_flows()
{
    flows_capture "$work/app-client/flows.pcap"
    flows_export /app "${followers[0]}:12000"
    metric_becomes "$agreed" datagrams_delivered_total 1
}

# exporters ADDRESS: of the flows that the pod's server has written when it ends.
exporters()
{
    podman kill --signal TERM "${app_ids[$1]}" >/dev/null
    podman wait "${app_ids[$1]}" >/dev/null
    podman run --rm --label "$label" --network none --volume "$work/app-$1:/app:ro" --entrypoint nfdump "$servers" \
        -R /app -q -o "fmt:%sa %ra" 2>/dev/null | awk '$1 ~ /^198[.]51/ { print $2 }' | sort | uniq -c | xargs
}

nfcapd_knows_the_exporter()
{
    local former
    pod_options=("${as_in_the_component[@]}")
    cluster nfcapd_start
    find_followers
    export_flows
    former=$agreed
    move_lead
    export_flows
    together_closes "${pods[@]}"
    expect "flows and exporters" "$(exporters "$former")" "5 $client"
    expect "flows and exporters of the new leader's" "$(exporters "$agreed")" "5 $client"
}

# ---- not permitted

# ends_without_it OPTION...: a pod without the capability ends at once; its last line says what is missing and how to get it.
ends_without_it()
{
    local id
    base_config 1 "udp://127.0.0.1:$port" 'app.source: client'
    id=$(container "${pods[0]}" --network "$network" --ip "${pods[0]}" --env POD_IP="${pods[0]}" "$@" \
        --volume "$map:/etc/headlessd:ro" "$image" --config /etc/headlessd/headlessd.yaml)
    expect "exit status" "$(timeout 60 podman wait "$id")" 1
    expect_match "its log" "$(podman logs "$id" 2>&1)" \
        'source_failed.*CAP_NET_ADMIN is missing.*capabilities.add \[NET_ADMIN\] and runAsUser 0.*privileged.*SCC'
    podman container rm "$id" >/dev/null
    rm -f "$work/${pods[0]}.log"
}

run "user 0 with NET_ADMIN: the app sees the client, and after a leader change" beside_it
clients_start
run "user 0 with NET_ADMIN: BIND limits the client by its own address" as_the_client_itself named_start named_limits_the_client
run "any user with NET_ADMIN: coturn tells the client its own address" coturn_tells_the_client
run "user 0 with NET_ADMIN: Kamailio answers a client without rport" as_the_client_itself sip_start options_are_answered
run "user 0 with NET_ADMIN: FreeRADIUS knows the client" as_the_client_itself radius_start radius_knows_the_client
run "user 0 with NET_ADMIN: nfcapd knows the exporter" nfcapd_knows_the_exporter
run "without the capability a pod ends and says what is missing" ends_without_it
run "user 0 without the capability ends, too" ends_without_it --user 0:0
finish
