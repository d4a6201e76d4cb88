/* registry.h - what Wireshark knows: fields by name. */
#ifndef WISHPY_REGISTRY_H
#define WISHPY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WP_SAME_NAME_MAX = 64 };

/* The ids of all fields with this name (several dissectors may register one name), newest first; 0 where there is
 * none. Each is in the field table afterwards. Lock held. */
size_t wp_registry_find_locked(const char *name, uint32_t ids[WP_SAME_NAME_MAX]);

/* Calls `each` for every registered protocol and field until it returns false. Lock held. */
void wp_registry_each_locked(bool (*each)(const char *name, uint32_t id, void *data), void *data);

/* Names near to a mistaken one, best first; borrowed for good. Returns how many. Lock held. */
enum { WP_NEAREST = 3 };
size_t wp_registry_nearest_locked(const char *name, const char *nearest[WP_NEAREST]);

/* Wireshark's name of a field's type, "FT_UINT8"; borrowed for good. No lock. */
const char *wp_registry_type_name(uint32_t id);

/* The id of lines of text with no field behind them; in the table afterwards, -1 where there is no memory.
 * Lock held. */
int64_t wp_registry_text_only_locked(void);

/* libpcap's DLT number of an encapsulation, or -1. */
int wp_registry_linktype(int encapsulation);
/* libwiretap's number of a DLT, or -1. */
int wp_registry_encapsulation(int linktype);

#endif
