/*
 * app_fault: what an error of the kernel says, when a socket to a UDP app was opened, a datagram was
 * sent to it, or an ICMP message came back.
 *
 * One table has every errno. An error is about the app (nobody takes datagrams at its port, or this
 * pod has no way to it), about this pod (it has no more descriptors, memory or ports), or about one
 * datagram. Only the first kind is held against the app: then it is down, and the lead goes to a pod
 * whose app can be reached. A pod without resources keeps the lead: it serves the clients that have a
 * session, and tries again with the next request of a new one.
 *
 * Pure. Any thread.
 */
#ifndef DATA_APP_FAULT_H
#define DATA_APP_FAULT_H

enum app_fault {
    APP_FAULT_DATAGRAM,    /* of this datagram alone: the next one may pass */
    APP_FAULT_RESOURCE,    /* this pod has too few descriptors, ports, memory or buffers */
    APP_FAULT_DENIED,      /* a local firewall: for all clients, or for this one */
    APP_FAULT_UNREACHABLE, /* no way to the app's host */
    APP_FAULT_REFUSED,     /* the app's port is closed */
    APP_FAULT_COUNT
};

enum app_fault_at {
    APP_FAULT_AT_OPEN, /* socket, bind, connect, epoll_ctl */
    APP_FAULT_AT_SEND,
    APP_FAULT_AT_ICMP, /* in the error queue */
    APP_FAULT_AT_COUNT
};

enum app_fault app_fault_of(int error_number, enum app_fault_at at);

#endif
