#include "data/ingress/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Zeroed by the kernel on first touch, so that unused memory is not resident. */
static uint8_t *map_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int slab_init(struct slab *slab, size_t slot_count, size_t spill_count)
{
    struct slab made = {.slot_count = slot_count, .spill_count = spill_count};

    made.datagrams = calloc(slot_count, sizeof(*made.datagrams));
    made.free_slots = calloc(slot_count, sizeof(*made.free_slots));
    made.free_spills = calloc(spill_count, sizeof(*made.free_spills));
    made.slot_memory = map_memory(slot_count * SLOT_BYTES);
    made.spill_memory = map_memory(spill_count * SPILL_BYTES);
    if (!made.datagrams || !made.free_slots || !made.free_spills || !made.slot_memory ||
        !made.spill_memory) {
        slab_fini(&made);
        return -ENOMEM;
    }
    for (size_t i = slot_count; i-- > 0;) {
        made.datagrams[i].slot = made.slot_memory + i * SLOT_BYTES;
        made.free_slots[made.free_slot_count++] = &made.datagrams[i];
    }
    for (size_t i = spill_count; i-- > 0;)
        made.free_spills[made.free_spill_count++] = made.spill_memory + i * SPILL_BYTES;
    *slab = made;
    return 0;
}

void slab_fini(struct slab *slab)
{
    if (slab->slot_memory)
        (void)munmap(slab->slot_memory, slab->slot_count * SLOT_BYTES);
    if (slab->spill_memory)
        (void)munmap(slab->spill_memory, slab->spill_count * SPILL_BYTES);
    free(slab->datagrams);
    free(slab->free_slots);
    free(slab->free_spills);
    *slab = (struct slab){0};
}

struct datagram *slab_take(struct slab *slab)
{
    struct datagram *datagram;

    if (slab->free_slot_count == 0 || slab->free_spill_count == 0)
        return NULL;
    datagram = slab->free_slots[--slab->free_slot_count];
    datagram->spill = slab->free_spills[--slab->free_spill_count];
    return datagram;
}

void slab_give_spill(struct slab *slab, struct datagram *datagram)
{
    if (!datagram->spill)
        return;
    slab->free_spills[slab->free_spill_count++] = datagram->spill;
    datagram->spill = NULL;
}

void slab_give(struct slab *slab, struct datagram *datagram)
{
    slab_give_spill(slab, datagram);
    slab->free_slots[slab->free_slot_count++] = datagram;
}
