/* foreign_field.h - the fields of another process: described there, found again or made here.
 * Both processes run the same libwireshark with mostly the same registration, but ids may differ: some dissectors
 * register their fields when they are first used, and preferences or tables of the user's bring fields of their own. */
#ifndef WISHPY_FOREIGN_FIELD_H
#define WISHPY_FOREIGN_FIELD_H

#include <stdint.h>

#include "field.h"

/* What is sent of a field, before its packet: this, then the name and the title, each with a NUL behind. */
typedef struct {
    uint64_t bitmask;
    uint32_t id;          /* there */
    uint32_t text_only;
    int32_t type, display;
} wp_field_description;

/* Fills a malloc'ed description of *size bytes; NULL where there is no memory. No lock. */
uint8_t *wp_field_describe(const wp_field_def *def, uint32_t *size);

/* The local id for a description; a field that this process does not have is made, without strings for its values.
 * -1: not a description, or no memory, or too many of them. Lock held. *made tells that it is new. */
int64_t wp_field_adopt_locked(const uint8_t *bytes, uint32_t size, bool *made);

#endif
