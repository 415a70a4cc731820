/*
 * The file, read by libyaml's events instead of its documents: events have line numbers, and
 * documents keep the last of duplicate keys. The reader accepts a small part of YAML (mappings,
 * lists, scalars) and refuses anchors, aliases, tags, duplicates and further documents. After an
 * invalid option it continues; after invalid YAML it cannot.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "headless/base/utf8.h"
#include "loader.h"

#define DEPTH_MAX 4 /* mappings within mappings; the keys need two */

struct reader {
    struct loader *loader;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const char *text;   /* the whole file */
    size_t length;
    char key[OPTION_NAME_MAX * 2];    /* dotted path of the current node, cut to fit */
    unsigned group_lines[OPTION_MAX]; /* by a group's first option: first line of its mapping */
    size_t lengths[DEPTH_MAX];        /* of key, outside of each open mapping */
    unsigned depth;                   /* mappings open */
    bool is_empty;                    /* nothing yet in the innermost */
    int rc;                           /* not 0: stop; already reported */
};

static unsigned line_of(const yaml_mark_t *mark)
{
    return (unsigned)mark->line + 1;
}

/* The reader, below the scanner, reports only an offset. */
static unsigned problem_line(const struct reader *r)
{
    unsigned line = 1;

    if (r->parser.error != YAML_READER_ERROR)
        return line_of(&r->parser.problem_mark);
    for (size_t i = 0; i < r->parser.problem_offset && i < r->length; i++)
        line += r->text[i] == '\n';
    return line;
}

static bool yaml_fail(struct reader *r)
{
    r->rc = -EINVAL;
    return false;
}

static bool report_bad_yaml(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR) {
        r->rc = -ENOMEM;
        return false;
    }
    loader_error_line(r->loader, problem_line(r), "not valid YAML: %s%s%s",
                      p->problem ? p->problem : "unknown problem", p->context ? " " : "",
                      p->context ? p->context : "");
    return yaml_fail(r);
}

static void refuse_decoration(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        loader_error_line(r->loader, line_of(&r->event.start_mark),
                          "anchors (&) are not supported");
    if (tag)
        loader_error_line(r->loader, line_of(&r->event.start_mark), "tags (!) are not supported");
}

static void refuse_decorations(struct reader *r)
{
    const yaml_event_t *e = &r->event;

    if (e->type == YAML_SCALAR_EVENT)
        refuse_decoration(r, e->data.scalar.anchor, e->data.scalar.tag);
    else if (e->type == YAML_SEQUENCE_START_EVENT)
        refuse_decoration(r, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    else if (e->type == YAML_MAPPING_START_EVENT)
        refuse_decoration(r, e->data.mapping_start.anchor, e->data.mapping_start.tag);
    else if (e->type == YAML_ALIAS_EVENT)
        loader_error_line(r->loader, line_of(&e->start_mark), "aliases (*) are not supported");
}

/* Read the next event; false: there is none, which is reported. */
static bool next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return report_bad_yaml(r);
    refuse_decorations(r);
    return true;
}

static bool is(const struct reader *r, yaml_event_type_t type)
{
    return r->event.type == type;
}

/* Skip the rest of the current node. Not recursive, because the node may be deep. */
static bool skip(struct reader *r)
{
    unsigned open = 0;

    for (;;) {
        if (is(r, YAML_MAPPING_START_EVENT) || is(r, YAML_SEQUENCE_START_EVENT))
            open++;
        else if (is(r, YAML_MAPPING_END_EVENT) || is(r, YAML_SEQUENCE_END_EVENT))
            open--;
        if (open == 0)
            return true;
        if (!next(r))
            return false;
    }
}

