/* The texts generated from the table: the dump, which must load back, the help and the documents. */
#include "config_fixture.h"
#include "document/document.h"

#include <ctype.h>

TestSuite(config_output, .init = clear_environment, .timeout = 60);

static void refuse_change(const char *option, bool reloadable, void *context)
{
    (void)reloadable;
    (void)context;
    cr_assert_fail("%s has changed", option);
}

static void expect_round_trip(const struct config_set *set)
{
    char text[32768];
    struct loaded again;

    dump_text(set, text, sizeof(text));
    load_text(&again, text);
    cr_assert_eq(again.rc, 0, "%s", again.errors);
    cr_expect_eq(config_diff(set, again.set, refuse_change, NULL), 0);
    unload(&again);
}

/* Every option away from its default, but NOT_CHANGED of them: away from it, route, multicast.groups
 * and drain.sessions need relay.format at its own, app.reply_from an app at IPv4 loopback, and
 * app.source one in this pod. */
#define NOT_CHANGED 5
static const char everything[] = "cluster: 'a#\"\\:,b'\n"
                                 "self: fd00::1\n"
                                 "name: web-0\n"
                                 "bind: fd00::1\n"
                                 "data: {port: 1, allow: [10.0.0.0/8], rate: 1000, burst: 64}\n"
                                 "relay: {port: 2, format: raw, mtu: 9000, linger: 0,\n"
                                 "        confirm: none, keep: 1MiB, keep_time: 2s}\n"
                                 "peer: {port: 3}\n"
                                 "admin: {listen: \"[fe80::1%1]:80\"}\n"
                                 "rcvbuf: 208KiB\n"
                                 "peers: [web-0=fd00::1, \"fd00::2\", '1=fd00::3']\n"
                                 "leader: '[fd00::9]:9100'\n"
                                 "leader_generation: 9223372036854775807\n"
                                 "leader_list: [web-0, 'fd00::2']\n"
                                 "eligible: false\n"
                                 "discovery: {dns: peers.ns.svc.cluster.local., interval: 1m,\n"
                                 "            kubernetes: headless}\n"
                                 "platform: {api: 'https://[fd00::1]:6443', token: /t, ca: /c,\n"
                                 "           namespace: ns, role_label: true}\n"
                                 "store: /var/lib/headlessd/term\n"
                                 "heartbeat: {interval: 10ms, misses: 20}\n"
                                 "election: lease\n"
                                 "lease: {name: l, duration: 10m, renew: 1s, timeout: 100ms}\n"
                                 "quorum: majority\n"
                                 "quorum.expect: 129\n"
                                 "member.forget: 1s\n"
                                 "failover.on_refused: timeout\n"
                                 "ordered: {commit: majority, history: 1MiB}\n"
                                 "hold: {time: 1ns, bytes: 4294967295}\n"
                                 "drain.time: 0\n"
                                 "reply.grace: 1500us\n"
                                 "app:\n"
                                 "  target: udp://[fd00::9]:53\n"
                                 "  proxy_protocol: v2\n"
                                 "  client_address: hashed\n"
                                 "  idle: 3599s\n"
                                 "  max_sessions: 1\n"
                                 "  fail: 10ms\n"
                                 "  down: hold\n"
                                 "  notify: '[fd00::9]:54'\n"
                                 "control: {accept: none, allow: ['::/0', 10.0.0.1]}\n"
                                 "keys: /run/keys\n"
                                 "keys.mode: permissive\n"
                                 "receivers: 16\n"
                                 "workers: 0\n"
                                 "batch: 1\n"
                                 "gso: 1\n"
                                 "gro: false\n"
                                 "seccomp: false\n"
                                 "ring: 64\n"
                                 "log: {level: error, format: text}\n";

static void count_change(const char *option, bool reloadable, void *context)
{
    size_t *count = context;

    (void)option;
    (void)reloadable;
    (*count)++;
}

