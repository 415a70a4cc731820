/*
 * parts: what the pages of show.c, top and sessions share. Private to ctl/.
 *
 * Fields of JSON that a pod sent, perhaps of another version: whatever is missing, or of another
 * type, is 0, NULL or "-". Nothing that it says reaches the terminal as more than text.
 */
#ifndef CTL_PARTS_H
#define CTL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

#define PARTS_LABEL "%-10s"

/* ---- fields.c ---- */

const struct json_object *field_of(const struct json_object *object, const char *key);
/* A member of a member: field_find(status, "counters", "datagrams_relayed_total"). */
const struct json_object *field_find(const struct json_object *object, const char *group,
                                     const char *key);
/* "-" for what is no text, or empty. */
const char *field_text(const struct json_object *object, const char *key);
uint64_t field_number(const struct json_object *object, const char *key);
int64_t field_signed(const struct json_object *object, const char *key);
/* False: it has no number of that name. */
bool field_try_number(const struct json_object *object, const char *key, double *ret_number);
/* How many it lists; 0 for what is no list. */
size_t field_count(const struct json_object *list);

/* ---- columns ---- */

/* Printable, cut or filled to width; behind it a space. */
void parts_put_column(FILE *out, const char *text, int width);

/* As wide as the widest text of that name in the list, but within least and most. */
int parts_width(const struct json_object *list, const char *key, int least, int most);

/* ---- parts of a status ---- */

/* "before" and the text of a field. */
void parts_put_text(FILE *out, const char *before, const struct json_object *object,
                    const char *key);
/* "name (address)", or what there is of it. */
void parts_put_pod(FILE *out, const struct json_object *pod);
void parts_put_leadership(FILE *out, const struct json_object *page);
void parts_put_uptime(FILE *out, const struct json_object *status);
void parts_put_ledger(FILE *out, const struct json_object *status);

/* ---- members.c ---- */

/*
 * The members of a status as a table in at most that many lines, in the order of succession: the
 * first that lives leads next. colors: for a terminal.
 */
void parts_put_members(FILE *out, const struct json_object *status, size_t lines, bool colors);

/* ---- colors ---- */

#define COLOR_NONE  "\x1b[0m"
#define COLOR_HEAD  "\x1b[7m"
#define COLOR_GOOD  "\x1b[1;32m"
#define COLOR_BAD   "\x1b[1;31m"
#define COLOR_DOUBT "\x1b[33m"

#endif
