/*
 * document: manual pages, completion, schema and reference pages, from the tables of the programs.
 *
 * headless-document (main.c) is run when the product is built; nothing of this directory is in the
 * programs that are shipped. A struct document_program is filled from the tables that also parse a
 * program's command line. From it come its manual page (mdoc, the generated parts of it; the prose
 * around them is in docs/man), and its completion for bash. So an option that is added to a table
 * is documented and completed.
 *
 * A value's name is one word that tells people and shells: "TIME", "HOST:PORT,...",
 * "framed|raw|proxy-v2", "ADDRESS|auto". Of parts between bars, those in small letters are words to
 * choose from; FILE at its beginning, or behind a [, is the path of a file.
 *
 * Threads: one. Blocking: it reads and writes streams, whose errors are the caller's to look at.
 */
#ifndef DOCUMENT_DOCUMENT_H
#define DOCUMENT_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define DOCUMENT_WORDS_MAX 256 /* bytes of all words to choose from, with NUL */

struct document_option {
    char letter;       /* 0: only the long one */
    const char *name;  /* without dashes */
    const char *alias; /* a second long one, or NULL */
    const char *value; /* how it is called; NULL: takes none */
    const char *help;  /* sentences, or one without its full stop */
};

struct document_command {
    const char *words;   /* "leader set" */
    const char *operand; /* how it is called; NULL: takes none */
    const char *purpose;
    const char *description; /* more about it, or NULL */
    const char *examples;    /* lines, or NULL */
    const struct document_option *options;
    size_t option_count;
};

struct document_exit {
    int code;
    const char *meaning;
};

struct document_program {
    const char *name;
    const char *section; /* of the manual */
    const char *purpose; /* half a sentence */
    const struct document_option *options;
    size_t option_count;
    const struct document_command *commands;
    size_t command_count; /* 0: it takes options alone */
    bool shares_options;  /* its commands take some of its options, none of their own */
    const char *examples; /* lines */
    const struct document_exit *exits;
    size_t exit_count;
    void (*put_keys)(FILE *out); /* mdoc for a page about its file; NULL: none */
};

/*
 * A manual page: copies what is between its lines of the kind "@options@", in whose place comes
 * what the program says of itself: @head@ (title, name, synopsis),
 * @title@ (of the page about its file), @commands@, @options@, @keys@,
 * @exits@, @examples@. Returns 0, or -EINVAL for a line of that kind with another word.
 */
int document_man(const struct document_program *program, FILE *in, FILE *out)
    __attribute__((warn_unused_result));

/* A script for bash, which also works without the package bash-completion. */
void document_bash(const struct document_program *program, FILE *out);

/*
 * To standard output: what is "man" (reads standard input) or "bash". Returns 0; -ENOENT for
 * another word, -EINVAL as document_man, -EIO.
 */
int document_print(const struct document_program *program, const char *what)
    __attribute__((warn_unused_result));

/* ---- the programs, from their tables; a description refers to static storage ---- */

void document_describe_headlessd(struct document_program *ret_program);
void document_describe_headlessctl(struct document_program *ret_program);
void document_describe_bench(struct document_program *ret_program);

/* ---- whole documents ---- */

/* docs/options.md */
void document_options(FILE *out);
/* docs/metrics.md: all metrics of /metrics, and queries with the result that they must have. */
void document_metrics(FILE *out);
/* docs/headlessd.schema.json, for editors: a JSON schema (draft 7). Returns 0 or -ENOMEM. */
int document_schema(FILE *out) __attribute__((warn_unused_result));

/* ---- parts, for those who have more to say ---- */

/* Prose, in lines of mdoc: escaped, filled, each sentence on a line of its own. */
void document_put_prose(FILE *out, const char *text);

/* One argument of a macro of mdoc, in quotes and escaped, with a space before it. */
void document_put_argument(FILE *out, const char *text);

/* The words to choose from in how a value is called, with spaces between them; returns words. */
const char *document_words(const char *value, char words[static DOCUMENT_WORDS_MAX]);

/* Is the value the path of a file? */
bool document_is_file(const char *value);

#endif