/* One line of the dump is one option, apart from the title. */
static size_t count_options(const struct config_set *set)
{
    char text[32768];
    size_t lines = 0;

    dump_text(set, text, sizeof(text));
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    return lines - 1;
}

Test(config_output, every_option_survives_the_dump)
{
    struct loaded defaults, all;
    size_t changed = 0;

    load_text(&defaults, "");
    load_text(&all, everything);
    cr_assert_eq(all.rc, 0, "%s", all.errors);
    cr_expect_eq(config_diff(defaults.set, all.set, count_change, &changed),
                 count_options(all.set) - NOT_CHANGED, "an option is missing in the text above");
    cr_expect_eq(changed, count_options(all.set) - NOT_CHANGED);
    expect_round_trip(defaults.set);
    expect_round_trip(all.set);
    unload(&defaults);
    unload(&all);
}

Test(config_output, a_route_and_groups_survive_the_dump)
{
    struct loaded l;

    load_flags(&l, "--self=10.0.0.1", "--route=all", "--multicast-groups=239.1.2.3,ff02::12%eth0");
    expect_round_trip(l.set);
    unload(&l);
}

Test(config_output, wildcards_survive_the_dump)
{
    struct loaded l;

    load_flags(&l, "--self=10.0.0.1", "--bind=0.0.0.0");
    expect_round_trip(l.set);
    unload(&l);
    load_flags(&l, "--self=10.0.0.1", "--bind=any", "--peers=none", "--control-allow=none");
    expect_round_trip(l.set);
    unload(&l);
}

