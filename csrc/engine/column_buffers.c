/* column_buffers.c - the growing Arrow buffers of one column.
 * Validity and booleans are bits, the lowest first; offsets are 32-bit and start with a zero. */
#include "column_buffers.h"

#include <stdlib.h>
#include <string.h>

/* ---- a buffer ---- */

enum { FIRST_ROOM = 64 };

static bool
make_room(wp_buffer *buffer, size_t more)
{
    if (buffer->room - buffer->used >= more) {
        return true;
    }
    size_t room = buffer->room == 0 ? FIRST_ROOM : buffer->room;
    while (room - buffer->used < more) {
        room *= 2;
    }
    uint8_t *data = realloc(buffer->data, room);
    if (data == NULL) {
        return false;
    }
    buffer->data = data;
    buffer->room = room;
    return true;
}

static inline bool
put(wp_buffer *buffer, const void *bytes, size_t size)
{
    if (!make_room(buffer, size)) {
        return false;
    }
    if (size > 0) {
        memcpy(buffer->data + buffer->used, bytes, size);
    }
    buffer->used += size;
    return true;
}

/* Bit `at`, the next one; bits behind it in its byte are zero. */
static inline bool
put_bit(wp_buffer *buffer, int64_t at, bool bit)
{
    if ((at & 7) == 0) {
        const uint8_t fresh = bit;
        return put(buffer, &fresh, 1);
    }
    buffer->data[at >> 3] |= (uint8_t)((unsigned)bit << (at & 7));
    return true;
}

static void
cut_bits(wp_buffer *buffer, int64_t length)
{
    const size_t bytes = ((size_t)length + 7) / 8;
    if (bytes < buffer->used) {
        buffer->used = bytes;
    }
    if (bytes > 0 && (length & 7) != 0) {
        buffer->data[bytes - 1] &= (uint8_t)((1u << (length & 7)) - 1);
    }
}

static int64_t
count_zeros(const wp_buffer *bits, int64_t length)
{
    int64_t ones = 0;
    for (size_t i = 0; i < ((size_t)length + 7) / 8; i++) {
        ones += __builtin_popcount(bits->data[i]);
    }
    return length - ones;
}

/* Gives the bytes away; never NULL, as an empty buffer may be asked for its address. NULL: no memory. */
static void *
give(wp_buffer *buffer)
{
    void *data = realloc(buffer->data, buffer->used == 0 ? 1 : buffer->used);
    if (data != NULL) {
        *buffer = (wp_buffer){0};
    }
    return data;
}

static void
clear(wp_buffer *buffer)
{
    free(buffer->data);
    *buffer = (wp_buffer){0};
}

static bool
put_offset(wp_buffer *offsets, size_t end)
{
    const int32_t edges[2] = {0, (int32_t)end};
    const bool first = offsets->used == 0;
    return first ? put(offsets, edges, sizeof edges) : put(offsets, &edges[1], sizeof edges[1]);
}

static int32_t
offset_at(const wp_buffer *offsets, int64_t i)
{
    int32_t offset = 0;
    if (i > 0) {
        memcpy(&offset, offsets->data + (size_t)i * sizeof offset, sizeof offset);
    }
    return offset;
}

static void
cut_offsets(wp_buffer *offsets, int64_t length)
{
    const size_t bytes = ((size_t)length + 1) * sizeof(int32_t);
    if (bytes < offsets->used) {
        offsets->used = bytes;
    }
}

/* ---- UTF-8 ---- */

/* Length of the valid character at `at`, or 0 and in *bad how many bytes one U+FFFD stands for: as Unicode recommends
 * it and Python does it. */
static size_t
character(const uint8_t *at, const uint8_t *end, size_t *bad)
{
    const uint8_t lead = at[0];
    const size_t size = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3
                      : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
    *bad = 1;
    for (size_t i = 1; i < size; i++) {
        if (at + i == end) {
            return 0;
        }
        const uint8_t low = i > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        const uint8_t high = i > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (at[i] < low || at[i] > high) {
            return 0;
        }
        *bad = i + 1;
    }
    return size;
}

/* How many bytes at the start are valid. */
static size_t
valid_length(const uint8_t *text, size_t size)
{
    size_t at = 0, bad;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        const size_t length = character(text + at, text + size, &bad);
        if (length == 0) {
            break;
        }
        at += length;
    }
    return at;
}

