/*
 * words: the words of commands, one after the other. Private to document.
 *
 * Behind "" come the first words of all commands, behind "leader" come "get" and "set".
 *
 * Threads: pure functions, any thread.
 */
#ifndef DOCUMENT_WORDS_H
#define DOCUMENT_WORDS_H

#include "document.h"

#define WORDS_MAX 64 /* bytes of a command's words, with NUL */

/* The rest of c's words behind prefix; NULL when c does not begin with it, or nothing is left. */
const char *words_behind(const struct document_command *c, const char *prefix);

/* Is the next word behind prefix of the i-th command that of one before it as well? */
bool words_are_offered(const struct document_program *p, size_t i, const char *prefix);

/* How long the first of some words is. */
size_t words_length(const char *words);

/* The first word of c into stem, when there are more: what to offer behind it; otherwise NULL. */
const char *words_stem(const struct document_command *c, char stem[static WORDS_MAX]);

#endif
