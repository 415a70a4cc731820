/* The step: notes records and replies, decides on the next request, and tells the election. */
#include <inttypes.h>
#include <stdio.h>

#include "lease_internal.h"

#define RETRY_NS (NS_PER_SEC / 4)
#define RENEWALS 6 /* in a duration, by default */

void lease_init(struct lease *l, const struct lease_config *config,
                const struct election_config *election, uint64_t now_ns)
{
    *l = (struct lease){.config = *config,
                        .instance = election->self.instance,
                        .longest_ns = config->duration_ns,
                        .deadline_ns = now_ns};
    if (!l->config.renew_ns)
        l->config.renew_ns = config->duration_ns / RENEWALS;
    (void)snprintf(l->holder, sizeof(l->holder), "%s_%016" PRIx64, election->self.name.text,
                   election->self.instance);
}

/* ---- records ---- */

static void note_existing(struct lease *l, const struct lease_record *record, uint64_t now_ns)
{
    bool is_same_holding = l->is_known && !l->is_backup && record->term == l->seen.term &&
                           strcmp(record->uid, l->seen.uid) == 0 &&
                           strcmp(record->writer, l->seen.writer) == 0 &&
                           strcmp(record->writer_uid, l->seen.writer_uid) == 0;
    uint64_t duration_ns =
        record->duration_ns < LEASE_DURATION_MAX_NS ? record->duration_ns : LEASE_DURATION_MAX_NS;

    l->seen = *record;
    if (l->is_backup)
        l->seen.writer_uid[0] = '\0'; /* not intact */
    l->is_backup = false;
    if (record->term > ELECTION_TERM_MAX / 2) {
        l->seen.term = 0;
        l->counts.bad_terms++;
    }
    l->changed_ns = now_ns;
    if (duration_ns > l->longest_ns)
        l->longest_ns = duration_ns;
    l->has_held |= record->holder[0] || record->term;
    if (lease_is_mine(l, &l->seen))
        l->own = l->seen;
    if (is_same_holding)
        return;
    l->holding_ns = now_ns;
    if (lease_is_mine(l, record) && l->clear_ns == LEASE_NEVER)
        l->clear_ns = now_ns + l->longest_ns;
}

/* Of a Lease that was deleted the last record stays known. version "": not known. */
static void note_record(struct lease *l, const struct lease_record *record, uint64_t now_ns)
{
    if (l->is_known && l->seen.version[0] && record->version[0] &&
        lease_compare_versions(record->version, l->seen.version) <= 0)
        return; /* late, or known */
    if (record->exists) {
        note_existing(l, record, now_ns);
    } else if (l->seen.exists || !l->is_known) {
        l->seen.exists = false;
        l->changed_ns = now_ns;
        if (record->version[0])
            memcpy(l->seen.version, record->version, sizeof(l->seen.version));
    }
    l->is_known = true;
}

/* ---- replies ---- */

/*
 * A read returns the newest record, or a later one. If that is older than the one that was known before it
 * was asked for, the API server's data have been restored from a backup: holders since then are unknown, and no rule but
 * expiry allows to take the Lease.
 */
static void note_backup(struct lease *l, const struct lease_record *record)
{
    if (!l->is_known || l->changed_ns >= l->sent_ns || !record->exists || !record->version[0] ||
        lease_compare_versions(record->version, l->seen.version) >= 0)
        return;
    l->is_backup = true;
    l->seen.version[0] = '\0';
}

static void take_answer(struct lease *l, const struct lease_record *record, enum lease_verb verb,
                        uint64_t now_ns)
{
    l->is_failing = false;
    if (verb == LEASE_GET) {
        l->read_ns = now_ns;
        note_backup(l, record);
        /* It did not exist once since we asked: the watch may have shown a newer record. */
        l->is_behind = !record->exists && l->is_known && l->changed_ns > l->sent_ns;
        if (l->is_behind)
            return;
    } else {
        l->counts.takeovers[l->sent_by]++;
    }
    note_record(l, record, now_ns);
}

static void take_reply(struct lease *l, const struct lease_event *event, const struct election *e,
                       uint64_t now_ns)
{
    enum lease_verb verb = l->verb;

    if (!verb || event->request != l->request)
        return;
    l->verb = LEASE_NOTHING;
    if (event->outcome == LEASE_OK) {
        take_answer(l, event->record, verb, now_ns);
        return;
    }
    l->is_behind |= event->outcome != LEASE_REFUSED;
    l->is_failing = event->outcome != LEASE_CONFLICT;
    l->counts.conflicts += event->outcome == LEASE_CONFLICT;
    if (!l->is_failing)
        return;
    l->retry_ns = now_ns + RETRY_NS;
    if (event->wait_ns > RETRY_NS) /* but not for longer than until the next renewal */
        l->retry_ns =
            now_ns + (event->wait_ns < l->config.renew_ns ? event->wait_ns : l->config.renew_ns);
    /* A leader's later term may be in the Lease by now: it leads on until that is known. */
    if (e->campaign.stage != ELECTION_STAGE_SEAL || e->state == ELECTION_LEADER)
        return;
    if (event->outcome == LEASE_UNKNOWN && verb == LEASE_PUT &&
        l->unsure_seal != e->campaign.seal) {
        l->unsure_seal = e->campaign.seal; /* a read shows whether it was written */
        l->retry_ns = now_ns;
    } else {
        l->failed_seal = e->campaign.seal;
    }
}

