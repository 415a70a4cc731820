/*
 * The replies and responses of a pod to headlessctl, by UDP and by HTTP, which may be forged: any bytes
 * are shown as lines of printable characters (UTF-8), so that none can control the terminal.
 */
#include <json-c/json.h>
#include <string.h>

#include "ctl/top.h"
#include "fuzz.h"
#include "headless/base/utf8.h"
#include "headless/ctl/ctl.h"

/* A stream into memory, which must hold nothing but printable lines in the end. */
struct shown {
    FILE *file;
    char *text;
    size_t length;
};

static FILE *begin(struct shown *shown)
{
    shown->text = NULL;
    shown->file = open_memstream(&shown->text, &shown->length);
    FUZZ_CHECK(shown->file);
    return shown->file;
}

static void check_shown(struct shown *shown)
{
    (void)fclose(shown->file);
    FUZZ_CHECK(shown->length > 0 && shown->text[shown->length - 1] == '\n');
    for (size_t i = 0, bytes; i < shown->length; i += bytes) {
        uint32_t code;

        bytes = utf8_decode(&shown->text[i], &code);
        FUZZ_CHECK(bytes > 0 && (code == '\n' || !utf8_is_control(code)));
    }
    free(shown->text);
}

static void show_datagram(const uint8_t *data, size_t size)
{
    static struct ctl_pod pod; /* for its size */
    const struct ctl_request request = {.nonce = "0123456789abcdef"};
    struct shown shown;
    bool is_ok;

    pod.replied = true;
    pod.tries = 2;
    memset(pod.reply, 0, sizeof(pod.reply));
    memcpy(pod.reply, data, size < sizeof(pod.reply) ? size : sizeof(pod.reply) - 1);
    is_ok = ctl_show_command_reply(begin(&shown), &pod, true);
    check_shown(&shown);
    FUZZ_CHECK(!is_ok || strncmp(pod.reply, "ok ", 3) == 0);
    ctl_show_reply(begin(&shown), &pod);
    check_shown(&shown);
    ctl_show_probe_reply(begin(&shown), &pod);
    check_shown(&shown);
    (void)ctl_is_probe_reply(&request, pod.reply);
}

static void show_frame(const struct json_object *object)
{
    struct top_frame frame = {
        .where = "pod", .now = object, .before = object, .between_ns = 1, .lines = 24};
    struct shown shown;

    top_put_frame(begin(&shown), &frame);
    check_shown(&shown);
}

static void show_pages(const struct json_object *object)
{
    struct shown shown;

    ctl_show_status(begin(&shown), object);
    check_shown(&shown);
    ctl_show_leader(begin(&shown), object);
    check_shown(&shown);
    ctl_show_event(begin(&shown), object, 0);
    check_shown(&shown);
    ctl_show_succession(begin(&shown), object);
    check_shown(&shown);
    ctl_show_sessions(begin(&shown), object);
    check_shown(&shown);
    show_frame(object);
}

static void show_json(const char *text)
{
    struct json_object *object = json_tokener_parse(text);

    if (json_object_is_type(object, json_type_object))
        show_pages(object);
    (void)json_object_put(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctl_response page = {0};
    char *text = malloc(size + 1);

    FUZZ_CHECK(text);
    show_datagram(data, size);
    memcpy(text, data, size);
    text[size] = '\0';
    show_json(text);
    if (ctl_response_parse(text, &page) == 0) {
        FUZZ_CHECK(page.body >= text && page.body <= text + size);
        show_json(page.body);
    }
    free(text);
    return 0;
}
