/* field.h - one field of a dissected packet, as every writer sees it: no Wireshark struct, no Python object.
 *
 * A wp_field is a view: it is filled by whoever walks a tree and lives until the next field is asked for; what
 * its pointers point to lives as long as the tree (or the kept copy) that it came from. */
#ifndef WISHPY_FIELD_H
#define WISHPY_FIELD_H

#include <stdbool.h>
#include <stdint.h>

/* What a value is, after Wireshark's type (FT_*). The comment says where in wp_value it lies. */
typedef enum {
    WP_NONE = 0,   /* no value: FT_NONE, a text-only line */
    WP_PROTOCOL,   /* no value: a protocol */
    WP_BOOL,       /* number, 0 or 1 */
    WP_UINT,       /* number; FT_UINT*, FT_CHAR, FT_FRAMENUM */
    WP_INT,        /* number, as int64_t */
    WP_FLOAT,      /* real */
    WP_FLOAT16,    /* number: an IEEE 11073 SFLOAT's bits */
    WP_FLOAT32,    /* number: an IEEE 11073 FLOAT's bits */
    WP_ABSTIME,    /* time */
    WP_RELTIME,    /* time */
    WP_STRING,     /* bytes, nearly always UTF-8, maybe with NULs inside */
    WP_BYTES,      /* bytes */
    WP_IPV4,       /* number: address in the low half, mask in the high half, host order */
    WP_IPV6,       /* bytes, 16 */
    WP_ETHER,      /* bytes, 6 */
    WP_EUI64,      /* number, network order read as big-endian */
    WP_GUID,       /* bytes, 16, in the order they are written in */
    WP_IPXNET,     /* number */
    WP_OTHER,      /* bytes of an address or identifier that only Wireshark can write (OID, SYSTEM_ID, AX25, ...), and
                    * text, as it does */
    WP_KIND_COUNT
} wp_kind;

typedef struct {
    union {
        uint64_t number;
        double real;
        struct {
            int64_t seconds;
            int32_t nanoseconds;
        } time;
        struct {
            const uint8_t *bytes;   /* borrowed; NULL only when length is 0 */
            uint32_t length;
            const char *text;       /* borrowed; of WP_OTHER alone, and only in a kept copy */
        };
    };
} wp_value;

/* How tshark prints a value, as far as it follows from the value alone (see value_text.c). */
typedef enum {
    WP_FORMAT_ASK = 0,     /* Wireshark has to be asked */
    WP_FORMAT_DECIMAL,
    WP_FORMAT_HEX,         /* 0x and `digits` digits */
    WP_FORMAT_BOOL,        /* 0 or 1 */
    WP_FORMAT_BYTES,       /* hexadecimal, `separator` between the bytes */
    WP_FORMAT_STRING,
    WP_FORMAT_ADDRESS,     /* as WP_IPV4, WP_IPV6, WP_EUI64 are written anyway */
    WP_FORMAT_RELTIME,
} wp_format;

/* A registered field, for the life of the process. Made once, under the epan lock, and then only read, but for
 * `cache`, which belongs to the Python layer and needs the GIL. Every field of every packet comes by here, so what
 * all readers need is one cache line; what only writers need lies elsewhere (wp_field_more). */
typedef struct {
    _Alignas(64) void *cache[4];   /* Python objects, see epan/to_python.c */
    uint64_t cached_number;   /* with cache[]: what the remembered value was made from */
    const char *name;         /* borrowed for good: the filter name, "ip.src"; "" for a text-only line; NULL in a slot
                               * not used yet */
    uint32_t id;
    uint32_t same_name;       /* the same number for all fields of one name: the oldest one's id */
    uint16_t name_length;
    uint8_t kind;             /* wp_kind */
    bool text_only;           /* a line of text with no field behind it */
    uint8_t format;           /* wp_format */
    uint8_t digits;           /* of WP_FORMAT_HEX */
} wp_field_def;

_Static_assert(sizeof(wp_field_def) == 64 || sizeof(void *) != 8, "a field definition is one cache line");

/* What else writers want to know of it: wp_field_more_of() in field_table.h. */
typedef struct {
    const void *registered;   /* borrowed for good: Wireshark's header_field_info */
    uint64_t bitmask;
    const char *parent;       /* borrowed for good: its protocol's filter name; NULL where it has none */
    uint8_t type_number;      /* Wireshark's FT_*, in this version's counting */
    bool wide;                /* a number of more than 32 bits */
    bool allow_zero;          /* bytes that may be none at all */
    char separator;           /* of WP_FORMAT_BYTES */
    char fields_separator;    /* the same for -T fields, which has its own; '\0' for none */
} wp_field_more;

#define WP_FIELD_HIDDEN 0x1u
#define WP_FIELD_GENERATED 0x2u

typedef struct {
    wp_field_def *def;        /* borrowed for good */
    wp_value value;
    const char *label;        /* borrowed: the line's own text, NUL-terminated; NULL where it follows from the value */
    int32_t start, length;    /* in bytes, within its data source */
    uint32_t flags;           /* Wireshark's FI_* flags; the two low ones as above */
    uint32_t source;          /* which data source; WP_NO_SOURCE for none */
    uint8_t scratch[16];      /* for a value that does not lie anywhere in the order it is written in */
} wp_field;

#define WP_NO_SOURCE 0xffffu

#endif
