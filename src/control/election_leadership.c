/* The leadership that a step publishes, and whether the leader before it stepped down. */
#include "election_internal.h"

/* A leader that is elected again has not failed either. */
static uint64_t find_gave_way(const struct election *e)
{
    if (e->state == ELECTION_LEADER)
        return e->term;
    return e->campaign.flags & ELECTION_FLAG_STEPPED_DOWN ? e->campaign.deposed_term : 0;
}

void election_note_succession(struct election *e)
{
    e->gave_way_term = find_gave_way(e);
    /* Others may have followed another leader between the two. */
    e->previous_stepped_down = e->gave_way_term && (e->state == ELECTION_LEADER ||
                                                    e->gave_way_term + 1 == e->campaign.term);
}

static void note_claim(struct election *e, const struct election_leadership *leadership)
{
    const struct election_claim claim = {leadership->leader, leadership->term};

    if (!claim.leader || (claim.leader == e->last.leader && claim.term == e->last.term))
        return;
    e->before = e->last;
    e->last = claim;
}

/* Did the leader before step down? The present one speaks of the one directly before it, which this
 * instance may have missed. */
static uint64_t find_step_down(const struct election *e)
{
    const struct election_claim *before = &e->before;
    bool is_told = e->state == ELECTION_LEADER
                       ? e->gave_way_term == before->term
                       : e->previous_stepped_down &&
                             (before->term + 1 == e->last.term || before->leader == e->last.leader);

    return is_told || e->stepped_down_term == before->term ? before->term : 0;
}

void election_publish_leadership(struct election *e)
{
    struct election_leadership leadership = {
        .state = e->state, .term = e->term, .cause = e->claim_cause};
    struct election_actions *out = e->out;

    if (e->state == ELECTION_LEADER) {
        leadership.leader = election_self(e);
        leadership.valid_until_ns = e->valid_until_ns;
    } else if (e->leader && e->leader != election_self(e) && e->state != ELECTION_OUT) {
        leadership.leader = e->leader;
        leadership.valid_until_ns = e->heard_ns ? e->heard_ns + 2 * e->interval_ns : 0;
        if (e->refused == e->leader ||
            (e->config.holds_on_step_down && e->stepped_down_term == e->term))
            leadership.valid_until_ns = 0;
    }
    note_claim(e, &leadership);
    leadership.stepped_down_term = find_step_down(e);
    leadership.takes_from = e->led_from ? e->led_from : e->term + 1;
    if (leadership.leader)
        leadership.former = e->former;
    out->publishes = leadership.state != e->published.state ||
                     leadership.term != e->published.term ||
                     leadership.leader != e->published.leader ||
                     leadership.former.instance != e->published.former.instance ||
                     leadership.valid_until_ns != e->published.valid_until_ns;
    if (out->publishes)
        out->leadership = e->published = leadership;
    out->stores = e->seen_term > e->stored_term;
    if (out->stores)
        out->stored_term = e->stored_term = e->seen_term;
}
