/* The Lease, with election lease; the state of the API server. */
#include "admin/page.h"

#include <json-c/json.h>

static void put_lease_fact(const struct page *page, const char *term, const char *key,
                           const char *value)
{
    page_put(page, "<div><dt>%s</dt><dd data-path=\"%s\">%s</dd></div>", term, key, value);
}

/* Of the holder: for how long it leads without another renewal. Otherwise: until the Lease has expired. */
static void put_left(const struct page *page, struct json_object *lease)
{
    bool is_held = json_object_get_boolean(page_find(lease, "held"));
    const char *key = is_held ? "left_ms" : "expires_ms";
    char text[PAGE_DURATION_MAX];

    put_lease_fact(page, is_held ? "Valid for" : "Expires in", "lease.left",
                   page_find(lease, key) ? page_duration((uint64_t)page_number(lease, key), text)
                                         : "–");
}

static const char *api_state(const struct page *page, struct json_object *lease)
{
    if (json_object_get_boolean(page_find(lease, "failing")))
        return "cannot be read or written now";
    return json_object_get_boolean(page_find(page->status, "api.up")) ? "responds"
                                                                      : "does not respond";
}

void page_put_lease(const struct page *page)
{
    struct json_object *lease = page_find(page->status, "lease");
    const char *holder = page_text(lease, "holder"), *problem;
    char text[PAGE_NUMBER_MAX];

    if (!lease)
        return;
    problem = page_text(page->status, "api.problem");
    page_put(page,
             "<section class=\"card\" aria-labelledby=\"lease\"><h2 id=\"lease\">Lease %s</h2>"
             "<dl class=\"facts\">",
             page_text(lease, "name"));
    put_lease_fact(page, "Holder", "lease.holder", *holder ? holder : "nobody");
    put_lease_fact(page, "Term", "lease.term", page_group(page_number(lease, "term"), text));
    put_lease_fact(page, "Fence", "lease.fence", page_text(lease, "fence"));
    put_left(page, lease);
    put_lease_fact(page, "Changes of the holder", "lease.transitions",
                   page_group(page_number(lease, "transitions"), text));
    put_lease_fact(page, "API server", "api.state", api_state(page, lease));
    page_put(page, "</dl><p class=\"hint\" id=\"api-problem\">%s</p></section>\n",
             *problem ? problem : "kubectl describe lease shows its Events.");
}
