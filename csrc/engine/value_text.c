/* value_text.c - a field's value as text: as JSON's own types, and as tshark prints it.
 * Functions ending in _locked need the epan lock and must not need the GIL. */
#include "value_text.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>

#include "ws_compat.h"

enum { SECONDS_PER_DAY = 86400, BILLION = 1000000000 };

/* ---- times ---- */

/* Days since the epoch to a date of the proleptic Gregorian calendar, as Howard Hinnant's civil_from_days does it. */
static void
civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const unsigned of_era = (unsigned)(days - era * 146097);
    const unsigned y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const unsigned of_year = of_era - (365 * y + y / 4 - y / 100);
    const unsigned m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int64_t)y + era * 400 + (*month <= 2);
}

bool
wp_time_rfc3339(wp_text *out, int64_t seconds, int64_t nanoseconds)
{
    static const int64_t first = INT64_C(-62135596800), last = INT64_C(253402300799);
    int64_t carry = nanoseconds / BILLION;   /* a damaged frame; Wireshark carries over alike */
    nanoseconds %= BILLION;
    if (nanoseconds < 0) {
        nanoseconds += BILLION;
        carry--;
    }
    if (seconds < first - carry || seconds > last - carry) {
        return false;
    }
    seconds += carry;
    int64_t days = seconds / SECONDS_PER_DAY, rest = seconds % SECONDS_PER_DAY, year;
    unsigned month, day;
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    wp_text_padded(out, (uint64_t)year, 4);
    wp_text_char(out, '-');
    wp_text_padded(out, month, 2);
    wp_text_char(out, '-');
    wp_text_padded(out, day, 2);
    wp_text_char(out, 'T');
    wp_text_padded(out, (uint64_t)rest / 3600, 2);
    wp_text_char(out, ':');
    wp_text_padded(out, (uint64_t)rest / 60 % 60, 2);
    wp_text_char(out, ':');
    wp_text_padded(out, (uint64_t)rest % 60, 2);
    wp_text_char(out, '.');
    wp_text_padded(out, (uint64_t)nanoseconds, 9);
    wp_text_char(out, 'Z');
    return true;
}

/* Up to 2^53 ns, which is 104 days, one division rounds once. Up to 2^63 ns the quotient is made in integers, with more
 * than the 53 bits of a double and a last bit that says that more follows: the conversion then rounds once. */
double
wp_seconds(int64_t seconds, int64_t nanoseconds)
{
    static const int64_t exact = INT64_C(9000000), most = INT64_C(9200000000);
    if (seconds > -exact && seconds < exact) {
        return (double)(seconds * BILLION + nanoseconds) / 1e9;
    }
    if (seconds <= -most || seconds >= most) {
        return (double)seconds + (double)nanoseconds / 1e9;
    }
    const int64_t all = seconds * BILLION + nanoseconds;
    const uint64_t size = all < 0 ? 0 - (uint64_t)all : (uint64_t)all;
    const int shift = 90 - (64 - __builtin_clzll(size));
    const unsigned __int128 wide = (unsigned __int128)size << shift;
    const uint64_t quotient = (uint64_t)(wide / BILLION) | (wide % BILLION != 0);
    const double value = ldexp((double)quotient, -shift);
    return all < 0 ? -value : value;
}

/* Seconds and nanoseconds as one decimal number. Their signs may differ in what dissectors make of damaged frames. */
static void
put_seconds(wp_text *out, int64_t seconds, int64_t nanoseconds)
{
    int64_t carry = nanoseconds / BILLION;
    nanoseconds %= BILLION;
    if (__builtin_add_overflow(seconds, carry, &seconds)) {
        WP_TEXT_LITERAL(out, "null");
        return;
    }
    if (seconds > 0 && nanoseconds < 0) {
        seconds--;
        nanoseconds += BILLION;
    } else if (seconds < 0 && nanoseconds > 0) {
        seconds++;
        nanoseconds -= BILLION;
    }
    if (seconds < 0 || nanoseconds < 0) {
        wp_text_char(out, '-');
    }
    wp_text_unsigned(out, seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds);
    wp_text_char(out, '.');
    wp_text_padded(out, (uint64_t)(nanoseconds < 0 ? -nanoseconds : nanoseconds), 9);
}

