/* "did you mean": edit distance with exchanged neighbours counted as one (Damerau, restricted). */
#include <stdio.h>
#include <string.h>

#include "loader.h"

static size_t suggestion_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Both shorter than OPTION_NAME_MAX. Three rows of the usual matrix are alive at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][OPTION_NAME_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t width = strlen(b);

    for (size_t j = 0; j <= width; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            row[j] = suggestion_least(above[j - 1] + (a[i - 1] != b[j - 1]),
                                      suggestion_least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = suggestion_least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[width];
}

/* The last part alone ("mtu" of "relay.mtu") is a frequent mistake. */
static bool is_last_part(const char *word, const char *candidate)
{
    size_t length = strlen(word);
    size_t candidate_length = strlen(candidate);
    const char *tail;

    if (length < 3 || candidate_length <= length)
        return false;
    tail = candidate + candidate_length - length;
    return strcmp(tail, word) == 0 && (tail[-1] == '.' || tail[-1] == '-' || tail[-1] == '_');
}

void suggestion_init(struct suggestion *s, const char *word)
{
    *s = (struct suggestion){.word = word};
    s->distance = suggestion_least(2, strlen(word) / 3) + 1; /* larger: no typing error */
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
    size_t distance;

    if (strlen(s->word) >= OPTION_NAME_MAX || strlen(candidate) >= OPTION_NAME_MAX)
        return;
    distance = is_last_part(s->word, candidate) ? 1 : edit_distance(s->word, candidate);
    if (distance < s->distance) {
        s->distance = distance;
        (void)snprintf(s->best, sizeof(s->best), "%s", candidate);
    }
}
