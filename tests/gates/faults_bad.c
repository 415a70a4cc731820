/* Planted in a headlessd of its own (scripts/check-gates faults): failed reads of sockets are ignored. */
#include <stdbool.h>

bool __wrap_udp_is_read_failure(int error_number);

bool __wrap_udp_is_read_failure(int error_number)
{
    (void)error_number;
    return false;
}
