/*
 * stress_view: one publisher that never waits, readers that hold views, sleep and wake.
 *
 * Every field of a view is derived from its generation, so a reader sees at once when a slot is
 * written while it reads (and ThreadSanitizer sees it in any case). A reader must never see an
 * older view after a newer one, and whoever sleeps must be woken for the last view: it ends the
 * readers. One reader is slow on purpose, so that the publisher runs out of slots.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "headless/data/view.h"
#include "stress.h"

#define READERS 4

struct reader {
    struct view_reader registered;
    struct waker waker;
    struct view_board *board;
    bool is_slow;
    uint64_t random;
    uint64_t views, sleeps; /* the reader's */
};

static struct view_board board;
static struct reader readers[READERS];

/* Where the members of this generation end: every size comes along. */
static size_t member_count(uint64_t generation)
{
    return generation % VIEW_MEMBERS_MAX + 1;
}

static void fill(struct view *view)
{
    uint64_t generation = view->generation;

    view->term = generation * 3;
    view->previous_term = generation * 3 - 1;
    view->hold_time_ns = generation * 7;
    view->app_idle_ns = ~generation;
    view->accept_control = generation % 2;
    view->kind = generation % 2 ? VIEW_LEADER_SELF : VIEW_LEADER_MEMBER;
    view->leader.port = (uint16_t)generation;
    (void)snprintf(view->leader_name, sizeof(view->leader_name), "%llu",
                   (unsigned long long)generation);
    view->member_count = member_count(generation);
    for (size_t i = 0; i < view->member_count; i++) {
        view->members[i].instance = generation * 1000 + i;
        view->members[i].address.port = (uint16_t)(generation + i);
    }
    atomic_store_explicit(&view->valid_until_ns, generation * 11, memory_order_relaxed);
}

static void check(const struct view *view)
{
    uint64_t generation = view->generation;
    char name[CONFIG_NAME_MAX];

    STRESS_CHECK(view->term == generation * 3);
    STRESS_CHECK(view->previous_term == generation * 3 - 1);
    STRESS_CHECK(view->hold_time_ns == generation * 7);
    STRESS_CHECK(view->app_idle_ns == ~generation);
    STRESS_CHECK(view->accept_control == (generation % 2 == 1));
    STRESS_CHECK(view->kind == (generation % 2 ? VIEW_LEADER_SELF : VIEW_LEADER_MEMBER));
    STRESS_CHECK(view->leader.port == (uint16_t)generation);
    (void)snprintf(name, sizeof(name), "%llu", (unsigned long long)generation);
    STRESS_CHECK(strcmp(view->leader_name, name) == 0);
    STRESS_CHECK(view->member_count == member_count(generation));
    for (size_t i = 0; i < view->member_count; i++) {
        STRESS_CHECK(view->members[i].instance == generation * 1000 + i);
        STRESS_CHECK(view->members[i].address.port == (uint16_t)(generation + i));
    }
    STRESS_CHECK(atomic_load_explicit(&view->valid_until_ns, memory_order_relaxed) ==
                 generation * 11);
}

static void sleep_until_woken(struct reader *reader)
{
    waker_prepare(&reader->waker);
    if (view_is_news(reader->board, &reader->registered)) {
        waker_cancel(&reader->waker);
        return;
    }
    view_release(&reader->registered);
    stress_sleep(&reader->waker, &reader->sleeps);
}

static void *read_views(void *context)
{
    struct reader *reader = context;
    uint64_t newest = 0;
    bool is_last = false;

    while (!is_last) {
        const struct view *view = view_acquire(reader->board, &reader->registered);

        STRESS_CHECK(view->generation >= newest);
        reader->views += view->generation > newest;
        newest = view->generation;
        check(view);
        if (reader->is_slow && stress_draw(&reader->random) % 16 == 0)
            (void)usleep(2000);
        check(view); /* it is ours until the next view_acquire */
        is_last = strcmp(view->cause, "last") == 0;
        if (!is_last && stress_draw(&reader->random) % 4 == 0)
            sleep_until_woken(reader);
    }
    view_release(&reader->registered);
    return NULL;
}

static void publish(struct view *draft, const char *cause)
{
    fill(draft);
    draft->cause = cause;
    view_publish(&board, draft);
    for (size_t i = 0; i < READERS; i++)
        waker_wake(&readers[i].waker);
}

/* Publishes until the time is over, then the last view; returns how often no slot was free. */
static uint64_t publish_views(void)
{
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;
    uint64_t refused = 0;
    uint64_t random = 7;
    bool is_last = false;

    while (!is_last) {
        struct view *draft = view_draft(&board);

        if (!draft) {
            refused++;
            (void)sched_yield();
            continue;
        }
        is_last = clock_now_ns() >= end_ns;
        publish(draft, is_last ? "last" : "stress");
        if (stress_draw(&random) % 8 == 0)
            (void)usleep(50); /* time for the readers to fall asleep */
    }
    return refused;
}

int main(void)
{
    pthread_t threads[READERS];
    struct view *first;
    uint64_t refused;

    (void)alarm(STRESS_LIMIT);
    view_board_init(&board);
    first = view_draft(&board);
    STRESS_CHECK(first != NULL);
    publish(first, "stress");
    for (size_t i = 0; i < READERS; i++) {
        readers[i].board = &board;
        readers[i].random = 100 + i;
        readers[i].is_slow = i == 0;
        STRESS_CHECK(waker_init(&readers[i].waker, false) == 0);
        STRESS_CHECK(view_board_register(&board, &readers[i].registered) == 0);
    }
    for (size_t i = 0; i < READERS; i++)
        STRESS_CHECK(pthread_create(&threads[i], NULL, read_views, &readers[i]) == 0);
    refused = publish_views();
    for (size_t i = 0; i < READERS; i++)
        STRESS_CHECK(pthread_join(threads[i], NULL) == 0);

    (void)printf("published %llu views, no slot was free %llu times\n",
                 (unsigned long long)view_current(&board)->generation, (unsigned long long)refused);
    for (size_t i = 0; i < READERS; i++) {
        (void)printf("reader %zu: saw %llu views, slept %llu times\n", i,
                     (unsigned long long)readers[i].views, (unsigned long long)readers[i].sleeps);
        STRESS_CHECK(readers[i].views > 10 && readers[i].sleeps > 0);
    }
    STRESS_CHECK(refused > 0);
    return 0;
}
