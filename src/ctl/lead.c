/* leader set: send a command to each pod, signed if there is a key. */
#include <string.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define COMMAND_TRIES   3
#define COMMAND_WAIT_NS NS_PER_SEC

/* The command; it is signed for each pod and each try, because a pod accepts a signature once. */
struct lead {
    const char *command;
    struct ctl_signer signer;
};

/* Returns its length; 0: it does not fit. */
static size_t compose(const struct lead *lead, char *out, size_t size)
{
    struct sign_stamp stamp = {.time_s = clock_real_s()};
    size_t length = strlen(lead->command);

    if (length >= size)
        return 0;
    (void)snprintf(out, size, "%s", lead->command);
    if (lead->signer.has_key) {
        stamp.nonce = ctl_draw_number();
        length = sign_command(out, size, &lead->signer.key, lead->signer.cluster, &stamp);
    }
    return length ? ctl_pad_command(out, size, length) : 0;
}

static size_t compose_request(const struct ctl_request *request, char *out, size_t size)
{
    return compose(request->context, out, size);
}

static int print_command(const struct ctl_options *options, const struct lead *lead)
{
    char text[CTL_COMMAND_MAX];

    if (options->given & (CTL_OPTION_DATA | CTL_OPTION_SERVICE)) {
        (void)fputs("headlessctl: --print sends nothing: no --data, no --service\n", stderr);
        return CTL_USAGE;
    }
    if (!compose(lead, text, sizeof(text))) {
        (void)fputs("headlessctl: the command is too long\n", stderr);
        return CTL_USAGE;
    }
    return puts(text) == EOF || fflush(stdout) == EOF ? CTL_NO : CTL_OK;
}

static int send_command(const struct ctl_options *options, const struct lead *lead)
{
    const struct ctl_request request = {.compose = compose_request,
                                        .context = lead,
                                        .tries = COMMAND_TRIES,
                                        .wait_ns = COMMAND_WAIT_NS};
    struct ctl_pod *pods;
    size_t count, agreed = 0;
    int rc = ctl_open_pods(options, &pods, &count);

    if (rc)
        return rc;
    (void)ctl_ask(pods, count, &request);
    for (size_t i = 0; i < count; i++)
        agreed += ctl_show_command_reply(stdout, &pods[i], options->given & CTL_OPTION_IF_TERM);
    ctl_pods_close(pods, count);
    return agreed == count ? CTL_OK : CTL_NO;
}

int ctl_leader_set(const struct ctl_options *options, const char *who)
{
    char command[CTL_COMMAND_MAX];
    struct lead lead = {.command = command};
    int rc;

    if (!ctl_put_command(command, sizeof(command), who, options)) {
        (void)fprintf(stderr, "headlessctl: \"%s\" is no address and no pod's name\n", who);
        return CTL_USAGE;
    }
    rc = ctl_signer_open(options, &lead.signer);
    if (rc)
        return rc;
    rc = options->print ? print_command(options, &lead) : send_command(options, &lead);
    ctl_signer_close(&lead.signer);
    return rc;
}
