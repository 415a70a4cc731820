/*
 * Manual pages in mdoc(7), which mandoc and groff read, and whose lint knows what a page needs. A
 * line of mdoc begins with a macro or is prose; what looks like a macro is told by \& that it is
 * none.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "document.h"

#define WIDTH    76
#define LINE_MAX 1024

/* Escapes characters that roff interprets. A hyphen is a minus: people copy options out of pages. */
static void put_character(FILE *out, char c)
{
    if (c == '\\')
        (void)fputs("\\e", out);
    else if (c == '-')
        (void)fputs("\\-", out);
    else if (c == ',')
        (void)fputs(",\\:", out); /* a long list may be broken here */
    else
        (void)fputc(c, out);
}

static bool ends_sentence(const char *word, size_t length)
{
    return length > 1 && (word[length - 1] == '.' || word[length - 1] == '?' ||
                          word[length - 1] == ':' || word[length - 1] == '!');
}

void document_put_prose(FILE *out, const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t length = strcspn(text, " \n");

        if (column > 0 && column + 1 + length > WIDTH) {
            (void)fputc('\n', out);
            column = 0;
        }
        if (length > 0 && column > 0)
            column += (size_t)fprintf(out, " ");
        if (length > 0 && column == 0 && (*text == '.' || *text == '\''))
            (void)fputs("\\&", out);
        for (size_t i = 0; i < length; i++)
            put_character(out, text[i]);
        column += length;
        if (ends_sentence(text, length)) {
            (void)fputc('\n', out);
            column = 0;
        }
        text += length + strspn(text + length, " \n");
    }
    if (column > 0)
        (void)fputc('\n', out);
}

/* \& in front: "No" would be a macro, "|" a delimiter. */
void document_put_argument(FILE *out, const char *text)
{
    (void)fputs(" \"\\&", out);
    for (; *text; text++) {
        if (*text == '"')
            (void)fputs("\\(dq", out);
        else
            put_character(out, *text);
    }
    (void)fputc('"', out);
}

/* Help that is half a sentence, as lines of --help are, becomes a whole one. */
static void put_help(FILE *out, const char *help)
{
    char sentence[LINE_MAX];
    size_t length = strlen(help);

    (void)snprintf(sentence, sizeof(sentence), "%s%s", help,
                   length > 0 && help[length - 1] == '.' ? "" : ".");
    sentence[0] = (char)toupper((unsigned char)sentence[0]);
    document_put_prose(out, sentence);
}

static void put_lines(FILE *out, const char *lines)
{
    (void)fputs(".Bd -literal\n", out);
    for (const char *c = lines; *c; c++) {
        bool begins = c == lines || c[-1] == '\n';

        if (begins && (*c == '.' || *c == '\''))
            (void)fputs("\\&", out);
        put_character(out, *c);
    }
    (void)fputs(".Ed\n", out);
}

static void put_option(FILE *out, const struct document_option *o)
{
    (void)fputs(".It", out);
    if (o->letter)
        (void)fprintf(out, " Fl %c ,", o->letter);
    (void)fputs(" Fl Fl", out);
    document_put_argument(out, o->name);
    if (o->alias) {
        (void)fputs(" , Fl Fl", out);
        document_put_argument(out, o->alias);
    }
    if (o->value) {
        (void)fputs(" Ar", out);
        document_put_argument(out, o->value);
    }
    (void)fputc('\n', out);
    put_help(out, o->help);
}

static void man_put_options(FILE *out, const struct document_option *options, size_t count)
{
    (void)fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < count; i++)
        put_option(out, &options[i]);
    (void)fputs(".El\n", out);
}

/* ---- what stands for a line of the template */

static void put_title(FILE *out, const char *name, const char *section)
{
    (void)fprintf(out, ".Dd %s\n.Dt ", HEADLESS_DATE);
    for (const char *c = name; *c; c++)
        (void)fputc(toupper((unsigned char)*c), out);
    (void)fprintf(out, " %s\n.Os headlessd %s\n", section, HEADLESS_VERSION);
}

