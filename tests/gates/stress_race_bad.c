#include <pthread.h>
#include <stddef.h>

static int shared; /* a race */

static void *add(void *context)
{
    (void)context;
    shared++;
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
