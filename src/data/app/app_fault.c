#include "data/app/app_fault.h"

#include <errno.h>
#include <stddef.h>

#define DATAGRAM    APP_FAULT_DATAGRAM
#define RESOURCE    APP_FAULT_RESOURCE
#define DENIED      APP_FAULT_DENIED
#define UNREACHABLE APP_FAULT_UNREACHABLE
#define REFUSED     APP_FAULT_REFUSED

/*
 * socket(2), bind(2), connect(2), epoll_ctl(2), send(2), ip(7), ipv6(7); for ICMP net/ipv4/icmp.c:
 * icmp_err_convert and net/ipv6/icmp.c: tab_unreach. connect of a UDP socket looks up the route, so
 * it fails where a datagram would fail. Of a pending ICMP error, a send returns the errno.
 */
static const struct {
    int error_number;
    enum app_fault at[APP_FAULT_AT_COUNT]; /* open, send, ICMP */
} faults[] = {
    /* The app's port, and the way to its host. */
    {ECONNREFUSED, {UNREACHABLE, REFUSED, REFUSED}},         /* port unreachable */
    {ENETUNREACH, {UNREACHABLE, UNREACHABLE, UNREACHABLE}},  /* no route; net unreachable */
    {EHOSTUNREACH, {UNREACHABLE, UNREACHABLE, UNREACHABLE}}, /* unreachable route; host, filtered */
    {EHOSTDOWN, {UNREACHABLE, UNREACHABLE, UNREACHABLE}},    /* host unknown */
    {ENONET, {UNREACHABLE, UNREACHABLE, UNREACHABLE}},       /* host isolated */
    {ENETDOWN, {UNREACHABLE, UNREACHABLE, UNREACHABLE}},     /* its interface is down */
    {ENOPROTOOPT, {DATAGRAM, UNREACHABLE, UNREACHABLE}},   /* protocol unreachable: no UDP there */
    {EACCES, {UNREACHABLE, UNREACHABLE, UNREACHABLE}},     /* prohibit route; ICMPv6 prohibited */
    {EINVAL, {UNREACHABLE, DATAGRAM, DATAGRAM}},           /* link-local without its interface */
    {EADDRNOTAVAIL, {UNREACHABLE, UNREACHABLE, DATAGRAM}}, /* no source address for it */
    {EAFNOSUPPORT, {UNREACHABLE, DATAGRAM, DATAGRAM}},     /* IPv6 is switched off */
    {ENODEV, {UNREACHABLE, UNREACHABLE, DATAGRAM}},        /* its interface was removed */
    {EPERM, {DENIED, DENIED, DATAGRAM}},                   /* netfilter, BPF */
    /* This pod. */
    {EMFILE, {RESOURCE, RESOURCE, DATAGRAM}},
    {ENFILE, {RESOURCE, RESOURCE, DATAGRAM}},
    {ENOBUFS, {RESOURCE, RESOURCE, DATAGRAM}},
    {ENOMEM, {RESOURCE, RESOURCE, DATAGRAM}},
    {ENOSPC, {RESOURCE, RESOURCE, DATAGRAM}},     /* fs.epoll.max_user_watches */
    {EADDRINUSE, {RESOURCE, RESOURCE, DATAGRAM}}, /* no free port */
    {EAGAIN, {RESOURCE, RESOURCE, DATAGRAM}},     /* no free port; a full send buffer */
    {EINTR, {RESOURCE, DATAGRAM, DATAGRAM}},
    /* One datagram. */
    {EMSGSIZE, {DATAGRAM, DATAGRAM, DATAGRAM}},
    {EOPNOTSUPP, {DATAGRAM, DATAGRAM, DATAGRAM}}, /* source route failed */
    {EPROTO, {DATAGRAM, DATAGRAM, DATAGRAM}},     /* parameter problem */
    {EIO, {DATAGRAM, DATAGRAM, DATAGRAM}},
};

enum app_fault app_fault_of(int error_number, enum app_fault_at at)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (faults[i].error_number == error_number)
            return faults[i].at[at];
    }
    /* Unknown: nothing is held against the app. */
    return at == APP_FAULT_AT_OPEN ? APP_FAULT_RESOURCE : APP_FAULT_DATAGRAM;
}
