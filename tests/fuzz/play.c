/*
 * play: the main function of a fuzz target where there is no libFuzzer.
 *
 *   fuzz_frame FILE...
 *
 * Plays each file, every prefix of it, and the file with each single bit flipped (of files longer
 * than PLAY_BYTES_MAX only that many prefixes and bytes). Each input lies in memory of its exact
 * size, so that AddressSanitizer sees a read beyond it. It fails without a file, or when one
 * cannot be read: a missing corpus must not pass.
 */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"

#define PLAY_BYTES_MAX 4096
#define FILE_BYTES_MAX 70000 /* above the largest datagram */

static void play(const uint8_t *data, size_t length)
{
    uint8_t *exact = malloc(length + 1);

    if (!exact)
        abort();
    memcpy(exact + 1, data, length); /* at an odd address: no parser may rely on alignment */
    (void)LLVMFuzzerTestOneInput(exact + 1, length);
    free(exact);
}

static void play_all(uint8_t *data, size_t length)
{
    size_t bounded = length < PLAY_BYTES_MAX ? length : PLAY_BYTES_MAX;

    play(data, length);
    for (size_t prefix = 0; prefix < bounded; prefix++)
        play(data, prefix);
    for (size_t bit = 0; bit < bounded * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        play(data, length);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static bool play_file(const char *name)
{
    static uint8_t data[FILE_BYTES_MAX];
    FILE *file = fopen(name, "rb");
    size_t length;
    bool is_read;

    if (!file) {
        perror(name);
        return false;
    }
    length = fread(data, 1, sizeof(data), file);
    is_read = !ferror(file) && feof(file);
    (void)fclose(file);
    if (!is_read) {
        (void)fprintf(stderr, "%s: cannot be read, or too long\n", name);
        return false;
    }
    play_all(data, length);
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        if (!play_file(argv[i]))
            return 1;
    }
    (void)printf("%d files played\n", argc - 1);
    return 0;
}
