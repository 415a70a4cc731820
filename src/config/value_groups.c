/* Lists of multicast groups. */
#include <stdio.h>
#include <string.h>

#include "value.h"

/* GROUP or GROUP%INTERFACE. The interface is looked up only when the group is joined. */
static int parse_group(const char *text, struct config_group *ret_group, char *why)
{
    struct config_group group = {0};
    char ip[ADDRESS_TEXT_MAX];
    size_t length = strcspn(text, "%");
    const char *interface = text[length] ? text + length + 1 : NULL;

    if (interface && (!*interface || strlen(interface) >= sizeof(group.interface)))
        return value_refuse(why, text,
                            "has no valid interface: use its name, as in ff02::12%%eth0");
    (void)snprintf(ip, sizeof(ip), "%.*s", (int)length, text);
    if (address_parse_ip(ip, &group.address)) {
        if (address_parse(text, 0, &group.address) == 0 && group.address.port != 0)
            return value_refuse(why, text, "has a port; groups are joined on data.port");
        return value_refuse(why, text, "is not GROUP or GROUP%%INTERFACE");
    }
    if (!address_is_multicast(&group.address))
        return value_refuse(why, text, "is not a multicast group: use 224.0.0.0/4 or ff00::/8");
    (void)snprintf(group.interface, sizeof(group.interface), "%s", interface ? interface : "");
    *ret_group = group;
    return 0;
}

/* A group may be listed once, also with another interface: the kernel would give each of the two
 * sockets the datagrams of both interfaces. */
static int append_group(const struct config_option *o, const char *text, void *field, char *why)
{
    struct config_groups *groups = field;
    struct config_group group = {0};
    int rc = parse_group(text, &group, why);

    (void)o;
    if (rc)
        return rc;
    for (size_t i = 0; i < groups->count; i++) {
        if (address_equal(&groups->list[i].address, &group.address))
            return value_refuse(why, text, "is listed twice");
    }
    if (groups->count == CONFIG_GROUPS_MAX)
        return value_refuse(why, text, "is one more than the %d allowed", CONFIG_GROUPS_MAX);
    groups->list[groups->count++] = group;
    return 0;
}

static void format_group(const struct config_option *o, const void *field, size_t item, char *text)
{
    const struct config_groups *groups = field;
    const struct config_group *group = &groups->list[item];
    char spelled[ADDRESS_TEXT_MAX];

    (void)o;
    (void)snprintf(text, VALUE_TEXT_MAX, "%s%s%s", address_format_ip(&group->address, spelled),
                   *group->interface ? "%" : "", group->interface);
}

static size_t count_groups(const void *field)
{
    const struct config_groups *groups = field;

    return groups->count;
}

static void clear_groups(void *field)
{
    memset(field, 0, sizeof(struct config_groups));
}

const struct value_type value_groups = {.called = "GROUP[%INTERFACE],...|none",
                                        .parse = append_group,
                                        .format = format_group,
                                        .count = count_groups,
                                        .clear = clear_groups};
