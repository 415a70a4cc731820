/* headlessctl: keys, and what it signs with them. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory_fixture.h"
#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define COUNTING "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct ctl_options options;

static void setup(void)
{
    (void)unsetenv("HEADLESSD_KEYS");
    (void)unsetenv("HEADLESSD_CLUSTER");
    directory_make();
}

TestSuite(ctl_key, .init = setup, .fini = directory_remove, .timeout = 30);

static const char *path_of(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void read_file(const char *name, char text[static 128])
{
    FILE *file = fopen(path_of(name), "re");
    size_t n;

    cr_assert_not_null(file);
    n = fread(text, 1, 127, file);
    text[n] = '\0';
    (void)fclose(file);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "we");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

/* ---- key new ---- */

Test(ctl_key, new_ones_are_the_owner_s_and_are_keys)
{
    struct key first, second;
    struct stat status;
    char text[128];

    cr_assert_eq(ctl_key_new(&options, path_of("key-1")), CTL_OK);
    cr_assert_eq(stat(path_of("key-1"), &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    read_file("key-1", text);
    cr_assert(key_parse(text, &first));
    cr_assert_eq(text[strlen(text) - 1], '\n');
    cr_assert_eq(ctl_key_new(&options, path_of("key-2")), CTL_OK);
    read_file("key-2", text);
    cr_assert(key_parse(text, &second));
    cr_assert_neq(first.id, second.id);
}

Test(ctl_key, nothing_is_overwritten)
{
    char text[128];

    write_file("key-1", "dear");
    cr_assert_eq(ctl_key_new(&options, path_of("key-1")), CTL_NO);
    read_file("key-1", text);
    cr_assert_str_eq(text, "dear");
    cr_assert_eq(symlink("elsewhere", path_of("link")), 0);
    cr_assert_eq(ctl_key_new(&options, path_of("link")), CTL_NO);
    cr_assert_neq(access(path_of("elsewhere"), F_OK), 0, "nor followed");
}

Test(ctl_key, failed_write_is_reported)
{
    cr_assert_eq(ctl_key_new(&options, "/dev/full"), CTL_NO);
    cr_assert_eq(ctl_key_new(&options, path_of("no/such/directory")), CTL_NO);
    cr_assert_eq(ctl_key_new(&options, directory), CTL_NO);
}

Test(ctl_key, without_a_file_it_is_shown, .init = cr_redirect_stdout)
{
    cr_assert_eq(ctl_key_new(&options, NULL), CTL_OK);
    (void)fflush(stdout);
    {
        char text[128] = {0};
        struct key key;
        FILE *shown = cr_get_redirected_stdout();

        cr_assert_not_null(fgets(text, sizeof(text), shown));
        cr_assert(key_parse(text, &key));
    }
}

/* ---- key list ---- */

Test(ctl_key, a_list_names_the_newest_and_tells_no_secret, .init = cr_redirect_stdout)
{
    char expected[256];
    struct key first, second;

    cr_assert(key_parse(COUNTING, &first));
    write_file("key-9", COUNTING);
    cr_assert_eq(ctl_key_new(&options, path_of("key-10")), CTL_OK);
    read_file("key-10", expected);
    cr_assert(key_parse(expected, &second));
    cr_assert_eq(ctl_key_list(&options, directory), CTL_OK);
    (void)fflush(stdout);
    (void)snprintf(expected, sizeof(expected), "%-20s %08x  newest\n%-20s %08x\n", "key-10",
                   second.id, "key-9", first.id);
    cr_assert_stdout_eq_str(expected);
}

Test(ctl_key, a_list_of_the_pod_s_own, .init = cr_redirect_stdout)
{
    cr_assert_eq(ctl_key_list(&options, NULL), CTL_USAGE, "of none");
    cr_assert_eq(ctl_key_list(&options, directory), CTL_NO, "empty");
    write_file("key-1", COUNTING);
    cr_assert_eq(setenv("HEADLESSD_KEYS", directory, 1), 0);
    cr_assert_eq(ctl_key_list(&options, NULL), CTL_OK);
    options.keys = "/nowhere";
    cr_assert_eq(ctl_key_list(&options, NULL), CTL_NO, "options beat the environment");
}

/* ---- what is signed with ---- */

Test(ctl_key, the_newest_key_signs_unless_another_is_named)
{
    struct ctl_signer signer;

    write_file("key-9", COUNTING);
    cr_assert_eq(ctl_key_new(&options, path_of("key-10")), CTL_OK);
    options.keys = directory;
    cr_assert_eq(ctl_signer_open(&options, &signer), CTL_OK);
    cr_assert(signer.has_key);
    cr_assert_str_eq(signer.key.name, "key-10");
    cr_assert_str_eq(signer.cluster, "headless");
    options.key = "key-9";
    options.cluster = "blue";
    cr_assert_eq(ctl_signer_open(&options, &signer), CTL_OK);
    cr_assert_str_eq(signer.key.name, "key-9");
    cr_assert_str_eq(signer.cluster, "blue");
    options.key = "key-1";
    cr_assert_eq(ctl_signer_open(&options, &signer), CTL_NO);
    ctl_signer_close(&signer);
    cr_assert_not(signer.has_key);
}

Test(ctl_key, the_pod_s_environment_is_enough)
{
    struct ctl_signer signer;

    write_file("key-1", COUNTING);
    cr_assert_eq(setenv("HEADLESSD_KEYS", directory, 1), 0);
    cr_assert_eq(setenv("HEADLESSD_CLUSTER", "green", 1), 0);
    cr_assert_eq(ctl_signer_open(&options, &signer), CTL_OK);
    cr_assert(signer.has_key);
    cr_assert_str_eq(signer.cluster, "green");
    options.keys = "none";
    cr_assert_eq(ctl_signer_open(&options, &signer), CTL_OK);
    cr_assert_not(signer.has_key, "unless it is told not to");
    options.key = "key-1";
    cr_assert_eq(ctl_signer_open(&options, &signer), CTL_USAGE);
    options.keys = "/nowhere";
    cr_assert_eq(ctl_signer_open(&options, &signer), CTL_NO, "rather than unsigned");
}

/* ---- signed again ---- */

struct pod {
    int fd;
    char first[CTL_COMMAND_MAX], second[CTL_COMMAND_MAX];
};

/* A pod whose first reply is lost. */
static void *answer_second(void *context)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    struct pod *pod = context;

    (void)!recv(pod->fd, pod->first, sizeof(pod->first) - 1, 0);
    if (recvfrom(pod->fd, pod->second, sizeof(pod->second) - 1, 0, (struct sockaddr *)&from,
                 &length) > 0)
        (void)!sendto(pod->fd, "ok 2\n", 5, 0, (struct sockaddr *)&from, length);
    return NULL;
}

static uint64_t nonce_of(const char *text)
{
    struct leader_command command;
    struct probe probe;
    struct sign_policy policy;
    struct keyring ring = {.count = 1};

    cr_assert(key_parse(COUNTING, &ring.keys[0]));
    (void)snprintf(ring.keys[0].name, sizeof(ring.keys[0].name), "key-1");
    sign_policy_make(&ring, true, &policy);
    cr_assert_eq(leader_command_classify((const uint8_t *)text, strlen(text), &command, &probe),
                 LEADER_COMMAND_CLASS_COMMAND);
    cr_assert_str_eq(command.target, "pod-2");
    cr_assert_eq(sign_judge(&policy, "headless", (const uint8_t *)text, &command, clock_real_s()),
                 SIGN_VALID);
    return command.signature.nonce;
}

Test(ctl_key, another_try_is_another_signature, .init = cr_redirect_stdout)
{
    char address[ADDRESS_TEXT_MAX];
    struct pod pod = {0};
    struct sockaddr_storage sa = {0};
    struct address local = {0};
    pthread_t thread;
    socklen_t length;

    cr_assert_eq(address_parse("127.0.0.1:0", 0, &local), 0);
    length = address_to_sockaddr(&local, AF_INET, &sa);
    pod.fd = socket(AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(bind(pod.fd, (struct sockaddr *)&sa, length), 0);
    cr_assert_eq(getsockname(pod.fd, (struct sockaddr *)&sa, &length), 0);
    address_from_sockaddr((struct sockaddr *)&sa, &local);
    write_file("key-1", COUNTING);
    options.keys = directory;
    options.data = address_format(&local, address);
    cr_assert_eq(pthread_create(&thread, NULL, answer_second, &pod), 0);
    cr_assert_eq(ctl_leader_set(&options, "pod-2"), CTL_OK);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_neq(nonce_of(pod.first), nonce_of(pod.second));
    (void)close(pod.fd);
}

/* ---- --print ---- */

Test(ctl_key, printed_command_is_signed, .init = cr_redirect_stdout)
{
    char line[CTL_COMMAND_MAX] = {0};

    write_file("key-1", COUNTING);
    options.keys = directory;
    options.print = true;
    cr_assert_eq(ctl_leader_set(&options, "pod-2"), CTL_OK);
    cr_assert_not_null(fgets(line, sizeof(line), cr_get_redirected_stdout()));
    (void)nonce_of(line);
    options.given = CTL_OPTION_DATA;
    cr_assert_eq(ctl_leader_set(&options, "pod-2"), CTL_USAGE);
}

Test(ctl_key, the_longest_command_fits)
{
    char who[LEADER_COMMAND_TARGET_MAX], name[KEY_NAME_MAX];

    memset(who, '"', sizeof(who) - 1); /* each takes two bytes */
    who[sizeof(who) - 1] = '\0';
    memset(name, 'k', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    write_file(name, COUNTING);
    options.keys = directory;
    options.print = true;
    options.force = true;
    options.if_term = UINT64_MAX;
    options.given = CTL_OPTION_IF_TERM;
    cr_assert_eq(ctl_leader_set(&options, who), CTL_OK);
}
