/* field_value.c - one field to the text that Wireshark writes for it, from its value alone.
 * The field's tree may be long gone: a field_info is made anew from the kept value, and Wireshark formats that.
 * Functions ending in _locked need the epan lock and must not need the GIL. */
#include "field_value.h"

#include <math.h>
#include <stdlib.h>

#include "field_remake.h"
#include "field_table.h"
#include "name_tables.h"
#include "session.h"
#include "ws_compat.h"

_Static_assert(WP_LABEL_SIZE == ITEM_LABEL_LENGTH, "Wireshark's lines are of another length");

double
wp_ieee11073(uint64_t bits, int size)
{
    const int mantissa_bits = size == 2 ? 12 : 24;
    const int64_t top = INT64_C(1) << (mantissa_bits - 1);
    int64_t mantissa = (int64_t)bits & (2 * top - 1);
    int exponent = size == 2 ? (int)(bits >> 12 & 0xf) : (int)(bits >> 24 & 0xff);
    exponent -= exponent >= (size == 2 ? 8 : 128) ? (size == 2 ? 16 : 256) : 0;
    if (exponent == 0 && mantissa >= top - 2 && mantissa <= top + 2) {   /* the special values */
        return mantissa == top - 2 ? INFINITY : mantissa == top + 2 ? -INFINITY : NAN;
    }
    if (mantissa >= top) {
        mantissa -= 2 * top;
    }
    /* Dividing by an exact power of ten rounds once, so that 364 * 10^-1 is the double nearest to 36.4. */
    return exponent < 0 ? (double)mantissa / pow(10.0, -exponent) : (double)mantissa * pow(10.0, exponent);
}

/* Kinds whose width decides between Wireshark's two integer accessors. */
static bool
is_wide(ftenum_t type)
{
    return (type >= FT_UINT40 && type <= FT_UINT64) || (type >= FT_INT40 && type <= FT_INT64);
}

static void
make_eui64(field_info *fi, wsc_made *made, uint64_t number)
{
    if (!WSC_EUI64_IS_BYTES) {
        wsc_make_uint64(fi, number);
        return;
    }
    static uint8_t bytes[8];   /* the lock is held, and no reader outlives it */
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    wsc_make_bytes(fi, made, bytes, 8);
}

static void
make_guid(field_info *fi, const uint8_t *bytes)
{
    e_guid_t guid;
    guid.data1 = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    guid.data2 = (uint16_t)(bytes[4] << 8 | bytes[5]);
    guid.data3 = (uint16_t)(bytes[6] << 8 | bytes[7]);
    memcpy(guid.data4, bytes + 8, 8);
    wsc_make_guid(fi, &guid);
}

static void
make_value(field_info *fi, wsc_made *made, const wp_field *field)
{
    const wp_value *value = &field->value;
    const bool wide = is_wide(fi->hfinfo->type);
    switch ((wp_kind)field->def->kind) {
    case WP_BOOL:
        wsc_make_uint64(fi, value->number);
        break;
    case WP_UINT:
    case WP_IPXNET:
    case WP_FLOAT16:
    case WP_FLOAT32:
        wide ? wsc_make_uint64(fi, value->number) : wsc_make_uint(fi, (uint32_t)value->number);
        break;
    case WP_INT:
        wide ? wsc_make_int64(fi, (int64_t)value->number) : wsc_make_int(fi, (int32_t)value->number);
        break;
    case WP_FLOAT:
        wsc_make_float(fi, value->real);
        break;
    case WP_ABSTIME:
    case WP_RELTIME:
        wsc_make_time(fi, value->time.seconds, value->time.nanoseconds);
        break;
    case WP_STRING:
        wsc_make_string(fi, made, value->bytes == NULL ? "" : (const char *)value->bytes, value->length);
        break;
    case WP_IPV4:
        wsc_make_ipv4(fi, value->number);
        break;
    case WP_IPV6:
        wsc_make_ipv6(fi, value->bytes);
        break;
    case WP_GUID:
        make_guid(fi, value->bytes);
        break;
    case WP_EUI64:
        make_eui64(fi, made, value->number);
        break;
    case WP_BYTES:
    case WP_ETHER:
    case WP_OTHER:
        wsc_make_bytes(fi, made, value->bytes, value->length);
        break;
    default:   /* no value */
        break;
    }
}

bool
wp_field_has_value(const wp_field *field)
{
    return field->def->kind != WP_NONE && field->def->kind != WP_PROTOCOL;
}

/* A field_info as the dissection made it. False where this Wireshark cannot make such a value from outside. */
bool
wp_field_remake(const wp_field *field, field_info *fi, wsc_made *made)
{
    memset(fi, 0, sizeof *fi);
    fi->hfinfo = (header_field_info *)wp_field_more_of(field->def)->registered;
    fi->start = field->start;
    fi->length = field->length;
    fi->flags = field->flags;
    if (wp_field_has_value(field)) {
        if (!wsc_make_begin(fi, fi->hfinfo->type, made)) {
            return false;
        }
        make_value(fi, made, field);
    }
    return true;
}

/* Formatting can throw (a custom format function, a value of a wrong size); nothing may leave the library so. */
static char *
display_locked(field_info *fi, wp_display_of of)
{
    char *volatile text = NULL;
    TRY
    {
        text = wsc_value_display(fi, of);
    }
    CATCH_ALL
    {
        text = NULL;
    }
    ENDTRY;
    return text;
}

void
wp_fill_label_locked(field_info *fi, char label[WP_LABEL_SIZE])
{
    label[0] = '\0';
    TRY
    {
        wsc_fill_label(fi, label);
    }
    CATCH_ALL
    {
    }
    ENDTRY;
}

void
wp_field_label_locked(const wp_field *field, wp_resolution resolution, char label[WP_LABEL_SIZE])
{
    if (field->label != NULL) {
        g_strlcpy(label, field->label, WP_LABEL_SIZE);
        return;
    }
    label[0] = '\0';
    if (field->def->text_only) {
        return;
    }
    field_info fi;
    wsc_made made;
    if (!wp_field_remake(field, &fi, &made)) {
        g_strlcpy(label, wp_field_title(field->def), WP_LABEL_SIZE);
        return;
    }
    wp_name_tables_need_locked();
    const wp_resolution before = wp_resolution_set_locked(resolution);
    wp_fill_label_locked(&fi, label);
    wp_resolution_set_locked(before);
    if (wp_field_has_value(field)) {
        wsc_make_end(&fi, &made);
    }
}

wp_status
wp_field_display_locked(const wp_field *field, wp_resolution resolution, wp_display_of of, char **text, wp_error *error)
{
    *text = NULL;
    field_info fi;
    wsc_made made;
    if (!wp_field_has_value(field)) {
        return WP_OK;
    }
    if (!wp_field_remake(field, &fi, &made)) {
        return wp_fail(error, WP_ELIBRARY, "%s: a value of this type cannot be formatted", field->def->name);
    }
    const wp_resolution before = wp_resolution_set_locked(resolution);
    char *shown = display_locked(&fi, of);
    wp_resolution_set_locked(before);
    wsc_make_end(&fi, &made);
    if (shown == NULL) {
        return WP_OK;
    }
    *text = strdup(shown);
    wmem_free(NULL, shown);
    return *text == NULL ? wp_fail(error, WP_EMEMORY, "out of memory") : WP_OK;
}
