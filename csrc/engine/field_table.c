/* field_table.c - the registered fields that were met so far, by Wireshark's field id.
 * Entries are made under the epan lock, published with their name last, and never change. */
#include "field_table.h"

#include <string.h>
#include <sys/mman.h>

#include "ws_compat.h"

enum { CHUNK_SIZE = WP_FIELD_CHUNK * (sizeof(wp_field_def) + sizeof(wp_field_more)) };

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

static uint8_t
integer_format(const header_field_info *hf, uint8_t *digits)
{
    const bool wide = hf->type >= FT_UINT40 && hf->type <= FT_UINT64;
    const int base = wide ? hf->display : hf->display & 0xff;   /* the wide ones look at the flags too */
    if (base != BASE_HEX && base != BASE_HEX_DEC) {
        return WP_FORMAT_DECIMAL;
    }
    *digits = wide ? 16 : hf->type == FT_UINT8 ? 2 : hf->type == FT_UINT16 ? 4 : hf->type == FT_UINT24 ? 6 : 8;
    return WP_FORMAT_HEX;
}

static char
separator_of(int base, char fallback)
{
    switch (base) {
    case SEP_DOT:
        return '.';
    case SEP_DASH:
        return '-';
    case SEP_COLON:
        return ':';
    case SEP_SPACE:
        return ' ';
    default:
        return fallback;
    }
}

/* What 4.0's epan/ftypes/ftype-*.c do with FTREPR_DISPLAY. Other versions print some of it in other ways: there
 * Wireshark is asked each time. */
static void
set_format(wp_field_def *def, const header_field_info *hf)
{
    wp_field_more *more = wp_field_more_of(def);
    more->allow_zero = (hf->display & BASE_ALLOW_ZERO) != 0;
    more->fields_separator = separator_of(hf->display, '\0');
    more->separator = separator_of(hf->display & 0xff, ':');
    if (more->separator == ' ') {
        more->separator = ':';   /* sic: bytes_to_repr has no case of its own for it */
    }
    if (!WSC_DISPLAYS_AS_4_0) {
        return;
    }
    switch ((wp_kind)def->kind) {
    case WP_BOOL:
        def->format = WP_FORMAT_BOOL;
        break;
    case WP_UINT:
        def->format = hf->type == FT_CHAR ? WP_FORMAT_ASK : integer_format(hf, &def->digits);
        break;
    case WP_INT:
        def->format = WP_FORMAT_DECIMAL;
        break;
    case WP_IPXNET:
        def->format = WP_FORMAT_HEX;
        def->digits = 8;
        break;
    case WP_BYTES:
    case WP_ETHER:
        def->format = WP_FORMAT_BYTES;
        break;
    case WP_STRING:
        def->format = hf->type == FT_AX25 ? WP_FORMAT_ASK : WP_FORMAT_STRING;
        break;
    case WP_IPV4:
    case WP_IPV6:
    case WP_EUI64:
        def->format = WP_FORMAT_ADDRESS;
        break;
    case WP_RELTIME:
        def->format = WP_FORMAT_RELTIME;
        break;
    default:
        break;
    }
}

/* Wireshark links the fields of one name, the newest first; the oldest stays when others are registered later. */
static uint32_t
oldest_of_name(const header_field_info *hf)
{
    while (hf->same_name_next != NULL) {
        hf = hf->same_name_next;
    }
    return (uint32_t)hf->id;
}

static void
set_identity(wp_field_def *def, const header_field_info *hf)
{
    const header_field_info *parent = hf->parent == -1 ? NULL : proto_registrar_get_nth((guint)hf->parent);
    wp_field_more *more = wp_field_more_of(def);
    more->parent = parent == NULL ? NULL : parent->abbrev;
    def->name_length = def->text_only ? 0 : (uint16_t)strlen(hf->abbrev);
    def->same_name = oldest_of_name(hf);
    more->registered = hf;
    more->bitmask = hf->bitmask;
    more->type_number = (uint8_t)hf->type;
    more->wide = (hf->type >= FT_UINT40 && hf->type <= FT_UINT64) || (hf->type >= FT_INT40 && hf->type <= FT_INT64)
                 || hf->type == FT_BOOLEAN;
}

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
        void *fresh = mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED) {
            return NULL;
        }
        __atomic_store_n(chunk, (wp_field_def *)fresh, __ATOMIC_RELEASE);
    }
    wp_field_def *def = &(*chunk)[id % WP_FIELD_CHUNK];
    if (def->name == NULL) {
        def->text_only = WSC_FIELD_IS_TEXT(hf);
        def->id = id;
        def->kind = (unsigned)hf->type < FT_NUM_TYPES ? kinds[hf->type] : WP_NONE;
        set_identity(def, hf);
        set_format(def, hf);
        __atomic_store_n(&def->name, def->text_only ? "" : hf->abbrev, __ATOMIC_RELEASE);
    }
    return def;
}

const char *
wp_field_title(const wp_field_def *def)
{
    return ((const header_field_info *)wp_field_more_of(def)->registered)->name;
}
