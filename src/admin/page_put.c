#include "admin/page.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 128

/* ---- escaping ---- */

static void page_put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '&')
            (void)fputs("&amp;", out);
        else if (c == '<')
            (void)fputs("&lt;", out);
        else if (c == '>')
            (void)fputs("&gt;", out);
        else if (c == '"')
            (void)fputs("&quot;", out);
        else if (c == '\'')
            (void)fputs("&#39;", out);
        else if (c < 0x20 || c == 0x7f)
            (void)fputs("&#xFFFD;", out); /* names are printable: mark other bytes */
        else
            (void)fputc(c, out);
    }
}

void page_put(const struct page *page, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    for (const char *next; *format; format = next) {
        next = strchrnul(format, '%');
        (void)fwrite(format, 1, (size_t)(next - format), page->out);
        if (strncmp(next, "%s", 2) == 0) {
            page_put_escaped(page->out, va_arg(args, const char *));
            next += 2;
        } else if (strncmp(next, "%lld", 4) == 0) {
            (void)fprintf(page->out, "%lld", va_arg(args, long long));
            next += 4;
        } else if (*next) {
            break; /* unknown conversion: its argument cannot be skipped */
        }
    }
    va_end(args);
}

/* ---- access to the object of /status ---- */

struct json_object *page_find(struct json_object *object, const char *path)
{
    char keys[PATH_MAX_BYTES], *key, *rest = keys;

    if ((size_t)snprintf(keys, sizeof(keys), "%s", path) >= sizeof(keys))
        return NULL;
    while (object && (key = strsep(&rest, "."))) {
        if (!json_object_is_type(object, json_type_object) ||
            !json_object_object_get_ex(object, key, &object))
            return NULL;
    }
    return object;
}

const char *page_text(struct json_object *object, const char *path)
{
    struct json_object *text = page_find(object, path);

    return json_object_is_type(text, json_type_string) ? json_object_get_string(text) : "";
}

int64_t page_number(struct json_object *object, const char *path)
{
    return json_object_get_int64(page_find(object, path));
}

size_t page_count(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

const char *page_pod(struct json_object *pod)
{
    const char *name = page_text(pod, "name");

    return *name ? name : page_text(pod, "address");
}

/* ---- numbers as text ---- */

const char *page_group(int64_t number, char text[static PAGE_NUMBER_MAX])
{
    char digits[PAGE_NUMBER_MAX];
    int length = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    size_t n = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
            text[n++] = ',';
        text[n++] = digits[i];
    }
    text[n] = '\0';
    return text;
}

const char *page_duration(uint64_t ms, char text[static PAGE_DURATION_MAX])
{
    const unsigned long long seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;

    if (ms < 1000)
        (void)snprintf(text, PAGE_DURATION_MAX, "%llu ms", (unsigned long long)ms);
    else if (seconds < 120)
        (void)snprintf(text, PAGE_DURATION_MAX, "%llu s", seconds);
    else if (minutes < 120)
        (void)snprintf(text, PAGE_DURATION_MAX, "%llu min", minutes);
    else if (hours < 48)
        (void)snprintf(text, PAGE_DURATION_MAX, "%llu h %llu min", hours, minutes % 60);
    else
        (void)snprintf(text, PAGE_DURATION_MAX, "%llu d %llu h", hours / 24, hours % 24);
    return text;
}

/* With the date, if that is not today's. */
void page_put_time(const struct page *page, struct json_object *object)
{
    const char *time = page_text(object, "time");
    const char *today = page_text(page->status, "time");
    char day[12] = "", clock[9] = "";

    if (strlen(time) >= strlen("2026-11-27T04:12:31")) {
        if (strncmp(time, today, 10) != 0)
            (void)snprintf(day, sizeof(day), "%.10s ", time);
        (void)snprintf(clock, sizeof(clock), "%.8s", time + 11);
    }
    page_put(page, "<time datetime=\"%s\">%s%s UTC</time>", time, day, clock);
}

void page_put_rate(const struct page *page, const char *key, const char *of, int64_t total)
{
    page_put(page, "<span class=\"rate\" data-key=\"%s %s\" data-total=\"%lld\"></span>", key, of,
             (long long)total);
}
