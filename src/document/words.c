#include "words.h"

#include <string.h>

size_t words_length(const char *words)
{
    return strcspn(words, " ");
}

const char *words_behind(const struct document_command *c, const char *prefix)
{
    size_t length = strlen(prefix);

    if (strncmp(c->words, prefix, length) != 0)
        return NULL;
    if (length == 0)
        return c->words;
    return c->words[length] == ' ' ? c->words + length + 1 : NULL;
}

static bool is_same_word(const char *a, const char *b)
{
    size_t length = words_length(a);

    return length == words_length(b) && strncmp(a, b, length) == 0;
}

bool words_are_offered(const struct document_program *p, size_t i, const char *prefix)
{
    const char *word = words_behind(&p->commands[i], prefix);

    while (word && i-- > 0) {
        const char *other = words_behind(&p->commands[i], prefix);

        if (other && is_same_word(word, other))
            return true;
    }
    return false;
}

const char *words_stem(const struct document_command *c, char stem[static WORDS_MAX])
{
    size_t length = words_length(c->words);

    (void)snprintf(stem, WORDS_MAX, "%.*s", (int)length, c->words);
    return c->words[length] ? stem : NULL;
}
