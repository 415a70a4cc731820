#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"
#include "headless/wire/leader_command.h"

void ctl_put_printable(FILE *out, const char *text)
{
    ctl_put_cut(out, text, 80);
}

/* Text from the network, for a terminal: nothing that could be an escape sequence, nor its last
 * newline. */
void ctl_put_cut(FILE *out, const char *text, size_t max)
{
    for (size_t i = 0; i < max && text[i] && strcmp(text + i, "\n") != 0; i++)
        (void)putc(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?', out);
}

static bool can_be_somebody(const char *who)
{
    size_t length = strlen(who);

    for (size_t i = 0; i < length; i++) {
        if (who[i] <= ' ' || who[i] > '~')
            return false;
    }
    return length > 0 && length < LEADER_COMMAND_TARGET_MAX;
}

size_t ctl_put_command(char *out, size_t size, const char *who, const struct ctl_options *options)
{
    struct json_object *command, *leader;
    int n;

    if (!can_be_somebody(who))
        return 0;
    command = json_object_new_object();
    leader = json_object_new_string(who);
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
        number = clock_now_ns(); /* need not be secret, only new */
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

bool ctl_is_probe_answer(const struct ctl_question *question, const char *answer)
{
    struct json_object *object = json_tokener_parse(answer);
    bool is = json_object_is_type(object, json_type_object) &&
              strcmp(text_of(object, "probe", ""), question->nonce) == 0;

    (void)json_object_put(object);
    return is;
}

static void show_silence(FILE *out, const struct ctl_pod *pod)
{
    (void)fputs("no answer", out);
    if (pod->error == ECONNREFUSED)
        (void)fputs(": nothing listens there", out);
    else if (pod->error)
        (void)fprintf(out, ": %s", strerror(pod->error));
    (void)putc('\n', out);
}

/* "ok TERM\n" */
static bool is_ok(const char *answer)
{
    return strncmp(answer, "ok ", 3) == 0 &&
           strcmp(answer + 3 + strspn(answer + 3, "0123456789"), "\n") == 0;
}

bool ctl_show_command_answer(FILE *out, const struct ctl_pod *pod, bool has_if_term)
{
    static const char *const refusals[] = {"no member\n", "no auth\n", "no quorum\n", "bad json\n",
                                           "bad term\n"};
    char address[ADDRESS_TEXT_MAX];
    size_t i = 0;

    (void)fprintf(out, "%s: ", address_format(&pod->address, address));
    if (!pod->answered) {
        show_silence(out, pod);
        return false;
    }
    if (is_ok(pod->answer)) {
        (void)fputs(pod->answer, out);
        return true;
    }
    while (i < sizeof(refusals) / sizeof(refusals[0]) && strcmp(pod->answer, refusals[i]) != 0)
        i++;
    if (i == sizeof(refusals) / sizeof(refusals[0])) {
        (void)fputs("no answer to a command, but \"", out);
        ctl_put_printable(out, pod->answer);
        (void)fputs("\": does control.accept allow commands there?\n", out);
        return false;
    }
    (void)fprintf(out, "%.*s", (int)strcspn(pod->answer, "\n"), pod->answer);
    /* Its answer to the first try may have been lost: then the term is a new one for the second. */
    if (has_if_term && pod->tries > 1 && strcmp(pod->answer, "bad term\n") == 0)
        (void)fputs(" (asked more than once: the first may have been carried out)", out);
    (void)putc('\n', out);
    return false;
}

static double round_trip_ms(const struct ctl_pod *pod)
{
    return (double)(pod->answered_ns - pod->sent_ns) / (double)NS_PER_MS;
}

void ctl_show_answer(FILE *out, const struct ctl_pod *pod)
{
    char address[ADDRESS_TEXT_MAX];

    (void)fprintf(out, "%s: ", address_format(&pod->address, address));
    if (!pod->answered) {
        show_silence(out, pod);
        return;
    }
    (void)fprintf(out, "%.3f ms: ", round_trip_ms(pod));
    ctl_put_printable(out, pod->answer);
    (void)putc('\n', out);
}

void ctl_show_probe_answer(FILE *out, const struct ctl_pod *pod)
{
    struct json_object *object, *term = NULL;
    char address[ADDRESS_TEXT_MAX];

    (void)fprintf(out, "%s: ", address_format(&pod->address, address));
    if (!pod->answered) {
        show_silence(out, pod);
        return;
    }
    object = json_tokener_parse(pod->answer);
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
