/*
 * The way of a datagram as this pod sees it, as a picture: client, ingress, leader, app. Requests
 * go one way, replies the other. The text below it says the same without the picture.
 */
#include "admin/page.h"

#include <string.h>

#define NODE_COUNT  4
#define NODE_WIDTH  152
#define NODE_HEIGHT 84
#define NAME_SHOWN  17 /* characters of a name that fit */

struct node {
    const char *role, *name, *state; /* state: a word for the style */
};

/* From a node to the next: what goes, what comes back. */
struct edge {
    const char *key;
    int64_t requests, replies;
    bool is_elsewhere; /* this pod does not know: it is another's app */
};

struct flow {
    struct node nodes[NODE_COUNT];
    struct edge edges[NODE_COUNT - 1];
};

/* An arrow, and its text: how quickly, and how many in all. */
struct arrow {
    int x, y, dx, dy;
    int text_x, text_y;
    const char *anchor; /* of the text, a word for the style */
};

/* Senders and ingress above, app and leader below, so that it is as readable on a phone. */
static const struct place {
    int x, y;
} places[NODE_COUNT] = {{0, 0}, {244, 0}, {244, 164}, {0, 164}};

/* From each node to the next one, and back. */
static const struct arrow arrows[NODE_COUNT - 1][2] = {
    {{158, 34, 80, 0, 198, 12, "middle"}, {238, 50, -80, 0, 198, 67, "middle"}},
    {{272, 90, 0, 68, 262, 120, "end"}, {290, 158, 0, -68, 300, 120, "start"}},
    {{238, 198, -80, 0, 198, 176, "middle"}, {158, 214, 80, 0, 198, 231, "middle"}},
};

/* ---- what there is to draw ---- */

static int64_t counter(const struct page *page, const char *path)
{
    return page_number(page_find(page->status, "counters"), path);
}

static bool is_leader(const struct page *page)
{
    return strcmp(page_text(page->status, "me.role"), "leader") == 0;
}

static struct flow gather(const struct page *page)
{
    struct json_object *leader = page_find(page->status, "leader");
    const char *me = page_pod(page_find(page->status, "me"));
    bool leads = is_leader(page);

    return (struct flow){
        .nodes = {{"Senders", "clients", "clients"},
                  {"Ingress", leads ? "every pod" : me, leads ? "pods" : "me"},
                  {"Leader", leader ? page_pod(leader) : "nobody", !leader ? "none" : "leader"},
                  {"Service", "app", "app"}},
        .edges = {{"ingress",
                   counter(page, "datagrams_received_total.data") +
                       counter(page, "datagrams_received_total.multicast"),
                   counter(page, "replies_sent_total"), false},
                  {"relay",
                   leads ? counter(page, "datagrams_received_total.relay")
                         : counter(page, "datagrams_relayed_total"),
                   leads ? counter(page, "replies_relayed_total")
                         : counter(page, "replies_received_total.relay"),
                   false},
                  {"app", counter(page, "datagrams_delivered_total"),
                   counter(page, "replies_received_total.app"), !leads}}};
}

/* ---- drawing ---- */

static void put_text(const struct page *page, const char *class, int x, int y, const char *text)
{
    page_put(page, "<text class=\"%s\" x=\"%lld\" y=\"%lld\">%s</text>", class, (long long)x,
             (long long)y, text);
}

static void put_node(const struct page *page, const struct place *place, const struct node *node)
{
    int middle = place->x + NODE_WIDTH / 2;
    char name[NAME_SHOWN + 4];
    bool is_long = strlen(node->name) > NAME_SHOWN;

    (void)snprintf(name, sizeof(name), "%.*s%s", is_long ? NAME_SHOWN - 1 : NAME_SHOWN, node->name,
                   is_long ? "…" : "");
    page_put(page,
             "<g class=\"node %s\"><rect x=\"%lld\" y=\"%lld\" width=\"%lld\" height=\"%lld\" "
             "rx=\"10\"/>",
             node->state, (long long)place->x, (long long)place->y, (long long)NODE_WIDTH,
             (long long)NODE_HEIGHT);
    put_text(page, "role", middle, place->y + NODE_HEIGHT / 2 - 10, node->role);
    put_text(page, "name", middle, place->y + NODE_HEIGHT / 2 + 14, name);
    page_put(page, "</g>");
}

