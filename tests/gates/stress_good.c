#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static _Atomic int shared;

static void *add(void *context)
{
    (void)context;
    atomic_fetch_add_explicit(&shared, 1, memory_order_relaxed);
    return NULL;
}

int main(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, add, NULL) != 0)
        return 1;
    (void)add(NULL);
    return pthread_join(thread, NULL);
}
