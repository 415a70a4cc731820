#include <criterion/criterion.h>

TestSuite(empty);