static void put_arrow(const struct page *page, const struct arrow *arrow)
{
    const long long end_x = arrow->x + arrow->dx, end_y = arrow->y + arrow->dy;
    const long long wing_x = arrow->dx ? (arrow->dx > 0 ? 7 : -7) : 5;
    const long long wing_y = arrow->dy ? (arrow->dy > 0 ? 7 : -7) : 5;

    page_put(page, "<path class=\"line\" d=\"M%lld %lldL%lld %lld\"/>", (long long)arrow->x,
             (long long)arrow->y, end_x, end_y);
    page_put(page, "<path class=\"head\" d=\"M%lld %lldl%lld %lldM%lld %lldl%lld %lld\"/>", end_x,
             end_y, -wing_x, -wing_y, end_x, end_y, arrow->dx ? -wing_x : wing_x,
             arrow->dx ? wing_y : -wing_y);
}

/* what: requests or replies */
static void put_way(const struct page *page, const struct edge *edge, const struct arrow *arrow,
                    const char *what, int64_t total)
{
    char text[PAGE_NUMBER_MAX];

    page_put(page, "<g class=\"way %s %s\">", what, arrow->anchor);
    put_arrow(page, arrow);
    if (!edge->is_elsewhere)
        page_put(page,
                 "<text class=\"rate\" x=\"%lld\" y=\"%lld\" data-key=\"%s %s\" "
                 "data-total=\"%lld\"></text>",
                 (long long)arrow->text_x, (long long)arrow->text_y, what, edge->key,
                 (long long)total);
    put_text(page, "total", arrow->text_x, arrow->text_y + 15,
             edge->is_elsewhere ? "–" : page_group(total, text));
    page_put(page, "</g>");
}

static void put_picture(const struct page *page, const struct flow *flow)
{
    page_put(page, "<svg class=\"flow\" viewBox=\"-1 -1 398 250\" role=\"img\" "
                   "aria-label=\"Clients to ingress to leader to app, and back\">");
    for (int i = 0; i < NODE_COUNT; i++)
        put_node(page, &places[i], &flow->nodes[i]);
    for (int i = 0; i < NODE_COUNT - 1; i++) {
        const struct edge *edge = &flow->edges[i];

        put_way(page, edge, &arrows[i][0], "requests", edge->requests);
        put_way(page, edge, &arrows[i][1], "replies", edge->replies);
    }
    page_put(page, "</svg>\n");
}

/* ---- in words ---- */

static void page_put_words(const struct page *page, const struct flow *flow)
{
    char in[PAGE_NUMBER_MAX], between[PAGE_NUMBER_MAX], app[PAGE_NUMBER_MAX], out[PAGE_NUMBER_MAX];

    page_put(page, "Clients sent <b>%s</b> datagrams to this pod",
             page_group(flow->edges[0].requests, in));
    if (is_leader(page))
        page_put(page, ", which leads, and other pods carried <b>%s</b> to it",
                 page_group(flow->edges[1].requests, between));
    else
        page_put(page, ", and it carried <b>%s</b> to the leader",
                 page_group(flow->edges[1].requests, between));
    page_put(page, ". Its own app got <b>%s</b>; <b>%s</b> replies went to clients.",
             page_group(flow->edges[2].requests, app), page_group(flow->edges[0].replies, out));
}

void page_put_flow(const struct page *page)
{
    const struct flow flow = gather(page);

    page_put(page,
             "<section class=\"card wide\" aria-labelledby=\"flow\"><h2 id=\"flow\">The way of "
             "a datagram</h2><figure>");
    put_picture(page, &flow);
    page_put(page, "<figcaption class=\"hint\">");
    page_put_words(page, &flow);
    page_put(page, "</figcaption></figure></section>\n");
}
