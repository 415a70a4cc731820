#include "mlr.h"

#include <math.h>

/* The requirements of a goal in one phase. */
struct target {
    double loss, width;
    uint64_t trial_ns, sum_ns;
};

struct bounds {
    uint64_t lower, upper; /* 0: none */
};

static uint64_t mlr_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct target get_target(const struct mlr *m, unsigned goal, unsigned phase)
{
    const struct mlr_settings *s = &m->settings;
    uint64_t grown_ns = s->first_trial_ns << phase;
    bool last = phase + 1 >= m->phase_count;

    return (struct target){
        .loss = s->losses[goal],
        .width = s->width * exp2(m->phase_count - 1 - phase),
        .trial_ns = last ? s->trial_ns : mlr_min(s->trial_ns, grown_ns),
        .sum_ns = last ? s->sum_ns : mlr_min(s->sum_ns, grown_ns),
    };
}

void mlr_init(struct mlr *m, const struct mlr_settings *settings)
{
    uint64_t longest_ns;

    *m = (struct mlr){.settings = *settings, .phase_count = 1};
    if (m->settings.sum_ns < settings->trial_ns)
        m->settings.sum_ns = settings->trial_ns;
    m->settings.first_trial_ns = mlr_min(settings->first_trial_ns, settings->trial_ns);
    longest_ns = m->settings.sum_ns;
    while ((m->settings.first_trial_ns << (m->phase_count - 1)) < longest_ns && m->phase_count < 16)
        m->phase_count++;
    for (unsigned goal = 0; goal < settings->goal_count; goal++)
        m->strides[goal] = get_target(m, goal, 0).width;
}

void mlr_record(struct mlr *m, uint64_t load, uint64_t duration_ns, double loss)
{
    if (m->trial_count < MLR_TRIALS_MAX)
        m->trials[m->trial_count++] =
            (struct mlr_trial){.load = load, .duration_ns = duration_ns, .loss = loss};
}

void mlr_limit(struct mlr *m, uint64_t max_load)
{
    unsigned kept = 0;

    m->settings.max_load = max_load;
    for (unsigned i = 0; i < m->trial_count; i++)
        if (m->trials[i].load <= max_load)
            m->trials[kept++] = m->trials[i];
    m->trial_count = kept;
    for (unsigned goal = 0; goal < m->settings.goal_count; goal++) {
        if (m->uppers[goal] > max_load)
            m->uppers[goal] = 0;
        if (m->lowers[goal] > max_load)
            m->lowers[goal] = 0;
    }
}

/* ---- classification of loads ---- */

/*
 * Trials shorter than required cannot prove a load good, but they can prove it bad: the duration
 * of the short bad trials counts as far as the short good ones do not outweigh it.
 */
enum mlr_class mlr_classify(const struct mlr *m, uint64_t load, double loss, uint64_t trial_ns,
                            uint64_t sum_ns)
{
    double full_good = 0;
    double full_bad = 0;
    double short_good = 0;
    double short_bad = 0;
    double bad;
    double whole;
    double missing;

    for (unsigned i = 0; i < m->trial_count; i++) {
        const struct mlr_trial *t = &m->trials[i];
        bool is_bad = t->loss > loss;
        bool is_full = t->duration_ns >= trial_ns;

        if (t->load == load)
            *(is_full ? (is_bad ? &full_bad : &full_good) : (is_bad ? &short_bad : &short_good)) +=
                (double)t->duration_ns;
    }
    bad = full_bad + fmax(0, short_bad - short_good * MLR_EXCEED / (1 - MLR_EXCEED));
    whole = fmax(full_good + bad, (double)sum_ns);
    missing = whole - full_good - bad;
    if (bad + missing <= whole * MLR_EXCEED)
        return MLR_LOWER;
    return bad > whole * MLR_EXCEED ? MLR_UPPER : MLR_UNDECIDED;
}

static enum mlr_class mlr_classify_target(const struct mlr *m, uint64_t load,
                                          const struct target *t)
{
    return mlr_classify(m, load, t->loss, t->trial_ns, t->sum_ns);
}

static struct bounds find_bounds(const struct mlr *m, const struct target *t)
{
    struct bounds b = {0};

    for (unsigned i = 0; i < m->trial_count; i++) {
        uint64_t load = m->trials[i].load;

        if ((!b.upper || load < b.upper) && mlr_classify_target(m, load, t) == MLR_UPPER)
            b.upper = load;
    }
    for (unsigned i = 0; i < m->trial_count; i++) {
        uint64_t load = m->trials[i].load;

        if (load > b.lower && (!b.upper || load < b.upper) &&
            mlr_classify_target(m, load, t) == MLR_LOWER)
            b.lower = load;
    }
    return b;
}

/* Best forwarding rate at an overload: the place to search for a lower bound. */
static uint64_t forwarded(const struct mlr *m, uint64_t load)
{
    double loss = 1;

    for (unsigned i = 0; i < m->trial_count; i++)
        if (m->trials[i].load == load && m->trials[i].loss < loss)
            loss = m->trials[i].loss;
    return (uint64_t)((double)load * (1 - loss));
}

/* ---- choice of the next load ---- */

