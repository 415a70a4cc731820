/* One thread hands the newest version to another. tests/stress has the same with two threads. */
#include <criterion/criterion.h>

#include "headless/base/triple_buffer.h"

static struct triple_buffer buffer;
static int versions[TRIPLE_BUFFER_VERSIONS];

static void setup(void)
{
    triple_buffer_init(&buffer);
}

static void publish(int value)
{
    versions[buffer.writer_index] = value;
    triple_buffer_publish(&buffer);
}

static int newest(void)
{
    return versions[buffer.reader_index];
}

TestSuite(triple_buffer, .init = setup, .timeout = 30);

Test(triple_buffer, nothing_is_taken_before_the_first_version)
{
    cr_assert_not(triple_buffer_has_news(&buffer));
    cr_assert_not(triple_buffer_take(&buffer));
}

Test(triple_buffer, each_version_is_taken_once)
{
    publish(7);
    cr_assert(triple_buffer_has_news(&buffer));
    cr_assert(triple_buffer_take(&buffer));
    cr_assert_eq(newest(), 7);
    cr_assert_not(triple_buffer_has_news(&buffer));
    cr_assert_not(triple_buffer_take(&buffer));
    cr_assert_eq(newest(), 7);
}

Test(triple_buffer, of_several_versions_the_newest_is_taken)
{
    for (int value = 1; value <= 10; value++)
        publish(value);
    cr_assert(triple_buffer_take(&buffer));
    cr_assert_eq(newest(), 10);
}

Test(triple_buffer, a_version_that_is_read_is_not_overwritten)
{
    publish(1);
    cr_assert(triple_buffer_take(&buffer));
    for (int value = 2; value <= 10; value++) {
        cr_assert_neq(buffer.writer_index, buffer.reader_index);
        publish(value);
        cr_assert_eq(newest(), 1);
    }
    cr_assert(triple_buffer_take(&buffer));
    cr_assert_eq(newest(), 10);
}
