/* The file: nesting, lists, and all that must not be taken for anything. */
#include "config_fixture.h"

TestSuite(config_yaml, .init = clear_environment, .timeout = 30);

#define expect_text_dumped(yaml, key, expected)         \
    do {                                                \
        struct loaded l;                                \
        load_text(&l, yaml);                            \
        cr_assert_eq(l.rc, 0, "%s", l.errors);          \
        cr_expect_str_eq(dumped(l.set, key), expected); \
        unload(&l);                                     \
    } while (0)

Test(config_yaml, nested_and_dotted_are_one)
{
    expect_text_dumped("relay.format: raw\n", "relay.format", "raw # t.yaml:1");
    expect_text_dumped("relay:\n  format: raw\n", "relay.format", "raw # t.yaml:2");
    expect_text_dumped("relay: {format: raw, mtu: 1500}", "relay.mtu", "1500 # t.yaml:1");
    expect_text_dumped("# comment\n\"relay.format\": 'raw'\n", "relay.format", "raw # t.yaml:2");
    expect_text_dumped("relay:\n  mtu: 1500\nrelay.format: raw\n", "relay.format",
                       "raw # t.yaml:3");
    expect_text_dumped("\xef\xbb\xbf"
                       "batch: 7\r\nring: 128\r\n",
                       "ring", "128 # t.yaml:2");
}

Test(config_yaml, empty_files_and_groups)
{
    expect_text_dumped("", "batch", "64 # default");
    expect_text_dumped("# nothing\n", "batch", "64 # default");
    expect_text_dumped("---\n", "batch", "64 # default");
    expect_text_dumped("---\n...\n", "batch", "64 # default");
    expect_text_dumped("{}\n", "batch", "64 # default");
    expect_text_dumped("relay:\n  # format: raw\nhold: ~\nbatch: 7\n", "batch", "7 # t.yaml:4");
}

Test(config_yaml, lists_by_sequence_or_commas)
{
    expect_text_dumped("peers: [a=10.0.0.1, 10.0.0.2]\n", "peers",
                       "[\"a=10.0.0.1\", 10.0.0.2] # t.yaml:1");
    expect_text_dumped("peers:\n  - 10.0.0.1\n  - 10.0.0.2\n", "peers",
                       "[10.0.0.1, 10.0.0.2] # t.yaml:1");
    expect_text_dumped("peers: 10.0.0.1, 10.0.0.2\n", "peers", "[10.0.0.1, 10.0.0.2] # t.yaml:1");
    expect_text_dumped("control: {allow: []}\n", "control.allow", "[] # t.yaml:1");
    expect_text_dumped("control: {allow: none}\n", "control.allow", "[] # t.yaml:1");
}

Test(config_yaml, list_errors_name_the_line_of_the_item)
{
    expect_text_refused("peers:\n  - 10.0.0.1\n  - web\n  - 10.0.0.1\n",
                        "t.yaml:3: peers: \"web\" is not ADDRESS or NAME=ADDRESS\n"
                        "t.yaml:4: peers: \"10.0.0.1\" has an address that is listed twice\n");
    expect_text_refused("peers:\n  - 10.0.0.1,10.0.0.2\n",
                        "t.yaml:2: peers: \"10.0.0.1,10.0.0.2\" is not ADDRESS or NAME=ADDRESS\n");
    expect_text_refused("peers:\n  -\n", "t.yaml:2: peers: \"\" is empty\n");
    expect_text_refused("peers:\n  - [10.0.0.1]\n  - {a: 10.0.0.2}\n",
                        "t.yaml:2: peers: takes a flat list\n"
                        "t.yaml:3: peers: takes a flat list\n");
    expect_text_refused("batch: [1, 2]\n", "t.yaml:1: batch: takes one value, not a list\n");
}

Test(config_yaml, wrong_values_name_file_and_line)
{
    expect_text_refused("\n\nrelay:\n  format: fast\n",
                        "t.yaml:4: relay.format: \"fast\" is not one of framed, raw, proxy-v2\n");
    expect_text_refused("ring: 08\n", "t.yaml:1: ring: \"08\" has a leading zero\n");
    expect_text_refused("ring:\n", "t.yaml:1: ring: has no value\n");
    expect_text_refused("ring: ~\n", "t.yaml:1: ring: has no value\n");
    expect_text_refused("ring: ''\n", "t.yaml:1: ring: \"\" is empty\n");
    expect_text_refused("cluster: \"a\\0b\"\n", "t.yaml:1: cluster: has a NUL in it\n");
    expect_text_refused("cluster: \"a\\nb\"\n", "t.yaml:1: cluster: \"a?b\" has a space or a "
                                                "character that is not ASCII\n");
}

