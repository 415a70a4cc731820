/* Handshakes authenticate peers, but not unknown, former and replayed senders. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "control/handshake.h"
#include "headless/base/clock.h"

enum { A, B, C, PODS };

#define CLUSTER UINT64_C(0xc1)
#define STEP_NS (2 * HANDSHAKE_RETRY_MAX_NS)
#define MESSAGE (PEER_HEADER_BYTES + 11)
#define SEALED  (MESSAGE + SEAL_BYTES)

static struct handshake *pods[PODS];
static struct keyring rings[3]; /* one key, another, both: the second is the newer */
static struct address ips[PODS];
static struct nonce_space nonce_space;
static const struct nonce_space *const nonce_spaces[] = {&nonce_space};
static uint64_t now_ns;

static void start(int pod, uint64_t instance)
{
    handshake_init(pods[pod], CLUSTER, instance, &ips[pod]);
    handshake_set_nonce_spaces(pods[pod], nonce_spaces, 1);
    handshake_set_keys(pods[pod], &rings[0]);
}

static void setup(void)
{
    static const char *const texts[PODS] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    char text[KEY_TEXT_BYTES];

    cr_assert_geq(sodium_init(), 0);
    for (int k = 0; k < 2; k++) {
        key_draw(text);
        rings[k].count = 1;
        cr_assert(key_parse(text, &rings[k].keys[0]));
    }
    rings[2].count = 2;
    rings[2].keys[0] = rings[1].keys[0];
    rings[2].keys[1] = rings[0].keys[0];
    nonce_space_init(&nonce_space, KEY_FOR_FRAMES, 1, 0);
    now_ns = NS_PER_SEC;
    for (int i = 0; i < PODS; i++) {
        cr_assert_eq(address_parse_ip(texts[i], &ips[i]), 0);
        pods[i] = aligned_alloc(_Alignof(struct handshake), sizeof(**pods));
        cr_assert_not_null(pods[i]);
        start(i, 100 + (uint64_t)i);
    }
}

static void teardown(void)
{
    for (int i = 0; i < PODS; i++)
        free(pods[i]);
}

TestSuite(handshake, .init = setup, .fini = teardown, .timeout = 30);

static uint64_t instance(int pod)
{
    return pods[pod]->instance;
}

static bool knows(int pod, int other)
{
    return handshake_find(pods[pod], instance(other)) != NULL;
}

/* Pass data to `to` as from `from`. The reply replaces the data. */
static enum handshake_verdict give(int from, int to, uint8_t *data, size_t *length)
{
    uint8_t reply[HANDSHAKE_SEALED];
    size_t bytes = 0;
    enum handshake_verdict verdict =
        handshake_receive(pods[to], &ips[from], data, *length, now_ns, reply, &bytes);

    *length = verdict == HANDSHAKE_OK ? bytes : 0;
    cr_assert_leq(*length, sizeof(reply));
    memcpy(data, reply, *length);
    return verdict;
}

/* The same; true: it was authentic, and new. */
static bool deliver(int from, int to, uint8_t *data, size_t *length)
{
    return give(from, to, data, length) == HANDSHAKE_OK;
}

/* One pod sends a request; all messages that follow are delivered. Returns their number. */
static int exchange(int from, int to)
{
    uint8_t data[HANDSHAKE_SEALED];
    size_t length = handshake_request(pods[from], &ips[to], now_ns, data);
    int messages = 0;

    while (length > 0) {
        cr_assert_lt(messages++, 10, "it never ends");
        (void)deliver(from, to, data, &length);
        int sender = from;

        from = to;
        to = sender;
    }
    return messages;
}

static void settle(int a, int b)
{
    for (int i = 0; i < 3; i++) {
        now_ns += STEP_NS;
        (void)exchange(a, b);
        (void)exchange(b, a);
    }
}

/* A sealed election message; its body is not read here. */
static size_t seal_message(int from, int to, uint8_t buffer[static SEALED])
{
    struct handshake_peer *peer = handshake_find(pods[from], instance(to));
    const struct peer_header header = {
        .cluster = CLUSTER, .from = instance(from), .to = instance(to), .type = ELECTION_PROBE};

    cr_assert_not_null(peer);
    memset(buffer, 7, SEALED);
    (void)peer_put_header(buffer + SEAL_BLOCK_BYTES, &header);
    return handshake_seal(pods[from], peer, buffer, MESSAGE);
}

/* From its sender's address. */
static enum handshake_verdict open_message(int to, uint8_t *data, size_t length)
{
    struct peer_header header;
    int from = A;

