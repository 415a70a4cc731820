/*
 * fuzz: declarations shared by the targets under tests/fuzz.
 *
 * A target is one function. With libFuzzer it explores; with play.c it runs the files of its
 * corpus, their prefixes and their bit flips, in every build.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Assert a property, also without sanitizers and with NDEBUG. */
#define FUZZ_CHECK(condition)                                                               \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            (void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

#endif