static uint64_t go_up(struct mlr *m, unsigned goal, uint64_t lower)
{
    uint64_t max = m->settings.max_load;
    uint64_t known = m->uppers[goal];
    double next = (double)lower * (1 + m->strides[goal]);

    if (known > lower)
        return known;
    if (!lower)
        return max;
    m->strides[goal] *= 2;
    return next >= (double)max ? max : (uint64_t)next + 1;
}

static uint64_t go_down(struct mlr *m, unsigned goal, uint64_t upper)
{
    uint64_t min = m->settings.min_load;
    uint64_t known = m->lowers[goal];
    uint64_t next = (uint64_t)((double)upper / (1 + m->strides[goal]));
    uint64_t guess = forwarded(m, upper);

    if (known && known < upper)
        return known;
    m->strides[goal] *= 2;
    if (guess < next && guess > min)
        next = guess;
    return next > min ? next : min;
}

/* The next load to measure for a target; 0: it is reached. */
static uint64_t mlr_choose(struct mlr *m, unsigned goal, const struct target *t)
{
    struct bounds b = find_bounds(m, t);
    uint64_t middle;

    if (m->candidate && m->candidate <= m->settings.max_load && m->candidate > b.lower &&
        (!b.upper || m->candidate < b.upper) &&
        mlr_classify_target(m, m->candidate, t) == MLR_UNDECIDED)
        return m->candidate;
    if (m->lowers[goal] > b.lower && (!b.upper || m->lowers[goal] < b.upper))
        return m->lowers[goal]; /* lower bound of the previous phase: verify it */
    if (!b.upper)
        return b.lower >= m->settings.max_load ? 0 : go_up(m, goal, b.lower);
    if (!b.lower)
        return b.upper <= m->settings.min_load ? 0 : go_down(m, goal, b.upper);
    if ((double)(b.upper - b.lower) <= t->width * (double)b.upper)
        return 0;
    if (m->uppers[goal] > b.lower && m->uppers[goal] < b.upper)
        return m->uppers[goal];
    middle = (uint64_t)sqrt((double)b.lower * (double)b.upper);
    return middle > b.lower && middle < b.upper ? middle : 0;
}

static void end_phase(struct mlr *m, unsigned goal, const struct target *t)
{
    struct bounds b = find_bounds(m, t);

    m->lowers[goal] = b.lower;
    m->uppers[goal] = b.upper;
    m->candidate = 0;
    m->phases[goal]++;
    m->strides[goal] = get_target(m, goal, m->phases[goal]).width;
}

bool mlr_next(struct mlr *m, uint64_t *ret_load, uint64_t *ret_duration_ns)
{
    for (unsigned phase = 0; phase < m->phase_count; phase++) {
        for (unsigned goal = 0; goal < m->settings.goal_count; goal++) {
            struct target t = get_target(m, goal, phase);
            uint64_t load;

            if (m->phases[goal] > phase)
                continue;
            load = mlr_choose(m, goal, &t);
            if (load && m->trial_count < MLR_TRIALS_MAX) {
                *ret_load = m->candidate = load;
                *ret_duration_ns = t.trial_ns;
                return true;
            }
            if (load)
                return false;
            end_phase(m, goal, &t);
        }
    }
    return false;
}

/* ---- results ---- */

/* The loss of the median trial by duration: half of the sum lost no more. */
static double middle_loss(const struct mlr *m, uint64_t load, const struct target *t)
{
    double whole = 0;
    double best = -1; /* trials up to this loss are counted */
    double counted = 0;

    for (unsigned i = 0; i < m->trial_count; i++)
        if (m->trials[i].load == load && m->trials[i].duration_ns >= t->trial_ns)
            whole += (double)m->trials[i].duration_ns;
    whole = fmax(whole, (double)t->sum_ns) * (1 - MLR_EXCEED);
    while (counted < whole) {
        double next = 2;

        for (unsigned i = 0; i < m->trial_count; i++)
            if (m->trials[i].load == load && m->trials[i].duration_ns >= t->trial_ns &&
                m->trials[i].loss > best && m->trials[i].loss < next)
                next = m->trials[i].loss;
        if (next > 1)
            return 1;
        best = next;
        for (unsigned i = 0; i < m->trial_count; i++)
            if (m->trials[i].load == load && m->trials[i].duration_ns >= t->trial_ns &&
                m->trials[i].loss == best)
                counted += (double)m->trials[i].duration_ns;
    }
    return best;
}

static enum mlr_status mlr_get_status(const struct bounds *b, bool finished)
{
    if (!finished)
        return MLR_UNFINISHED;
    if (!b->lower)
        return MLR_BELOW_MIN;
    return b->upper ? MLR_FOUND : MLR_AT_MAX;
}

struct mlr_result mlr_get_result(const struct mlr *m, unsigned goal)
{
    bool finished = m->phases[goal] >= m->phase_count;
    unsigned phase = m->phases[goal] ? m->phases[goal] - 1 : 0; /* the last one completed */
    struct target t = get_target(m, goal, phase);
    struct bounds b = find_bounds(m, &t);
    struct mlr_result result = {.status = mlr_get_status(&b, finished)};

    result.lower = b.lower;
    result.upper = b.upper;
    if (b.lower)
        result.throughput = (double)b.lower * (1 - middle_loss(m, b.lower, &t));
    return result;
}
