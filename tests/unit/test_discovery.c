/* The resolver thread, with getaddrinfo replaced by a script (--wrap). */
#include <criterion/criterion.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/discovery.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

#define ANSWER_MAX 300

/* The result of the next lookup: addresses 10.0.x.y by number, or an error. */
static struct {
    int error;
    size_t count;
    uint32_t hosts[ANSWER_MAX];
} script;
static _Atomic unsigned lookups;
static sem_t may_reply; /* each lookup takes one */
static bool is_gated;

static struct config config;
static struct waker waker;
static struct discovery discovery;
static struct address list[DISCOVERY_MAX];

static struct addrinfo answer[ANSWER_MAX];
static struct sockaddr_in sockets[ANSWER_MAX];

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found);
void __wrap_freeaddrinfo(struct addrinfo *found);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found)
{
    (void)service;
    cr_assert_str_eq(node, "pods.example.");
    cr_assert_eq(hints->ai_family, AF_INET);
    (void)atomic_fetch_add_explicit(&lookups, 1, memory_order_relaxed);
    while (is_gated && sem_wait(&may_reply) != 0)
        ;
    for (size_t i = 0; i < script.count; i++) {
        sockets[i] = (struct sockaddr_in){.sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(0x0a000000 + script.hosts[i])};
        answer[i] = (struct addrinfo){.ai_addr = (struct sockaddr *)&sockets[i],
                                      .ai_next = i + 1 < script.count ? &answer[i + 1] : NULL};
    }
    *ret_found = script.count ? answer : NULL;
    return script.error;
}

void __wrap_freeaddrinfo(struct addrinfo *found)
{
    cr_assert(found == answer || !found);
}

static void setup(void)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    cr_assert_eq(sem_init(&may_reply, 0, 0), 0);
    cr_assert_eq(waker_init(&waker, false), 0);
    cr_assert_eq(address_parse_ip("10.0.0.1", &config.self), 0);
    (void)snprintf(config.discovery_dns, sizeof(config.discovery_dns), "pods.example.");
    config.discovery_interval_ns = 3600 * NS_PER_SEC;
}

static void teardown(void)
{
    discovery_stop(&discovery);
    waker_fini(&waker);
}

TestSuite(discovery, .init = setup, .fini = teardown, .timeout = 30);

static void find(size_t count, const uint32_t *hosts)
{
    script.count = count;
    memcpy(script.hosts, hosts, count * sizeof(*hosts));
}

/* Polls; the suite's timeout is the limit. */
static void wait_for_news(void)
{
    const struct timespec pause = clock_to_timespec(NS_PER_MS);

    while (!discovery_has_news(&discovery))
        (void)nanosleep(&pause, NULL);
}

static void wait_for_lookups(unsigned n)
{
    const struct timespec pause = clock_to_timespec(NS_PER_MS);

    while (atomic_load_explicit(&lookups, memory_order_relaxed) < n)
        (void)nanosleep(&pause, NULL);
}

static void assert_host(size_t index, const char *ip)
{
    char text[ADDRESS_TEXT_MAX];

    cr_assert_str_eq(address_format_ip(&list[index], text), ip);
    cr_assert_eq(list[index].port, 0);
}

Test(discovery, without_a_name_nothing_is_looked_up)
{
    config.discovery_dns[0] = '\0';
    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    discovery_request(&discovery);
    discovery_set_fast(&discovery, true);
    cr_assert_not(discovery_has_news(&discovery));
    cr_assert_not(discovery_is_known(&discovery));
    cr_assert_eq(discovery_take(&discovery, list), 0);
    cr_assert_eq(discovery_failure(&discovery), 0);
    cr_assert_eq(lookups, 0);
}

Test(discovery, addresses_are_sorted_without_duplicates)
{
    find(4, (const uint32_t[]){3, 1, 2, 3});
    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    wait_for_news();
    cr_assert(discovery_is_known(&discovery));
    cr_assert_eq(discovery_take(&discovery, list), 3);
    assert_host(0, "10.0.0.1");
    assert_host(1, "10.0.0.2");
    assert_host(2, "10.0.0.3");
    cr_assert_not(discovery_has_news(&discovery), "taken");
}

