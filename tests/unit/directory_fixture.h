/* directory_fixture: a temporary directory of a test, removed with its files. */
#ifndef DIRECTORY_FIXTURE_H
#define DIRECTORY_FIXTURE_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char directory[64];

static inline void directory_make(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/headless-unit-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
}

static inline int directory_remove_one(const char *path, const struct stat *status, int type,
                                       struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void directory_remove(void)
{
    cr_assert_eq(nftw(directory, directory_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
