# Servers and clients that tests/apps and tests/containers both run: Kamailio with sipp, FreeRADIUS with radclient, nfcapd
# with softflowd. Sourced after the harness of either, which has at_client, $client and $port.
#
# NAME_config prints the server's file; NAME_command sets command to its command line. DIR is the directory of the server's
# files as the server sees it. A client sends to TARGET, ADDRESS:PORT.
# shellcheck shell=bash disable=SC2154,SC2034 # the harness sets what is used here; the files use what is set here

# ---- Kamailio

# kamailio_config TEXT [LINE]: replies 200 with this text; LINE comes before, in the route of requests.
kamailio_config()
{
    cat <<END
debug=0
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
listen=udp:127.0.0.1:$port
loadmodule "sl.so"
request_route {
    ${2:-}
    sl_send_reply("200", "$1");
}
END
}

# kamailio_command DIR: it has kamailio.cfg.
kamailio_command()
{
    command=(kamailio -DD -E -f "$1/kamailio.cfg" -P "$1/pid" -Y "$1" -w "$1" -m 16 -M 4)
}

# sip_scenario: of sipp. OPTIONS without rport, so that the reply goes to the port of Via.
sip_scenario()
{
    cat <<'END'
<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="options">
<send retrans="500"><![CDATA[
OPTIONS sip:test@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:client@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:test@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Content-Length: 0

]]></send>
<recv response="200"></recv>
</scenario>
END
}

# sip_ask SCENARIO SECONDS TARGET: false without a 200; its output is in $work/sipp.out.
sip_ask()
{
    at_client sipp -sf "$1" -m 1 -i "$client" -p 5060 -nostdin -timeout "$2" -timeout_error "$3" >"$work/sipp.out" 2>&1
}

# ---- FreeRADIUS

# radius_config DIR TEXT CLIENTS: knows bob; an accepted request is replied to with this text.
radius_config()
{
    cat <<END
name = radiusd
logdir = $1
run_dir = $1
libdir = /usr/lib/freeradius
pidfile = $1/pid
security {
    allow_vulnerable_openssl = yes
}
modules {
    pap {
    }
}
$3
server default {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = $port
    }
    authorize {
        update control {
            Cleartext-Password := "secret of bob"
        }
        update reply {
            Reply-Message := "$2"
        }
        pap
    }
    authenticate {
        Auth-Type PAP {
            pap
        }
    }
}
END
}

# radius_command DIR: it has radiusd.conf.
radius_command()
{
    command=(freeradius -f -l stdout -x -d "$1" -n radiusd -D /usr/share/freeradius)
}

# radius_login TARGET SECRET: of bob; prints the kind of the answer and its text.
radius_login()
{
    echo 'User-Name = bob, User-Password = "secret of bob"' | at_client radclient -x -t 5 -r 3 "$1" auth "$2" 2>&1 |
        sed -nE 's/.*Reply-Message = "(.*)"/\1/p; s/.*Received (Access-[A-Za-z]*) .*/\1/p' | sort | xargs
}

# ---- nfcapd

# nfcapd_command DIR: it writes its flows there.
nfcapd_command()
{
    command=(nfcapd -b 127.0.0.1 -p "$port" -w "$1" -S 0)
}

# flows_capture FILE: five flows by UDP, each from another source 198.51.100.N.
flows_capture()
{
    python3 - "$1" <<'END'
import struct, sys
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    for flow in range(1, 6):
        udp = struct.pack(">HHHH", 1000 + flow, 53, 12, 0) + b"flow"
        ip = struct.pack(">BBHHHBBH4B4B", 0x45, 0, 32, flow, 0, 64, 17, 0, 198, 51, 100, flow, 203, 0, 113, 1)
        out.write(struct.pack("<IIII", 1700000000 + flow, 0, 32, 32) + ip + udp)
END
}

# flows_export DIR TARGET: of DIR/flows.pcap, as the client sees it.
flows_export()
{
    at_client softflowd -r "$1/flows.pcap" -n "$2" -v 5 -d -p "$1/softflowd.pid" -c none >"$work/softflowd.out" 2>&1 ||
        fail "softflowd: $(tail -n 1 "$work/softflowd.out")"
}
