#include <errno.h>
#include <poll.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"
#include "headless/net/multicast.h"

static int refuse_interface(const char *text, const char *wrong)
{
    (void)fprintf(stderr, "headlessctl: \"%s\": %s\n", text, wrong);
    return -EINVAL;
}

/* --interface, otherwise the group's scope, as in ff02::12%eth0, otherwise the kernel's choice. */
static int find_interface(const struct ctl_options *options, const struct address *group,
                          uint32_t *ret_interface)
{
    uint32_t interface = options->interface ? multicast_find_interface(options->interface) : 0;

    if (options->interface && interface == MULTICAST_ANY_INTERFACE)
        return refuse_interface(options->interface, "there is no such interface");
    *ret_interface = interface ? interface : group->scope;
    return 0;
}

/* Not connected: replies come from the pods' addresses, not from the group's. */
static int open_group_socket(const struct address *group, uint32_t interface, int hops,
                             struct udp_socket *ret_socket)
{
    const struct udp_options options = {0};
    const struct address any = address_any((enum address_family)group->family);
    struct udp_socket socket;
    int rc = group->family == ADDRESS_V4 ? udp_open_ipv4(&any, &options, &socket)
                                         : udp_open(&any, &options, &socket);

    if (rc)
        return rc;
    rc = multicast_send_by(&socket, interface, hops);
    if (rc)
        udp_close(&socket);
    else
        *ret_socket = socket;
    return rc;
}

int ctl_group_open(const struct ctl_options *options, struct ctl_group *ret_group)
{
    struct ctl_group group;
    uint32_t interface;
    int rc = ctl_find_group(options, &group.address);

    if (!rc)
        rc = find_interface(options, &group.address, &interface);
    if (rc)
        return rc;
    if (group.address.family == ADDRESS_V6)
        group.address.scope = interface;
    rc = open_group_socket(&group.address, interface, (int)options->hops, &group.socket);
    if (rc) {
        (void)fprintf(stderr, "headlessctl: cannot send to groups%s%s: %s\n",
                      options->interface ? " by " : "",
                      options->interface ? options->interface : "", strerror(-rc));
        return rc == -EINVAL ? -EIO : rc;
    }
    *ret_group = group;
    return 0;
}

void ctl_group_close(struct ctl_group *group)
{
    udp_close(&group->socket);
}

static bool receive_group_reply(const struct ctl_group *group, struct ctl_pod *ret_pod)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    ssize_t n = recvfrom(group->socket.fd, ret_pod->reply, sizeof(ret_pod->reply) - 1, MSG_DONTWAIT,
                         (struct sockaddr *)&from, &length);

    if (n < 0)
        return false;
    ret_pod->reply[n] = '\0';
    ret_pod->replied = true;
    ret_pod->replied_ns = clock_now_ns();
    address_from_sockaddr((struct sockaddr *)&from, &ret_pod->address);
    return true;
}

/* Until the deadline, because a second reply is an error. */
static size_t collect_group_replies(FILE *out, const struct ctl_group *group, struct ctl_pod *pod,
                                    uint64_t deadline_ns)
{
    struct pollfd poller = {.fd = group->socket.fd, .events = POLLIN};
    size_t replies = 0;
    uint64_t now_ns;

    while ((now_ns = clock_now_ns()) < deadline_ns) {
        (void)poll(&poller, 1, (int)((deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS));
        while (receive_group_reply(group, pod)) {
            ctl_show_reply(out, pod);
            replies++;
        }
    }
    return replies;
}

size_t ctl_group_ask(FILE *out, const struct ctl_group *group, const struct ctl_request *request)
{
    const struct address any_source = {0};
    char address[ADDRESS_TEXT_MAX];
    struct ctl_pod pod = {.tries = 1};
    size_t replies;
    int rc;

    while (receive_group_reply(group, &pod)) /* discard late replies to an earlier message */
        ;
    pod.sent_ns = clock_now_ns();
    rc = udp_send_one(&group->socket, &group->address, &any_source, request->text, request->length);
    if (rc) {
        (void)fprintf(stderr,
                      "headlessctl: cannot send to %s: %s; set the interface with --interface\n",
                      address_format(&group->address, address), strerror(-rc));
        return 0;
    }
    replies = collect_group_replies(out, group, &pod, pod.sent_ns + request->wait_ns);
    (void)fprintf(out, "%zu replied%s\n", replies,
                  replies > 1 ? ", and only the leader should have" : "");
    return replies;
}