Test(config_yaml, unknown_keys)
{
    expect_text_refused("relay:\n  fromat: raw\n",
                        "t.yaml:2: relay.fromat: no such option, did you mean relay.format?\n");
    expect_text_refused("rely: {format: raw}\n",
                        "t.yaml:1: rely.format: no such option, did you mean relay.format?\n");
    expect_text_refused("format: raw\n",
                        "t.yaml:1: format: no such option, did you mean relay.format?\n");
    expect_text_refused("quota: none\n", "t.yaml:1: quota: no such option\n");
    expect_text_refused("\"gr\xc3\xb6\xc3\x9f\x65\\e[2J\": 1\n",
                        "t.yaml:1: gr\xc3\xb6\xc3\x9f\x65?[2J: no such option\n");
    expect_text_refused("quorum: {expekt: 3}\n",
                        "t.yaml:1: quorum.expekt: no such option, did you mean quorum.expect?\n");
    expect_text_refused("Batch: 7\n", "t.yaml:1: Batch: no such option, did you mean batch?\n");
    expect_text_refused("self: {address: 10.0.0.1}\n", "t.yaml:1: self.address: no such option\n");
    expect_text_refused("self: {}\n", "t.yaml:1: self: takes a value, not further keys\n");
    expect_text_refused("unheard: {}\n", "t.yaml:1: unheard: no such option\n");
    expect_text_refused("\"a\\e[31m\": 1\n", "t.yaml:1: a?[31m: no such option\n");
    expect_text_refused("<<: 1\n", "t.yaml:1: <<: no such option\n");
    expect_text_refused("relay: raw\n",
                        "t.yaml:1: relay: is a group of options such as relay.port\n");
    expect_text_refused("unknown: [1, [2, {a: b}]]\nother: {x: [1], y: 2}\nbatch: 0\n",
                        "t.yaml:1: unknown: no such option\n"
                        "t.yaml:2: other.x: no such option\n"
                        "t.yaml:2: other.y: no such option\n"
                        "t.yaml:3: batch: \"0\" is out of range 1..256\n");
}

Test(config_yaml, duplicates_in_any_spelling)
{
    expect_text_refused("batch: 1\nbatch: 1\n", "t.yaml:2: batch: already set in line 1\n");
    expect_text_refused("relay.mtu: 1400\nrelay:\n  mtu: 1400\n",
                        "t.yaml:3: relay.mtu: already set in line 1\n");
    expect_text_refused("relay:\n  mtu: 1400\nrelay.mtu: 1400\n",
                        "t.yaml:3: relay.mtu: already set in line 2\n");
    expect_text_refused("peers: []\nself: 10.0.0.1\npeers: [10.0.0.1]\n",
                        "t.yaml:3: peers: already set in line 1\n");
    expect_text_refused("relay: {mtu: 1400}\nrelay: {format: raw}\n",
                        "t.yaml:2: relay: already begun in line 1\n");
}

Test(config_yaml, anchors_aliases_and_tags)
{
    expect_text_refused("batch: &b 7\n", "t.yaml:1: anchors (&) are not supported\n");
    expect_text_refused("batch: !!int 7\n", "t.yaml:1: tags (!) are not supported\n");
    expect_text_refused("peers: &p [10.0.0.1]\nring: *p\n",
                        "t.yaml:1: anchors (&) are not supported\n"
                        "t.yaml:2: aliases (*) are not supported\n");
    expect_text_refused("relay: &r {mtu: 1400}\n", "t.yaml:1: anchors (&) are not supported\n");
    expect_text_refused("peers: [*a]\n", "t.yaml:1: aliases (*) are not supported\n");
}

Test(config_yaml, not_a_configuration)
{
    expect_text_refused("hello\n", "t.yaml:1: expected lines such as \"leader: 10.0.0.1\"\n");
    expect_text_refused("\n- a\n", "t.yaml:2: expected lines such as \"leader: 10.0.0.1\"\n");
    expect_text_refused("batch: 7\n---\nbatch: 8\n",
                        "t.yaml:2: a second document begins, only one is allowed\n");
    expect_text_refused("[a]: 1\nbatch: 0\n", "t.yaml:1: a key must be plain text\n"
                                              "t.yaml:2: batch: \"0\" is out of range 1..256\n");
    expect_text_refused("a: {b: {c: {d: {e: {f: 1}}}}}\nbatch: 0\n",
                        "t.yaml:1: a.b.c.d: nested too deeply\n"
                        "t.yaml:2: batch: \"0\" is out of range 1..256\n");
}

Test(config_yaml, broken_yaml)
{
    expect_text_refused("batch: 7\nring: [\n",
                        "t.yaml:2: ring: takes one value, not a list\n"
                        "t.yaml:3: not valid YAML: did not find expected node content while "
                        "parsing a flow node\n");
    expect_text_refused("batch: 0\nring: a: b\n",
                        "t.yaml:1: batch: \"0\" is out of range 1..256\n"
                        "t.yaml:2: ring: \"a\" is not a whole number\n"
                        "t.yaml:2: not valid YAML: mapping values are not allowed in this "
                        "context\n");
    expect_text_refused("batch: 7\n\tring: 1\n",
                        "t.yaml:2: not valid YAML: found a tab character that violates "
                        "indentation while scanning a plain scalar\n");
    expect_text_refused("batch: 7\n\xff\n",
                        "t.yaml:2: not valid YAML: invalid leading UTF-8 octet\n");
}

Test(config_yaml, at_most_twenty_errors_are_shown)
{
    char yaml[2048], *last;
    struct loaded l;
    size_t n = 0, lines = 0;

    for (int i = 0; i < 25; i++)
        n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "wrong%d: 1\n", i);
    load_text(&l, yaml);
    for (const char *c = l.errors; *c; c++)
        lines += *c == '\n';
    cr_expect_eq(lines, 21);
    last = strstr(l.errors, "and ");
    cr_assert_not_null(last);
    cr_expect_str_eq(last, "and 5 more errors\n");
}

Test(config_yaml, long_keys_are_cut)
{
    char yaml[1024], start[64];
    struct loaded l;

    memset(yaml, 'k', sizeof(yaml));
    (void)snprintf(yaml + 300, sizeof(yaml) - 300, ": {%.*s: 1}\n", 200, yaml);
    load_text(&l, yaml);
    cr_expect_eq(l.rc, -EINVAL);
    (void)snprintf(start, sizeof(start), "t.yaml:1: kkk");
    cr_expect_eq(strncmp(l.errors, start, strlen(start)), 0);
}