/* ---- requests ---- */

static void lease_send(struct lease *l, enum lease_verb verb, uint64_t now_ns,
                       struct lease_actions *out)
{
    l->verb = out->verb = verb;
    out->request = ++l->request;
    l->sent_ns = now_ns;
    if (verb != LEASE_PUT)
        return;
    out->record = l->sent;
    if (l->sent.fence == LEASE_FENCE_PEERS)
        l->peers_ns = l->sent.stamp_ns;
}

/* Our record, to be written over the newest one. */
static struct lease_record *lease_compose(struct lease *l, const char *holder, uint64_t now_ns)
{
    struct lease_record *record = &l->sent;

    *record = l->seen;
    memcpy(record->writer_uid, record->uid, sizeof(record->writer_uid));
    (void)snprintf(record->holder, sizeof(record->holder), "%s", holder);
    (void)snprintf(record->writer, sizeof(record->writer), "%s", holder);
    record->duration_ns = l->config.duration_ns;
    record->stamp_ns = now_ns;
    l->sent_by = LEASE_BY_NOTHING;
    l->is_due = false;
    return record;
}

/*
 * A Lease that was deleted is created without a holder, and taken by a PUT then. Of two deletions a pod may see the
 * second one only; a POST with a holder would replace a record that it has never seen. The term tells new instances that
 * it was held.
 *
 * Its leader creates it at once, and so does a pod without one; others leave time for that.
 */
static bool lease_create(struct lease *l, const struct election *e, uint64_t now_ns,
                         struct lease_actions *out)
{
    uint64_t at_ns = l->changed_ns + l->config.renew_ns;

    if (l->seen.exists || e->state == ELECTION_OUT)
        return false;
    if (e->state == ELECTION_FOLLOWER && now_ns < at_ns) {
        lease_wake_at(l, at_ns);
        return false;
    }
    l->sent_by = LEASE_BY_NOTHING;
    lease_send(l, LEASE_POST, now_ns, out);
    out->record = (struct lease_record){.exists = true};
    if (l->has_held)
        out->record.term = e->seen_term ? e->seen_term : 1;
    return true;
}

/* A leader that holds the Lease. */
static void renew(struct lease *l, const struct election *e, uint64_t now_ns,
                  struct lease_actions *out)
{
    const struct lease_record *held = lease_held(l);
    bool seals = e->campaign.stage == ELECTION_STAGE_SEAL;
    uint64_t at_ns = held->stamp_ns + l->config.renew_ns;
    enum lease_fence fence = lease_choose_fence(l, e, now_ns);
    bool is_fence_open = held->fence == LEASE_FENCE_LEASE && !lease_is_alone(l);
    struct lease_record *record;

    if (now_ns < at_ns && !seals && !l->is_due && fence == held->fence && !is_fence_open &&
        held == &l->seen) {
        lease_wake_at(l, at_ns);
        return;
    }
    record = lease_compose(l, l->holder, now_ns);
    record->term = seals ? e->campaign.term : held->term;
    record->list = fence != held->fence ? e->list.id : held->list;
    record->transitions = held->transitions;
    record->fence = fence;
    /* Another pod may have been elected by votes, unseen, before somebody changed the Lease. */
    if (held != &l->seen && fence == LEASE_FENCE_PEERS)
        l->clear_ns = LEASE_NEVER;
    lease_send(l, LEASE_PUT, now_ns, out);
}

static void lease_seal(struct lease *l, const struct election *e, uint64_t now_ns,
                       struct lease_actions *out)
{
    const struct election_campaign *c = &e->campaign;
    struct lease_plan plan;
    struct lease_record *record;

    if (c->seal == l->failed_seal || (lease_is_mine(l, &l->seen) && l->seen.term == c->term))
        return; /* or it is in the Lease */
    plan = lease_plan(l, e, c->is_voted, now_ns);
    if (plan.by == LEASE_BY_NOTHING || c->term <= l->seen.term) {
        l->failed_seal = c->seal;
        return;
    }
    record = lease_compose(l, l->holder, now_ns);
    record->transitions += l->seen.holder[0] || l->seen.term;
    record->term = c->term;
    record->fence = plan.fence;
    /* Only a list that the members of the last one have continues it. */
    record->list =
        plan.is_next && !e->is_unlisted ? e->list.id : (struct election_list_id){.term = c->term};
    l->clear_ns = plan.is_clear ? 0 : LEASE_NEVER;
    l->sent_by = plan.by;
    lease_send(l, LEASE_PUT, now_ns, out);
}