/* ---- addresses ---- */

static void
put_ipv4(wp_text *out, uint32_t address)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        wp_text_unsigned(out, address >> shift & 0xff);
        if (shift > 0) {
            wp_text_char(out, '.');
        }
    }
}

static void
put_ipv6(wp_text *out, const uint8_t *bytes)
{
    char *place = wp_text_room(out, INET6_ADDRSTRLEN);
    if (place != NULL && inet_ntop(AF_INET6, bytes, place, INET6_ADDRSTRLEN) != NULL) {   /* as libwsutil does it */
        out->used += strlen(place);
    }
}

static void
put_eui64(wp_text *out, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    wp_text_bytes(out, bytes, 8, ':');
}

static void
put_guid(wp_text *out, const uint8_t *bytes)
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < sizeof groups; i++) {
        wp_text_bytes(out, bytes, groups[i], '\0');
        if (i + 1 < sizeof groups) {
            wp_text_char(out, '-');
        }
        bytes += groups[i];
    }
}

/* The kinds whose text is the same everywhere. */
static void
put_address(wp_text *out, const wp_field *field)
{
    const wp_value *value = &field->value;
    switch ((wp_kind)field->def->kind) {
    case WP_IPV4:
        put_ipv4(out, (uint32_t)value->number);
        break;
    case WP_IPV6:
        put_ipv6(out, value->bytes);
        break;
    case WP_ETHER:
        wp_text_bytes(out, value->bytes, value->length, ':');
        break;
    case WP_EUI64:
        put_eui64(out, value->number);
        break;
    case WP_GUID:
        put_guid(out, value->bytes);
        break;
    case WP_IPXNET:
        WP_TEXT_LITERAL(out, "0x");
        wp_text_hex(out, (uint32_t)value->number, WSC_IPXNET_DIGITS);
        break;
    default:
        break;
    }
}

/* ---- JSON's own types ---- */

static void
put_double(wp_text *out, double number)
{
    if (isfinite(number)) {
        wp_text_double(out, number);
    } else {
        WP_TEXT_LITERAL(out, "null");   /* JSON has no other word for NaN and the infinities */
    }
}

static void
put_string(wp_text *out, const wp_field *field)
{
    const wp_value *value = &field->value;
    switch ((wp_kind)field->def->kind) {
    case WP_STRING:
        wp_text_json_string(out, (const char *)value->bytes, value->length);
        return;
    case WP_OTHER:
        wp_text_json_string(out, value->text, strlen(value->text));
        return;
    case WP_ETHER:
        if (value->length != 6) {
            WP_TEXT_LITERAL(out, "null");
            return;
        }
        break;
    default:
        break;
    }
    wp_text_char(out, '"');
    if (field->def->kind == WP_BYTES) {
        wp_text_bytes(out, value->bytes, value->length, ':');
    } else {
        put_address(out, field);
    }
    wp_text_char(out, '"');
}

static void
put_time(wp_text *out, const wp_value *value)
{
    const size_t before = out->used;
    wp_text_char(out, '"');
    if (wp_time_rfc3339(out, value->time.seconds, value->time.nanoseconds)) {
        wp_text_char(out, '"');
    } else if (!out->failed) {
        out->used = before;
        WP_TEXT_LITERAL(out, "null");
    }
}

void
wp_value_json(wp_text *out, const wp_field *field)
{
    const wp_value *value = &field->value;
    switch ((wp_kind)field->def->kind) {
    case WP_BOOL:
        value->number != 0 ? WP_TEXT_LITERAL(out, "true") : WP_TEXT_LITERAL(out, "false");
        break;
    case WP_UINT:
        wp_text_unsigned(out, value->number);
        break;
    case WP_INT:
        wp_text_signed(out, (int64_t)value->number);
        break;
    case WP_FLOAT:
        put_double(out, value->real);
        break;
    case WP_FLOAT16:
        put_double(out, wp_ieee11073(value->number, 2));
        break;
    case WP_FLOAT32:
        put_double(out, wp_ieee11073(value->number, 4));
        break;
    case WP_ABSTIME:
        put_time(out, value);
        break;
    case WP_RELTIME:
        put_seconds(out, value->time.seconds, value->time.nanoseconds);
        break;
    case WP_NONE:
    case WP_PROTOCOL:
        WP_TEXT_LITERAL(out, "null");
        break;
    default:
        put_string(out, field);
        break;
    }
}

