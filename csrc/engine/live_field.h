/* live_field.h - a field of a live tree as a view. What the view points to dies with the tree. Lock held. */
#ifndef WISHPY_LIVE_FIELD_H
#define WISHPY_LIVE_FIELD_H

#include "field_table.h"
#include "ws_compat.h"

/* The table's entry for a field of a tree; NULL only when there is no memory to make it. */
static inline wp_field_def *
wp_live_def(const field_info *fi)
{
    const uint32_t id = (uint32_t)fi->hfinfo->id;
    if (id / WP_FIELD_CHUNK < WP_FIELD_CHUNKS && wp_field_chunks[id / WP_FIELD_CHUNK] != NULL) {
        wp_field_def *def = wp_field_by_id(id);
        if (def->name != NULL) {
            return def;
        }
    }
    return wp_field_define_locked(fi->hfinfo);
}

static inline void
wp_live_guid(field_info *fi, wp_value *value, uint8_t guid[16])
{
    const e_guid_t *from = wsc_value_guid(fi);
    const uint8_t head[8] = {
        (uint8_t)(from->data1 >> 24), (uint8_t)(from->data1 >> 16), (uint8_t)(from->data1 >> 8), (uint8_t)from->data1,
        (uint8_t)(from->data2 >> 8), (uint8_t)from->data2, (uint8_t)(from->data3 >> 8), (uint8_t)from->data3,
    };
    memcpy(guid, head, 8);
    memcpy(guid + 8, from->data4, 8);
    value->bytes = guid;
    value->length = 16;
}

static inline bool
wp_live_is_wide(ftenum_t type)
{
    return (type >= FT_UINT40 && type <= FT_UINT64) || (type >= FT_INT40 && type <= FT_INT64);
}

/* `guid` is the caller's scratch for the one kind that is not stored in the order it is written in. */
static inline void
wp_live_value(const wp_field_def *def, field_info *fi, wp_value *value, uint8_t guid[16])
{
    const ftenum_t type = fi->hfinfo->type;
    switch ((wp_kind)def->kind) {
    case WP_BOOL:
        value->number = wsc_value_uint64(fi);
        break;
    case WP_UINT:
        value->number = wp_live_is_wide(type) ? wsc_value_uint64(fi) : wsc_value_uint(fi);
        break;
    case WP_INT:
        value->number = (uint64_t)(wp_live_is_wide(type) ? wsc_value_int64(fi) : wsc_value_int(fi));
        break;
    case WP_IPXNET:
    case WP_FLOAT16:
    case WP_FLOAT32:
        value->number = wsc_value_uint(fi);
        break;
    case WP_FLOAT:
        value->real = wsc_value_real(fi);
        break;
    case WP_ABSTIME:
    case WP_RELTIME: {
        const nstime_t *when = wsc_value_time(fi);
        value->time.seconds = when->secs;
        value->time.nanoseconds = when->nsecs;
        break;
    }
    case WP_STRING:
        value->bytes = (const uint8_t *)wsc_value_string(fi, &value->length);
        break;
    case WP_BYTES:
    case WP_ETHER:
        value->bytes = wsc_value_bytes(fi, &value->length);
        break;
    case WP_OTHER:
        value->bytes = wsc_value_bytes(fi, &value->length);
        value->text = NULL;
        break;
    case WP_IPV4:
        value->number = wsc_value_ipv4(fi);
        break;
    case WP_IPV6:
        value->bytes = wsc_value_ipv6(fi);
        value->length = 16;
        break;
    case WP_EUI64:
        value->number = wsc_value_eui64(fi);
        break;
    case WP_GUID:
        wp_live_guid(fi, value, guid);
        break;
    default:
        value->number = 0;
        break;
    }
}

/* The field as a view, but for its data source. */
static inline void
wp_live_field(wp_field_def *def, field_info *fi, wp_field *field)
{
    field->def = def;
    field->label = fi->rep == NULL ? NULL : fi->rep->representation;
    field->start = fi->start;
    field->length = fi->length;
    field->flags = fi->flags;
    field->source = WP_NO_SOURCE;
    wp_live_value(def, fi, &field->value, field->scratch);
}

#endif
