/* column_buffers.h - the growing Arrow buffers of one column: validity, offsets, data, and a dictionary of texts. */
#ifndef WISHPY_COLUMN_BUFFERS_H
#define WISHPY_COLUMN_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrow_export.h"
#include "column_plan.h"

typedef enum { WP_FITS, WP_OVERFLOW, WP_NO_MEMORY } wp_fit;

typedef struct {
    uint8_t *data;            /* owned; NULL while room is 0 */
    size_t used, room;        /* in bytes */
} wp_buffer;

/* Distinct texts in the order they came in, and a table from text to place among them. */
typedef struct {
    wp_buffer offsets, data;
    uint32_t *slots;          /* owned: place + 1; 0: free */
    uint32_t slot_count;      /* a power of two, or 0 */
    uint32_t count;
} wp_dictionary;

typedef struct {
    wp_column_type type;
    bool dictionary;
    uint8_t width;            /* bytes of a value; 0: bits (bool), or offsets into data (utf8, binary) */
    int64_t limit;            /* of offsets */
    int64_t length, nulls;
    wp_buffer validity, offsets, data;
    wp_dictionary texts;
} wp_values;

typedef struct {
    int64_t limit;
    int64_t length, nulls;
    wp_buffer validity, offsets;
} wp_lists;

void wp_values_init(wp_values *values, const wp_column *column, int64_t limit);
void wp_values_free(wp_values *values);

/* One more value. Whatever does not fit leaves lengths that wp_values_cut puts right. */
wp_fit wp_values_put_null(wp_values *values);
wp_fit wp_values_put_bool(wp_values *values, bool truth);
/* Null where the number does not fit the type; `negative`: it is signed. */
wp_fit wp_values_put_integer(wp_values *values, wp_column_type type, int64_t number, bool negative);
wp_fit wp_values_put_int64(wp_values *values, int64_t number);
wp_fit wp_values_put_float(wp_values *values, float real);
wp_fit wp_values_put_double(wp_values *values, double real);
wp_fit wp_values_put_bytes(wp_values *values, const uint8_t *bytes, size_t size);
wp_fit wp_values_put_text(wp_values *values, const char *text, size_t size);   /* made valid UTF-8 */

/* Back to so many values. */
void wp_values_cut(wp_values *values, int64_t length);
/* Moves all into *array, and begins anew. False: no memory. */
bool wp_values_take(wp_values *values, wp_array *array);

void wp_lists_init(wp_lists *lists, int64_t limit);
void wp_lists_free(wp_lists *lists);
/* A list that ends where its items end now, or null. */
wp_fit wp_lists_put(wp_lists *lists, int64_t items, bool valid);
/* Back to so many lists; how many items those have. */
int64_t wp_lists_cut(wp_lists *lists, int64_t length);
bool wp_lists_take(wp_lists *lists, wp_values *items, wp_array *array);

#endif