/* We hold it and do not lead: a successor, or any candidate, may take it once nobody is named. A copy of
 * an earlier record that somebody restored is not released: its present holder may lead. */
static void release(struct lease *l, const struct election *e, uint64_t now_ns,
                    struct lease_actions *out)
{
    uint64_t at_ns;

    if (!l->idle_ns)
        l->idle_ns = now_ns;
    at_ns = e->state == ELECTION_OUT ? now_ns : l->idle_ns + 2 * e->detection_ns;
    if (now_ns < at_ns) {
        lease_wake_at(l, at_ns);
        return;
    }
    (void)lease_compose(l, "", now_ns);
    lease_send(l, LEASE_PUT, now_ns, out);
}

static bool is_idle(const struct lease *l, const struct election *e)
{
    return l->seen.exists && lease_is_mine(l, &l->seen) && e->state != ELECTION_LEADER &&
           e->state != ELECTION_CANDIDATE && e->state != ELECTION_SEALING &&
           e->state != ELECTION_ISOLATED;
}

static void lease_ask(struct lease *l, const struct election *e, uint64_t now_ns,
                      struct lease_actions *out)
{
    uint64_t read_ns = l->read_ns + l->config.refresh_ns;

    if (!is_idle(l, e))
        l->idle_ns = 0;
    if (l->verb != LEASE_NOTHING)
        return;
    if (l->is_failing && now_ns < l->retry_ns)
        lease_wake_at(l, l->retry_ns);
    else if (!l->is_known || l->is_behind)
        lease_send(l, LEASE_GET, now_ns, out);
    else if (lease_create(l, e, now_ns, out))
        return;
    else if (e->state == ELECTION_LEADER && lease_held(l))
        renew(l, e, now_ns, out);
    else if (e->campaign.stage == ELECTION_STAGE_SEAL)
        lease_seal(l, e, now_ns, out);
    else if (is_idle(l, e))
        release(l, e, now_ns, out);
    else if (now_ns >= read_ns || l->is_failing)
        lease_send(l, LEASE_GET, now_ns, out); /* also keeps the connection warm */
    else
        lease_wake_at(l, read_ns);
}

/* ---- news ---- */

static bool are_same_news(const struct election_lease *a, const struct election_lease *b)
{
    return a->term == b->term && a->holder == b->holder && a->held_term == b->held_term &&
           a->until_ns == b->until_ns && a->failed_seal == b->failed_seal &&
           a->is_alone == b->is_alone && a->is_free == b->is_free &&
           a->is_votable == b->is_votable && a->is_writable == b->is_writable;
}

/* Also of a Lease that was deleted, or whose annotations were changed: its holder leads on, and writes it again. */
static void lease_tell(struct lease *l, const struct election *e, uint64_t now_ns,
                       struct lease_actions *out)
{
    const struct lease_record *seen = &l->seen, *held = lease_held(l);
    struct election_lease news = {.term = seen->term,
                                  .failed_seal = l->failed_seal,
                                  .is_writable = l->is_known && !l->is_failing};

    if (seen->exists && lease_is_ours(seen))
        news.holder = lease_holder_instance(seen->holder);
    if (held && held->stamp_ns <= l->sent.stamp_ns) {
        uint64_t duration_ns =
            held->duration_ns < l->config.duration_ns ? held->duration_ns : l->config.duration_ns;

        news.held_term = held->term;
        news.until_ns = held->stamp_ns + duration_ns / 3 * 2;
        news.is_alone = lease_is_alone(l);
    }
    if (e->state != ELECTION_LEADER)
        news.is_free = lease_plan(l, e, false, now_ns).by != LEASE_BY_NOTHING;
    news.is_votable =
        e->state == ELECTION_LEADER || lease_plan(l, e, true, now_ns).by != LEASE_BY_NOTHING;
    if (are_same_news(&news, &l->told))
        return;
    out->has_news = true;
    out->news = l->told = news;
}

static void watch_promises(struct lease *l, const struct election *e, uint64_t now_ns)
{
    if (e->state != ELECTION_LEADER || !election_has_promises(e))
        l->promised_ns = 0;
    else if (!l->promised_ns)
        l->promised_ns = now_ns;
}

void lease_step(struct lease *l, const struct lease_event *event, const struct election *e,
                uint64_t now_ns, struct lease_actions *ret_actions)
{
    ret_actions->has_news = false;
    ret_actions->verb = LEASE_NOTHING;
    l->deadline_ns = LEASE_NEVER;
    l->is_leading = e->state == ELECTION_LEADER && l->told.held_term && now_ns < l->told.until_ns;
    if (event->type == LEASE_SEEN)
        note_record(l, event->record, now_ns);
    else if (event->type == LEASE_REPLY)
        take_reply(l, event, e, now_ns);
    watch_promises(l, e, now_ns);
    lease_ask(l, e, now_ns, ret_actions);
    lease_tell(l, e, now_ns, ret_actions);
}
