#include <string.h>

int tidy_bad(const char *text);

/* memset's size and value are swapped, and text is used where it is known to be NULL. */
int tidy_bad(const char *text)
{
    char copy[16];

    memset(copy, sizeof(copy), 0);
    if (text)
        return copy[0];
    return *text;
}
