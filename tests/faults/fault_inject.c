/*
 * fault_inject: a preload (LD_PRELOAD) that makes one chosen call of the C library fail. Tests only.
 *
 *   FAULT_FILE=PATH    the table, or
 *   FAULT_DIR=PATH     the table is PATH/PID
 *
 * The table is a file, mapped shared before main and so before the seccomp filter: no wrapper makes a
 * system call of its own. A test reads from it the call sites of the process, and writes into it the
 * fault to inject: a site, how many calls of it pass before, how many fail, and with which errno.
 * faults.py has the same layout.
 *
 * A call site is a function, the place it is called from (the offset in its module), the name of the
 * thread, and a detail: the option of a setsockopt, or the role of the descriptor (see below).
 */
#include "fault_wrap.h"

#define DESCRIPTORS 4096

static struct fault_table *fault_table; /* NULL: nothing fails */
static _Thread_local char fault_thread[FAULT_THREAD_BYTES] = "main";

/* ---- roles of descriptors ---- */

static _Atomic uint32_t fault_roles[DESCRIPTORS] = {[2] = ROLE_STDERR};

uint32_t fault_role(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS
               ? atomic_load_explicit(&fault_roles[fd], memory_order_relaxed)
               : 0;
}

int fault_set_role(int fd, uint32_t role)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store_explicit(&fault_roles[fd], role, memory_order_relaxed);
    return fd;
}

static uint32_t port_of(const struct sockaddr *to)
{
    if (to && to->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)to)->sin_port);
    if (to && to->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)to)->sin6_port);
    return 0;
}

/* Ephemeral ports are one role. */
uint32_t fault_port_role(const struct sockaddr *to)
{
    uint32_t port = port_of(to);

    return port >= 32768 ? 32768 : port;
}

/* ---- sites ---- */

/* Where the caller is: its module's name, and the offset in it. dladdr makes no system call. */
static void place_of(const void *caller, struct fault_key *key)
{
    Dl_info info;
    const char *name;

    if (!dladdr(caller, &info) || !info.dli_fname)
        return;
    name = strrchr(info.dli_fname, '/');
    (void)snprintf(key->module, sizeof(key->module), "%s", name ? name + 1 : info.dli_fname);
    key->offset = (uint64_t)((const char *)caller - (const char *)info.dli_fbase);
}

static bool is_site(const struct fault_site *site, unsigned function, uint32_t detail,
                    const void *caller)
{
    return site->caller == (uintptr_t)caller && site->key.function == function &&
           site->key.detail == detail && memcmp(site->key.thread, fault_thread, 16) == 0;
}

/* Returns the site of this call, a new one at its first call; NULL when the table is full. */
static struct fault_site *find_site(unsigned function, uint32_t detail, const void *caller)
{
    uint64_t hash = ((uint64_t)(uintptr_t)caller * 31 + function) * 31 + detail;

    for (size_t i = 0; i < sizeof(fault_thread); i++)
        hash = hash * 31 + (unsigned char)fault_thread[i];
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    for (size_t tries = 0; tries < FAULT_SITES; tries++) {
        struct fault_site *site = &fault_table->sites[((hash >> 32) + tries) % FAULT_SITES];
        uint32_t state = FAULT_FREE;

        if (atomic_compare_exchange_strong(&site->state, &state, FAULT_FILLING)) {
            site->caller = (uintptr_t)caller;
            site->key.function = function;
            site->key.detail = detail;
            memcpy(site->key.thread, fault_thread, sizeof(site->key.thread));
            place_of(caller, &site->key);
            atomic_store(&site->state, FAULT_READY);
            return site;
        }
        while (state == FAULT_FILLING)
            state = atomic_load(&site->state);
        if (is_site(site, function, detail, caller))
            return site;
    }
    return NULL;
}

/* Returns 0: the call is made; FAULT_SHORT: it is made with less; otherwise the errno it fails with. */
int fault_look(unsigned function, uint32_t detail, const void *caller)
{
    int saved = errno, left, error = 0;
    struct fault_site *site;
    struct fault_order *order;

    if (!fault_table)
        return 0;
    site = find_site(function, detail, caller);
    if (site)
        (void)atomic_fetch_add(&site->calls, 1);
    order = &fault_table->order;
    if (!site || !atomic_load(&order->is_armed) ||
        memcmp(&site->key, &order->key, sizeof(site->key)) != 0)
        goto out;
    if (atomic_fetch_sub(&order->skip, 1) > 0)
        goto out;
    left = atomic_fetch_sub(&order->times, 1);
    if (left <= 0)
        goto out;
    (void)atomic_fetch_add(&order->taken, 1);
    error = order->error;
out:
    errno = saved;
    return error;
}

/* ---- the real functions ---- */

#define FAULT_FUNCTION(name) __typeof__(&(name)) real_##name;
#include "fault_functions.h"
#undef FAULT_FUNCTION

void fault_resolve(void)
{
#define FAULT_FUNCTION(name)                         \
    do {                                             \
        void *found = dlsym(RTLD_NEXT, #name);       \
        memcpy(&real_##name, &found, sizeof(found)); \
    } while (0);
#include "fault_functions.h"
#undef FAULT_FUNCTION
}

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("FAULT_FILE"), *directory = getenv("FAULT_DIR");
    char path[512];
    void *memory;
    int fd;

    fault_resolve();
    if (!file && !directory)
        return;
    if (!file)
        (void)snprintf(path, sizeof(path), "%s/%ld", directory, (long)getpid());
    fd = real_open(file ? file : path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof(*fault_table)) < 0)
        abort();
    memory = real_mmap(NULL, sizeof(*fault_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        abort();
    (void)real_close(fd);
    fault_table = memory;
}

void fault_name_thread(const char *name)
{
    memset(fault_thread, 0, sizeof(fault_thread));
    (void)snprintf(fault_thread, sizeof(fault_thread), "%s", name);
}
