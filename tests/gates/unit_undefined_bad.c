#include <criterion/criterion.h>
#include <limits.h>

static volatile int largest = INT_MAX;

Test(bad, overflows)
{
    largest = largest + 1;
}
