/*
 * Completion for zsh: a file _PROGRAM for its fpath. _arguments does the work; for each command
 * there is a row of its specifications.
 */
#include <string.h>

#include "words.h"

/* Inside '...', where special is what _arguments or _describe would take for its own. */
static void put_escaped(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", out);
        else if (strchr(special, *text))
            (void)fprintf(out, "\\%c", *text);
        else
            (void)fputc(*text, out);
    }
}

/* Where there is nothing to offer, otherwise says so: " " shows how the value is called. */
static void put_action(FILE *out, const char *value, const char *otherwise)
{
    char words[DOCUMENT_WORDS_MAX];

    (void)fputc(':', out);
    put_escaped(out, value, ":\\");
    (void)fputc(':', out);
    if (document_is_file(value))
        (void)fputs("_files", out);
    else if (*document_words(value, words))
        (void)fprintf(out, "(%s)", words);
    else
        (void)fputs(otherwise, out);
}

static void put_spec(FILE *out, const char *flag, const char *mark, const struct document_option *o)
{
    (void)fprintf(out, "        '%s%s[", flag, mark);
    put_escaped(out, o->help, "[]:\\");
    (void)fputc(']', out);
    if (o->value)
        put_action(out, o->value, " ");
    (void)fputs("'\n", out);
}

/* Long ones take --a=b and --a b, short ones -ab and -a b. */
static void put_specs(FILE *out, const struct document_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct document_option *o = &options[i];
        char flag[80];

        if (o->queued) {
            (void)snprintf(flag, sizeof(flag), "-%c", o->queued);
            put_spec(out, flag, o->value ? "+" : "", o);
        }
        (void)snprintf(flag, sizeof(flag), "--%.70s", o->name);
        put_spec(out, flag, o->value ? "=" : "", o);
        if (o->alias) {
            (void)snprintf(flag, sizeof(flag), "--%.70s", o->alias);
            put_spec(out, flag, o->value ? "=" : "", o);
        }
    }
}

/* ---- the table: for the words of a command its options, its operand, the words that may follow */

/* Not shown: zsh then would not complete an option in its place. */
static void put_operand(FILE *out, const char *operand)
{
    (void)fprintf(out, "        '%s", strpbrk(operand, ". ") ? "*" : "1");
    put_action(out, operand, "()");
    (void)fputs("'\n", out);
}

static void put_command(FILE *out, const struct document_command *c)
{
    (void)fprintf(out, "    '%s')\n        specs=(\n", c->words);
    put_specs(out, c->options, c->option_count);
    if (c->operand)
        put_operand(out, c->operand);
    (void)fputs("        )\n        ;;\n", out);
}

/* Before the words of a command are complete: the program's options, and the next words. */
static void put_stem(FILE *out, const struct document_program *p, const char *prefix)
{
    (void)fprintf(out, "    '%s')\n        specs=(\n", prefix);
    put_specs(out, p->options, p->option_count);
    (void)fputs("        )\n        next=(\n", out);
    for (size_t i = 0; i < p->command_count; i++) {
        const char *word = words_behind(&p->commands[i], prefix);

        if (!word || words_are_offered(p, i, prefix))
            continue;
        (void)fprintf(out, "        '%.*s:", (int)words_length(word), word);
        put_escaped(out, strchr(word, ' ') ? "several" : p->commands[i].purpose, "\\");
        (void)fputs("'\n", out);
    }
    (void)fputs("        )\n        ;;\n", out);
}

static void put_table(FILE *out, const struct document_program *p)
{
    put_stem(out, p, "");
    for (size_t i = 0; i < p->command_count; i++) {
        char stem[WORDS_MAX];

        if (words_stem(&p->commands[i], stem) && !words_are_offered(p, i, ""))
            put_stem(out, p, stem);
        put_command(out, &p->commands[i]);
    }
}

/* Each turn one word of a command is behind us; what is left looks like a command line of its own.
 */
static const char walk[] =
    "    *) return 1 ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "local command=\"\" curcontext=$curcontext state line\n"
    "local -a specs next\n"
    "typeset -A opt_args\n"
    "\n"
    "while ${service}_table \"$command\"; do\n"
    "    if ((! $#next)); then\n"
    "        _arguments -S : $specs\n"
    "        return\n"
    "    fi\n"
    "    state=\"\"\n"
    "    _arguments -C -S -A '-*' : $specs '1:command:->next' '*:: :->rest' && return\n"
    "    if [[ $state == next ]]; then\n"
    "        _describe -t commands command next\n"
    "        return\n"
    "    fi\n"
    "    [[ $state == rest ]] || return 1\n"
    "    command=${command:+$command }$words[1]\n"
    "done\n"
    "return 1\n";

void document_zsh(const struct document_program *program, FILE *out)
{
    (void)fprintf(out,
                  "#compdef %s\n# Completion of %s for zsh, made by %s --document-zsh.\n\n"
                  "%s_table()\n{\n    specs=() next=()\n    case $1 in\n",
                  program->name, program->name, program->name, program->name);
    put_table(out, program);
    (void)fputs(walk, out);
}
