#include <criterion/criterion.h>
#include <stdlib.h>

static volatile size_t position = 10;

Test(bad, reads_beyond)
{
    char *memory = calloc(1, 10);

    cr_assert_not_null(memory);
    cr_assert_neq(memory[position], 77);
    free(memory);
}
