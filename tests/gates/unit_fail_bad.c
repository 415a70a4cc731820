#include <criterion/criterion.h>

Test(bad, fails)
{
    cr_assert_eq(1 + 1, 3);
}

Test(bad, passes)
{
    cr_assert_eq(1 + 1, 2);
}
