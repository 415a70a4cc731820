/* The wrappers of calls on files, memory, threads and names. */
#include "fault_wrap.h"

/* ---- files ---- */

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode;
    va_list args;
    FAIL_OR_GO(open, (uint32_t)flags & O_ACCMODE, -1);
    va_start(args, flags);
    mode = mode_of(flags, args);
    va_end(args);
    return fault_set_role(real_open(path, flags, mode), ROLE_FILE);
}

/* The fortified open, of flags that the compiler does not know; its name is the C library's. */
EXPORT int __open_2(const char *path, int flags); // NOLINT
EXPORT int __open_2(const char *path, int flags)  // NOLINT
{
    FAIL_OR_GO(open, (uint32_t)flags & O_ACCMODE, -1);
    if (flags & (O_CREAT | __O_TMPFILE))
        abort();
    return fault_set_role(real_open(path, flags), ROLE_FILE);
}

EXPORT int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode;
    va_list args;
    FAIL_OR_GO(openat, (uint32_t)flags & O_ACCMODE, -1);
    va_start(args, flags);
    mode = mode_of(flags, args);
    va_end(args);
    return fault_set_role(real_openat(directory, path, flags, mode), ROLE_FILE);
}

EXPORT ssize_t read(int fd, void *bytes, size_t length)
{
    FAIL_OR_GO(read, fault_role(fd), -1);
    return real_read(fd, bytes, fault == FAULT_SHORT && length > 1 ? 1 : length);
}

/* The fortified read; its name is the C library's. */
EXPORT ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room); // NOLINT
EXPORT ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room)  // NOLINT
{
    FAIL_OR_GO(read, fault_role(fd), -1);
    if (length > room)
        abort();
    return real_read(fd, bytes, fault == FAULT_SHORT && length > 1 ? 1 : length);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length)
{
    FAIL_OR_GO(write, fault_role(fd), -1);
    return real_write(fd, bytes, fault == FAULT_SHORT && length > 1 ? length / 2 : length);
}

/* Linux closes the descriptor even when close fails. */
EXPORT int close(int fd)
{
    int fault = LOOK(close, fault_role(fd)), rc;

    if (!real_close)
        fault_resolve();
    (void)fault_set_role(fd, 0);
    rc = real_close(fd);
    if (fault > 0) {
        errno = fault;
        rc = -1;
    }
    return rc;
}

EXPORT int rename(const char *from, const char *to)
{
    FAIL_OR_GO(rename, 0, -1);
    return real_rename(from, to);
}

EXPORT int stat(const char *restrict path, struct stat *restrict status)
{
    FAIL_OR_GO(stat, 0, -1);
    return real_stat(path, status);
}

EXPORT int fstat(int fd, struct stat *status)
{
    FAIL_OR_GO(fstat, fault_role(fd), -1);
    return real_fstat(fd, status);
}

EXPORT DIR *opendir(const char *path)
{
    FAIL_OR_GO(opendir, 0, NULL);
    return real_opendir(path);
}

EXPORT struct dirent *readdir(DIR *directory)
{
    FAIL_OR_GO(readdir, 0, NULL);
    return real_readdir(directory);
}

EXPORT FILE *fopen(const char *restrict path, const char *restrict mode)
{
    FAIL_OR_GO(fopen, 0, NULL);
    return real_fopen(path, mode);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    void *argument;
    va_list args;
    FAIL_OR_GO(ioctl, (uint32_t)request, -1);
    va_start(args, request);
    argument = va_arg(args, void *);
    va_end(args);
    return real_ioctl(fd, request, argument);
}

EXPORT int fcntl(int fd, int command, ...)
{
    void *argument;
    va_list args;
    FAIL_OR_GO(fcntl, (uint32_t)command, -1);
    va_start(args, command);
    argument = va_arg(args, void *);
    va_end(args);
    return real_fcntl(fd, command, argument);
}