    cr_assert(peer_read_header(data, length, &header));
    while (from < PODS - 1 && instance(from) != header.from)
        from++;
    return handshake_open(pods[to], &ips[from], data, length, now_ns);
}

static enum handshake_verdict send_message(int from, int to)
{
    uint8_t buffer[SEALED];
    size_t length = seal_message(from, to, buffer);

    cr_assert_eq(length, SEALED);
    return open_message(to, buffer, length);
}

Test(handshake, three_messages_authenticate_both_pods)
{
    cr_assert_eq(exchange(A, B), 3);
    cr_assert(knows(A, B));
    cr_assert(knows(B, A));
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK);
}

Test(handshake, an_authenticated_peer_gets_no_further_request)
{
    settle(A, B);
    now_ns += STEP_NS;
    cr_assert_eq(exchange(A, B), 0);
    cr_assert_eq(exchange(B, A), 0);
}

Test(handshake, requests_are_paced)
{
    uint8_t data[HANDSHAKE_SEALED];
    int asked = 0;

    for (uint64_t end_ns = now_ns + 10 * NS_PER_SEC; now_ns < end_ns; now_ns += NS_PER_MS)
        asked += handshake_request(pods[A], &ips[B], now_ns, data) > 0;
    cr_assert_geq(asked, 6);
    cr_assert_leq(asked, 10); /* 0.2, 0.4, 0.8 s, then every 1.6 s */
}

Test(handshake, a_reply_is_no_longer_than_the_request)
{
    uint8_t data[HANDSHAKE_SEALED];
    size_t length = handshake_request(pods[A], &ips[B], now_ns, data);

    cr_assert_eq(length, HANDSHAKE_SEALED);
    cr_assert(deliver(A, B, data, &length));
    cr_assert_eq(length, HANDSHAKE_SEALED);
}

Test(handshake, a_request_with_an_unknown_key_gets_no_reply)
{
    uint8_t data[HANDSHAKE_SEALED];
    size_t length;

    handshake_set_keys(pods[B], &rings[1]);
    length = handshake_request(pods[A], &ips[B], now_ns, data);
    cr_assert_not(deliver(A, B, data, &length));
    cr_assert_eq(length, 0);
    settle(A, B);
    cr_assert_not(knows(A, B));
    cr_assert_not(knows(B, A));
}

Test(handshake, without_a_key_no_request_is_sent)
{
    uint8_t data[HANDSHAKE_SEALED];
    const struct keyring none = {0};

    handshake_set_keys(pods[A], &none);
    cr_assert_eq(handshake_request(pods[A], &ips[B], now_ns, data), 0);
}

/* A has two keys, B only the older: A tries each of them. */
Test(handshake, a_common_key_is_found)
{
    handshake_set_keys(pods[A], &rings[2]);
    settle(A, B);
    cr_assert(knows(A, B));
    cr_assert(knows(B, A));
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK);
}

Test(handshake, an_altered_message_is_not_authentic)
{
    uint8_t data[HANDSHAKE_SEALED], copy[HANDSHAKE_SEALED];
    size_t length = handshake_request(pods[A], &ips[B], now_ns, data);

    for (size_t i = 0; i < length; i++) {
        size_t bytes = length;

        memcpy(copy, data, length);
        copy[i] ^= 1;
        cr_assert_not(deliver(A, B, copy, &bytes), "byte %zu", i);
    }
}

/* An old message of a pod that has ended since does not authenticate it. */
Test(handshake, a_replayed_request_does_not_authenticate_its_sender)
{
    uint8_t request[HANDSHAKE_SEALED], message[SEALED];
    size_t length = handshake_request(pods[A], &ips[B], now_ns, request);

    settle(A, B);
    (void)seal_message(A, B, message);
    start(B, instance(B)); /* B restarts; as if it had drawn the same instance again */
    cr_assert_eq(open_message(B, message, SEALED), HANDSHAKE_UNKNOWN);
    cr_assert(deliver(A, B, request, &length)); /* authentic, but old */
    cr_assert_not(knows(B, A));
}

Test(handshake, a_reply_to_an_older_request_is_ignored)
{
    uint8_t first[HANDSHAKE_SEALED], second[HANDSHAKE_SEALED];
    size_t first_length = handshake_request(pods[A], &ips[B], now_ns, first), second_length;

    cr_assert(deliver(A, B, first, &first_length)); /* the reply is delayed */
    now_ns += STEP_NS;
    second_length = handshake_request(pods[A], &ips[B], now_ns, second);
    cr_assert_gt(second_length, 0);
    (void)deliver(B, A, first, &first_length);
    cr_assert_not(knows(A, B));
}

