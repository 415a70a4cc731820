#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "headless/base/clock.h"
#include "headless/base/utf8.h"
#include "headless/ctl/ctl.h"
#include "headless/wire/leader_command.h"

void ctl_put_printable(FILE *out, const char *text)
{
    ctl_put_cut(out, text, 80);
}

/* At most max characters, none that could begin an escape sequence, without the last newline. */
void ctl_put_cut(FILE *out, const char *text, size_t max)
{
    for (size_t i = 0; i < max && *text && strcmp(text, "\n") != 0; i++) {
        uint32_t code = 0;
        size_t length = utf8_decode(text, &code);

        if (length == 0 || utf8_is_control(code))
            (void)putc('?', out);
        else
            (void)fwrite(text, 1, length, out);
        text += length ? length : 1;
    }
}

static bool is_leader_name(const char *who)
{
    size_t length = strlen(who);

    for (size_t i = 0; i < length; i++) {
        if (who[i] <= ' ' || who[i] > '~')
            return false;
    }
    return length > 0 && length < MEMBER_NAME_FULL_MAX;
}

size_t ctl_put_command(char *out, size_t size, const char *who, const struct ctl_options *options)
{
    struct json_object *command, *leader;
    char target[LEADER_COMMAND_TARGET_MAX];
    int n;

    if (!is_leader_name(who))
        return 0;
    command = json_object_new_object();
    (void)member_name_put(who, target); /* here too: former versions take no long name */
    leader = json_object_new_string(target);
    (void)json_object_object_add(command, "leader", leader);
    if (options->given & CTL_OPTION_IF_TERM)
        (void)json_object_object_add(command, "if_term", json_object_new_uint64(options->if_term));
    if (options->force)
        (void)json_object_object_add(command, "force", json_object_new_boolean(true));
    n = snprintf(out, size, "%s",
                 json_object_to_json_string_ext(command, JSON_C_TO_STRING_PLAIN |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)json_object_put(command);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

size_t ctl_pad_command(char *out, size_t size, size_t length)
{
    while (length < CTL_COMMAND_BYTES_MIN && length + 1 < size)
        out[length++] = ' ';
    out[length] = '\0';
    return length;
}

void ctl_put_probe(char out[static CTL_PROBE_BYTES + 1], const char *nonce)
{
    size_t n = (size_t)snprintf(out, CTL_PROBE_BYTES + 1, "{\"probe\":\"%s\",\"pad\":\"", nonce);

    memset(out + n, 'x', CTL_PROBE_BYTES - n - 2);
    memcpy(out + CTL_PROBE_BYTES - 2, "\"}", 3);
}

uint64_t ctl_draw_number(void)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        number = clock_now_ns(); /* it must be new, not secret */
    return number;
}

void ctl_draw_nonce(char out[static 17])
{
    (void)snprintf(out, 17, "%016" PRIx64, ctl_draw_number());
}

static const char *text_of(const struct json_object *object, const char *key, const char *missing)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return missing;
    return json_object_get_string(value);
}

bool ctl_is_probe_reply(const struct ctl_request *request, const char *reply)
{
    struct json_object *object = json_tokener_parse(reply);
    bool is = json_object_is_type(object, json_type_object) &&
              strcmp(text_of(object, "probe", ""), request->nonce) == 0;

    (void)json_object_put(object);
    return is;
}

static void show_silence(FILE *out, const struct ctl_pod *pod)
{
    (void)fputs("no reply", out);
    if (pod->error == ECONNREFUSED)
        (void)fputs(": nothing listens there", out);
    else if (pod->error)
        (void)fprintf(out, ": %s", strerror(pod->error));
    (void)putc('\n', out);
}

/* "ok TERM\n" */
static bool is_ok(const char *reply)
{
    return strncmp(reply, "ok ", 3) == 0 &&
           strcmp(reply + 3 + strspn(reply + 3, "0123456789"), "\n") == 0;
}

bool ctl_show_command_reply(FILE *out, const struct ctl_pod *pod, bool has_if_term)
{
    static const char *const refusals[] = {"no member\n",  "not alive\n", "not eligible\n",
                                           "not unique\n", "no auth\n",   "no quorum\n",
                                           "bad json\n",   "bad term\n"};
    char address[ADDRESS_TEXT_MAX];
    size_t i = 0;

    (void)fprintf(out, "%s: ", address_format(&pod->address, address));
    if (!pod->replied) {
        show_silence(out, pod);
        return false;
    }
    if (is_ok(pod->reply)) {
        (void)fputs(pod->reply, out);
        return true;
    }
    while (i < sizeof(refusals) / sizeof(refusals[0]) && strcmp(pod->reply, refusals[i]) != 0)
        i++;
    if (i == sizeof(refusals) / sizeof(refusals[0])) {
        (void)fputs("no reply to a command, but \"", out);
        ctl_put_printable(out, pod->reply);
        (void)fputs("\": does control.accept allow commands there?\n", out);
        return false;
    }
    (void)fprintf(out, "%.*s", (int)strcspn(pod->reply, "\n"), pod->reply);
    /* If the reply to the first try was lost, the term has changed for the second. */
    if (has_if_term && pod->tries > 1 && strcmp(pod->reply, "bad term\n") == 0)
        (void)fputs(" (asked more than once: the first may have been carried out)", out);
    (void)putc('\n', out);
    return false;
}

static double round_trip_ms(const struct ctl_pod *pod)
{
    return (double)(pod->replied_ns - pod->sent_ns) / (double)NS_PER_MS;
}

void ctl_show_reply(FILE *out, const struct ctl_pod *pod)
{
    char address[ADDRESS_TEXT_MAX];

    (void)fprintf(out, "%s: ", address_format(&pod->address, address));
    if (!pod->replied) {
        show_silence(out, pod);
        return;
    }
    (void)fprintf(out, "%.3f ms: ", round_trip_ms(pod));
    ctl_put_printable(out, pod->reply);
    (void)putc('\n', out);
}

void ctl_show_probe_reply(FILE *out, const struct ctl_pod *pod)
{
    struct json_object *object, *term = NULL;
    char address[ADDRESS_TEXT_MAX];

    (void)fprintf(out, "%s: ", address_format(&pod->address, address));
    if (!pod->replied) {
        show_silence(out, pod);
        return;
    }
    object = json_tokener_parse(pod->reply);
    (void)json_object_object_get_ex(object, "term", &term);
    (void)fputs("leader ", out);
    ctl_put_printable(out, text_of(object, "leader", "unknown"));
    (void)fputs(" (", out);
    ctl_put_printable(out, text_of(object, "address", "unknown"));
    (void)fputs("), via ", out);
    ctl_put_printable(out, text_of(object, "via", "unknown"));
    (void)fprintf(out, ", term %" PRIu64 ", %.3f ms\n", json_object_get_uint64(term),
                  round_trip_ms(pod));
    (void)json_object_put(object);
}
