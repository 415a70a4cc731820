/*
 * question: how a sender asks a sink what has come of its run, where nothing echoes.
 *
 *   offset  bytes
 *        0  4      magic "hlsQ", of the answer "hlsR"
 *        4  4      number of the question, comes back
 *        8  8      run
 *       16  8      unique datagrams of that run so far (question: 0)
 *       24  8      zero
 *       32  8      checksum over bytes 0 to 31
 *
 * Question and answer have the same 40 bytes, so nothing is amplified, and no payload is as short.
 * A sink answers only for a run that it has seen datagrams of: who knows its 64 random bits.
 *
 * Threads: building and parsing are pure; asking blocks, one thread a socket.
 */
#ifndef BENCH_QUESTION_H
#define BENCH_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"

#define QUESTION_SIZE 40

struct question {
    bool is_reply;
    uint32_t number;
    uint64_t run;
    uint64_t unique;
};

void question_build(const struct question *q, uint8_t ret_bytes[static QUESTION_SIZE]);

/* False when it is none, with *ret_question untouched. */
bool question_parse(const uint8_t *bytes, size_t length,
                    struct question *ret_question) BENCH_MUST_USE;

/*
 * Ask over a connected socket until two answers in a row are equal: all that is under way has come.
 * Blocks for some 100 ms, at most some seconds. Returns 0, -ETIMEDOUT when nobody answers, or
 * another negative errno.
 */
int question_ask(int fd, uint64_t run, uint64_t *ret_unique) BENCH_MUST_USE;

#endif
