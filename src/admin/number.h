/* number: the text of a value, the same in every document. Private to admin/. */
#ifndef ADMIN_NUMBER_H
#define ADMIN_NUMBER_H

#include "admin/documents.h"

#define NUMBER_TEXT_MAX 32

/* Nanoseconds as seconds: "0", "0.25", "12.000000001". Returns text. */
const char *number_format_seconds(uint64_t ns, char text[static NUMBER_TEXT_MAX]);

/* A value of this sample's type. */
const char *number_format(const struct sample *sample, char text[static NUMBER_TEXT_MAX]);

/* A value of this distribution: its sum, or the upper bound of a bucket, which may be "+Inf". */
const char *number_format_spread(enum distribution_id id, uint64_t value,
                                 char text[static NUMBER_TEXT_MAX]);
const char *number_format_bound(enum distribution_id id, size_t bucket,
                                char text[static NUMBER_TEXT_MAX]);

#endif
