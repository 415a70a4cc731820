#include <stdlib.h>

int cppcheck_bad(void);

/* Reads one byte beyond the array, and frees twice. */
int cppcheck_bad(void)
{
    char array[10] = {0};
    char *memory = malloc(10);

    free(memory);
    free(memory);
    return array[10];
}
