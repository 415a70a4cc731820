#include <errno.h>
#include <poll.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"
#include "headless/net/multicast.h"

static int refuse(const char *text, const char *wrong)
{
    (void)fprintf(stderr, "headlessctl: \"%s\": %s\n", text, wrong);
    return -EINVAL;
}

/* Of --interface, else of the group itself, as in ff02::12%eth0, else the kernel's choice. */
static int find_interface(const struct ctl_options *options, const struct address *group,
                          uint32_t *ret_interface)
{
    uint32_t interface = options->interface ? multicast_find_interface(options->interface) : 0;

    if (options->interface && interface == MULTICAST_ANY_INTERFACE)
        return refuse(options->interface, "there is no such interface");
    *ret_interface = interface ? interface : group->scope;
    return 0;
}

/* Not connected: answers come from the pods, not from the group. */
static int open_socket(const struct address *group, uint32_t interface, int hops,
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
    rc = open_socket(&group.address, interface, (int)options->hops, &group.socket);
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

static bool receive(const struct ctl_group *group, struct ctl_pod *ret_pod)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    ssize_t n = recvfrom(group->socket.fd, ret_pod->answer, sizeof(ret_pod->answer) - 1,
                         MSG_DONTWAIT, (struct sockaddr *)&from, &length);

    if (n < 0)
        return false;
    ret_pod->answer[n] = '\0';
    ret_pod->answered = true;
    ret_pod->answered_ns = clock_now_ns();
    address_from_sockaddr((struct sockaddr *)&from, &ret_pod->address);
    return true;
}

/* To the end: a second answer is what must not come. */
static size_t collect(FILE *out, const struct ctl_group *group, struct ctl_pod *pod,
                      uint64_t deadline_ns)
{
    struct pollfd poller = {.fd = group->socket.fd, .events = POLLIN};
    size_t answers = 0;
    uint64_t now_ns;

    while ((now_ns = clock_now_ns()) < deadline_ns) {
        (void)poll(&poller, 1, (int)((deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS));
        while (receive(group, pod)) {
            ctl_show_answer(out, pod);
            answers++;
        }
    }
    return answers;
}

size_t ctl_group_ask(FILE *out, const struct ctl_group *group, const struct ctl_question *question)
{
    const struct address any_source = {0};
    char address[ADDRESS_TEXT_MAX];
    struct ctl_pod pod = {.tries = 1};
    size_t answers;
    int rc;

    while (receive(group, &pod)) /* what comes late answers an earlier message */
        ;
    pod.sent_ns = clock_now_ns();
    rc = udp_send_one(&group->socket, &group->address, &any_source, question->text,
                      question->length);
    if (rc) {
        (void)fprintf(stderr, "headlessctl: cannot send to %s: %s; --interface tells where to\n",
                      address_format(&group->address, address), strerror(-rc));
        return 0;
    }
    answers = collect(out, group, &pod, pod.sent_ns + question->wait_ns);
    (void)fprintf(out, "%zu answered%s\n", answers,
                  answers > 1 ? ", and only the leader should have" : "");
    return answers;
}
