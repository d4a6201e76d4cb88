/* column_plan.h - what a table's columns are: where each takes its values from, and its Arrow type.
 * A plan follows from the arguments and the registry alone, never from packets. Once made it never changes, so that
 * any thread may read it; it is counted, because streams outlive whoever made them. */
#ifndef WISHPY_COLUMN_PLAN_H
#define WISHPY_COLUMN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "arrow_export.h"
#include "field.h"
#include "status.h"

typedef enum {
    WP_TYPE_BOOL,
    WP_TYPE_UINT8,
    WP_TYPE_UINT16,
    WP_TYPE_UINT32,
    WP_TYPE_UINT64,
    WP_TYPE_INT8,
    WP_TYPE_INT16,
    WP_TYPE_INT32,
    WP_TYPE_INT64,
    WP_TYPE_FLOAT32,
    WP_TYPE_FLOAT64,
    WP_TYPE_TIMESTAMP,
    WP_TYPE_DURATION,
    WP_TYPE_UTF8,
    WP_TYPE_BINARY,
} wp_column_type;

typedef enum { WP_FROM_FIELD, WP_FROM_LABEL, WP_FROM_SUMMARY, WP_FROM_PATH } wp_column_origin;
typedef enum { WP_FIRST, WP_LAST, WP_ALL } wp_occurrence;
typedef enum { WP_ENCODE_NONE, WP_ENCODE_DICTIONARY, WP_ENCODE_INT, WP_ENCODE_BYTES } wp_encoding;

typedef struct {
    char *name;                 /* owned: the column's */
    wp_column_origin origin;
    uint32_t *ids;              /* owned: the fields of that name; NULL for the last two origins */
    uint32_t id_count;
    wp_column_type type;        /* of one value */
    int64_t divisor;            /* of times: nanoseconds in one unit of theirs */
    bool list;                  /* all occurrences */
    bool dictionary;            /* indices into a dictionary of texts */
    bool displayed;             /* fields that share a name share no type: as Wireshark shows the value */
} wp_column;

typedef struct wp_plan wp_plan;

wp_plan *wp_plan_new(uint32_t columns, wp_occurrence occurrence);   /* with one reference. NULL: no memory */
void wp_plan_hold(wp_plan *plan);
void wp_plan_release(wp_plan *plan);   /* NULL is fine */

/* The next column. `name` is copied. WP_EVALUE where the encoding does not fit the field's type; WP_EFIELD where
 * Wireshark has no such column ("_ws.col.NAME"). Lock held. */
wp_status wp_plan_add_field_locked(wp_plan *plan, const char *name, const uint32_t *ids, uint32_t id_count,
                                   bool label, wp_encoding encoding, wp_error *error);
wp_status wp_plan_add_summary_locked(wp_plan *plan, const char *name, wp_encoding encoding, wp_error *error);
wp_status wp_plan_add_path(wp_plan *plan, const char *name, wp_encoding encoding, wp_error *error);

/* Is it the name of one of Wireshark's columns? */
bool wp_is_summary_name(const char *name);
/* Its index among the columns as they are now, or -1. Lock held. */
int wp_summary_find_locked(const char *name);
/* Their names, in order; NULL behind the last. Borrowed for good. */
const char *const *wp_summary_names(void);

/* Metadata of the whole schema; both texts are copied. */
wp_status wp_plan_add_metadata(wp_plan *plan, const char *key, const char *value, wp_error *error);

uint32_t wp_plan_count(const wp_plan *plan);
const wp_column *wp_plan_column(const wp_plan *plan, uint32_t i);
wp_occurrence wp_plan_occurrence(const wp_plan *plan);
bool wp_plan_needs_labels(const wp_plan *plan);      /* then the whole visible tree must be built */
bool wp_plan_needs_summary(const wp_plan *plan);     /* Wireshark's columns must be filled in */

/* Arrow's format string of one value of the column, into `format`. */
enum { WP_FORMAT_SIZE = 16 };
void wp_column_format(const wp_column *column, char format[WP_FORMAT_SIZE]);

wp_status wp_plan_schema(const wp_plan *plan, struct ArrowSchema *out);

/* A plan as near to the schema that a consumer asked for as it can be: utf8 or dictionary, units of time, wider
 * integers. What cannot be honoured stays as it is. WP_EVALUE where the columns are others altogether. */
wp_status wp_plan_adapt(const wp_plan *plan, const struct ArrowSchema *wanted, wp_plan **adapted, wp_error *error);

#endif
