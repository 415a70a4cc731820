#include <stdlib.h>

int analyzer_bad(int is_wanted);

/* Uses memory after it was freed, on one of two ways. */
int analyzer_bad(int is_wanted)
{
    int *memory = calloc(1, sizeof(*memory));

    if (!memory)
        return 0;
    if (is_wanted)
        free(memory);
    return *memory;
}
