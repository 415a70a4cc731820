#!/usr/bin/env bash
# MIT Kerberos' KDC as the app, one in each pod with a copy of one database; kinit is the client.
#
#   tests/apps/test_krb5kdc.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# kdc_configure DIRECTORY
kdc_configure()
{
    mkdir -p "$1"
    cat >"$1/kdc.conf" <<END
[kdcdefaults]
    kdc_listen = 127.0.0.1:$port
    kdc_tcp_listen = ""
[realms]
    TEST = {
        database_name = $1/principal
        key_stash_file = $1/stash
        acl_file = $1/acl
        max_life = 1h
    }
[logging]
    kdc = FILE:$1/log
END
    cat >"$1/krb5.conf" <<END
[libdefaults]
    default_realm = TEST
    dns_lookup_kdc = false
    rdns = false
    udp_preference_limit = 32700
[realms]
    TEST = {
        kdc = $b:12000
    }
END
}

# kerberos DIRECTORY COMMAND...
kerberos()
{
    KRB5_KDC_PROFILE=$1/kdc.conf KRB5_CONFIG=$1/krb5.conf KRB5CCNAME=FILE:$1/tickets "${@:2}"
}

database_make()
{
    kdc_configure "$work/first"
    kerberos "$work/first" kdb5_util create -s -P master -r TEST
    kerberos "$work/first" kadmin.local -q "addprinc -pw password bob"
}

kdc_start()
{
    local dir=$work/kdc-${1##*.}
    kdc_configure "$dir"
    cp "$work"/first/{principal*,stash} "$dir"
    serve "$1" kdc env KRB5_KDC_PROFILE="$dir/kdc.conf" KRB5_CONFIG="$dir/krb5.conf" krb5kdc -n -r TEST
    wait_until "krb5kdc listens" listens "$1"
}

login()
{
    kerberos "$work/first" net_in "$client" kdestroy -q >/dev/null 2>&1 || true
    kerberos "$work/first" net_in "$client" timeout 40 kinit bob <<<"password" >"$work/kinit.out" 2>&1 ||
        fail "kinit: $(tail -n 1 "$work/kinit.out")"
    kerberos "$work/first" klist | grep -c 'krbtgt/TEST@TEST'
}

plain()
{
    each_pod kdc_start
    behind plain
    expect "tickets of the leader" "$(login)" 1
    move_lead "$c"
    expect "tickets of the new leader" "$(login)" 1
    expect "both were asked" "$(($(delivered_by "$a") > 0 && $(delivered_by "$c") > 0))" 1
    apps_close
    tell plain "works; answers that do not fit go by TCP, which the Service must bring to a KDC too"
    tell change "none with copies of one database"
}

apps_need krb5kdc kinit klist kdb5_util kadmin.local ss
tell group "Login and time"
tell server "MIT \`krb5kdc\`"
tell version "$(package_version krb5-kdc)"
database_make >"$work/database.out" 2>&1
run "krb5kdc gives tickets through a follower, and after a leader change" plain
apps_finish
