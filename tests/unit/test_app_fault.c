/* app_fault: each errno concerns the app, this pod, or one datagram. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "data/app/app_fault.h"

TestSuite(app_fault, .timeout = 30);

struct fault_case {
    int error_number;
    enum app_fault_at at;
    enum app_fault fault;
};

#define OPEN APP_FAULT_AT_OPEN
#define SEND APP_FAULT_AT_SEND
#define ICMP APP_FAULT_AT_ICMP

static const struct fault_case fault_cases[] = {
    {ENETUNREACH, OPEN, APP_FAULT_UNREACHABLE},
    {EHOSTUNREACH, OPEN, APP_FAULT_UNREACHABLE},
    {ENETDOWN, OPEN, APP_FAULT_UNREACHABLE},
    {EACCES, OPEN, APP_FAULT_UNREACHABLE},
    {EADDRNOTAVAIL, OPEN, APP_FAULT_UNREACHABLE},
    {EAFNOSUPPORT, OPEN, APP_FAULT_UNREACHABLE},
    {EINVAL, OPEN, APP_FAULT_UNREACHABLE},
    {EPERM, OPEN, APP_FAULT_DENIED},
    {EMFILE, OPEN, APP_FAULT_RESOURCE},
    {ENFILE, OPEN, APP_FAULT_RESOURCE},
    {ENOBUFS, OPEN, APP_FAULT_RESOURCE},
    {ENOMEM, OPEN, APP_FAULT_RESOURCE},
    {ENOSPC, OPEN, APP_FAULT_RESOURCE},
    {EADDRINUSE, OPEN, APP_FAULT_RESOURCE},
    {EAGAIN, OPEN, APP_FAULT_RESOURCE},
    {EXDEV, OPEN, APP_FAULT_RESOURCE}, /* not in the table */
    {ECONNREFUSED, SEND, APP_FAULT_REFUSED},
    {ENETUNREACH, SEND, APP_FAULT_UNREACHABLE},
    {EHOSTUNREACH, SEND, APP_FAULT_UNREACHABLE},
    {ENETDOWN, SEND, APP_FAULT_UNREACHABLE},
    {EACCES, SEND, APP_FAULT_UNREACHABLE},
    {EPERM, SEND, APP_FAULT_DENIED},
    {ENOBUFS, SEND, APP_FAULT_RESOURCE},
    {ENOMEM, SEND, APP_FAULT_RESOURCE},
    {EAGAIN, SEND, APP_FAULT_RESOURCE},
    {EMSGSIZE, SEND, APP_FAULT_DATAGRAM},
    {EINVAL, SEND, APP_FAULT_DATAGRAM},
    {EIO, SEND, APP_FAULT_DATAGRAM},
    {EXDEV, SEND, APP_FAULT_DATAGRAM}, /* not in the table */
    {ECONNREFUSED, ICMP, APP_FAULT_REFUSED},
    {ENETUNREACH, ICMP, APP_FAULT_UNREACHABLE},
    {EHOSTUNREACH, ICMP, APP_FAULT_UNREACHABLE},
    {EHOSTDOWN, ICMP, APP_FAULT_UNREACHABLE},
    {ENONET, ICMP, APP_FAULT_UNREACHABLE},
    {ENOPROTOOPT, ICMP, APP_FAULT_UNREACHABLE},
    {EACCES, ICMP, APP_FAULT_UNREACHABLE},
    {EMSGSIZE, ICMP, APP_FAULT_DATAGRAM},
    {EOPNOTSUPP, ICMP, APP_FAULT_DATAGRAM},
    {EPROTO, ICMP, APP_FAULT_DATAGRAM},
};

Test(app_fault, each_errno_has_its_fault)
{
    for (size_t i = 0; i < sizeof(fault_cases) / sizeof(fault_cases[0]); i++)
        cr_expect_eq(app_fault_of(fault_cases[i].error_number, fault_cases[i].at),
                     fault_cases[i].fault, "%s at %d", strerror(fault_cases[i].error_number),
                     (int)fault_cases[i].at);
}
