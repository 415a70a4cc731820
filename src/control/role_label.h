/*
 * role_label: the label headlessd.io/role=leader of pods (platform.role_label).
 *
 * The pod has it while it leads. The wanted label is compared with the one that the API server has confirmed, and written
 * until both are the same: after a start, a failure or a lost reply the label is unknown, and is written once more. A leader
 * writes it each minute, in case somebody else has removed it. The label of the last leader is removed by that pod itself, or, since it
 * may have died, by the next leader.
 *
 * The label is patched through the subresource status of the pod. The rule for that allows changes of labels and of
 * the status, but none of the pod's containers, which the rule for pods would allow.
 *
 * Threads: the main thread opens and closes; the supervisor calls role_label_run; any thread reads the
 * report. Blocking: never; one request at a time, in the background lane of the client.
 */
#ifndef CONTROL_ROLE_LABEL_H
#define CONTROL_ROLE_LABEL_H

#include "headless/base/waker.h"
#include "headless/config/config.h"
#include "headless/control/supervisor.h"
#include "headless/platform/api.h"

struct role_label;

/* NULL with the option false. Returns 0 or -ENOMEM. */
int role_label_open(const struct config *config, struct platform *platform, struct waker *waker,
                    struct role_label **ret_label) __attribute__((warn_unused_result));
/* After platform_stop; NULL is allowed. */
void role_label_close(struct role_label *label);

/* This pod leads, after the pod with this name ("": none, or not known). NULL is allowed. */
void role_label_run(struct role_label *label, bool leads, const char *former, uint64_t now_ns);

/* Any thread; NULL is allowed. */
void role_label_read(const struct role_label *label, struct supervisor_role_report *ret_report);

#endif