static bool is_null(const struct reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;

    return is(r, YAML_SCALAR_EVENT) && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* The current scalar's text; NULL, reported, when a NUL would cut it. */
static const char *scalar_text(struct reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;

    if (strlen(text) == r->event.data.scalar.length)
        return text;
    loader_error_line(r->loader, line_of(&r->event.start_mark), "%s: has a NUL in it", r->key);
    return NULL;
}

static void refuse_unknown_key(struct reader *r, unsigned line)
{
    struct suggestion near;

    suggestion_init(&near, r->key);
    for (size_t i = 0; i < config_option_count; i++)
        suggestion_offer(&near, config_options[i].key);
    loader_error_line(r->loader, line, "%s: no such option%s%s%s", r->key,
                      *near.best ? ", did you mean " : "", near.best, *near.best ? "?" : "");
}

/* name: the option's at its first place, which is another one when it was renamed. */
static void refuse_second(struct reader *r, unsigned line, const struct origin *first,
                          const char *name)
{
    bool is_other = strcmp(name, r->key) != 0;

    loader_error_line(r->loader, line, "%s: already set in line %u%s%s", r->key, first->line,
                      is_other ? ", as " : "", is_other ? name : "");
}

/* The option of the current key, if it may be set here; otherwise false, reported. */
static bool find_option(struct reader *r, unsigned line, size_t *ret_option,
                        struct origin *ret_origin)
{
    size_t option = option_by_key(r->key);
    const struct origin *before;
    const char *former = NULL;
    char text[OPTION_NAME_MAX];

    if (option == config_option_count)
        option = option_by_former_key(r->key, &former);
    if (option == config_option_count) {
        refuse_unknown_key(r, line);
        return false;
    }
    before = &r->loader->set->origins[option];
    if (before->source == CONFIG_FILE) {
        refuse_second(r, line, before, loader_spell(option, before, text));
        return false;
    }
    *ret_option = option;
    *ret_origin = (struct origin){.source = CONFIG_FILE, .line = line, .former = former};
    r->loader->set->file_options++;
    return true;
}

static void read_scalar(struct reader *r, unsigned line)
{
    struct origin origin;
    size_t group = option_by_prefix(r->key);
    bool is_group = group < config_option_count; /* quorum is an option as well */
    const char *text = scalar_text(r);
    size_t option;

    if (!text || (is_null(r) && is_group))
        return; /* a group whose options are all commented out */
    if (is_group && option_by_key(r->key) == config_option_count)
        loader_error_line(r->loader, line, "%s: is a group of options such as %s", r->key,
                          config_options[group].key);
    else if (!find_option(r, line, &option, &origin))
        return;
    else if (is_null(r))
        loader_refuse(r->loader, option, &origin, "has no value");
    else
        config_assign(r->loader, option, &origin, text);
}

static bool read_items(struct reader *r, size_t option)
{
    while (next(r) && !is(r, YAML_SEQUENCE_END_EVENT)) {
        struct origin origin = {.source = CONFIG_FILE, .line = line_of(&r->event.start_mark)};
        const char *text;

        if (is(r, YAML_SCALAR_EVENT)) {
            text = scalar_text(r);
            if (text)
                config_assign_item(r->loader, option, &origin, text);
        } else if (!is(r, YAML_ALIAS_EVENT)) {
            loader_refuse(r->loader, option, &origin, "takes a flat list");
            if (!skip(r))
                return false;
        }
    }
    return r->rc == 0;
}

static bool read_sequence(struct reader *r, unsigned line)
{
    struct origin origin;
    size_t option;

    if (!find_option(r, line, &option, &origin))
        return skip(r);
    if (!value_is_list(&config_options[option])) {
        loader_refuse(r->loader, option, &origin, "takes one value, not a list");
        return skip(r);
    }
    config_assign_list(r->loader, option, &origin);
    return read_items(r, option);
}

static void note_group(struct reader *r, unsigned line)
{
    size_t group = option_by_prefix(r->key);

    if (group == config_option_count)
        return; /* its options are unknown, and each is reported */
    if (r->group_lines[group])
        loader_error_line(r->loader, line, "%s: already begun in line %u", r->key,
                          r->group_lines[group]);
    else
        r->group_lines[group] = line;
}

/* Append ".name" to the path, cut to fit, unprintable characters replaced. */
static void extend_key(struct reader *r, const char *name)
{
    size_t n = strlen(r->key);

    if (n > 0 && n < sizeof(r->key) - 1)
        r->key[n++] = '.';
    n += utf8_copy_printable(r->key + n, sizeof(r->key) - 1 - n, name);
    r->key[n] = '\0';
}

/* The current mapping is the value of the current key; at its end the key goes back to length. */
static bool open_mapping(struct reader *r, unsigned line, size_t length)
{
    note_group(r, line);
    if (r->depth == DEPTH_MAX) {
        loader_error_line(r->loader, line, "%s: nested too deeply", r->key);
        r->key[length] = '\0';
        return skip(r);
    }
    r->lengths[r->depth++] = length;
    r->is_empty = true;
    return true;
}

/* Unknown keys have been reported; a mapping without keys is an error where no group is. */
static void check_empty(struct reader *r)
{
    unsigned line = line_of(&r->event.start_mark);

    if (!r->is_empty || option_by_prefix(r->key) < config_option_count)
        return;
    if (option_by_key(r->key) < config_option_count)
        loader_error_line(r->loader, line, "%s: takes a value, not further keys", r->key);
    else
        refuse_unknown_key(r, line);
}

static void close_mapping(struct reader *r)
{
    if (r->depth > 1)
        check_empty(r);
    r->is_empty = false;
    r->key[r->lengths[--r->depth]] = '\0';
}

static bool read_pair(struct reader *r)
{
    unsigned line = line_of(&r->event.start_mark);
    size_t length = strlen(r->key);
    const char *name;
    bool go_on = true;

    r->is_empty = false;
    if (!is(r, YAML_SCALAR_EVENT)) {
        loader_error_line(r->loader, line, "a key must be plain text");
        return skip(r) && next(r) && skip(r);
    }
    name = scalar_text(r);
    extend_key(r, name ? name : "?");
    if (!next(r))
        return false;
    if (is(r, YAML_MAPPING_START_EVENT))
        return open_mapping(r, line, length);
    if (is(r, YAML_SCALAR_EVENT))
        read_scalar(r, line);
    else if (is(r, YAML_SEQUENCE_START_EVENT))
        go_on = read_sequence(r, line);
    r->key[length] = '\0';
    return go_on;
}

/* All mappings, the root and those within, without recursion. */
static bool read_mappings(struct reader *r)
{
    r->depth = 1;
    while (r->depth > 0) {
        if (!next(r))
            return false;
        if (is(r, YAML_MAPPING_END_EVENT))
            close_mapping(r);
        else if (!read_pair(r))
            return false;
    }
    return true;
}

static bool read_document(struct reader *r)
{
    if (!next(r))
        return false;
    if (is(r, YAML_MAPPING_START_EVENT)) {
        if (!read_mappings(r))
            return false;
    } else if (!is_null(r)) {
        loader_error_line(r->loader, line_of(&r->event.start_mark),
                          "expected lines such as \"leader: 10.0.0.1\"");
        return yaml_fail(r);
    }
    return next(r); /* the document's end */
}

static void yaml_read_stream(struct reader *r)
{
    bool go_on = next(r); /* the stream's start */

    go_on = go_on && next(r);
    if (go_on && is(r, YAML_DOCUMENT_START_EVENT))
        go_on = read_document(r) && next(r);
    if (go_on && !is(r, YAML_STREAM_END_EVENT))
        loader_error_line(r->loader, line_of(&r->event.start_mark),
                          "a second document begins, only one is allowed");
}

int config_read_yaml(struct loader *l, const char *text, size_t length)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct reader r = {.loader = l, .text = text, .length = length};

    if (length >= 3 && memcmp(text, byte_order_mark, 3) == 0) { /* some editors write it */
        r.text += 3;
        r.length -= 3;
    }
    if (!yaml_parser_initialize(&r.parser))
        return -ENOMEM;
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, r.length);
    yaml_read_stream(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return r.rc == -ENOMEM ? -ENOMEM : 0;
}
