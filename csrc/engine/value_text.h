/* value_text.h - a field's value as text: as JSON's own types, and as tshark prints it. */
#ifndef WISHPY_VALUE_TEXT_H
#define WISHPY_VALUE_TEXT_H

#include "field.h"
#include "field_table.h"
#include "field_value.h"
#include "status.h"
#include "text_buffer.h"

static inline bool
wp_has_value(const wp_field_def *def)
{
    return def->kind != WP_NONE && def->kind != WP_PROTOCOL;
}

/* The double that is nearest to this time: 0.3 for 300,000,000 ns, where adding up would give its neighbour. */
double wp_seconds(int64_t seconds, int64_t nanoseconds);

/* Only Wireshark can write it, and in a live tree it was not yet asked to: wp_value_display_locked then. */
static inline bool
wp_value_is_asked(const wp_field *field)
{
    return field->def->kind == WP_OTHER && field->value.text == NULL;
}

/* The native value: a number, true or false, a string, or null where there is none. */
void wp_value_json(wp_text *out, const wp_field *field);

/* RFC 3339 with nanoseconds, in UTC, without quotes. False (and nothing written) outside of the years 1 to 9999. */
bool wp_time_rfc3339(wp_text *out, int64_t seconds, int64_t nanoseconds);

typedef struct {
    const char *text;    /* NULL: tshark prints none; else lives until the next call with the same scratch */
    size_t length;
    bool plain;          /* ASCII without anything to escape */
} wp_display;

/* As tshark prints it, by our own means where they are known to be the same. Lock held, as Wireshark may be asked. */
wp_status wp_value_display_locked(const wp_field *field, wp_resolution resolution, wp_display_of of, wp_text *scratch,
                                  wp_display *display, wp_error *error);

#endif