/* ---- as tshark prints it ---- */

/* Wireshark's rel_time_to_secs_str; what its buffer might cut is left to Wireshark. False: not written. */
static bool
put_reltime(wp_text *out, const wp_value *value)
{
    const int64_t seconds = value->time.seconds;
    const int64_t fraction = value->time.nanoseconds < 0 ? -(int64_t)value->time.nanoseconds : value->time.nanoseconds;
    if (fraction >= BILLION || seconds >= BILLION || seconds <= -BILLION) {
        return false;
    }
    if (value->time.nanoseconds < 0 && seconds >= 0) {
        wp_text_char(out, '-');
    }
    wp_text_signed(out, seconds);
    wp_text_char(out, '.');
    wp_text_padded(out, (uint64_t)fraction, 9);
    return true;
}

/* A NUL inside is printed as \0 (ws_escape_null). */
static void
show_string(const wp_value *value, wp_text *scratch, wp_display *display)
{
    const char *bytes = value->bytes == NULL ? "" : (const char *)value->bytes;
    const char *end = bytes + value->length;
    display->plain = false;
    if (memchr(bytes, '\0', value->length) == NULL) {
        display->text = bytes;
        display->length = value->length;
        return;
    }
    for (const char *at = bytes; at < end; at++) {
        if (*at == '\0') {
            WP_TEXT_LITERAL(scratch, "\\0");
        } else {
            wp_text_char(scratch, *at);
        }
    }
}

/* False: Wireshark has to be asked. */
static bool
show_known(const wp_field *field, wp_text *scratch, wp_display *display)
{
    const wp_value *value = &field->value;
    display->plain = true;
    switch ((wp_format)field->def->format) {
    case WP_FORMAT_DECIMAL:
        field->def->kind == WP_INT ? wp_text_signed(scratch, (int64_t)value->number)
                                   : wp_text_unsigned(scratch, value->number);
        return true;
    case WP_FORMAT_HEX:
        WP_TEXT_LITERAL(scratch, "0x");
        wp_text_hex(scratch, value->number, field->def->digits);
        return true;
    case WP_FORMAT_BOOL:
        wp_text_char(scratch, value->number != 0 ? '1' : '0');
        return true;
    case WP_FORMAT_BYTES:
        wp_text_bytes(scratch, value->bytes, value->length, wp_field_more_of(field->def)->separator);
        return true;
    case WP_FORMAT_STRING:
        show_string(value, scratch, display);
        return true;
    case WP_FORMAT_ADDRESS:
        put_address(scratch, field);
        return true;
    case WP_FORMAT_RELTIME:
        return put_reltime(scratch, value);
    default:
        break;
    }
    if (field->def->kind == WP_OTHER && value->text != NULL && value->text[0] != '\0') {   /* was asked when the packet was copied */
        display->text = value->text;
        display->length = strlen(value->text);
        display->plain = false;
        return true;
    }
    return false;
}

static wp_status
show_asked_locked(const wp_field *field, wp_resolution resolution, wp_display_of of, wp_text *scratch,
                  wp_display *display, wp_error *error)
{
    char *text;
    wp_status status = wp_field_display_locked(field, resolution, of, &text, error);
    display->plain = false;
    if (status == WP_OK && text != NULL) {
        display->length = strlen(text);
        wp_text_put(scratch, text, display->length);
        display->text = scratch->data;
    }
    free(text);
    return status;
}

wp_status
wp_value_display_locked(const wp_field *field, wp_resolution resolution, wp_display_of of, wp_text *scratch,
                        wp_display *display, wp_error *error)
{
    *display = (wp_display){0};
    wp_text_reset(scratch);
    if (!wp_has_value(field->def)) {
        return WP_OK;
    }
    wp_status status = WP_OK;
    if (wp_text_room(scratch, 1) == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    if (!show_known(field, scratch, display)) {
        status = show_asked_locked(field, resolution, of, scratch, display, error);
    } else if (display->text == NULL) {
        display->text = scratch->data;
        display->length = scratch->used;
    }
    return status == WP_OK && scratch->failed ? wp_fail(error, WP_EMEMORY, "out of memory") : status;
}
