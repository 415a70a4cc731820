#include <criterion/criterion.h>
#include <stdlib.h>

static void *volatile lost;

/* Criterion itself passes it. */
Test(bad, leaks)
{
    lost = malloc(4711);
    lost = NULL;
    cr_assert_null(lost);
}
