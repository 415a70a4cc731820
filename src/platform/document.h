/*
 * document: JSON objects from the API server, parsed within bounds, and to it. Private to platform/.
 *
 * json-c takes about 100 bytes for a value, and 800 for an object or array, however short its text is, so they are counted
 * before it parses: of 4 MiB "[0,0,..." it would make 200 MiB, and of 4 MiB "[{},{},..." 1 GiB.
 */
#ifndef PLATFORM_DOCUMENT_H
#define PLATFORM_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

#define DOCUMENT_DEPTH 32

/* Returns the object, for json_object_put; NULL: it is none, has too many values or too much nesting. */
struct json_object *document_parse(const char *text, size_t length);

/* The text at a path of keys, such as "metadata", "resourceVersion"; NULL: it is not there, or no text. */
const char *document_text(struct json_object *document, const char *outer, const char *key);

/* Replaces the member. Takes value; NULL, as json-c returns it without memory, changes nothing. False: no memory. */
bool document_put(struct json_object *object, const char *key, struct json_object *value);
/* The same with a text; without one, or an empty one, removes the member. */
bool document_put_text(struct json_object *object, const char *key, const char *text);

#endif
