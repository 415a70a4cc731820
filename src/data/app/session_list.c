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
}

struct session *session_list_resting(const struct sessions *sessions)
{
    for (unsigned kind = SESSION_ONE_WAY; kind < SESSION_KINDS; kind++) {
        const struct session_list *list = &sessions->list[kind];

        if (list->oldest != list->open)
            return session_at(sessions, list->oldest);
    }
    return NULL;
}

struct session *session_list_victim(const struct sessions *sessions, uint64_t now_ns)
{
    const struct session_list *single = &sessions->list[SESSION_SINGLE];
    struct session *session = NULL;

    if (single->count <= sessions->setup.capacity / 4)
        session = session_list_resting(sessions);
    if (!session)
        session = session_at(sessions, single->oldest);
    if (!session)
        session = session_at(sessions, sessions->list[SESSION_ONE_WAY].oldest);
    if (session)
        return session;
    session = session_at(sessions, sessions->list[SESSION_ESTABLISHED].oldest);
    return session && session_is_idle(session, SESSION_KEEP_NS, now_ns) ? session : NULL;
}

struct session *sessions_least(const struct sessions *sessions, uint64_t now_ns)
{
    struct session *session = session_at(sessions, sessions->list[SESSION_SINGLE].open);

    if (!session)
        session = session_at(sessions, sessions->list[SESSION_ONE_WAY].open);
    if (session)
        return session;
    session = session_at(sessions, sessions->list[SESSION_ESTABLISHED].open);
    return session && session_is_idle(session, SESSION_KEEP_NS, now_ns) ? session : NULL;
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
    session_list_of(sessions, session)->open = session->newer;
    session->is_open = false;
    sessions_count(sessions, -1);
    session->app_port = 0;
}
