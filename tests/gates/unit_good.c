#include <criterion/criterion.h>

Test(good, passes)
{
    cr_assert_eq(1 + 1, 2);
}

Test(good, passes_too)
{
    cr_assert_eq(2 + 2, 4);
}
