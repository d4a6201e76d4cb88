/* text_buffer.c - a growing buffer of text: numbers, hexadecimal, JSON strings. */
#include "text_buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_ROOM = 1 << 16, KEPT_ROOM = 4 << 20 };

bool
wp_text_grow(wp_text *text, size_t more)
{
    size_t room = text->room == 0 ? FIRST_ROOM : text->room;
    while (!text->failed && room - text->used < more) {
        text->failed = room > SIZE_MAX / 2;
        room *= 2;
    }
    char *data = text->failed ? NULL : realloc(text->data, room);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->room = room;
    return true;
}

void
wp_text_free(wp_text *text)
{
    free(text->data);
    *text = (wp_text){0};
}

void
wp_text_reset(wp_text *text)
{
    text->used = 0;
    text->failed = false;
    text->continuations = 0;
    text->highest_lead = 0;
    if (text->room > KEPT_ROOM) {
        wp_text_free(text);
    }
}

void
wp_text_blanks(wp_text *text, size_t count)
{
    char *place = wp_text_room(text, count);
    if (place != NULL) {
        memset(place, ' ', count);
        text->used += count;
    }
}

/* ---- numbers ---- */

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                            "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

void
wp_text_unsigned(wp_text *text, uint64_t number)
{
    char digits[20];
    char *at = digits + sizeof digits;
    if (number < 10) {
        wp_text_char(text, (char)('0' + number));
        return;
    }
    while (number >= 10) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (number > 0) {
        *--at = (char)('0' + number);
    }
    at += *at == '0';
    wp_text_put(text, at, (size_t)(digits + sizeof digits - at));
}

void
wp_text_signed(wp_text *text, int64_t number)
{
    if (number < 0) {
        wp_text_char(text, '-');
    }
    wp_text_unsigned(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void
wp_text_padded(wp_text *text, uint64_t number, unsigned digits)
{
    char *place = wp_text_room(text, digits);
    if (place != NULL) {
        for (unsigned i = digits; i-- > 0; number /= 10) {
            place[i] = (char)('0' + number % 10);
        }
        text->used += digits;
    }
}

static const char hex_digits[] = "0123456789abcdef";

void
wp_text_hex(wp_text *text, uint64_t number, unsigned digits)
{
    char *place = wp_text_room(text, digits);
    if (place != NULL) {
        for (unsigned i = digits; i-- > 0; number >>= 4) {
            place[i] = hex_digits[number & 15];
        }
        text->used += digits;
    }
}

static const char hex_pairs[] =
    "000102030405060708090a0b0c0d0e0f"
    "101112131415161718191a1b1c1d1e1f"
    "202122232425262728292a2b2c2d2e2f"
    "303132333435363738393a3b3c3d3e3f"
    "404142434445464748494a4b4c4d4e4f"
    "505152535455565758595a5b5c5d5e5f"
    "606162636465666768696a6b6c6d6e6f"
    "707172737475767778797a7b7c7d7e7f"
    "808182838485868788898a8b8c8d8e8f"
    "909192939495969798999a9b9c9d9e9f"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
    "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
    "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
    "e0e1e2e3e4e5e6e7e8e9eaebecedeeef"
    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

/* A payload is most of what many packets are: sixteen bytes at a time where the machine can. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define WP_TEXT_SHUFFLES

__attribute__((target("ssse3"))) static void
separated_by_16(char *at, const uint8_t *bytes, size_t count, char separator)
{
    const __m128i letters = _mm_loadu_si128((const __m128i *)(const void *)hex_digits), low = _mm_set1_epi8(15);
    /* Where the digits go of those 16 that begin with a byte's first one, its last one, and a separator; -1: none. */
    const __m128i places[3] = {
        _mm_setr_epi8(0, 1, -1, 2, 3, -1, 4, 5, -1, 6, 7, -1, 8, 9, -1, 10),
        _mm_setr_epi8(1, -1, 2, 3, -1, 4, 5, -1, 6, 7, -1, 8, 9, -1, 10, 11),
        _mm_setr_epi8(-1, 6, 7, -1, 8, 9, -1, 10, 11, -1, 12, 13, -1, 14, 15, -1),
    };
    __m128i separators[3];
    for (int i = 0; i < 3; i++) {
        separators[i] = _mm_and_si128(_mm_cmplt_epi8(places[i], _mm_setzero_si128()), _mm_set1_epi8(separator));
    }
    for (size_t done = 0; done < count; done += 16, at += 48) {
        const __m128i sixteen = _mm_loadu_si128((const __m128i *)(const void *)(bytes + done));
        const __m128i first = _mm_shuffle_epi8(letters, _mm_and_si128(_mm_srli_epi16(sixteen, 4), low));
        const __m128i last = _mm_shuffle_epi8(letters, _mm_and_si128(sixteen, low));
        const __m128i front = _mm_unpacklo_epi8(first, last), back = _mm_unpackhi_epi8(first, last);
        const __m128i digits[3] = {front, _mm_alignr_epi8(back, front, 10), back};
        for (int i = 0; i < 3; i++) {
            _mm_storeu_si128((__m128i *)(void *)(at + 16 * i),
                             _mm_or_si128(_mm_shuffle_epi8(digits[i], places[i]), separators[i]));
        }
    }
}
#endif

void
wp_text_bytes(wp_text *text, const uint8_t *bytes, size_t count, char separator)
{
    char *start = wp_text_room(text, 3 * count);
    char *at = start;
    if (start == NULL || count == 0) {
        return;
    }
    if (separator == '\0') {
        for (size_t i = 0; i < count; i++, at += 2) {
            memcpy(at, hex_pairs + 2 * bytes[i], 2);
        }
        text->used += 2 * count;
        return;
    }
#ifdef WP_TEXT_SHUFFLES
    const size_t quick = __builtin_cpu_supports("ssse3") ? count / 16 * 16 : 0;
    separated_by_16(at, bytes, quick, separator);
    at += 3 * quick;
#else
    const size_t quick = 0;
#endif
    for (size_t i = quick; i < count; i++, at += 3) {
        memcpy(at, hex_pairs + 2 * bytes[i], 2);
        at[2] = separator;
    }
    text->used += 3 * count - 1;   /* none behind the last */
}

void
wp_text_double(wp_text *text, double number)
{
    char digits[40];
    int precision = 15;
    do {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
    } while (precision++ < 17 && strtod(digits, NULL) != number);
    bool whole = true;
    for (char *at = digits; *at != '\0'; at++) {
        if (*at == ',') {
            *at = '.';   /* a program may have set a locale */
        }
        whole = whole && *at != '.' && *at != 'e';
    }
    wp_text_put(text, digits, strlen(digits));
    if (whole) {
        WP_TEXT_LITERAL(text, ".0");
    }
}

/* ---- JSON strings ---- */

/* 0: as it is; 'u': \u00xx; '8': a byte of a longer sequence; else the letter behind the backslash */
static const char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\',
    [0x80] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
    [0x90] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
    [0xa0] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
    [0xb0] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
    [0xc0] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
    [0xd0] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
    [0xe0] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
    [0xf0] = '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8', '8',
};

