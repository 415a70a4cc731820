#!/usr/bin/env bash
# Another base than Debian's: the image contains its libraries, and uses none of the base.
#
#   tests/containers/test_base.sh BUILD_DIR
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

carried=${HEADLESSD_CARRIED_IMAGE:?"of scripts/check-containers"}
network_make
a=$subnet.11
b=$subnet.12
c=$subnet.13

in_carried()
{
    podman run --rm --network none --entrypoint "$1" "$carried" "${@:2}"
}

# All files that the loader maps are the image's own.
libraries_are_its_own()
{
    local program
    expect "loaders and C libraries" "$(in_carried sh -c 'find / -xdev -name "libc.so*" -o -name "ld*.so*"' | sort | xargs)" \
        "/usr/lib/headlessd/ld.so /usr/lib/headlessd/libc.so.6"
    for program in headlessd headlessctl headless-bench; do
        expect_match "$program" "$(in_carried "$program" --version)" "^$program "
        expect "libraries of $program from elsewhere" \
            "$(in_carried sh -c "/usr/lib/headlessd/ld.so --list /usr/bin/$program || ldd /usr/bin/$program" | grep '=> ' |
                grep -cv ' => /usr/lib/headlessd/')" 0
    done
}

# Two pods of it and one of Debian's image find each other by DNS.
pods_of_both()
{
    base_config 3 whoami
    pod_image=$carried
    pod_launch "$a"
    pod_launch "$b"
    pod_image=$image
    pod_launch "$c"
    pods_up "$a" "$b" "$c"
    leader_answers_through "$a" "$b" "$c"
    podman healthcheck run "${pod_ids[$a]}" || fail "the healthcheck fails"
    together_closes "$a" "$b" "$c"
}

run "the image contains all libraries of its programs" libraries_are_its_own
run "pods of it and of Debian's image find each other" pods_of_both
finish