Test(handshake, a_restarted_pod_is_authenticated_again)
{
    uint64_t before;

    settle(A, B);
    before = instance(B);
    start(B, 555);
    settle(A, B);
    cr_assert(knows(A, B));
    cr_assert_eq(handshake_find_address(pods[A], &ips[B])->instance, 555);
    cr_assert_neq(before, 555);
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK);
}

Test(handshake, a_message_is_accepted_once)
{
    uint8_t message[SEALED], copy[SEALED];

    settle(A, B);
    (void)seal_message(A, B, message);
    memcpy(copy, message, SEALED);
    cr_assert_eq(open_message(B, message, SEALED), HANDSHAKE_OK);
    cr_assert_eq(open_message(B, copy, SEALED), HANDSHAKE_REPLAY);
}

/* Replayed from another address, it would direct replies there, or requests for a leader. */
Test(handshake, a_message_is_accepted_only_from_its_senders_address)
{
    uint8_t message[SEALED], copy[SEALED];

    settle(A, B);
    (void)seal_message(A, B, message);
    memcpy(copy, message, SEALED);
    cr_assert_eq(handshake_open(pods[B], &ips[C], copy, SEALED, now_ns), HANDSHAKE_MISDIRECTED);
    cr_assert_eq(open_message(B, message, SEALED), HANDSHAKE_OK, "it was not used up");
}

/* B's window begins with the message that authenticated A: a delayed earlier one is too old. */
Test(handshake, a_message_from_before_the_handshake_is_too_old)
{
    uint8_t message[SEALED];

    settle(A, B);
    (void)seal_message(A, B, message);
    memset(pods[B]->peers, 0, sizeof(pods[B]->peers)); /* as if evicted */
    settle(A, B);
    settle(B, A);
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(open_message(B, message, SEALED), HANDSHAKE_REPLAY);
}

Test(handshake, a_message_is_for_one_instance)
{
    uint8_t message[SEALED];

    settle(A, B);
    settle(A, C);
    (void)seal_message(A, B, message);
    cr_assert_eq(open_message(C, message, SEALED), HANDSHAKE_MISDIRECTED);
}

Test(handshake, a_forged_message_does_not_use_up_the_counter)
{
    uint8_t message[SEALED], copy[SEALED];

    settle(A, B);
    (void)seal_message(A, B, message);
    memcpy(copy, message, SEALED);
    copy[SEALED - 1] ^= 1;
    cr_assert_eq(open_message(B, copy, SEALED), HANDSHAKE_FORGED);
    cr_assert_eq(open_message(B, message, SEALED), HANDSHAKE_OK);
}

/* No pod seals with a key that the other is not known to have, so no message is lost meanwhile. */
Test(handshake, key_rotation_loses_no_message)
{
    uint64_t changes;

    settle(A, B);
    changes = pods[A]->changes;
    handshake_set_keys(pods[B], &rings[2]);
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK, "with the old key: A has no other");
    settle(A, B);
    cr_assert(handshake_peer_has_key(handshake_find(pods[A], instance(B)), rings[1].keys[0].id));
    cr_assert_gt(pods[A]->changes, changes);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK);
    handshake_set_keys(pods[A], &rings[2]);
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK);
    settle(A, B);
    handshake_set_keys(pods[A], &rings[1]); /* the old one goes */
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK, "B seals with the new key by now");
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    handshake_set_keys(pods[B], &rings[1]);
    settle(A, B);
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK);
}

/* Both have new keys, and their requests cross. */
/* Otherwise its peer could not tell it from a dead pod in whose name somebody else sends. */
Test(handshake, a_pod_that_gives_up_the_common_key_says_so)
{
    uint8_t data[HANDSHAKE_SEALED];
    size_t length;

    settle(A, B);
    cr_assert(handshake_shares_key(pods[B], &ips[A]));
    handshake_set_keys(pods[A], &rings[1]);
    length = handshake_request(pods[A], &ips[B], now_ns, data);
    cr_assert_gt(length, 0);
    cr_assert(deliver(A, B, data, &length), "it is sealed with the old key");
    cr_expect_not(handshake_shares_key(pods[B], &ips[A]));
    cr_expect(knows(B, A), "this changes nothing else");
    for (int i = 0; i < 4;
         i++) { /* it may be lost; the other requests are for pods with the new key */
        now_ns += STEP_NS;
        handshake_suspect(pods[A], &ips[B]); /* which the unverifiable replies cause */
        length = handshake_request(pods[A], &ips[B], now_ns, data);
        cr_expect_eq(deliver(A, B, data, &length), i % 2 == 1);
    }
    cr_expect_eq(handshake_other_keys_ns(pods[B], &ips[A]), now_ns);
    handshake_set_keys(pods[B], &rings[2]);
    settle(A, B);
    cr_expect(handshake_shares_key(pods[B], &ips[A]));
    cr_expect(handshake_shares_key(pods[A], &ips[B]));
}

