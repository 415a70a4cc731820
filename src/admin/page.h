/*
 * page: the HTML page at /. Private to admin/.
 *
 *   page.c          the frame: leader, warnings, this pod
 *   page_lease.c    the Lease, with election lease
 *   page_members.c  the members, as a table
 *   page_flow.c     the path of a datagram, as a picture
 *   page_lists.c    drops, events, options
 *   page_put.c      these helpers
 *   page/           style, script and icon, which CMake puts into the program
 *
 * The page is written from the object of GET /status, so the two cannot differ; a missing value is a
 * dash here. The script fetches the page again and replaces the parts that differ, so only this code
 * renders it.
 */
#ifndef ADMIN_PAGE_H
#define ADMIN_PAGE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PAGE_NUMBER_MAX   32 /* "-9,223,372,036,854,775,808" */
#define PAGE_DURATION_MAX 32

/* Writes to an open_memstream, whose fclose reports a lack of memory. */
struct page {
    FILE *out;
    struct json_object *status;
};

/*
 * Writes format as HTML. %s and %lld are the only conversions; their values are escaped for text and
 * for attributes in quotes, so no value can be written unescaped.
 */
void page_put(const struct page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* By a path with dots, "counters.frames_total.in". NULL, "" or 0 if there is none. */
struct json_object *page_find(struct json_object *object, const char *path);
const char *page_text(struct json_object *object, const char *path);
int64_t page_number(struct json_object *object, const char *path);
/* The length of a list; 0 if it is none. */
size_t page_count(struct json_object *list);

/* "12,345"; they return their buffer. */
const char *page_group(int64_t number, char text[static PAGE_NUMBER_MAX]);
/* "350 ms", "18 min", "3 d 4 h" */
const char *page_duration(uint64_t ms, char text[static PAGE_DURATION_MAX]);

/* A pod: its name, or its address when it has none. */
const char *page_pod(struct json_object *pod);
/* The time of day in "time". */
void page_put_time(const struct page *page, struct json_object *object);
/* The element in which the script shows the rate of a number; key identifies it within the page. */
void page_put_rate(const struct page *page, const char *key, const char *of, int64_t total);

void page_put_lease(const struct page *page);
void page_put_members(const struct page *page);
void page_put_flow(const struct page *page);
void page_put_drops(const struct page *page);
void page_put_events(const struct page *page);
void page_put_options(const struct page *page);

/* The cause of a leader change as a sentence; cause is the word in /status. */
const char *page_cause(const char *cause);
/* A member's state as text. */
const char *page_state(const char *state);

/* page/ */
extern const unsigned char page_css[], page_js[], page_svg[];
extern const size_t page_css_length, page_js_length, page_svg_length;

#endif
