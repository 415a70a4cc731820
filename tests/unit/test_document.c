/* Pages and scripts from a program's tables are valid for man, bash and readers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document/document.h"

static const struct document_option options[] = {
    {.letter = 'c', .name = "config", .value = "FILE", .help = "Read: a [file]."},
    {.name = "format", .alias = "form", .value = "framed|raw|udp://HOST:PORT", .help = "it's how"},
    {.name = "help", .help = ".Sh is a macro"},
};
static const struct document_command commands[] = {
    {.words = "leader get", .purpose = "who leads", .options = options, .option_count = 3},
    {.words = "leader set",
     .operand = "WHO",
     .purpose = "tell",
     .options = options + 2,
     .option_count = 1},
    {.words = "plot",
     .operand = "FILE...",
     .purpose = "draw",
     .options = options + 2,
     .option_count = 1},
};
static const struct document_exit exits[] = {{0, "ok"}, {7, "not ok"}};
static const struct document_program program = {.name = "a-tool",
                                                .section = "1",
                                                .purpose = "does it",
                                                .options = options,
                                                .option_count = 3,
                                                .commands = commands,
                                                .command_count = 3,
                                                .shares_options = true,
                                                .examples = ".hidden \\n\n  a-tool plot x\n",
                                                .exits = exits,
                                                .exit_count = 2};

TestSuite(document, .timeout = 60);

static char *bash_text(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    document_bash(&program, out);
    (void)fclose(out);
    return text;
}

static int man_text(char *template, char **ret_text)
{
    size_t size = 0;
    FILE *out = open_memstream(ret_text, &size);
    FILE *in = fmemopen(template, strlen(template), "r");
    int rc = document_man(&program, in, out);

    (void)fclose(in);
    (void)fclose(out);
    return rc;
}

static void expect_in(const char *text, const char *part)
{
    cr_expect_not_null(strstr(text, part), "'%s' is not in\n%s", part, text);
}

static char *prose(const char *text)
{
    char *result = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&result, &size);

    document_put_prose(out, text);
    (void)fclose(out);
    return result;
}

static void expect_prose(const char *text, const char *expected)
{
    char *result = prose(text);

    cr_expect_str_eq(result, expected);
    free(result);
}

Test(document, only_words_in_lower_case_are_choices)
{
    char words[DOCUMENT_WORDS_MAX];

    cr_expect_str_eq(document_words("framed|raw|proxy-v2", words), "framed raw proxy-v2");
    cr_expect_str_eq(document_words("ADDRESS|auto", words), "auto");
    cr_expect_str_eq(document_words("echo|udp://ADDRESS:PORT", words), "echo");
    cr_expect_str_eq(document_words("TIME", words), "");
    cr_expect_str_eq(document_words("|", words), "");
    cr_expect_str_eq(document_words(NULL, words), "");
}

Test(document, excess_words_are_left_out)
{
    char value[2 * DOCUMENT_WORDS_MAX], words[DOCUMENT_WORDS_MAX];

    for (size_t i = 0; i < sizeof(value) - 1; i++)
        value[i] = i % 4 == 3 ? '|' : 'a';
    value[sizeof(value) - 1] = '\0';
    cr_expect_lt(strlen(document_words(value, words)), sizeof(words));
    memset(value, 'a', sizeof(value) - 1);
    cr_expect_str_eq(document_words(value, words), "");
}

Test(document, a_file_argument_is_recognized_by_its_name)
{
    cr_expect(document_is_file("FILE"));
    cr_expect(document_is_file("FILE[,FILE...]"));
    cr_expect(document_is_file("[FILE FILE]"));
    cr_expect_not(document_is_file("NAME"));
    cr_expect_not(document_is_file(NULL));
}

Test(document, prose_is_escaped_from_macros)
{
    expect_prose("One. Two", "One.\nTwo\n");
    expect_prose(".Sh NAME", "\\&.Sh NAME\n");
    expect_prose("First. 'quoted", "First.\n\\&'quoted\n");
    expect_prose("a\\b --c", "a\\eb \\-\\-c\n");
    expect_prose("", "");
    expect_prose("  spaced \n out ", "spaced out\n");
}

Test(document, prose_is_wrapped)
{
    char text[400];
    char *result;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 8 == 7 ? ' ' : 'w';
    text[sizeof(text) - 1] = '\0';
    result = prose(text);
    for (const char *line = result; *line; line += strcspn(line, "\n") + 1)
        cr_expect_leq(strcspn(line, "\n"), 80);
    free(result);
}

Test(document, a_page_is_its_template_filled_with_the_tables)
{
    char template[] =
        "@head@\n.Sh DESCRIPTION\nProse.\n@commands@\n@options@\n@exits@\n@examples@\n";
    char *page = NULL;

    cr_expect_eq(man_text(template, &page), 0);
    expect_in(page, ".Dt A-TOOL 1\n");
    expect_in(page, ".Nm a-tool\n.Nd does it\n");
    expect_in(page, ".Sh DESCRIPTION\nProse.\n");
    expect_in(page, ".It Cm \"\\&leader set\" Ar \"\\&WHO\"\nTell.\n");
    expect_in(page, ".It Fl c , Fl Fl \"\\&config\" Ar \"\\&FILE\"\nRead:\na [file].\n");
    expect_in(page,
              ".It Fl Fl \"\\&format\" , Fl Fl \"\\&form\" Ar \"\\&framed|raw|udp://HOST:PORT\"\n"
              "It's how.\n");
    expect_in(page, "\n\\&.Sh is a macro.\n");
    expect_in(page, ".It 7\nNot ok.\n");
    expect_in(page, ".Bd -literal\n\\&.hidden \\en\n  a\\-tool plot x\n.Ed\n");
    free(page);
}

Test(document, an_unknown_part_is_refused)
{
    char template[] = "@head@\n@credits@\n";
    char *page = NULL;

    cr_expect_eq(man_text(template, &page), -EINVAL);
    free(page);
}

Test(document, the_bash_script_has_commands_options_and_values)
{
    char *script = bash_text();

    expect_in(script, "_a_tool_words()\n{\n    case $1 in\n    \"\") echo \"leader plot\" ;;\n"
                      "    \"leader\") echo \"get set\" ;;\n");
    expect_in(script, "    \"leader get\") echo \"--config --format --form --help\" ;;\n");
    expect_in(script, "    \"leader get --config\" | \"leader get -c\") echo \"FILE\" ;;\n");
    expect_in(script, "    \" --format\" | \" --form\") echo \"framed raw\" ;;\n");
    expect_in(script, "    \"plot\") echo FILE ;;\n");
    expect_in(script, "complete -F _a_tool a-tool\n");
    cr_expect_null(strstr(script, "NAME"), "NAME is replaced by the program name");
    cr_expect_null(strstr(script, "--help\" |"), "--help takes no value");
    free(script);
}

Test(document, unknown_documents_are_refused)
{
    cr_expect_eq(document_print(&program, "poem"), -ENOENT);
    cr_expect_eq(document_print(&program, ""), -ENOENT);
}