/* ---- memory ---- */

EXPORT void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    FAIL_OR_GO(mmap, 0, MAP_FAILED);
    return real_mmap(at, length, protection, flags, fd, offset);
}

EXPORT int munmap(void *at, size_t length)
{
    FAIL_OR_GO(munmap, 0, -1);
    return real_munmap(at, length);
}

EXPORT int madvise(void *at, size_t length, int advice)
{
    FAIL_OR_GO(madvise, (uint32_t)advice, -1);
    return real_madvise(at, length, advice);
}

/* glibc's other names: dlsym itself allocates. */
extern void *__libc_malloc(size_t size);                     // NOLINT
extern void *__libc_calloc(size_t count, size_t size);       // NOLINT
extern void *__libc_realloc(void *old, size_t size);         // NOLINT
extern void *__libc_memalign(size_t alignment, size_t size); // NOLINT

#define ALLOCATE(name, call)       \
    do {                           \
        int fault = LOOK(name, 0); \
                                   \
        if (fault > 0) {           \
            errno = fault;         \
            return NULL;           \
        }                          \
        return call;               \
    } while (0)

EXPORT void *malloc(size_t size)
{
    ALLOCATE(malloc, __libc_malloc(size));
}

EXPORT void *calloc(size_t count, size_t size)
{
    ALLOCATE(calloc, __libc_calloc(count, size));
}

EXPORT void *realloc(void *old, size_t size)
{
    ALLOCATE(realloc, __libc_realloc(old, size));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    ALLOCATE(aligned_alloc, __libc_memalign(alignment, size));
}

/* ---- processes, threads, names ---- */

/* These return the error. */
EXPORT int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                          void *(*run)(void *), void *restrict argument)
{
    int fault = LOOK(pthread_create, 0);

    return fault > 0 ? fault : real_pthread_create(thread, attributes, run, argument);
}

EXPORT int pthread_setname_np(pthread_t thread, const char *name)
{
    int fault = LOOK(pthread_setname_np, 0);

    if (pthread_equal(thread, pthread_self()))
        fault_name_thread(name);
    return fault > 0 ? fault : real_pthread_setname_np(thread, name);
}

/* An errno above FAULT_EAI is an EAI_ value. */
EXPORT int getaddrinfo(const char *restrict name, const char *restrict service,
                       const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    int fault = LOOK(getaddrinfo, 0);

    if (fault >= FAULT_EAI)
        return -(fault - FAULT_EAI);
    if (fault > 0) {
        errno = fault;
        return EAI_SYSTEM;
    }
    return real_getaddrinfo(name, service, hints, found);
}

EXPORT int getifaddrs(struct ifaddrs **list)
{
    FAIL_OR_GO(getifaddrs, 0, -1);
    return real_getifaddrs(list);
}

EXPORT unsigned if_nametoindex(const char *name)
{
    FAIL_OR_GO(if_nametoindex, 0, 0);
    return real_if_nametoindex(name);
}

EXPORT char *if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
    FAIL_OR_GO(if_indextoname, 0, NULL);
    return real_if_indextoname(index, name);
}

EXPORT int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    FAIL_OR_GO(getrlimit, (uint32_t)resource, -1);
    return real_getrlimit(resource, limit);
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    FAIL_OR_GO(setrlimit, (uint32_t)resource, -1);
    return real_setrlimit(resource, limit);
}

EXPORT ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
    FAIL_OR_GO(getrandom, 0, -1);
    return real_getrandom(bytes, length, flags);
}

EXPORT int prctl(int option, ...)
{
    unsigned long a[4];
    va_list args;
    FAIL_OR_GO(prctl, (uint32_t)option, -1);
    va_start(args, option);
    for (size_t i = 0; i < 4; i++)
        a[i] = va_arg(args, unsigned long);
    va_end(args);
    return real_prctl(option, a[0], a[1], a[2], a[3]);
}
