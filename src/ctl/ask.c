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
static void send_to(struct ctl_pod *pod, const struct ctl_question *question)
{
    const char *text = question->text;
    size_t length = question->length;
    char composed[CTL_COMMAND_MAX];

    if (question->compose) {
        length = question->compose(question, composed, sizeof(composed));
        text = composed;
    }
    pod->tries++;
    pod->sent_ns = clock_now_ns();
    pod->error = -udp_tell(&pod->socket, text, length);
}

/* Read what is there. Refusals end the wait for this try; what answers no question is ignored. */
static void receive_from(struct ctl_pod *pod, const struct ctl_question *question)
{
    ssize_t n = recv(pod->socket.fd, pod->answer, sizeof(pod->answer) - 1, MSG_DONTWAIT);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            pod->error = errno;
        return;
    }
    pod->answer[n] = '\0';
    if (question->is_reply && !question->is_reply(question, pod->answer))
        return;
    pod->answered = true;
    pod->answered_ns = clock_now_ns();
    pod->error = 0;
}

/* Wait for all that still may answer, until then at most. */
static void collect(struct ctl_pod *pods, size_t count, const struct ctl_question *question,
                    uint64_t deadline_ns)
{
    struct pollfd pollers[CTL_ADDRESSES_MAX];
    struct ctl_pod *polled[CTL_ADDRESSES_MAX];

    for (;;) {
        uint64_t now_ns = clock_now_ns();
        nfds_t waiting = 0;

        for (size_t i = 0; i < count; i++) {
            if (!is_open(&pods[i]) || pods[i].answered || pods[i].error)
                continue;
            pollers[waiting] = (struct pollfd){.fd = pods[i].socket.fd, .events = POLLIN};
            polled[waiting++] = &pods[i];
        }
        if (!waiting || now_ns >= deadline_ns)
            return;
        (void)poll(pollers, waiting, (int)((deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS));
        for (size_t i = 0; i < waiting; i++) {
            if (pollers[i].revents)
                receive_from(polled[i], question);
        }
    }
}

/* What comes late answers an earlier question. */
static void forget_answers(struct ctl_pod *pod)
{
    while (is_open(pod) &&
           (recv(pod->socket.fd, pod->answer, sizeof(pod->answer), MSG_DONTWAIT) >= 0 ||
            errno == ECONNREFUSED))
        ;
}

size_t ctl_ask(struct ctl_pod *pods, size_t count, const struct ctl_question *question)
{
    size_t answered = 0;

    for (size_t i = 0; i < count; i++) {
        pods[i].answered = false;
        pods[i].tries = 0;
        if (!question->is_reply) /* cannot be told by what it says */
            forget_answers(&pods[i]);
    }
    for (unsigned try = 0; try < question->tries; try++) {
        for (size_t i = 0; i < count; i++) {
            if (is_open(&pods[i]) && !pods[i].answered)
                send_to(&pods[i], question);
        }
        collect(pods, count, question, clock_now_ns() + question->wait_ns);
    }
    for (size_t i = 0; i < count; i++)
        answered += pods[i].answered;
    return answered;
}
