/*
 * parts: common parts of show.c, top and sessions. Private to ctl/.
 *
 * Fields of JSON from a pod, perhaps of another version: a field that is missing, or of another type,
 * is 0, NULL or "-". Texts are printed without control characters.
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
/* "-" if it is no text, or empty. */
const char *field_text(const struct json_object *object, const char *key);
uint64_t field_number(const struct json_object *object, const char *key);
int64_t field_signed(const struct json_object *object, const char *key);
/* False: there is no such number. */
bool field_try_number(const struct json_object *object, const char *key, double *ret_number);
/* The length of the list; 0 if it is none. */
size_t field_count(const struct json_object *list);

/* ---- columns ---- */

/* Printable, cut or padded to width, then a space. */
void parts_put_column(FILE *out, const char *text, int width);

/* The width of the widest text of that key in the list, within least and most. */
int parts_width(const struct json_object *list, const char *key, int least, int most);

/* ---- parts of a status ---- */

/* "before" and the text of a field. */
void parts_put_text(FILE *out, const char *before, const struct json_object *object,
                    const char *key);
/* "name (address)", or the address. */
void parts_put_pod(FILE *out, const struct json_object *pod);
void parts_put_leadership(FILE *out, const struct json_object *document);
void parts_put_uptime(FILE *out, const struct json_object *status);
void parts_put_ledger(FILE *out, const struct json_object *status);

/* ---- members.c ---- */

/*
 * The members of a status as a table of at most lines lines, in the order of succession: the first
 * one alive is the next leader. colors: for a terminal.
 */
void parts_put_members(FILE *out, const struct json_object *status, size_t lines, bool colors);

/* ---- colors ---- */

#define COLOR_NONE "\x1b[0m"
#define COLOR_HEAD "\x1b[7m"
#define COLOR_GOOD "\x1b[1;32m"
#define COLOR_BAD  "\x1b[1;31m"
#define COLOR_WARN "\x1b[33m"

#endif
