/* Checks of check.c: the zones (interfaces) of link-local IPv6 addresses. */
#include <stdio.h>

#include "loader.h"

bool config_self_has_no_zone(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    if (!address_is_link_local(&c->self) || c->self.scope)
        return false;
    (void)value_refuse(why, address_format_ip(&c->self, text),
                       "is link-local: add its interface, as in %s%%eth0", text);
    return true;
}

/* Messages between pods carry no zone: each pod takes that of its self for all link-local members. */
bool config_peers_are_on_other_links(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char peer[ADDRESS_TEXT_MAX], self[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < c->peers.count; i++) {
        const struct address *a = &c->peers.list[i].address;

        if (!address_is_link_local(a) || (a->scope && a->scope == c->self.scope))
            continue;
        (void)snprintf(why, VALUE_WHY_MAX,
                       "peer %s is link-local, and self %s is not on its link: all members need "
                       "link-local addresses of one link, or none",
                       address_format_ip(a, peer), address_format_ip(&c->self, self));
        return true;
    }
    return false;
}
