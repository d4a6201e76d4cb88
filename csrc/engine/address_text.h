/* address_text.h - addresses and identifiers as Wireshark writes them, into the caller's characters. No lock. */
#ifndef WISHPY_ADDRESS_TEXT_H
#define WISHPY_ADDRESS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "field.h"

enum { WP_ADDRESS_TEXT_SIZE = 48 };   /* the longest, an IPv6 address that ends in an IPv4 one, takes 46 */

/* Writes the value of a WP_IPV4, WP_IPV6, WP_ETHER, WP_EUI64, WP_GUID or WP_IPXNET, without a NUL; how many
 * characters. 0 for other kinds, and for a value of a wrong size. */
size_t wp_address_text(wp_kind kind, const wp_value *value, char text[WP_ADDRESS_TEXT_SIZE]);

/* The value's bytes in the order in which they are written: 4, 6, 8 or 16 of them; 0 as above. */
size_t wp_address_bytes(wp_kind kind, const wp_value *value, uint8_t bytes[16]);

#endif