/* "relay.format" into "--relay-format" or "HEADLESSD_RELAY_FORMAT". */
static void name_option(const char *key, char *flag, char *variable)
{
    (void)sprintf(flag, "--%s", key);
    for (char *c = flag; *c; c++)
        *c = *c == '.' || *c == '_' ? '-' : *c;
    (void)sprintf(variable, "HEADLESSD_%s", key);
    for (char *c = variable; *c; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

static void expect_source(const char *flag, const char *key, const char *name)
{
    struct loaded l;
    char source[80];

    load_flags(&l, flag);
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    (void)snprintf(source, sizeof(source), " # %s", name);
    cr_expect_str_eq(strstr(dumped(l.set, key), " # "), source);
    cr_expect_str_empty(l.errors);
    unload(&l);
}

/* From the dump's spelling to that of flags: no quotes, no brackets around lists, no spaces. */
static void unquote(const char *line, char *value)
{
    bool is_list = line[0] == '[';
    size_t n = 0;

    for (const char *c = line + is_list; strncmp(c, " #", 2) != 0; c++)
        if (!strchr("\" ", *c))
            value[n++] = *c;
    value[n - is_list] = '\0';
}

/* The value is taken from the dump, so that no option of later versions escapes. */
static void try_option(const char *key, const char *value)
{
    char flag[80], variable[80], assignment[600];

    name_option(key, flag, variable);
    (void)snprintf(assignment, sizeof(assignment), "%s=%s", flag, value);
    expect_source(assignment, key, flag);
    (void)setenv(variable, value, 1);
    expect_source("--check-config", key, variable);
    (void)unsetenv(variable);
}

Test(config_output, every_option_has_its_flag_and_variable)
{
    char text[32768], value[512], *rest = text, *line;
    size_t tried = 0;
    struct loaded l;

    load_text(&l, "peers: [10.0.0.1, 10.0.0.2]\nname: web-0\nleader_list: [web-0]\n"
                  "multicast.groups: [239.1.2.3]\n");
    dump_text(l.set, text, sizeof(text));
    (void)strsep(&rest, "\n"); /* the title */
    while ((line = strsep(&rest, "\n")) && *line) {
        char *key = strsep(&line, ":");

        unquote(line + 1, value);
        try_option(key, value);
        tried++;
    }
    cr_expect_eq(tried, count_options(l.set));
    unload(&l);
}

static char *print_to_text(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    print(file);
    (void)fclose(file);
    return text;
}

Test(config_output, help_begins_with_examples_and_is_complete)
{
    char *help = print_to_text(config_help);
    struct loaded l;

    cr_expect_not_null(strstr(help, "headlessd --self 127.0.0.11 --peers"));
    cr_expect_not_null(strstr(help, "--app-target, --app\n"));
    cr_expect_not_null(strstr(help, "--self (environment also POD_IP, MY_POD_IP)\n"));
    cr_expect_not_null(strstr(help, "framed, raw, proxy-v2 (default: framed)\n"));
    load_text(&l, "");
    cr_expect_gt(strlen(help), count_options(l.set) * 60);
    unload(&l);
    free(help);
}

Test(config_output, examples_of_the_help_load)
{
    struct loaded l;

    load_flags(&l, "--self", "127.0.0.11", "--peers", "127.0.0.11,127.0.0.12,127.0.0.13",
               "--leader", "127.0.0.11");
    cr_expect_eq(l.rc, 0, "%s", l.errors);
    unload(&l);
    load_flags(&l, "--relay-format", "raw", "--leader", "10.0.0.9:9100", "--self", "10.0.0.1");
    cr_expect_eq(l.rc, 0, "%s", l.errors);
    unload(&l);
}

/* The generated documents are those in docs. */
static void expect_committed(char *document, const char *name, const char *how)
{
    static char path[4096], text[131072];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", SOURCE_TREE, name);
    file = fopen(path, "r");
    cr_assert_not_null(file, "%s cannot be opened", path);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    cr_expect(strcmp(text, document) == 0,
              "run headless-document %s >%s and look at the difference", how, name);
    free(document);
}

static void print_schema(FILE *out)
{
    cr_assert_eq(document_schema(out), 0);
}

Test(config_output, documents_are_up_to_date)
{
    expect_committed(print_to_text(document_options), "docs/options.md", "options");
    expect_committed(print_to_text(print_schema), "docs/headlessd.schema.json", "schema");
}

/* ---- what differs from the default ---- */

struct told {
    char text[1024];
};

static void tell(const char *option, const char *value, void *context)
{
    struct told *told = context;
    size_t length = strlen(told->text);

    (void)snprintf(told->text + length, sizeof(told->text) - length, "%s=%s\n", option, value);
}

Test(config_output, options_that_differ_from_the_default_are_listed)
{
    struct loaded l;
    struct told told = {0};

    load_text(&l, "name: web-0\nself: 10.0.0.1\npeers: [web-0=10.0.0.1, 10.0.0.2]\n"
                  "data.port: 12000\nhold.time: 90ms\nkeys: none\n");
    cr_assert_eq(config_list_changed(l.set, l.set, tell, &told), 0);
    cr_expect_str_eq(told.text, "self=10.0.0.1\nname=web-0\npeers=web-0=10.0.0.1,10.0.0.2\n"
                                "hold.time=90ms\n");
    unload(&l);
}

Test(config_output, defaults_and_derived_settings_are_not_listed_as_changed)
{
    struct loaded l;
    struct told told = {0};

    load_text(&l, "");
    cr_assert_eq(config_list_changed(l.set, l.set, tell, &told), 0);
    cr_expect_str_eq(told.text, "");
    unload(&l);
}

Test(config_output, a_reload_counts_where_it_takes_effect)
{
    struct loaded started, newest;
    struct told told = {0};

    load_text(&started, "self: 10.0.0.1\ndata.port: 7\n");
    load_text(&newest, "self: 10.0.0.1\ndata.port: 8\nlog.level: debug\n");
    cr_assert_eq(config_list_changed(started.set, newest.set, tell, &told), 0);
    cr_expect_str_eq(told.text, "self=10.0.0.1\ndata.port=7\nlog.level=debug\n");
    unload(&started);
    unload(&newest);
}
