#include <stdlib.h>

int cppcheck_good(void);

int cppcheck_good(void)
{
    char *memory = malloc(10);
    int is_there = memory != NULL;

    free(memory);
    return is_there;
}
