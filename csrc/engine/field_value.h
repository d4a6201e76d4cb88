/* field_value.h - one field of a live tree to one typed value, and back to the text that Wireshark writes for it. */
#ifndef WISHPY_FIELD_VALUE_H
#define WISHPY_FIELD_VALUE_H

#include <stddef.h>

#include "field.h"
#include "status.h"

enum { WP_LABEL_SIZE = 240 };   /* Wireshark's ITEM_LABEL_LENGTH: a longer line is cut there */

/* Name resolution in force when a packet was dissected; labels made later are made under the same. */
typedef uint32_t wp_resolution;
enum {
    WP_RESOLVE_MAC = 1,
    WP_RESOLVE_NETWORK = 2,
    WP_RESOLVE_TRANSPORT = 4,
    WP_RESOLVE_VLAN = 8,
    WP_RESOLVE_MAXMIND = 16,
    WP_RESOLVE_EXTERNAL = 32,   /* ask the network's name servers */
    WP_RESOLVE_PACKETS = 64,    /* learn names from the DNS packets of the capture */
    WP_RESOLVE_HANDSHAKES = 128,   /* from TLS's server names, too */
};

/* The line that Wireshark's tree shows. Lock held. */
void wp_field_label_locked(const wp_field *field, wp_resolution resolution, char label[WP_LABEL_SIZE]);

/* The two formats of tshark that have, with some versions, each a text of its own for a value. */
typedef enum {
    WP_DISPLAY_OF_JSON,
    WP_DISPLAY_OF_FIELDS,
} wp_display_of;

/* The value as tshark prints it: *text is malloc'ed (free it), or NULL where it prints none. Lock held. */
wp_status wp_field_display_locked(const wp_field *field, wp_resolution resolution, wp_display_of of, char **text,
                                  wp_error *error);

/* The value of an IEEE 11073 float's bits; size is 2 or 4 bytes. */
double wp_ieee11073(uint64_t bits, int size);

#endif
