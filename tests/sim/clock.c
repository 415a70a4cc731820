/* clock: the clocks of the pods. */
#include "sim.h"

uint64_t sim_local(const struct sim_pod *pod, uint64_t real_ns)
{
    return pod->clock_offset_ns + real_ns / 1000 * pod->clock_ppm / 1000;
}

/* The first real time at which the pod's clock shows local_ns. */
uint64_t sim_real(const struct sim_pod *pod, uint64_t local_ns)
{
    if (local_ns <= pod->clock_offset_ns)
        return 0;
    if (local_ns == UINT64_MAX)
        return UINT64_MAX;
    return ((local_ns - pod->clock_offset_ns) * 1000 + pod->clock_ppm - 1) / pod->clock_ppm * 1000 +
           1000;
}

uint64_t sim_detection(const struct sim *sim)
{
    uint64_t longest = 0;

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct sim_pod *pod = &sim->pods[i];
        uint64_t own = pod->config.interval_ns * pod->config.misses * 1000 / pod->clock_ppm * 1000;

        longest = own > longest ? own : longest;
    }
    return longest;
}
