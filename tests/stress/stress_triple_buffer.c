/*
 * stress_triple_buffer: a writer publishes versions as fast as it can, a reader takes them.
 *
 * Each version that is taken is whole and newer than the one before, and the last one is taken.
 */
#include <pthread.h>

#include "headless/base/triple_buffer.h"
#include "stress.h"

#define WORDS 64

static struct triple_buffer buffer;
static uint64_t versions[TRIPLE_BUFFER_VERSIONS][WORDS];
static uint64_t published; /* the writer's, read after its end */

static void *publish(void *context)
{
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;

    (void)context;
    while (clock_now_ns() < end_ns) {
        published++;
        for (size_t i = 0; i < WORDS; i++)
            versions[buffer.writer_index][i] = published;
        triple_buffer_publish(&buffer);
    }
    return NULL;
}

static uint64_t take(uint64_t before)
{
    const uint64_t *version;

    if (!triple_buffer_take(&buffer))
        return before;
    version = versions[buffer.reader_index];
    STRESS_CHECK(version[0] > before);
    for (size_t i = 1; i < WORDS; i++)
        STRESS_CHECK(version[i] == version[0]);
    return version[0];
}

int main(void)
{
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC, newest = 0, taken = 0;
    pthread_t writer;

    (void)alarm(STRESS_LIMIT);
    triple_buffer_init(&buffer);
    STRESS_CHECK(pthread_create(&writer, NULL, publish, NULL) == 0);
    while (clock_now_ns() < end_ns) {
        uint64_t next = take(newest);

        taken += next != newest;
        newest = next;
    }
    (void)pthread_join(writer, NULL);
    STRESS_CHECK(take(newest) == published);
    (void)printf("%llu published, %llu taken\n", (unsigned long long)published,
                 (unsigned long long)taken);
    return 0;
}
