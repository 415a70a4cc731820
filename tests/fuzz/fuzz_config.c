/*
 * Any text as a configuration file. What loads must dump to a text that loads to the same settings;
 * what does not load must say why.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "headless/config/config.h"

static void print_change(const char *option, bool reloadable, void *context)
{
    (void)reloadable;
    (void)context;
    (void)fprintf(stderr, "%s is not what was dumped\n", option);
}

/* Load a text whose errors are appended to a buffer of which only the length counts. */
static struct config_set *load(const char *text, size_t length)
{
    struct config_set *set = NULL;
    char *errors = NULL;
    size_t errors_length = 0;
    FILE *file = open_memstream(&errors, &errors_length);
    int rc = config_load_text(text, length, "fuzz.yaml", file, &set);

    (void)fclose(file);
    free(errors);
    FUZZ_CHECK((rc == 0) == (errors_length == 0));
    FUZZ_CHECK((rc == 0) == (set != NULL));
    return set;
}

static void check_round_trip(const struct config_set *set)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    struct config_set *again;

    config_dump(set, file);
    (void)fclose(file);
    again = load(text, length);
    FUZZ_CHECK(again != NULL && config_diff(set, again, print_change, NULL) == 0);
    config_destroy(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_set *set = load((const char *)data, size);

    if (set)
        check_round_trip(set);
    config_destroy(set);
    return 0;
}
