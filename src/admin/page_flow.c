/*
 * The way of a datagram as this pod sees it, as a picture: client, ingress, leader, app. Requests
 * go one way, answers the other. It is drawn twice, lying for wide screens and standing for narrow
 * ones; the style shows one of them. The words below it say the same without the picture.
 */
#include "admin/page.h"

#include <string.h>

#define NODE_COUNT 4
#define NAME_SHOWN 17 /* characters of a name that fit */

struct node {
    const char *role, *name, *state; /* state: a word for the style */
};

/* From a node to the next: what goes, what comes back. */
struct edge {
    const char *key;
    int64_t requests, answers;
    bool is_elsewhere; /* this pod does not know: it is another's app */
};

struct flow {
    struct node nodes[NODE_COUNT];
    struct edge edges[NODE_COUNT - 1];
};

struct layout {
    const char *name;
    int width, height;           /* of the picture */
    int node_width, node_height; /* of a box */
    int x, y, step_x, step_y;    /* of the first box, and to the next */
};

static const struct layout lying = {"lying", 884, 100, 152, 84, 0, 8, 244, 0};
static const struct layout standing = {"standing", 320, 468, 184, 72, 68, 0, 0, 132};

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
                         : counter(page, "answers_received_total.relay"),
                   false},
                  {"app", counter(page, "datagrams_delivered_total"),
                   counter(page, "answers_received_total.app"), !leads}}};
}

/* ---- drawing ---- */

static void put_text(const struct page *page, const char *class, int x, int y, const char *text)
{
    page_put(page, "<text class=\"%s\" x=\"%lld\" y=\"%lld\">%s</text>", class, (long long)x,
             (long long)y, text);
}

static void put_node(const struct page *page, const struct layout *layout, const struct node *node,
                     int i)
{
    int x = layout->x + i * layout->step_x, y = layout->y + i * layout->step_y;
    int middle = x + layout->node_width / 2;
    char name[NAME_SHOWN + 4];
    bool is_long = strlen(node->name) > NAME_SHOWN;

    (void)snprintf(name, sizeof(name), "%.*s%s", is_long ? NAME_SHOWN - 1 : NAME_SHOWN, node->name,
                   is_long ? "…" : "");
    page_put(page,
             "<g class=\"node %s\"><rect x=\"%lld\" y=\"%lld\" width=\"%lld\" height=\"%lld\" "
             "rx=\"10\"/>",
             node->state, (long long)x, (long long)y, (long long)layout->node_width,
             (long long)layout->node_height);
    put_text(page, "role", middle, y + layout->node_height / 2 - 10, node->role);
    put_text(page, "name", middle, y + layout->node_height / 2 + 14, name);
    page_put(page, "</g>");
}

/* One way: an arrow, how quickly, and how many in all. */
struct way {
    const char *what; /* requests, answers */
    int64_t total;
    int x, y, dx, dy; /* the arrow */
    int text_x, text_y;
    const char *anchor;
};

static void put_way(const struct page *page, const struct edge *edge, const struct way *way)
{
    const long long end_x = way->x + way->dx, end_y = way->y + way->dy;
    const long long wing_x = way->dx ? (way->dx > 0 ? 7 : -7) : 5;
    const long long wing_y = way->dy ? (way->dy > 0 ? 7 : -7) : 5;
    char text[PAGE_NUMBER_MAX];

    page_put(page, "<g class=\"way %s %s\"><path class=\"line\" d=\"M%lld %lldL%lld %lld\"/>",
             way->what, way->anchor, (long long)way->x, (long long)way->y, end_x, end_y);
    page_put(page, "<path class=\"head\" d=\"M%lld %lldl%lld %lldM%lld %lldl%lld %lld\"/>", end_x,
             end_y, -wing_x, -wing_y, end_x, end_y, way->dx ? -wing_x : wing_x,
             way->dx ? wing_y : -wing_y);
    if (edge->is_elsewhere) {
        put_text(page, "total", way->text_x, way->text_y + 15, "–");
        page_put(page, "</g>");
        return;
    }
    page_put(page,
             "<text class=\"rate\" x=\"%lld\" y=\"%lld\" data-key=\"%s %s\" "
             "data-total=\"%lld\"></text>",
             (long long)way->text_x, (long long)way->text_y, way->what, edge->key,
             (long long)way->total);
    put_text(page, "total", way->text_x, way->text_y + 15, page_group(way->total, text));
    page_put(page, "</g>");
}

static void put_edge_lying(const struct page *page, const struct edge *edge, int i)
{
    int from = lying.x + i * lying.step_x + lying.node_width + 6;
    int length = lying.step_x - lying.node_width - 12, middle = from + length / 2;
    const struct way there = {"requests", edge->requests, from, 42,      length,
                              0,          middle,         20,   "middle"};
    const struct way back = {"answers", edge->answers, from + length, 58, -length, 0, middle,
                             75,        "middle"};

    put_way(page, edge, &there);
    put_way(page, edge, &back);
}

static void put_edge_standing(const struct page *page, const struct edge *edge, int i)
{
    int from = standing.y + i * standing.step_y + standing.node_height + 6;
    int length = standing.step_y - standing.node_height - 12, middle = from + length / 2;
    const struct way there = {"requests", edge->requests, 148,  from, 0, length,
                              136,        middle - 3,     "end"};
    const struct way back = {"answers", edge->answers, 172,        from + length, 0,
                             -length,   184,           middle - 3, "start"};

    put_way(page, edge, &there);
    put_way(page, edge, &back);
}

static void put_picture(const struct page *page, const struct flow *flow,
                        const struct layout *layout)
{
    page_put(page,
             "<svg class=\"%s\" viewBox=\"0 0 %lld %lld\" role=\"img\" "
             "aria-label=\"Clients to ingress to leader to app, and back\">",
             layout->name, (long long)layout->width, (long long)layout->height);
    for (int i = 0; i < NODE_COUNT; i++)
        put_node(page, layout, &flow->nodes[i], i);
    for (int i = 0; i < NODE_COUNT - 1; i++) {
        if (layout == &lying)
            put_edge_lying(page, &flow->edges[i], i);
        else
            put_edge_standing(page, &flow->edges[i], i);
    }
    page_put(page, "</svg>\n");
}

/* ---- in words ---- */

static void put_words(const struct page *page, const struct flow *flow)
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
    page_put(page, ". Its own app was given <b>%s</b>; <b>%s</b> answers left for clients.",
             page_group(flow->edges[2].requests, app), page_group(flow->edges[0].answers, out));
}

void page_put_flow(const struct page *page)
{
    const struct flow flow = gather(page);

    page_put(page,
             "<section class=\"card wide\" aria-labelledby=\"flow\"><h2 id=\"flow\">The way of "
             "a datagram</h2><figure>");
    put_picture(page, &flow, &lying);
    put_picture(page, &flow, &standing);
    page_put(page, "<figcaption class=\"hint\">");
    put_words(page, &flow);
    page_put(page, "</figcaption></figure></section>\n");
}
