#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

int ctl_pods_open(const struct ctl_addresses *addresses, struct ctl_pod **ret_pods)
{
    const struct address any_source = {0};
    struct ctl_pod *pods = calloc(addresses->count ? addresses->count : 1, sizeof(*pods));

    if (!pods)
        return -ENOMEM;
    for (size_t i = 0; i < addresses->count; i++) {
        int rc;

        pods[i].address = addresses->list[i];
        pods[i].socket.fd = -1;
        rc = udp_open_connected(&pods[i].address, &any_source, 0, &pods[i].socket);
        pods[i].error = -rc;
    }
    *ret_pods = pods;
    return 0;
}

int ctl_open_pods(const struct ctl_options *options, struct ctl_pod **ret_pods, size_t *ret_count)
{
    struct ctl_addresses addresses;
    int rc = ctl_find_pods(options, &addresses);

    if (rc)
        return rc == -EINVAL ? CTL_USAGE : CTL_NO;
    if (ctl_pods_open(&addresses, ret_pods)) {
        (void)fputs("headlessctl: out of memory\n", stderr);
        return CTL_NO;
    }
    *ret_count = addresses.count;
    return CTL_OK;
}

void ctl_pods_close(struct ctl_pod *pods, size_t count)
{
    for (size_t i = 0; i < count; i++)
        udp_close(&pods[i].socket);
    free(pods);
}

static bool is_open(const struct ctl_pod *pod)
{
    return pod->socket.fd >= 0;
}

/* An error of an earlier datagram may be reported in place of ours: then once more. */
static void send_to(struct ctl_pod *pod, const struct ctl_request *request)
{
    const char *text = request->text;
    size_t length = request->length;
    char composed[CTL_COMMAND_MAX];

    if (request->compose) {
        length = request->compose(request, composed, sizeof(composed));
        text = composed;
    }
    pod->tries++;
    pod->sent_ns = clock_now_ns();
    pod->error = -udp_tell(&pod->socket, text, length);
}

/* Receive one datagram. A refusal ends the wait for this try; a datagram that is no reply to the
 * request is ignored. */
static void receive_from(struct ctl_pod *pod, const struct ctl_request *request)
{
    ssize_t n = recv(pod->socket.fd, pod->reply, sizeof(pod->reply) - 1, MSG_DONTWAIT);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            pod->error = errno;
        return;
    }
    pod->reply[n] = '\0';
    if (request->is_reply && !request->is_reply(request, pod->reply))
        return;
    pod->replied = true;
    pod->replied_ns = clock_now_ns();
    pod->error = 0;
}

/* Wait for the missing replies until the deadline. */
static void collect_replies(struct ctl_pod *pods, size_t count, const struct ctl_request *request,
                            uint64_t deadline_ns)
{
    struct pollfd pollers[CTL_ADDRESSES_MAX];
    struct ctl_pod *polled[CTL_ADDRESSES_MAX];

    for (;;) {
        uint64_t now_ns = clock_now_ns();
        nfds_t waiting = 0;

        for (size_t i = 0; i < count; i++) {
            if (!is_open(&pods[i]) || pods[i].replied || pods[i].error)
                continue;
            pollers[waiting] = (struct pollfd){.fd = pods[i].socket.fd, .events = POLLIN};
            polled[waiting++] = &pods[i];
        }
        if (!waiting || now_ns >= deadline_ns)
            return;
        (void)poll(pollers, waiting, (int)((deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS));
        for (size_t i = 0; i < waiting; i++) {
            if (pollers[i].revents)
                receive_from(polled[i], request);
        }
    }
}

/* Discard late replies to an earlier request. */
static void forget_replies(struct ctl_pod *pod)
{
    while (is_open(pod) &&
           (recv(pod->socket.fd, pod->reply, sizeof(pod->reply), MSG_DONTWAIT) >= 0 ||
            errno == ECONNREFUSED))
        ;
}

size_t ctl_ask(struct ctl_pod *pods, size_t count, const struct ctl_request *request)
{
    size_t replied = 0;

    for (size_t i = 0; i < count; i++) {
        pods[i].replied = false;
        pods[i].tries = 0;
        if (!request->is_reply) /* a late reply cannot be recognized */
            forget_replies(&pods[i]);
    }
    for (unsigned try = 0; try < request->tries; try++) {
        for (size_t i = 0; i < count; i++) {
            if (is_open(&pods[i]) && !pods[i].replied)
                send_to(&pods[i], request);
        }
        collect_replies(pods, count, request, clock_now_ns() + request->wait_ns);
    }
    for (size_t i = 0; i < count; i++)
        replied += pods[i].replied;
    return replied;
}
