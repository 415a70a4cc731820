/* The cost of a trial, as text and as JSON. */
#include <stdio.h>

#include "headless/base/clock.h"
#include "report.h"
#include "watch.h"

int watch_command(struct watch *w, const char *command, const char *text)
{
    char bad[WATCH_TEXT_MAX];
    const char *wrong = text ? watch_open(w, text, bad) : NULL;

    if (!wrong)
        return BENCH_EXIT_OK;
    (void)fprintf(stderr, BENCH_PROGRAM " %s: --watch %s: %s\n", command, bad, wrong);
    return BENCH_EXIT_INVALID;
}

static double per_datagram(uint64_t ns, uint64_t datagrams)
{
    return datagrams ? (double)ns / (double)datagrams : 0;
}

uint64_t watch_sum_ns(const struct watch *w)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < w->count; i++)
        sum += w->processes[i].cpu_ns;
    return sum;
}

static void print_cost(const char *name, uint64_t ns, uint64_t datagrams, const char *what)
{
    (void)printf("  cpu %-15s %9.0f  ns a datagram%s\n", name, per_datagram(ns, datagrams), what);
}

void watch_print(const struct watch *w, uint64_t datagrams)
{
    char what[96];

    for (unsigned i = 0; i < w->count; i++) {
        const struct watched *p = &w->processes[i];

        (void)snprintf(what, sizeof(what), ", PID %d; resident %.1f MiB, at most %.1f MiB", p->pid,
                       (double)p->rss_bytes / 0x1p20, (double)p->hwm_bytes / 0x1p20);
        print_cost(p->name, p->cpu_ns, datagrams, p->ended ? ": it ended during the trial" : what);
    }
    if (w->count > 1)
        print_cost("of all these", watch_sum_ns(w), datagrams, "");
    if (w->count) {
        print_cost("of this tool", w->own_ns, datagrams, "");
        (void)snprintf(what, sizeof(what), ", interrupts included, for %.3f s",
                       (double)w->span_ns / (double)NS_PER_SEC);
        print_cost("of the machine", w->machine_ns, datagrams, what);
    }
}

static void add_cost(struct json_object *object, const char *prefix, uint64_t ns,
                     uint64_t datagrams)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s_ns", prefix);
    report_add_number(object, name, ns);
    (void)snprintf(name, sizeof(name), "%s_ns_per_datagram", prefix);
    report_add_real(object, name, per_datagram(ns, datagrams));
}

void watch_add_json(struct json_object *object, const struct watch *w, uint64_t datagrams)
{
    struct json_object *cpu = json_object_new_object();
    struct json_object *processes = json_object_new_array();

    if (!w->count) {
        (void)json_object_put(processes);
        (void)json_object_put(cpu);
        return;
    }
    report_add_real(cpu, "seconds", (double)w->span_ns / (double)NS_PER_SEC);
    add_cost(cpu, "machine", w->machine_ns, datagrams);
    add_cost(cpu, "own", w->own_ns, datagrams);
    add_cost(cpu, "watched", watch_sum_ns(w), datagrams);
    for (unsigned i = 0; i < w->count; i++) {
        const struct watched *p = &w->processes[i];
        struct json_object *one = json_object_new_object();

        report_add_text(one, "name", p->name);
        report_add_number(one, "pid", (uint64_t)p->pid);
        report_add_flag(one, "ended", p->ended);
        add_cost(one, "cpu", p->cpu_ns, datagrams);
        report_add_number(one, "rss_bytes", p->rss_bytes);
        report_add_number(one, "hwm_bytes", p->hwm_bytes);
        (void)json_object_array_add(processes, one);
    }
    (void)json_object_object_add(cpu, "processes", processes);
    (void)json_object_object_add(object, "cpu", cpu);
}