static bool
put_repaired(wp_buffer *to, const uint8_t *text, size_t size)
{
    size_t at = 0, bad;
    while (at < size) {
        const size_t length = character(text + at, text + size, &bad);
        if (!(length > 0 ? put(to, text + at, length) : put(to, "\xef\xbf\xbd", 3))) {
            return false;
        }
        at += length > 0 ? length : bad;
    }
    return true;
}

/* ---- dictionaries ---- */

static uint64_t
hash_of(const uint8_t *text, size_t size)   /* FNV-1a */
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ text[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

static void
text_at(const wp_dictionary *texts, uint32_t place, const uint8_t **text, size_t *size)
{
    const int32_t from = offset_at(&texts->offsets, place), to = offset_at(&texts->offsets, (int64_t)place + 1);
    *text = texts->data.data + from;
    *size = (size_t)(to - from);
}

static bool
grow_slots(wp_dictionary *texts)
{
    const uint32_t count = texts->slot_count == 0 ? 64 : 2 * texts->slot_count;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (uint32_t place = 0; place < texts->count; place++) {
        const uint8_t *text;
        size_t size;
        text_at(texts, place, &text, &size);
        uint32_t slot = (uint32_t)hash_of(text, size) & (count - 1);
        while (slots[slot] != 0) {
            slot = (slot + 1) & (count - 1);
        }
        slots[slot] = place + 1;
    }
    free(texts->slots);
    texts->slots = slots;
    texts->slot_count = count;
    return true;
}

/* The place of a text that lies behind the data already, and leaves again where it was known. */
static wp_fit
find_or_keep(wp_dictionary *texts, size_t start, int64_t limit, int32_t *place)
{
    if (texts->count >= texts->slot_count / 2 && !grow_slots(texts)) {
        return WP_NO_MEMORY;
    }
    const uint8_t *fresh = texts->data.data + start;
    const size_t size = texts->data.used - start;
    uint32_t slot = (uint32_t)hash_of(fresh, size) & (texts->slot_count - 1);
    for (; texts->slots[slot] != 0; slot = (slot + 1) & (texts->slot_count - 1)) {
        const uint8_t *known;
        size_t known_size;
        text_at(texts, texts->slots[slot] - 1, &known, &known_size);
        if (known_size == size && memcmp(known, fresh, size) == 0) {
            texts->data.used = start;
            *place = (int32_t)(texts->slots[slot] - 1);
            return WP_FITS;
        }
    }
    if ((int64_t)texts->data.used > limit || !put_offset(&texts->offsets, texts->data.used)) {
        const wp_fit fit = (int64_t)texts->data.used > limit ? WP_OVERFLOW : WP_NO_MEMORY;
        texts->data.used = start;
        return fit;
    }
    *place = (int32_t)texts->count;
    texts->slots[slot] = ++texts->count;
    return WP_FITS;
}

static bool
take_dictionary(wp_dictionary *texts, wp_array *array)
{
    wp_array *own = array->dictionary = calloc(1, sizeof *own);
    if (own == NULL || (texts->offsets.used == 0 && !put(&texts->offsets, &(int32_t){0}, sizeof(int32_t)))) {
        return false;
    }
    own->length = texts->count;
    own->buffer_count = 3;
    own->buffers[1] = give(&texts->offsets);
    own->buffers[2] = give(&texts->data);
    free(texts->slots);
    texts->slots = NULL;
    texts->slot_count = texts->count = 0;
    return own->buffers[1] != NULL && own->buffers[2] != NULL;
}

/* ---- values ---- */

void
wp_values_init(wp_values *values, const wp_column *column, int64_t limit)
{
    static const uint8_t widths[] = {
        [WP_TYPE_UINT8] = 1, [WP_TYPE_UINT16] = 2, [WP_TYPE_UINT32] = 4, [WP_TYPE_UINT64] = 8,
        [WP_TYPE_INT8] = 1, [WP_TYPE_INT16] = 2, [WP_TYPE_INT32] = 4, [WP_TYPE_INT64] = 8,
        [WP_TYPE_FLOAT32] = 4, [WP_TYPE_FLOAT64] = 8, [WP_TYPE_TIMESTAMP] = 8, [WP_TYPE_DURATION] = 8,
        [WP_TYPE_BOOL] = 0, [WP_TYPE_UTF8] = 0, [WP_TYPE_BINARY] = 0,
    };
    *values = (wp_values){
        .type = column->type,
        .dictionary = column->dictionary,
        .width = column->dictionary ? (uint8_t)sizeof(int32_t) : widths[column->type],
        .limit = limit,
    };
}

void
wp_values_free(wp_values *values)
{
    clear(&values->validity);
    clear(&values->offsets);
    clear(&values->data);
    clear(&values->texts.offsets);
    clear(&values->texts.data);
    free(values->texts.slots);
}

static inline wp_fit
end_value(wp_values *values, bool valid)
{
    if (!put_bit(&values->validity, values->length, valid)) {
        return WP_NO_MEMORY;
    }
    values->length++;
    values->nulls += !valid;
    return values->length <= values->limit ? WP_FITS : WP_OVERFLOW;
}

static inline wp_fit
put_fixed(wp_values *values, const void *value, size_t size)
{
    return put(&values->data, value, size) ? end_value(values, true) : WP_NO_MEMORY;
}

wp_fit
wp_values_put_null(wp_values *values)
{
    bool done;
    if (values->width > 0) {
        static const uint8_t zeros[8];
        done = put(&values->data, zeros, values->width);
    } else if (values->type == WP_TYPE_BOOL) {
        done = put_bit(&values->data, values->length, false);
    } else {
        done = put_offset(&values->offsets, values->data.used);
    }
    return done ? end_value(values, false) : WP_NO_MEMORY;
}

wp_fit
wp_values_put_bool(wp_values *values, bool truth)
{
    return put_bit(&values->data, values->length, truth) ? end_value(values, true) : WP_NO_MEMORY;
}

wp_fit
wp_values_put_int64(wp_values *values, int64_t number)
{
    return put_fixed(values, &number, sizeof number);
}

wp_fit
wp_values_put_float(wp_values *values, float real)
{
    return put_fixed(values, &real, sizeof real);
}

wp_fit
wp_values_put_double(wp_values *values, double real)
{
    return put_fixed(values, &real, sizeof real);
}

/* A dissector may put any number into a field of 8 bits; one that does not fit has no place in the column. */
static bool
fits_type(wp_column_type type, int64_t number, bool negative)
{
    const bool huge = !negative && number < 0;   /* above 2^63 */
    switch (type) {
    case WP_TYPE_UINT8:
        return number >= 0 && number <= UINT8_MAX;
    case WP_TYPE_UINT16:
        return number >= 0 && number <= UINT16_MAX;
    case WP_TYPE_UINT32:
        return number >= 0 && number <= UINT32_MAX;
    case WP_TYPE_UINT64:
        return number >= 0 || huge;
    case WP_TYPE_INT8:
        return number >= INT8_MIN && number <= INT8_MAX && !huge;
    case WP_TYPE_INT16:
        return number >= INT16_MIN && number <= INT16_MAX && !huge;
    case WP_TYPE_INT32:
        return number >= INT32_MIN && number <= INT32_MAX && !huge;
    default:
        return !huge;
    }
}

wp_fit
wp_values_put_integer(wp_values *values, wp_column_type type, int64_t number, bool negative)
{
    if (!fits_type(type, number, negative)) {
        return wp_values_put_null(values);
    }
    switch (values->width) {
    case 1:
        return put_fixed(values, &(uint8_t){(uint8_t)number}, 1);
    case 2:
        return put_fixed(values, &(uint16_t){(uint16_t)number}, 2);
    case 4:
        return put_fixed(values, &(uint32_t){(uint32_t)number}, 4);
    default:
        return put_fixed(values, &number, 8);
    }
}

static wp_fit
end_span(wp_values *values)
{
    if ((int64_t)values->data.used > values->limit) {
        return WP_OVERFLOW;
    }
    return put_offset(&values->offsets, values->data.used) ? end_value(values, true) : WP_NO_MEMORY;
}

wp_fit
wp_values_put_bytes(wp_values *values, const uint8_t *bytes, size_t size)
{
    return put(&values->data, bytes, bytes == NULL ? 0 : size) ? end_span(values) : WP_NO_MEMORY;
}

wp_fit
wp_values_put_text(wp_values *values, const char *text, size_t size)
{
    wp_buffer *to = values->dictionary ? &values->texts.data : &values->data;
    const uint8_t *bytes = (const uint8_t *)text;
    const size_t start = to->used;
    const size_t whole = bytes == NULL ? 0 : valid_length(bytes, size);
    if (!put(to, bytes, whole) || (bytes != NULL && whole < size && !put_repaired(to, bytes + whole, size - whole))) {
        return WP_NO_MEMORY;
    }
    if (!values->dictionary) {
        return end_span(values);
    }
    int32_t place;
    const wp_fit fit = make_room(to, 1) ? find_or_keep(&values->texts, start, values->limit, &place) : WP_NO_MEMORY;
    return fit == WP_FITS ? put_fixed(values, &place, sizeof place) : fit;
}

void
wp_values_cut(wp_values *values, int64_t length)
{
    if (values->width > 0) {
        values->data.used = (size_t)length * values->width;
    } else if (values->type == WP_TYPE_BOOL) {
        cut_bits(&values->data, length);
    } else {
        cut_offsets(&values->offsets, length);
        values->data.used = (size_t)offset_at(&values->offsets, length);
    }
    cut_bits(&values->validity, length);
    values->length = length;
    values->nulls = count_zeros(&values->validity, length);
}

static bool
take_validity(wp_buffer *validity, int64_t nulls, wp_array *array)
{
    if (nulls == 0) {
        clear(validity);
        return true;
    }
    array->buffers[0] = give(validity);
    return array->buffers[0] != NULL;
}

bool
wp_values_take(wp_values *values, wp_array *array)
{
    const bool spans = values->width == 0 && values->type != WP_TYPE_BOOL;
    array->length = values->length;
    array->null_count = values->nulls;
    array->buffer_count = spans ? 3 : 2;
    if (!take_validity(&values->validity, values->nulls, array)
        || (spans && values->length == 0 && !put(&values->offsets, &(int32_t){0}, sizeof(int32_t)))
        || (values->dictionary && !take_dictionary(&values->texts, array))) {
        return false;
    }
    if (spans) {
        array->buffers[1] = give(&values->offsets);
    }
    array->buffers[array->buffer_count - 1] = give(&values->data);
    values->length = values->nulls = 0;
    return array->buffers[1] != NULL && array->buffers[array->buffer_count - 1] != NULL;
}

/* ---- lists ---- */

void
wp_lists_init(wp_lists *lists, int64_t limit)
{
    *lists = (wp_lists){.limit = limit};
}

void
wp_lists_free(wp_lists *lists)
{
    clear(&lists->validity);
    clear(&lists->offsets);
}

wp_fit
wp_lists_put(wp_lists *lists, int64_t items, bool valid)
{
    if (items > lists->limit) {
        return WP_OVERFLOW;
    }
    if (!put_offset(&lists->offsets, (size_t)items) || !put_bit(&lists->validity, lists->length, valid)) {
        return WP_NO_MEMORY;
    }
    lists->length++;
    lists->nulls += !valid;
    return WP_FITS;
}

int64_t
wp_lists_cut(wp_lists *lists, int64_t length)
{
    cut_offsets(&lists->offsets, length);
    cut_bits(&lists->validity, length);
    lists->length = length;
    lists->nulls = count_zeros(&lists->validity, length);
    return offset_at(&lists->offsets, length);
}

bool
wp_lists_take(wp_lists *lists, wp_values *items, wp_array *array)
{
    array->length = lists->length;
    array->null_count = lists->nulls;
    array->buffer_count = 2;
    array->children = calloc(1, sizeof *array->children);
    if (array->children == NULL || !take_validity(&lists->validity, lists->nulls, array)
        || (lists->length == 0 && !put(&lists->offsets, &(int32_t){0}, sizeof(int32_t)))) {
        return false;
    }
    array->child_count = 1;
    array->buffers[1] = give(&lists->offsets);
    lists->length = lists->nulls = 0;
    return array->buffers[1] != NULL && wp_values_take(items, array->children);
}
