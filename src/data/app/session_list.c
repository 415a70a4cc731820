#include "data/app/session_list.h"

static struct session_list *session_list_of(struct sessions *sessions,
                                            const struct session *session)
{
    return &sessions->list[session->kind];
}

void session_list_append(struct sessions *sessions, struct session *session)
{
    struct session_list *list = session_list_of(sessions, session);
    uint32_t link = session_link(sessions, session);

    session->newer = 0;
    session->older = list->newest & SESSION_LINK_MAX;
    if (list->newest)
        session_linked(sessions, list->newest)->newer = link & SESSION_LINK_MAX;
    else
        list->oldest = link;
    list->newest = link;
    if (!list->open)
        list->open = link;
    list->count++;
    list->open_count++;
}

void session_list_remove(struct sessions *sessions, struct session *session)
{
    struct session_list *list = session_list_of(sessions, session);

    if (list->open == session_link(sessions, session))
        list->open = session->newer;
    if (session->older)
        session_linked(sessions, session->older)->newer = session->newer;
    else
        list->oldest = session->newer;
    if (session->newer)
        session_linked(sessions, session->newer)->older = session->older;
    else
        list->newest = session->older;
    list->count--;
    list->open_count -= session->is_open;
}

/* Step 3 of session.h. */
static struct session *longest_resting(const struct sessions *sessions)
{
    for (unsigned kind = SESSION_ONE_WAY; kind < SESSION_KINDS; kind++) {
        const struct session_list *list = &sessions->list[kind];

        if (kind == SESSION_ESTABLISHED && list->count <= sessions->setup.capacity / 2)
            break;
        if (list->oldest != list->open)
            return session_at(sessions, list->oldest);
    }
    return NULL;
}

/* One kind: its longest unused session, and how many there are. */
struct kind_view {
    struct session *oldest;
    uint32_t count;
};

/* Steps 4 to 6, of sessions that are `all` in number. One is found unless all is 0: the other kinds
 * have at most a quarter and two sixteenths, or established ones exist. */
static struct session *longest_unused(const struct kind_view view[SESSION_KINDS], uint32_t all,
                                      uint64_t now_ns)
{
    const struct kind_view *single = &view[SESSION_SINGLE];
    const struct kind_view *established = &view[SESSION_ESTABLISHED];

    if (view[SESSION_ONE_WAY].count > all / 16)
        return view[SESSION_ONE_WAY].oldest;
    if (view[SESSION_RECENT].count > all / 16)
        return view[SESSION_RECENT].oldest;
    if (!single->oldest)
        return established->oldest;
    if (!established->oldest || !single->oldest->is_open)
        return single->oldest;
    if (established->count > all - all / 4 ||
        session_is_idle(established->oldest, SESSION_KEEP_NS, now_ns))
        return established->oldest;
    return single->oldest;
}

struct session *session_list_victim(const struct sessions *sessions, uint64_t now_ns)
{
    const struct session_list *single = &sessions->list[SESSION_SINGLE];
    struct kind_view view[SESSION_KINDS];
    struct session *session;

    if (single->count > sessions->setup.capacity / 4)
        return session_at(sessions, single->oldest);
    session = longest_resting(sessions);
    if (session)
        return session;
    for (unsigned kind = 0; kind < SESSION_KINDS; kind++)
        view[kind] = (struct kind_view){session_at(sessions, sessions->list[kind].oldest),
                                        sessions->list[kind].count};
    return longest_unused(view, sessions->setup.capacity, now_ns);
}

struct session *sessions_least(const struct sessions *sessions, uint64_t now_ns)
{
    struct kind_view view[SESSION_KINDS];

    for (unsigned kind = 0; kind < SESSION_KINDS; kind++)
        view[kind] = (struct kind_view){session_at(sessions, sessions->list[kind].open),
                                        sessions->list[kind].open_count};
    if (view[SESSION_SINGLE].count > sessions->setup.open_max / 4)
        return view[SESSION_SINGLE].oldest;
    return longest_unused(view, sessions->setup.open_max, now_ns);
}

struct session *sessions_idle(const struct sessions *sessions, uint64_t idle_ns, uint64_t now_ns)
{
    for (unsigned kind = 0; kind < SESSION_KINDS; kind++) {
        struct session *session = session_at(sessions, sessions->list[kind].open);

        if (session && session_is_idle(session, idle_ns, now_ns))
            return session;
    }
    return NULL;
}

/* Merges the lists, which are ordered by age. */
size_t sessions_newest(const struct sessions *sessions, size_t max,
                       const struct session *ret_newest[])
{
    const struct session *next[SESSION_KINDS];
    size_t count;

    for (unsigned kind = 0; kind < SESSION_KINDS; kind++)
        next[kind] = session_at(sessions, sessions->list[kind].newest);
    for (count = 0; count < max; count++) {
        const struct session **newest = NULL;

        for (unsigned kind = 0; kind < SESSION_KINDS; kind++) {
            const struct session **it = &next[kind];

            if (*it && (*it)->is_open && (!newest || (int32_t)((*it)->used - (*newest)->used) >= 0))
                newest = it;
        }
        if (!newest)
            break;
        ret_newest[count] = *newest;
        *newest = session_at(sessions, (*newest)->older);
    }
    return count;
}

void sessions_rest(struct sessions *sessions, struct session *session)
{
    struct session_list *list = session_list_of(sessions, session);

    list->open = session->newer;
    list->open_count--;
    session->is_open = false;
    sessions_count(sessions, -1);
    session->app_port = 0;
}
