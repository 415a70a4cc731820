/* Value names, which the completion and the manual share, and the choice of the document. */
#include "document.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define FILE_WORD "FILE"

/* "udp://ADDRESS:PORT" and "TIME" stand for something, "raw" is something. */
static bool is_literal(const char *part, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (isupper((unsigned char)part[i]) || !isprint((unsigned char)part[i]))
            return false;
    }
    return length > 0;
}

const char *document_words(const char *value, char words[static DOCUMENT_WORDS_MAX])
{
    size_t n = 0;

    words[0] = '\0';
    while (value && *value) {
        size_t length = strcspn(value, "|");

        if (is_literal(value, length) && n + length + 2 <= DOCUMENT_WORDS_MAX)
            n += (size_t)snprintf(words + n, DOCUMENT_WORDS_MAX - n, "%s%.*s", n ? " " : "",
                                  (int)length, value);
        value += length + (value[length] == '|');
    }
    return words;
}

bool document_is_file(const char *value)
{
    return value && strncmp(value + (*value == '['), FILE_WORD, strlen(FILE_WORD)) == 0;
}

int document_print(const struct document_program *program, const char *what)
{
    int rc = 0;

    if (strcmp(what, "man") == 0)
        rc = document_man(program, stdin, stdout);
    else if (strcmp(what, "bash") == 0)
        document_bash(program, stdout);
    else
        return -ENOENT;
    if (rc)
        return rc;
    return ferror(stdin) || fflush(stdout) || ferror(stdout) ? -EIO : 0;
}
