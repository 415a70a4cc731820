#include "svg.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define MARGIN      20.0
#define LETTER      6.7 /* upper bound of the width of a letter of 12 px */
#define ENTRY_SPACE 34.0
#define ROW_HEIGHT  20.0
#define TICKS_MAX   32

static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#8a7a00"};
static const char band_colour[] = "#f4c7c3";

static const char *colour_of(unsigned colour)
{
    return colours[colour % (sizeof(colours) / sizeof(colours[0]))];
}

static void write_text(struct svg *svg, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            (void)fputs("&lt;", svg->file);
        else if (*text == '>')
            (void)fputs("&gt;", svg->file);
        else if (*text == '&')
            (void)fputs("&amp;", svg->file);
        else if ((unsigned char)*text < ' ') /* XML has no other control characters */
            (void)fputc('?', svg->file);
        else
            (void)fputc(*text, svg->file);
    }
}

static void write_label(struct svg *svg, double x, double y, const char *attributes,
                        const char *text)
{
    (void)fprintf(svg->file, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
    write_text(svg, text);
    (void)fputs("</text>\n", svg->file);
}

static void write_rule(struct svg *svg, double x1, double y1, double x2, double y2)
{
    (void)fprintf(svg->file,
                  "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#dddddd\"/>\n",
                  x1, y1, x2, y2);
}

/* ---- numbers of an axis ---- */

/* The largest of 1, 2, 5, 10, 20, ... that is not above a number. */
static double round_down(double value)
{
    double decade = pow(10, floor(log10(value) + 1e-9));
    double leading = value / decade * (1 + 1e-9);

    return decade * (leading >= 5 ? 5 : leading >= 2 ? 2 : 1);
}

static double round_up(double value)
{
    double below = round_down(value);

    if (below >= value * (1 - 1e-9))
        return below;
    return below * (below / pow(10, floor(log10(below) + 1e-9)) > 1.5 &&
                            below / pow(10, floor(log10(below) + 1e-9)) < 3
                        ? 2.5
                        : 2);
}

/* Distance of the ticks of a linear axis, for about six of them. */
static double svg_get_step(const struct svg_axis *axis)
{
    return round_up((axis->high - axis->low) / 7);
}

void svg_axis_fit(struct svg_axis *axis)
{
    double step;

    if (axis->scale == SVG_LOG) {
        axis->low = round_down(axis->low);
        axis->high = round_up(axis->high);
        if (axis->high <= axis->low * 1.5)
            axis->high = axis->low * 10;
        return;
    }
    if (axis->high <= axis->low)
        axis->high = axis->low + 1;
    step = svg_get_step(axis);
    axis->low = floor(axis->low / step + 1e-9) * step;
    axis->high = ceil(axis->high / step - 1e-9) * step;
}

static void format_scaled(double value, const char *const *units, double first,
                          char text[static 32])
{
    unsigned i = 0;

    value /= first;
    while (fabs(value) >= 1000 * (1 - 1e-9) && units[i + 1]) {
        value /= 1000;
        i++;
    }
    (void)snprintf(text, 32, "%.6g%s", value, units[i]);
}

static void svg_format_number(const struct svg_axis *axis, double value, char text[static 32])
{
    static const char *const counts[] = {"", "k", "M", "G", NULL};
    static const char *const times[] = {" ns", " us", " ms", " s", NULL};

    switch (axis->unit) {
    case SVG_COUNT:
        format_scaled(value, counts, 1, text);
        break;
    case SVG_TIME:
        format_scaled(value, times, 1, text);
        break;
    case SVG_PERCENT:
        (void)snprintf(text, 32, "%.6g %%", value);
        break;
    case SVG_NINES:
        (void)snprintf(text, 32, "%.8g %%", 100 - 100 / value);
        break;
    case SVG_PLAIN:
        (void)snprintf(text, 32, "%.6g", value);
        break;
    }
}

/* The tick after a number; below the low end: the first one. */
static double next_tick(const struct svg_axis *axis, double tick)
{
    bool decades = axis->unit == SVG_NINES || axis->high / axis->low > 1100;
    double step;

    if (axis->scale == SVG_LOG)
        return decades ? pow(10, floor(log10(tick) + 1e-9) + 1) : round_up(tick * 1.01);
    step = svg_get_step(axis);
    return (round(tick / step) + 1) * step;
}

/* 0 at the low end, 1 at the high end. */
static double svg_place(const struct svg_axis *axis, double value)
{
    if (axis->scale == SVG_LOG) {
        if (value <= axis->low)
            return 0;
        return log(value / axis->low) / log(axis->high / axis->low);
    }
    return (value - axis->low) / (axis->high - axis->low);
}

static double get_x(const struct svg_panel *p, double value)
{
    return p->left + p->width * svg_place(&p->x, value);
}

static double get_y(const struct svg_panel *p, double value)
{
    return p->top + p->height * (1 - svg_place(&p->y, value));
}

/* ---- the parts of a chart ---- */

void svg_begin(struct svg *svg, FILE *file, double width, double height, const char *title)
{
    *svg = (struct svg){.file = file, .width = width};
    (void)fprintf(file,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\" font-family=\"Helvetica, Arial, sans-serif\" "
                  "font-size=\"12\" fill=\"#333333\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                  width, height, width, height);
    write_label(svg, MARGIN, 28, "font-size=\"16\" font-weight=\"bold\"", title);
}

static double entry_width(const struct svg_entry *entry)
{
    return ENTRY_SPACE + LETTER * (double)strlen(entry->name);
}

/* Lay out the entries, row by row; writes them if svg is not NULL. Returns the y below. */
static double lay_out(struct svg *svg, double width, double top, const struct svg_entry *entries,
                      size_t count)
{
    double x = MARGIN;
    double y = top;

    for (size_t i = 0; i < count; i++) {
        const struct svg_entry *e = &entries[i];

        if (x > MARGIN && x + entry_width(e) > width - MARGIN) {
            x = MARGIN;
            y += ROW_HEIGHT;
        }
        if (svg) {
            (void)fprintf(svg->file,
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"16\" height=\"%d\" fill=\"%s\"/>\n",
                          x, e->band ? y + 2 : y + 6, e->band ? 12 : 4,
                          e->band ? band_colour : colour_of(e->colour));
            write_label(svg, x + 21, y + 12, "", e->name);
        }
        x += entry_width(e);
    }
    return count ? y + ROW_HEIGHT : top;
}

double svg_legend(struct svg *svg, double top, const struct svg_entry *entries, size_t count)
{
    return lay_out(svg, svg->width, top, entries, count);
}

double svg_legend_height(double width, const struct svg_entry *entries, size_t count)
{
    return lay_out(NULL, width, 0, entries, count);
}

static void label_of(const struct svg_axis *axis, double tick, char text[static 32])
{
    if (axis->low_label && tick <= axis->low)
        (void)snprintf(text, 32, "%s", axis->low_label);
    else
        svg_format_number(axis, tick, text);
}

static size_t list_ticks(const struct svg_axis *axis, double ticks[static TICKS_MAX])
{
    double tick = axis->low;
    size_t count = 0;

    while (count < TICKS_MAX && tick <= axis->high * (1 + 1e-9)) {
        ticks[count++] = tick;
        tick = next_tick(axis, tick);
    }
    return count;
}

static void write_ticks(struct svg *svg, const struct svg_panel *p)
{
    const double bottom = p->top + p->height;
    double ticks[TICKS_MAX];
    char text[32];
    size_t count = list_ticks(&p->x, ticks);

    for (size_t i = 0; i < count; i++) {
        double x = get_x(p, ticks[i]);

        label_of(&p->x, ticks[i], text);
        write_rule(svg, x, p->top, x, bottom);
        write_label(svg, x, bottom + 17, "text-anchor=\"middle\"", text);
    }
    count = list_ticks(&p->y, ticks);
    for (size_t i = 0; i < count; i++) {
        double y = get_y(p, ticks[i]);

        label_of(&p->y, ticks[i], text);
        write_rule(svg, p->left, y, p->left + p->width, y);
        write_label(svg, p->left - 7, y + 4, "text-anchor=\"end\"", text);
    }
}

void svg_panel(struct svg *svg, const struct svg_panel *p)
{
    const double middle = p->top + p->height / 2;
    char turned[96];

    svg->panels++;
    (void)fprintf(svg->file,
                  "<clipPath id=\"panel%u\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                  "height=\"%.1f\"/></clipPath>\n",
                  svg->panels, p->left - 4, p->top - 4, p->width + 8, p->height + 8);
    write_ticks(svg, p);
    (void)fprintf(svg->file,
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
                  "stroke=\"#777777\"/>\n",
                  p->left, p->top, p->width, p->height);
    write_label(svg, p->left + p->width / 2, p->top + p->height + 36, "text-anchor=\"middle\"",
                p->x.label);
    (void)snprintf(turned, sizeof(turned),
                   "text-anchor=\"middle\" transform=\"rotate(-90 %.1f %.1f)\"", MARGIN, middle);
    write_label(svg, MARGIN, middle, turned, p->y.label);
}

void svg_line(struct svg *svg, const struct svg_panel *panel, const struct svg_point *points,
              size_t count, unsigned colour)
{
    bool drawing = false;

    (void)fprintf(svg->file,
                  "<path clip-path=\"url(#panel%u)\" fill=\"none\" stroke=\"%s\" "
                  "stroke-width=\"1.8\" stroke-linejoin=\"round\" d=\"",
                  svg->panels, colour_of(colour));
    for (size_t i = 0; i < count; i++) {
        if (isnan(points[i].x) || isnan(points[i].y)) {
            drawing = false;
            continue;
        }
        (void)fprintf(svg->file, "%c%.1f %.1f ", drawing ? 'L' : 'M', get_x(panel, points[i].x),
                      get_y(panel, points[i].y));
        drawing = true;
    }
    (void)fputs("\"/>\n", svg->file);
}

void svg_dots(struct svg *svg, const struct svg_panel *panel, const struct svg_point *points,
              size_t count, unsigned colour)
{
    (void)fprintf(svg->file, "<g clip-path=\"url(#panel%u)\" fill=\"%s\" fill-opacity=\"0.6\">\n",
                  svg->panels, colour_of(colour));
    for (size_t i = 0; i < count; i++)
        if (!isnan(points[i].x) && !isnan(points[i].y))
            (void)fprintf(svg->file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n",
                          get_x(panel, points[i].x), get_y(panel, points[i].y));
    (void)fputs("</g>\n", svg->file);
}

void svg_band(struct svg *svg, const struct svg_panel *p, double from, double to)
{
    const double left = fmax(get_x(p, from), p->left);
    const double right = fmin(get_x(p, to), p->left + p->width);

    if (right > left)
        (void)fprintf(svg->file,
                      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
                      left, p->top, right - left, p->height, band_colour);
}

int svg_end(struct svg *svg)
{
    (void)fputs("</svg>\n", svg->file);
    return fflush(svg->file) || ferror(svg->file) ? -EIO : 0;
}