/* How many bytes at `at` are one whole character (then *valid), or else one broken-off piece of one: table 3-7 of the
 * Unicode standard, so that surrogates, overlong forms and what lies beyond U+10FFFF are not valid. */
static size_t
sequence(const uint8_t *at, const uint8_t *end, bool *valid)
{
    const uint8_t lead = at[0];
    const size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    size_t i = 1;
    while (i < length && at + i < end && at[i] >= low && at[i] <= high) {
        low = 0x80;
        high = 0xbf;
        i++;
    }
    *valid = length > 0 && i == length;
    return i;
}

static void
put_sequence(wp_text *text, const char *bytes, size_t length)
{
    const uint8_t lead = (uint8_t)bytes[0];
    text->highest_lead = lead > text->highest_lead ? lead : text->highest_lead;
    text->continuations += length - 1;
    wp_text_put(text, bytes, length);
}

void
wp_text_json(wp_text *text, const char *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;
    const uint8_t *const end = at + size;
    while (at < end) {
        const uint8_t *from = at;
        while (at < end && escapes[*at] == 0) {
            at++;
        }
        wp_text_put(text, (const char *)from, (size_t)(at - from));
        if (at == end) {
            return;
        }
        const char escape = escapes[*at];
        if (escape == '8') {
            bool valid;
            const size_t length = sequence(at, end, &valid);
            put_sequence(text, valid ? (const char *)at : "\xef\xbf\xbd", valid ? length : 3);
            at += length;
            continue;
        }
        if (escape == 'u') {
            WP_TEXT_LITERAL(text, "\\u00");
            wp_text_hex(text, *at, 2);
        } else {
            const char both[2] = {'\\', escape};
            wp_text_put(text, both, 2);
        }
        at++;
    }
}

void
wp_text_json_string(wp_text *text, const char *bytes, size_t size)
{
    wp_text_char(text, '"');
    wp_text_json(text, bytes, size);
    wp_text_char(text, '"');
}
