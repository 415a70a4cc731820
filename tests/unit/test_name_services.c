/* name_services: the modules of the line "hosts:" are loaded, those of no other line. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "headless/secure/name_services.h"

/* Two modules of glibc, which are not loaded by default. */
#define A_MODULE       "libnss_compat.so.2"
#define ANOTHER_MODULE "libnss_hesiod.so.2"

static char path[64];

static void setup(void)
{
    int fd;

    (void)snprintf(path, sizeof(path), "/tmp/headless-nss-XXXXXX");
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
}

static void teardown(void)
{
    (void)unlink(path);
}

TestSuite(name_services, .init = setup, .fini = teardown, .timeout = 30);

static size_t load(const char *text)
{
    FILE *file = fopen(path, "we");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
    return name_services_load(path);
}

static bool is_loaded(const char *module)
{
    void *handle = dlopen(module, RTLD_NOW | RTLD_NOLOAD);

    if (handle)
        (void)dlclose(handle);
    return handle != NULL;
}

Test(name_services, modules_of_hosts_are_loaded_and_stay)
{
    cr_assert_not(is_loaded(A_MODULE));
    cr_assert_eq(load("passwd: hesiod\n# hosts: hesiod\n  hosts:\tcompat [NOTFOUND=return] nosuch "
                      "# hesiod\n"),
                 1);
    cr_assert(is_loaded(A_MODULE));
    cr_assert_not(is_loaded(ANOTHER_MODULE));
}

Test(name_services, brackets_may_follow_without_space)
{
    cr_assert_eq(load("hosts: compat[UNAVAIL=return  SUCCESS=continue]hesiod"), 2);
    cr_assert(is_loaded(ANOTHER_MODULE));
}

Test(name_services, other_lines_load_nothing)
{
    static const char *const texts[] = {
        "",
        "\n",
        "hosts:",
        "hosts: #compat\n",
        "hosts: [compat]\n",
        "hosts: [compat",
        "hosts: ../../lib/compat\n",
        "networks: compat\n",
        "hosts\n",
        "hosts: a_name_that_is_much_longer_than_the_name_of_any_service_which_there_ever_was\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_expect_eq(load(texts[i]), 0, "%s", texts[i]);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(name_services_load(path), 0, "no file");
    cr_assert_not(is_loaded(A_MODULE));
}