static void put_file_title(const struct document_program *p, FILE *out)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%.50s.yaml", p->name);
    put_title(out, name, "5");
}

static void put_head(const struct document_program *p, FILE *out)
{
    put_title(out, p->name, p->section);
    (void)fprintf(out, ".Sh NAME\n.Nm %s\n.Nd %s\n.Sh SYNOPSIS\n.Nm\n", p->name, p->purpose);
    if (p->command_count == 0)
        (void)fputs(".Op Fl c Ar FILE\n.Op Fl Fl Ns Ar OPTION Ar VALUE\n.Ar ...\n", out);
    else if (p->shares_options)
        (void)fputs(".Op Ar OPTION ...\n.Ar COMMAND\n.Op Ar OPERAND\n", out);
    else
        (void)fputs(".Ar COMMAND\n.Op Ar OPTION ...\n", out);
    if (p->command_count > 0)
        (void)fputs(".Nm\n.Fl Fl help | Fl Fl version\n", out);
}

static void put_names(FILE *out, const struct document_command *c)
{
    for (size_t i = 0; i < c->option_count; i++) {
        (void)fputs(i == 0 ? "Options:\n.Fl Fl" : ".Fl Fl", out);
        document_put_argument(out, c->options[i].name);
        (void)fputs(i + 1 == c->option_count ? " .\n" : " ,\n", out);
    }
}

static void put_command(const struct document_program *p, const struct document_command *c,
                        FILE *out)
{
    (void)fputs(p->shares_options ? ".It Cm" : ".Ss Command", out);
    document_put_argument(out, c->words);
    if (c->operand && p->shares_options) {
        (void)fputs(" Ar", out);
        document_put_argument(out, c->operand);
    } else if (c->operand) {
        (void)fprintf(out, " \"\\&%s\"", c->operand);
    }
    (void)fputc('\n', out);
    put_help(out, c->description ? c->description : c->purpose);
    if (p->shares_options) {
        put_names(out, c);
        return;
    }
    man_put_options(out, c->options, c->option_count);
    if (c->examples)
        put_lines(out, c->examples);
}

static void put_commands(const struct document_program *p, FILE *out)
{
    (void)fputs(".Sh COMMANDS\n", out);
    if (p->shares_options)
        (void)fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < p->command_count; i++)
        put_command(p, &p->commands[i], out);
    if (p->shares_options)
        (void)fputs(".El\n", out);
}

static void put_program_options(const struct document_program *p, FILE *out)
{
    (void)fputs(".Sh OPTIONS\n", out);
    man_put_options(out, p->options, p->option_count);
}

static void man_put_keys(const struct document_program *p, FILE *out)
{
    if (p->put_keys)
        p->put_keys(out);
}

static void put_exits(const struct document_program *p, FILE *out)
{
    (void)fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < p->exit_count; i++) {
        (void)fprintf(out, ".It %d\n", p->exits[i].code);
        put_help(out, p->exits[i].meaning);
    }
    (void)fputs(".El\n", out);
}

static void put_examples(const struct document_program *p, FILE *out)
{
    (void)fputs(".Sh EXAMPLES\n", out);
    put_lines(out, p->examples);
}

static const struct part {
    const char *line;
    void (*put)(const struct document_program *p, FILE *out);
} parts[] = {
    {"@head@", put_head},         {"@title@", put_file_title},
    {"@commands@", put_commands}, {"@options@", put_program_options},
    {"@keys@", man_put_keys},     {"@exits@", put_exits},
    {"@examples@", put_examples},
};

/* NULL for a line that is no part of the table. */
static const struct part *find_part(const char *line)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].line, line) == 0)
            return &parts[i];
    }
    return NULL;
}

int document_man(const struct document_program *program, FILE *in, FILE *out)
{
    char line[LINE_MAX];

    while (fgets(line, sizeof(line), in)) {
        const struct part *part;

        line[strcspn(line, "\n")] = '\0';
        part = find_part(line);
        if (part)
            part->put(program, out);
        else if (line[0] == '@')
            return -EINVAL;
        else
            (void)fprintf(out, "%s\n", line);
    }
    return 0;
}