Test(discovery, of_too_many_addresses_the_first_are_kept)
{
    uint32_t hosts[ANSWER_MAX];

    for (uint32_t i = 0; i < ANSWER_MAX; i++)
        hosts[i] = ANSWER_MAX - i;
    find(ANSWER_MAX, hosts);
    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    wait_for_news();
    cr_assert_eq(discovery_take(&discovery, list), DISCOVERY_MAX);
    assert_host(0, "10.0.0.1");
    assert_host(DISCOVERY_MAX - 1, "10.0.0.129");
}

Test(discovery, failures_and_empty_replies_keep_the_previous_result)
{
    find(1, (const uint32_t[]){7});
    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    wait_for_news();
    cr_assert_eq(discovery_take(&discovery, list), 1);
    script.error = EAI_AGAIN;
    discovery_request(&discovery);
    wait_for_lookups(2);
    script.error = 0;
    script.count = 0;
    discovery_request(&discovery);
    wait_for_lookups(3);
    discovery_request(&discovery);
    wait_for_lookups(4); /* the third result is processed then */
    cr_assert_str_eq(discovery_reason(discovery_failure(&discovery)), "the response is empty");
    cr_assert_not(discovery_has_news(&discovery));
    cr_assert(discovery_is_known(&discovery));
    cr_assert_eq(discovery_take(&discovery, list), 1);
}

Test(discovery, the_reason_of_a_failed_lookup_is_reported)
{
    is_gated = true;
    script.error = EAI_NONAME;
    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    cr_assert_str_eq(discovery_reason(discovery_failure(&discovery)), "no response yet");
    (void)sem_post(&may_reply);
    while (discovery_failure(&discovery) != EAI_NONAME)
        (void)sched_yield(); /* until the test's timeout */
    cr_assert_str_eq(discovery_reason(EAI_NONAME), "Name or service not known");
    is_gated = false;
    (void)sem_post(&may_reply);
    script.error = 0;
    find(1, (const uint32_t[]){7});
    discovery_request(&discovery);
    wait_for_news();
    cr_assert_eq(discovery_failure(&discovery), 0);
}

Test(discovery, an_unchanged_result_is_not_reported)
{
    find(2, (const uint32_t[]){1, 2});
    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    wait_for_news();
    (void)discovery_take(&discovery, list);
    find(2, (const uint32_t[]){2, 1});
    discovery_request(&discovery);
    wait_for_lookups(2);
    discovery_request(&discovery);
    wait_for_lookups(3);
    cr_assert_not(discovery_has_news(&discovery));
    find(3, (const uint32_t[]){2, 1, 9});
    discovery_request(&discovery);
    wait_for_news();
    cr_assert_eq(discovery_take(&discovery, list), 3);
}

Test(discovery, fast_polling_and_requests_look_up_once_a_second)
{
    uint64_t start_ns = clock_now_ns();

    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    discovery_set_fast(&discovery, true);
    wait_for_lookups(3);
    cr_assert_geq(clock_now_ns() - start_ns, 2 * NS_PER_SEC);
    discovery_set_fast(&discovery, false);
    discovery_request(&discovery);
    discovery_request(&discovery);
    wait_for_lookups(4);
    cr_assert_geq(clock_now_ns() - start_ns, 3 * NS_PER_SEC);
}

Test(discovery, a_stop_does_not_wait_for_a_lookup_that_blocks)
{
    const struct timespec while_it_ends = clock_to_timespec(100 * NS_PER_MS);
    uint64_t start_ns;

    is_gated = true;
    find(1, (const uint32_t[]){7});
    cr_assert_eq(discovery_start(&discovery, &config, &waker), 0);
    wait_for_lookups(1);
    start_ns = clock_now_ns();
    discovery_stop(&discovery);
    cr_assert_lt(clock_now_ns() - start_ns, 10 * NS_PER_SEC);
    cr_assert_eq(sem_post(&may_reply), 0); /* late: no thread reads the result */
    (void)nanosleep(&while_it_ends, NULL); /* a use after free would happen here */
    cr_assert_not(discovery_has_news(&discovery));
}
