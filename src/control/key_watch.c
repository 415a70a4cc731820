#include "headless/control/key_watch.h"

void key_watch_init(struct key_watch *watch, uint64_t persistence_ns)
{
    *watch = (struct key_watch){.persistence_ns = persistence_ns};
}

static struct key_suspect *find(struct key_watch *watch, const struct address *ip)
{
    for (size_t i = 0; i < ELECTION_MEMBERS_MAX; i++) {
        if (address_is_set(&watch->suspects[i].address) &&
            address_equal_ip(&watch->suspects[i].address, ip))
            return &watch->suspects[i];
    }
    return NULL;
}

/* A free place, else that of whom we have not heard of for longest. */
static struct key_suspect *place(struct key_watch *watch)
{
    struct key_suspect *oldest = &watch->suspects[0];

    for (size_t i = 0; i < ELECTION_MEMBERS_MAX; i++) {
        struct key_suspect *suspect = &watch->suspects[i];

        if (!address_is_set(&suspect->address))
            return suspect;
        if (suspect->last_ns < oldest->last_ns)
            oldest = suspect;
    }
    return oldest;
}

static bool is_forgotten(const struct key_suspect *suspect, uint64_t now_ns)
{
    return now_ns >= suspect->last_ns + KEY_WATCH_MEMORY_NS;
}

void key_watch_fail(struct key_watch *watch, const struct address *from, uint64_t now_ns)
{
    struct key_suspect *suspect = find(watch, from);

    if (!suspect || is_forgotten(suspect, now_ns)) {
        suspect = suspect ? suspect : place(watch);
        *suspect = (struct key_suspect){.address = address_with_port(*from, 0), .first_ns = now_ns};
    }
    suspect->last_ns = now_ns;
}

void key_watch_verify(struct key_watch *watch, const struct address *from)
{
    struct key_suspect *suspect = find(watch, from);

    if (suspect)
        *suspect = (struct key_suspect){0};
}

const struct address *key_watch_suspect(const struct key_watch *watch, size_t index,
                                        uint64_t now_ns)
{
    const struct key_suspect *suspect = &watch->suspects[index];

    return address_is_set(&suspect->address) && !is_forgotten(suspect, now_ns) ? &suspect->address
                                                                               : NULL;
}

static bool is_mismatched(const struct key_watch *watch, const struct key_suspect *suspect,
                          uint64_t now_ns)
{
    return address_is_set(&suspect->address) && !is_forgotten(suspect, now_ns) &&
           suspect->last_ns - suspect->first_ns >= watch->persistence_ns;
}

size_t key_watch_count(const struct key_watch *watch, uint64_t now_ns)
{
    size_t count = 0;

    for (size_t i = 0; i < ELECTION_MEMBERS_MAX; i++)
        count += is_mismatched(watch, &watch->suspects[i], now_ns);
    return count;
}

bool key_watch_take(struct key_watch *watch, uint64_t now_ns, struct address *ret_address)
{
    for (size_t i = 0; i < ELECTION_MEMBERS_MAX; i++) {
        struct key_suspect *suspect = &watch->suspects[i];

        if (suspect->is_told || !is_mismatched(watch, suspect, now_ns))
            continue;
        suspect->is_told = true;
        *ret_address = suspect->address;
        return true;
    }
    return false;
}
