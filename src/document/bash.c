/*
 * Completion for bash. Three functions hold the tables, one walks the words that are there. It
 * needs nothing but bash: the package bash-completion loads it on demand, and it can be sourced.
 */
#include <ctype.h>
#include <string.h>

#include "words.h"

/* The names of functions: no dashes. */
static void put_name(FILE *out, const char *program)
{
    (void)fputc('_', out);
    for (; *program; program++)
        (void)fputc(isalnum((unsigned char)*program) ? *program : '_', out);
}

static void begin_function(const struct document_program *p, const char *what, FILE *out)
{
    put_name(out, p->name);
    (void)fprintf(out, "_%s()\n{\n    case $1 in\n", what);
}

static void end_function(FILE *out)
{
    (void)fputs("    *) return 1 ;;\n    esac\n}\n\n", out);
}

/* ---- which words may follow those of a command */

static void put_words_behind(const struct document_program *p, const char *prefix, FILE *out)
{
    const char *space = "";

    (void)fprintf(out, "    \"%s\") echo \"", prefix);
    for (size_t i = 0; i < p->command_count; i++) {
        const char *word = words_behind(&p->commands[i], prefix);

        if (!word || words_are_offered(p, i, prefix))
            continue;
        (void)fprintf(out, "%s%.*s", space, (int)words_length(word), word);
        space = " ";
    }
    (void)fputs("\" ;;\n", out);
}

static void bash_put_words(const struct document_program *p, FILE *out)
{
    begin_function(p, "words", out);
    if (p->command_count > 0)
        put_words_behind(p, "", out);
    for (size_t i = 0; i < p->command_count; i++) {
        char stem[WORDS_MAX];

        if (words_stem(&p->commands[i], stem) && !words_are_offered(p, i, ""))
            put_words_behind(p, stem, out);
    }
    end_function(out);
}

/* ---- options, and the values that they take */

static void bash_put_options(const char *command, const struct document_option *options,
                             size_t count, FILE *out)
{
    (void)fprintf(out, "    \"%s\") echo \"", command);
    for (size_t i = 0; i < count; i++) {
        const struct document_option *o = &options[i];

        (void)fprintf(out, "%s--%s", i ? " " : "", o->name);
        if (o->alias)
            (void)fprintf(out, " --%s", o->alias);
    }
    (void)fputs("\" ;;\n", out);
}

static void put_pattern(const char *command, const char *dashes, const char *name, FILE *out)
{
    (void)fprintf(out, "\"%s %s%s\"", command, dashes, name);
}

static void put_values(const char *command, const struct document_option *options, size_t count,
                       FILE *out)
{
    char words[DOCUMENT_WORDS_MAX];

    for (size_t i = 0; i < count; i++) {
        const struct document_option *o = &options[i];
        const char letter[] = {o->letter, '\0'};

        if (!o->value)
            continue;
        (void)fputs("    ", out);
        put_pattern(command, "--", o->name, out);
        if (o->alias) {
            (void)fputs(" | ", out);
            put_pattern(command, "--", o->alias, out);
        }
        if (o->letter) {
            (void)fputs(" | ", out);
            put_pattern(command, "-", letter, out);
        }
        (void)fprintf(out, ") echo \"%s\" ;;\n",
                      document_is_file(o->value) ? "FILE" : document_words(o->value, words));
    }
}

/* By the words that are there so far: until they are a command, the options are the program's. */
static void put_sets(const struct document_program *p, const char *name,
                     void (*put)(const char *command, const struct document_option *options,
                                 size_t count, FILE *out),
                     FILE *out)
{
    begin_function(p, name, out);
    put("", p->options, p->option_count, out);
    for (size_t i = 0; i < p->command_count; i++) {
        const struct document_command *c = &p->commands[i];
        char stem[WORDS_MAX];

        if (words_stem(c, stem) && !words_are_offered(p, i, ""))
            put(stem, p->options, p->option_count, out);
        put(c->words, c->options, c->option_count, out);
    }
    end_function(out);
}

/* Commands whose operands are files. */
static void put_operands(const struct document_program *p, FILE *out)
{
    begin_function(p, "operands", out);
    for (size_t i = 0; i < p->command_count; i++) {
        if (document_is_file(p->commands[i].operand))
            (void)fprintf(out, "    \"%s\") echo FILE ;;\n", p->commands[i].words);
    }
    end_function(out);
}

/*
 * The walk. NAME stands for the function's name. bash breaks words at = and :, so that --a=b comes
 * as three, and what is behind a colon as words that are no commands.
 */
static const char walk[] =
    "NAME_offer()\n"
    "{\n"
    "    if [[ $1 == FILE ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$2\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$2\")\n"
    "    fi\n"
    "}\n"
    "\n"
    "NAME()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} command=\"\" values=\"\" waits=\"\" i=1 word\n"
    "    COMPREPLY=()\n"
    "    while ((i < COMP_CWORD)); do\n"
    "        word=${COMP_WORDS[i++]}\n"
    "        if [[ $word == -* ]]; then\n"
    "            values=$(NAME_values \"$command $word\") || continue\n"
    "            [[ $i -gt $COMP_CWORD || ${COMP_WORDS[i]} != \"=\" ]] || i=$((i + 1))\n"
    "            ((i < COMP_CWORD)) || waits=yes\n"
    "            i=$((i + 1))\n"
    "        elif [[ \" $(NAME_words \"$command\") \" == *\" $word \"* ]]; then\n"
    "            command=${command:+$command }$word\n"
    "        fi\n"
    "    done\n"
    "    [[ $cur != \"=\" ]] || cur=\"\"\n"
    "    if [[ $waits ]]; then\n"
    "        NAME_offer \"$values\" \"$cur\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        NAME_offer \"$(NAME_options \"$command\")\" \"$cur\"\n"
    "    elif values=$(NAME_words \"$command\" || NAME_operands \"$command\"); then\n"
    "        NAME_offer \"$values\" \"$cur\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F NAME ";

void document_bash(const struct document_program *program, FILE *out)
{
    (void)fprintf(out, "# Completion of %s for bash, made by headless-document bash %s.\n\n",
                  program->name, program->name);
    bash_put_words(program, out);
    put_sets(program, "options", bash_put_options, out);
    put_sets(program, "values", put_values, out);
    put_operands(program, out);
    for (const char *c = walk; *c; c++) {
        if (strncmp(c, "NAME", 4) == 0) {
            put_name(out, program->name);
            c += 3;
        } else {
            (void)fputc(*c, out);
        }
    }
    (void)fprintf(out, "%s\n", program->name);
}