Test(handshake, a_pod_whose_own_keys_are_others_shares_none)
{
    settle(A, B);
    handshake_set_keys(pods[B], &rings[1]);
    cr_expect_not(handshake_shares_key(pods[B], &ips[A]));
    cr_expect_not(handshake_shares_key(pods[B], &ips[C]), "it was never authenticated");
    handshake_set_keys(pods[B], &rings[0]);
    cr_expect(handshake_shares_key(pods[B], &ips[A]));
}

Test(handshake, crossing_requests_end)
{
    uint8_t from_a[HANDSHAKE_SEALED], from_b[HANDSHAKE_SEALED];
    size_t a_length, b_length;
    int rounds = 0;

    settle(A, B);
    handshake_set_keys(pods[A], &rings[2]);
    handshake_set_keys(pods[B], &rings[2]);
    now_ns += STEP_NS;
    a_length = handshake_request(pods[A], &ips[B], now_ns, from_a);
    b_length = handshake_request(pods[B], &ips[A], now_ns, from_b);
    cr_assert(a_length > 0 && b_length > 0);
    while (a_length || b_length) {
        cr_assert_lt(rounds++, 4, "it never ends");
        if (a_length)
            (void)deliver(A, B, from_a, &a_length);
        if (b_length)
            (void)deliver(B, A, from_b, &b_length);
        for (size_t i = 0; i < HANDSHAKE_SEALED; i++) { /* swap the messages to A and to B */
            uint8_t byte = from_a[i];

            from_a[i] = from_b[i];
            from_b[i] = byte;
        }
        size_t length = a_length;

        a_length = b_length;
        b_length = length;
    }
    cr_assert(handshake_peer_has_key(handshake_find(pods[A], instance(B)), rings[1].keys[0].id));
    cr_assert(handshake_peer_has_key(handshake_find(pods[B], instance(A)), rings[1].keys[0].id));
}

/* A reused member index needs present counters: with old ones, frames sent since then could be
 * replayed. */
Test(handshake, a_restart_brings_present_counters)
{
    settle(A, B);
    cr_assert_eq(handshake_find(pods[B], instance(A))->theirs.counters[0], 0);
    for (int i = 0; i < 500; i++)
        (void)nonce_space_next(&nonce_space);
    handshake_restart(pods[B], handshake_find(pods[B], instance(A)));
    cr_assert_not(knows(B, A));
    settle(B, A);
    cr_assert(knows(B, A));
    cr_assert_eq(handshake_find(pods[B], instance(A))->theirs.counters[0], 500);
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
}

Test(handshake, counters_stay_those_of_the_first_handshake)
{
    for (int i = 0; i < 77; i++)
        (void)nonce_space_next(&nonce_space);
    settle(A, B);
    cr_assert_eq(handshake_find(pods[B], instance(A))->theirs.counters[0], 77);
    (void)nonce_space_next(&nonce_space);
    handshake_set_keys(pods[A], &rings[2]);
    settle(A, B);
    cr_assert_eq(handshake_find(pods[B], instance(A))->theirs.counters[0], 77,
                 "the replay windows have counted frames since then");
}

/* Replayed requests of many former pods evict no authenticated peer. */
Test(handshake, unauthenticated_peers_do_not_evict_authenticated_ones)
{
    static uint8_t requests[HANDSHAKE_PEERS_MAX + 10][HANDSHAKE_SEALED];
    size_t length;

    for (size_t i = 0; i < HANDSHAKE_PEERS_MAX + 10; i++) {
        start(C, 10000 + i);
        cr_assert_gt(handshake_request(pods[C], &ips[B], now_ns, requests[i]), 0);
    }
    settle(A, B);
    for (size_t i = 0; i < HANDSHAKE_PEERS_MAX + 10; i++) {
        length = HANDSHAKE_SEALED;
        now_ns += NS_PER_SEC;
        cr_assert(deliver(C, B, requests[i], &length));
    }
    cr_assert(knows(B, A));
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
}

Test(handshake, replies_are_rate_limited)
{
    uint8_t request[HANDSHAKE_SEALED];
    size_t replied = 0, length;

    for (uint64_t i = 0; i < 3000; i++) { /* all in one moment */
        start(A, 20000 + i);
        length = handshake_request(pods[A], &ips[B], now_ns, request);
        cr_assert(deliver(A, B, request, &length));
        replied += length > 0;
    }
    cr_assert_geq(replied, 100);
    cr_assert_leq(replied, 1000);
}

