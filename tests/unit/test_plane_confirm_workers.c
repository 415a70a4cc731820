/*
 * Confirmed relaying with several workers: a confirmation arrives at any of them, by the hash of its
 * sender's port, and is for the one that sent the frame.
 */
#include "data/relay/kept_mail.h"
#include "plane_confirm_fixture.h"

#define WORKERS 4
#define CLIENTS 128 /* the kernel gives each worker some: of 32 it gave one none */
#define LAST    "2"

static struct udp_socket clients[CLIENTS];
static char heard_last[CLIENTS]; /* of each client */

static void open_workers(void)
{
    const struct udp_options options = {0};
    struct address any = ip("127.0.0.1");

    setup();
    open_again(CONFIG_CONFIRM_DELIVERED, WORKERS);
    for (size_t i = 0; i < CLIENTS; i++)
        cr_assert_eq(udp_open(&any, &options, &clients[i]), 0);
}

static void close_workers(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        udp_close(&clients[i]);
    teardown();
}

TestSuite(plane_confirm_workers, .init = open_workers, .fini = close_workers, .timeout = 60);

/* Each client sends this to B. */
static void all_say(const char *text)
{
    struct address to = address_with_port(configs[B].self, configs[B].data_port), from = {0};

    for (size_t i = 0; i < CLIENTS; i++)
        cr_assert_eq(udp_send_one(&clients[i], &to, &from, text, strlen(text)), 0);
}

/* Replies come in order, each once. True: every client has its last one. */
static bool all_heard(void)
{
    size_t complete = 0;
    char text;

    for (size_t i = 0; i < CLIENTS; i++) {
        while (recv(clients[i].fd, &text, 1, MSG_DONTWAIT) == 1) {
            cr_assert_eq(text, heard_last[i] ? heard_last[i] + 1 : '0', "%c after %c", text,
                         heard_last[i]);
            heard_last[i] = text;
        }
        complete += heard_last[i] == *LAST;
    }
    return complete == CLIENTS;
}

static void expect_all_replies(uint64_t delivered)
{
    until(all_heard(), run_both());
    if (!a_is_dead)
        settle_all();
    cr_assert_eq(count(A, COUNTER_DELIVERED) + count(B, COUNTER_DELIVERED), delivered);
    cr_assert_eq(count(B, COUNTER_UNCONFIRMED), 0);
}

Test(plane_confirm_workers, requests_of_all_workers_are_confirmed)
{
    all_say("0");
    all_say("1");
    all_say(LAST);
    expect_all_replies(3 * CLIENTS);
    for (size_t i = 0; i < WORKERS; i++)
        cr_expect_gt(kept_of(B, i)->streams[0].next, 1, "worker %zu sent nothing", i);
}

Test(plane_confirm_workers, lost_frames_of_all_workers_are_sent_again)
{
    all_say("0");
    run_all(B);
    cr_assert_geq(lose(A), WORKERS);
    all_say("1");
    all_say(LAST);
    expect_all_replies(3 * CLIENTS);
    cr_assert_geq(count(B, COUNTER_SENT_AGAIN), CLIENTS);
}

Test(plane_confirm_workers, requests_of_all_workers_go_to_the_next_leader_first)
{
    all_say("0");
    all_say("1");
    run_all(B);
    (void)lose(A);
    a_is_dead = true;
    publish(B, B, 2, 0);
    run_all(B);
    all_say(LAST);
    expect_all_replies(3 * CLIENTS);
    cr_assert_eq(count(B, COUNTER_REPLAYED), 2 * CLIENTS);
}

/* A frame of worker 0, whose confirmation comes to worker 1. */
Test(plane_confirm_workers, confirmation_at_another_worker_is_passed_on)
{
    struct kept_mail *mail = &data_planes[B]->mails[0];
    struct kept *sender = &data_planes[B]->workers[0].routing.relay.kept;
    const struct kept_frame like = {.type = FRAME_REPLY, .records = 1, .hops = 1};
    struct confirmation confirmation = {.flags = CONFIRMATION_GAP};
    struct frame_place place;

    for (int i = 0; i < 3; i++)
        cr_assert_not_null(kept_put(sender, 0, &like, &place));
    sender->now_ns += NS_PER_SEC; /* later than the least time between two gaps */
    confirmation.stream = place.stream;
    confirmation.received = confirmation.confirmed = place.number - 2;
    kept_mail_put(mail, &confirmation);
    confirmation.flags = 0;
    confirmation.received = confirmation.confirmed = place.number - 1;
    kept_mail_put(mail, &confirmation);
    kept_mail_take(mail, sender);
    cr_assert_eq(sender->streams[0].confirmed, place.number - 1);
    cr_assert_eq(kept_next(sender, 0)->number, place.number, "the gap is reported");
    kept_mail_take(mail, sender);
    cr_assert_null(kept_next(sender, 0), "once");
    sender->lost_replies = 0;
    kept_lose(sender, 0, true);
}
