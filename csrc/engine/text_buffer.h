/* text_buffer.h - a growing buffer of text, and the small things that writers put into it. No Wireshark, no Python.
 *
 * Running out of memory is remembered (`failed`), and everything after it is dropped: a writer checks once, at its end. */
#ifndef WISHPY_TEXT_BUFFER_H
#define WISHPY_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    char *data;          /* owned */
    size_t used, room;
    bool failed;
    /* Kept by wp_text_json, as the others put ASCII alone into what is to be JSON: what a reader of the UTF-8 needs to
     * know before it begins. */
    size_t continuations;   /* bytes that follow a character's first one */
    uint8_t highest_lead;   /* of the first bytes of all sequences; 0: it is all ASCII */
} wp_text;

bool wp_text_grow(wp_text *text, size_t more);
void wp_text_free(wp_text *text);
/* Empties it; after a giant text the memory goes back to the system. */
void wp_text_reset(wp_text *text);

/* Place for `size` bytes more, to be followed by wp_text_advance; NULL without memory. */
static inline char *
wp_text_room(wp_text *text, size_t size)
{
    if (text->room - text->used < size && !wp_text_grow(text, size)) {
        return NULL;
    }
    return text->data + text->used;
}

static inline void
wp_text_put(wp_text *text, const char *bytes, size_t size)
{
    char *place = wp_text_room(text, size);
    if (place != NULL && size > 0) {
        memcpy(place, bytes, size);
        text->used += size;
    }
}

static inline void
wp_text_char(wp_text *text, char c)
{
    char *place = wp_text_room(text, 1);
    if (place != NULL) {
        *place = c;
        text->used++;
    }
}

#define WP_TEXT_LITERAL(text, literal) wp_text_put(text, literal, sizeof(literal) - 1)

void wp_text_blanks(wp_text *text, size_t count);
void wp_text_unsigned(wp_text *text, uint64_t number);
void wp_text_signed(wp_text *text, int64_t number);
/* Exactly `digits` decimal digits. */
void wp_text_padded(wp_text *text, uint64_t number, unsigned digits);
/* Exactly `digits` lower-case hexadecimal digits. */
void wp_text_hex(wp_text *text, uint64_t number, unsigned digits);
/* Bytes in hexadecimal with `separator` between them; '\0' for none. */
void wp_text_bytes(wp_text *text, const uint8_t *bytes, size_t count, char separator);
/* The shortest decimal number that reads back as this double; it always has a point or an exponent. */
void wp_text_double(wp_text *text, double number);

/* What stands between the quotes of a JSON string: escaped, and invalid UTF-8 replaced by U+FFFD, as many of them as
 * Python's "replace" makes. */
void wp_text_json(wp_text *text, const char *bytes, size_t size);
/* The same with its quotes. */
void wp_text_json_string(wp_text *text, const char *bytes, size_t size);

#endif