/* A recorded request causes no reply, wherever it is replayed. */
Test(handshake, a_replayed_request_gets_no_reply)
{
    uint8_t request[HANDSHAKE_SEALED], copy[HANDSHAKE_SEALED];
    size_t length = handshake_request(pods[A], &ips[B], now_ns, request);

    memcpy(copy, request, sizeof(copy));
    cr_assert_eq(give(C, B, copy, &length), HANDSHAKE_MISDIRECTED, "from elsewhere");
    length = HANDSHAKE_SEALED;
    memcpy(copy, request, sizeof(copy));
    cr_assert_eq(give(A, B, copy, &length), HANDSHAKE_OK);
    cr_assert_gt(length, 0);
    length = HANDSHAKE_SEALED;
    memcpy(copy, request, sizeof(copy));
    cr_assert_eq(give(A, B, copy, &length), HANDSHAKE_REPLAY, "before A is authenticated");
    settle(A, B);
    length = HANDSHAKE_SEALED;
    memcpy(copy, request, sizeof(copy));
    cr_assert_eq(give(A, B, copy, &length), HANDSHAKE_REPLAY, "and after");
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(send_message(B, A), HANDSHAKE_OK);
}

Test(handshake, a_reply_is_accepted_only_by_the_requester)
{
    uint8_t message[HANDSHAKE_SEALED], copy[HANDSHAKE_SEALED];
    size_t length = handshake_request(pods[A], &ips[B], now_ns, message);

    cr_assert(deliver(A, B, message, &length));
    memcpy(copy, message, sizeof(copy));
    cr_assert_eq(give(B, C, copy, &length), HANDSHAKE_MISDIRECTED);
    length = HANDSHAKE_SEALED;
    cr_assert_eq(give(B, A, message, &length), HANDSHAKE_OK);
    cr_assert(knows(A, B));
}

Test(handshake, refusals_have_their_reasons)
{
    uint8_t request[HANDSHAKE_SEALED], copy[HANDSHAKE_SEALED];
    size_t length = handshake_request(pods[A], &ips[B], now_ns, request);

    memcpy(copy, request, sizeof(copy));
    copy[sizeof(copy) - 1] ^= 1;
    cr_assert_eq(give(A, B, copy, &length), HANDSHAKE_FORGED);
    length = HANDSHAKE_SEALED - 1;
    memcpy(copy, request, sizeof(copy));
    cr_assert_eq(give(A, B, copy, &length), HANDSHAKE_MALFORMED);
    handshake_set_keys(pods[B], &rings[1]);
    length = HANDSHAKE_SEALED;
    memcpy(copy, request, sizeof(copy));
    cr_assert_eq(give(A, B, copy, &length), HANDSHAKE_KEY);
    length = HANDSHAKE_SEALED;
    cr_assert_eq(give(B, A, request, &length), HANDSHAKE_MISDIRECTED, "our own");
}

/* Unverifiable messages in its name: it gets a request, and its reply decides. */
Test(handshake, a_suspect_gets_a_request)
{
    settle(A, B);
    now_ns += STEP_NS;
    handshake_suspect(pods[A], &ips[C]); /* no known peer */
    cr_assert_eq(exchange(A, B), 0);
    handshake_suspect(pods[A], &ips[B]);
    cr_assert(knows(A, B), "it stays authenticated");
    cr_assert_eq(send_message(A, B), HANDSHAKE_OK);
    cr_assert_eq(exchange(A, B), 2);
    cr_assert_eq(exchange(A, B), 0, "once");
    handshake_suspect(pods[A], &ips[B]);
    cr_assert_eq(exchange(A, B), 0, "not again at once");
    now_ns += HANDSHAKE_RETRY_NS;
    cr_assert_eq(exchange(A, B), 2);
}

/* A silent peer gets a request every 1.6 s; a suspect gets them more often. */
Test(handshake, a_silent_suspect_gets_requests_more_often)
{
    uint8_t data[HANDSHAKE_SEALED];
    int asked = 0;

    for (int i = 0; i < 10; i++) {
        now_ns += STEP_NS;
        cr_assert_gt(handshake_request(pods[A], &ips[B], now_ns, data), 0);
    }
    for (uint64_t end_ns = now_ns + NS_PER_SEC; now_ns < end_ns; now_ns += NS_PER_MS) {
        handshake_suspect(pods[A], &ips[B]);
        asked += handshake_request(pods[A], &ips[B], now_ns, data) > 0;
    }
    cr_assert_geq(asked, 2);
    cr_assert_leq(asked, 5);
}
