/*
 * confirmation: the bodies of frames that their receiver confirms, and of the frames that do so
 * (relay.confirm).
 *
 *   KEPT_DATA, KEPT_REPLY   frame header, place, record*      as DATA and REPLY
 *     place =         0 stream (32)   4 flags (16)   6 nonce space (16)   8 number   16 oldest
 *                    24 back stream (32)  28 zero (32)  32 back received   40 back confirmed
 *   CONFIRM                 frame header, confirmation
 *     confirmation =  0 to            8 stream (32) 12 nonce space (16)      14 flags (16)
 *                    16 received     24 confirmed
 *
 * Fields without a width have 64 bits; big endian. A stream is what one thread of a pod sends to
 * one other pod; its frames are numbered without gaps. Numbers end at CONFIRM_NUMBER_MAX.
 *
 * Bytes only. Any thread, never blocks.
 */
#ifndef HEADLESS_WIRE_CONFIRMATION_H
#define HEADLESS_WIRE_CONFIRMATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIRM_NUMBER_MAX   ((uint64_t)1 << 62)
#define FRAME_PLACE_BYTES    48
#define CONFIRMATION_BYTES   32

/* The records were sent to another leader before: its app may have been given them. */
#define FRAME_PLACE_REPLAYED 1
/* As CONFIRMATION_GAP, of the stream back. */
#define FRAME_PLACE_BACK_GAP 2

struct frame_place {
    uint32_t stream; /* from 1; a later stream to the same pod has a higher one */
    uint16_t flags;
    uint64_t number; /* of this frame */
    uint64_t oldest; /* the lowest number that the sender still keeps: earlier ones never come */
    /* A confirmation of a stream of the receiver's; back stream 0: none, and the others are 0. */
    uint16_t back_nonce_space;
    uint32_t back_stream;
    uint64_t back_received, back_confirmed;
};

/* A frame behind the next one has arrived: send the next one again. */
#define CONFIRMATION_GAP 1

struct confirmation {
    uint64_t to; /* the instance whose stream it is */
    uint32_t stream;
    uint16_t nonce_space; /* of its thread */
    uint16_t flags;
    uint64_t received;  /* all frames up to this number have arrived */
    uint64_t confirmed; /* they need not be kept up to this number */
};

void frame_put_place(uint8_t out[static FRAME_PLACE_BYTES], const struct frame_place *place);
/* False: too short, or a value out of bounds. */
bool frame_get_place(const uint8_t *in, size_t length, struct frame_place *ret_place);

void confirmation_put(uint8_t out[static CONFIRMATION_BYTES],
                      const struct confirmation *confirmation);
bool confirmation_get(const uint8_t *in, size_t length, struct confirmation *ret_confirmation);

#endif
