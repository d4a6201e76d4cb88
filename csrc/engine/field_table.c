/* field_table.c - the registered fields that were met so far, by Wireshark's field id.
 * Entries are made under the epan lock, published with their `registered` pointer last, and never change. */
#include "field_table.h"

#include <stdlib.h>

#include "ws_compat.h"

wp_field_def *wp_field_chunks[WP_FIELD_CHUNKS];

static const uint8_t kinds[FT_NUM_TYPES] = {
    [FT_NONE] = WP_NONE,
    [FT_PROTOCOL] = WP_PROTOCOL,
    [FT_BOOLEAN] = WP_BOOL,
    [FT_CHAR] = WP_UINT,
    [FT_UINT8] = WP_UINT,
    [FT_UINT16] = WP_UINT,
    [FT_UINT24] = WP_UINT,
    [FT_UINT32] = WP_UINT,
    [FT_UINT40] = WP_UINT,
    [FT_UINT48] = WP_UINT,
    [FT_UINT56] = WP_UINT,
    [FT_UINT64] = WP_UINT,
    [FT_INT8] = WP_INT,
    [FT_INT16] = WP_INT,
    [FT_INT24] = WP_INT,
    [FT_INT32] = WP_INT,
    [FT_INT40] = WP_INT,
    [FT_INT48] = WP_INT,
    [FT_INT56] = WP_INT,
    [FT_INT64] = WP_INT,
    [FT_IEEE_11073_SFLOAT] = WP_FLOAT16,
    [FT_IEEE_11073_FLOAT] = WP_FLOAT32,
    [FT_FLOAT] = WP_FLOAT,
    [FT_DOUBLE] = WP_FLOAT,
    [FT_ABSOLUTE_TIME] = WP_ABSTIME,
    [FT_RELATIVE_TIME] = WP_RELTIME,
    [FT_STRING] = WP_STRING,
    [FT_STRINGZ] = WP_STRING,
    [FT_UINT_STRING] = WP_STRING,
    [FT_ETHER] = WP_ETHER,
    [FT_BYTES] = WP_BYTES,
    [FT_UINT_BYTES] = WP_BYTES,
    [FT_IPv4] = WP_IPV4,
    [FT_IPv6] = WP_IPV6,
    [FT_IPXNET] = WP_IPXNET,
    [FT_FRAMENUM] = WP_UINT,
    [FT_GUID] = WP_GUID,
    [FT_OID] = WP_OTHER,
    [FT_EUI64] = WP_EUI64,
    [FT_AX25] = WSC_AX25_IS_STRING ? WP_STRING : WP_OTHER,
    [FT_VINES] = WP_OTHER,
    [FT_REL_OID] = WP_OTHER,
    [FT_SYSTEM_ID] = WP_OTHER,
    [FT_STRINGZPAD] = WP_STRING,
    [FT_FCWWN] = WP_OTHER,
    [FT_STRINGZTRUNC] = WP_STRING,
};

wp_field_def *
wp_field_define_locked(const void *registered)
{
    const header_field_info *hf = registered;
    const uint32_t id = (uint32_t)hf->id;
    if (id / WP_FIELD_CHUNK >= WP_FIELD_CHUNKS) {
        return NULL;   /* 4 million fields: twenty times what Wireshark has */
    }
    wp_field_def **chunk = &wp_field_chunks[id / WP_FIELD_CHUNK];
    if (*chunk == NULL) {
        wp_field_def *fresh = calloc(WP_FIELD_CHUNK, sizeof *fresh);
        if (fresh == NULL) {
            return NULL;
        }
        __atomic_store_n(chunk, fresh, __ATOMIC_RELEASE);
    }
    wp_field_def *def = &(*chunk)[id % WP_FIELD_CHUNK];
    if (def->registered == NULL) {
        def->text_only = WSC_FIELD_IS_TEXT(hf);
        def->name = def->text_only ? "" : hf->abbrev;
        def->title = hf->name;
        def->id = id;
        def->kind = (unsigned)hf->type < FT_NUM_TYPES ? kinds[hf->type] : WP_NONE;
        __atomic_store_n(&def->registered, registered, __ATOMIC_RELEASE);
    }
    return def;
}

void
wp_field_table_each(void (*each)(wp_field_def *def, void *data), void *data)
{
    for (uint32_t i = 0; i < WP_FIELD_CHUNKS; i++) {
        for (uint32_t j = 0; wp_field_chunks[i] != NULL && j < WP_FIELD_CHUNK; j++) {
            if (wp_field_chunks[i][j].registered != NULL) {
                each(&wp_field_chunks[i][j], data);
            }
        }
    }
}
