#include "headless/admin/notice.h"

#include <stdio.h>
#include <string.h>

#include "headless/admin/pages.h"

struct notice notice_of(const struct reading *reading)
{
    const struct view *view = reading->view;
    struct notice notice = {.term = view->term,
                            .instance = view->leader_instance,
                            .address = view->leader,
                            .cause = view->cause ? view->cause : "",
                            .is_usable = reading_has_leader(reading)};

    (void)snprintf(notice.name, sizeof(notice.name), "%s", view->leader_name);
    return notice;
}

bool notice_is_same(const struct notice *a, const struct notice *b)
{
    return a->term == b->term && a->instance == b->instance && a->is_usable == b->is_usable &&
           address_equal(&a->address, &b->address) && strcmp(a->name, b->name) == 0 &&
           strcmp(a->cause, b->cause) == 0;
}
