/* scenario_names: pods that share a name, and pods that return at another address; exact times. */
#include "scenario.h"

/* ---- helpers ---- */

static void set_expected(struct sim *sim, uint16_t pods)
{
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim->pods[i].config.expect = pods;
}

static void share_name(struct sim *sim, uint32_t pod, uint32_t with)
{
    sim->pods[pod].config.self.name = sim->pods[with].config.self.name;
}

/* The pods before `count` run, and pod 0 leads. */
static void settle(struct sim *sim, uint32_t count)
{
    sim->names.twin = count; /* a pod that starts later is not known yet */
    for (uint32_t i = 0; i < count; i++)
        sim_start_pod(sim, i, true);
    sim->names.twin = SIM_PODS_MAX;
    scenario_wait_ms(sim, 10000);
    if (sim_agreed_leader(sim) != 0)
        sim_fail(sim, "pod 0 does not lead");
}

static void move(struct sim *sim, uint32_t pod)
{
    sim->pods[pod].config.self.address.ip[1]++;
    sim_start_pod(sim, pod, true);
}

/* All live pods follow one leader, and have a list of as many members. */
static bool is_list_exact(const struct sim *sim)
{
    uint32_t up = 0;

    for (uint32_t i = 0; i < sim->pod_count; i++)
        up += sim->pods[i].is_up;
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim->pods[i].is_up && sim->pods[i].election.list.count != up)
            return false;
    }
    return sim_agreed_leader(sim) >= 0;
}

static void cut_halves(struct sim *sim, uint32_t first_of_second, int change)
{
    for (uint32_t i = 0; i < first_of_second; i++) {
        for (uint32_t k = first_of_second; k < sim->pod_count; k++) {
            sim_cut(sim, i, k, change);
            sim_cut(sim, k, i, change);
        }
    }
}

/* ---- the scenarios ---- */

/* Pod 0 was deleted by force, and goes on behind the partition with pod 1: its successor's vote must
 * not make pod 2 a leader. */
static unsigned run_twin_in_partition(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 4, trace);
    set_expected(sim, 3);
    share_name(sim, 3, 0);
    settle(sim, 3);
    cut_halves(sim, 2, 1);
    sim_start_pod(sim, 3, true);
    scenario_wait_ms(sim, 20000);
    if (sim_valid_leader(sim) != 0)
        sim_fail(sim, "pod 0 does not lead any more");
    cut_halves(sim, 2, -1);
    return scenario_until(sim, is_list_exact, 5000);
}

/* The same after an election by pod 1 and pod 2, of which pod 1 is then with pod 0. */
static unsigned run_twin_changes_sides(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 4, trace);
    set_expected(sim, 3);
    share_name(sim, 3, 0);
    settle(sim, 3);
    for (uint32_t i = 1; i < 4; i++) {
        sim_cut(sim, 0, i, 1);
        sim_cut(sim, i, 0, 1);
    }
    sim_start_pod(sim, 3, true);
    scenario_wait_ms(sim, 1005); /* elected, before a change of the list is committed */
    cut_halves(sim, 2, 1);
    sim_cut(sim, 0, 1, -1);
    sim_cut(sim, 1, 0, -1);
    scenario_wait_ms(sim, 20000);
    cut_halves(sim, 2, -1);
    for (uint32_t i = 2; i < 4; i++) {
        sim_cut(sim, 0, i, -1);
        sim_cut(sim, i, 0, -1);
    }
    return scenario_until(sim, is_list_exact, 5000);
}

static unsigned run_shared_name_joins(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 4, trace);
    set_expected(sim, 3);
    for (uint32_t i = 1; i < 4; i++)
        share_name(sim, i, 0);
    settle(sim, 3);
    sim_start_pod(sim, 3, true);
    return scenario_until(sim, is_list_exact, 5000);
}

/* At the address of the dead one: its row is free at once. */
static unsigned run_shared_name_returns(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    for (uint32_t i = 1; i < 3; i++)
        share_name(sim, i, 0);
    settle(sim, 3);
    sim_crash_pod(sim, 2, false);
    scenario_wait_ms(sim, 100);
    sim_start_pod(sim, 2, true);
    return scenario_until(sim, is_list_exact, 5000);
}

/* A StatefulSet's pod on another node. */
static unsigned run_moved_pod(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    settle(sim, 3);
    sim_crash_pod(sim, 2, false);
    scenario_wait_ms(sim, 2000);
    move(sim, 2);
    return scenario_until(sim, is_list_exact, 5000);
}

/* The leader has heard it less than a detection time ago: the old process may be alive. */
static unsigned run_moved_at_once(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    settle(sim, 3);
    sim_crash_pod(sim, 2, false);
    move(sim, 2);
    return scenario_until(sim, is_list_exact, 5000);
}

static bool has_four_rows(const struct sim *sim)
{
    return sim_valid_leader(sim) >= 0 && sim->pods[0].election.list.count == 4;
}

/* Before the first leader: the first list has both of its instances. */
static unsigned run_moved_before_first(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim_start_pod(sim, i, true);
    scenario_wait_ms(sim, 700);
    sim_crash_pod(sim, 2, false);
    move(sim, 2);
    if (scenario_until(sim, has_four_rows, 5000) == SCENARIO_NEVER_MS)
        sim_fail(sim, "the first list lacks the dead instance");
    return scenario_until(sim, is_list_exact, 70000);
}

/* Two of three, the leader among them: no majority of the former instances is left, but every row
 * votes. */
static unsigned run_two_moved(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    settle(sim, 3);
    sim_crash_pod(sim, 0, false);
    sim_crash_pod(sim, 1, false);
    scenario_wait_ms(sim, 3000);
    move(sim, 0);
    move(sim, 1);
    return scenario_until(sim, is_list_exact, 15000);
}

/* The only one that may lead: it stands for election with a row of its own. */
static unsigned run_eligible_moved(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    sim->pods[1].config.self.is_eligible = sim->pods[2].config.self.is_eligible = false;
    settle(sim, 3);
    sim_crash_pod(sim, 0, false);
    scenario_wait_ms(sim, 3000);
    move(sim, 0);
    return scenario_until(sim, is_list_exact, 15000);
}

const struct scenario scenario_names[] = {
    {"twin-in-partition", run_twin_in_partition, 107,
     "a pod's successor on the other side of a partition: one leader"},
    {"twin-changes-sides", run_twin_changes_sides, 203,
     "the same, and a voter changes sides: one leader"},
    {"shared-name-joins", run_shared_name_joins, 402, "a fourth pod with the name of three"},
    {"shared-name-returns", run_shared_name_returns, 1,
     "one of three with one name restarts: it has its row again"},
    {"moved-pod", run_moved_pod, 2, "a pod returns at another address: it has its row again"},
    {"moved-at-once", run_moved_at_once, 803, "the same, before the leader knows that it died"},
    {"moved-before-first", run_moved_before_first, 801,
     "the same, before there was a leader: the dead row goes"},
    {"two-moved", run_two_moved, 807, "two of three return at other addresses: all agree"},
    {"eligible-moved", run_eligible_moved, 4006,
     "the only eligible pod returns at another address: it leads"},
    {0},
};
