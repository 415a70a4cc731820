/*
 * value: the types of options: text into a field of struct config and back. Private to config.
 *
 * value_parse reads the text that value_format writes to the same value. Parsers change the field only if the
 * text is valid (lists grow item by item); why explains a refusal and begins with the quoted text: "fast" is not one of framed, raw, proxy-v2.
 * With success it is a warning, or stays as it was.
 *
 * Threads: pure functions, any thread. Nothing blocks or allocates.
 */
#ifndef HEADLESS_CONFIG_VALUE_H
#define HEADLESS_CONFIG_VALUE_H

#include "options.h"

#define VALUE_TEXT_MAX 384 /* bytes of one value or list item as text, with NUL */
#define VALUE_WHY_MAX  512 /* bytes of an explanation, with NUL */

/* Set the field of o from text; lists take commas between items. Returns 0 or -EINVAL. */
int value_parse(const struct config_option *o, const char *text, struct config *config,
                char why[static VALUE_WHY_MAX]);

bool value_is_list(const struct config_option *o);

/* Lists only: make it empty; add one item (returns 0 or -EINVAL). */
void value_clear(const struct config_option *o, struct config *config);
int value_append(const struct config_option *o, const char *text, struct config *config,
                 char why[static VALUE_WHY_MAX]);

/* The number of items of a list; 1 for other types. */
size_t value_count(const struct config_option *o, const struct config *config);

/* The value, or one item of a list, as text; returns text. */
const char *value_format(const struct config_option *o, const struct config *config, size_t item,
                         char text[static VALUE_TEXT_MAX]);

bool value_equal(const struct config_option *o, const struct config *a, const struct config *b);

/* The allowed values for a reader: "1..65535", "text, json, auto"; returns text. */
const char *value_allowed(const struct config_option *o, char text[static VALUE_TEXT_MAX]);

/* The same as one word, for document.h: "N", "framed|raw|proxy-v2"; returns text. */
const char *value_called(const struct config_option *o, char text[static VALUE_TEXT_MAX]);

/* Explain a refusal: the text, quoted, shortened and made printable, then the message. -EINVAL. */
int value_refuse(char why[static VALUE_WHY_MAX], const char *text, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* none, or off, which means none everywhere. */
bool value_is_none(const char *text);

/* A valid name of a member: 1 to 253 letters, digits and - . _ : % */
bool value_is_name(const char *text);

/* Keep such a name, shortened (base/member_name.h) if it does not fit; then why is a warning. */
void value_keep_name(const char *text, char name[static CONFIG_NAME_MAX], char *why);

/* The address of one machine: not a wildcard, multicast or broadcast. */
bool value_is_unicast(const struct address *a);

/*
 * One type. Lists have count and clear, and parse adds one item. size is the field's; text of
 * format has room for VALUE_TEXT_MAX.
 */
struct value_type {
    int (*parse)(const struct config_option *o, const char *text, void *field, char *why);
    void (*format)(const struct config_option *o, const void *field, size_t item, char *text);
    void (*allowed)(const struct config_option *o, char *text); /* NULL: the row tells */
    const char *called; /* placeholder for such a value; NULL: its words */
    size_t (*count)(const void *field);
    void (*clear)(void *field);
};

extern const struct value_type value_number, value_duration, value_size, value_choice;
extern const struct value_type value_text, value_name, value_leader;
extern const struct value_type value_address, value_listen, value_target;
extern const struct value_type value_peers, value_order, value_cidrs, value_groups;

#endif
