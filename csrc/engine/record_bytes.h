/* record_bytes.h - what libwiretap keeps of a record beside its bytes, as bytes that can be kept, pickled and sent to
 * another process, and back: the head that only some link types have, and the options of a block. No lock. */
#ifndef WISHPY_RECORD_BYTES_H
#define WISHPY_RECORD_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_buffer.h"

/* A wtap_block_t's options. */
void wp_options_append(wp_text *out, void *block);
void wp_option_append_text(wp_text *out, uint16_t code, const char *text);
void wp_option_append_filter(wp_text *out, uint16_t code, const char *text);
void wp_option_append_number(wp_text *out, uint16_t code, uint8_t number);
/* Adds them to a wtap_block_t. What is damaged, or means nothing to libwiretap, is left out: the bytes may come from
 * anywhere. */
void wp_options_add(void *block, const uint8_t *bytes, size_t size);

/* Appends what a file needs to know of a record (a wsc_record and its block, which may be NULL) beside its bytes; for
 * most packets that is nothing. */
void wp_record_bytes_append(wp_text *out, const void *record, void *block);
/* Fills the record's head, whose type is set, and gives it a block of options where it needs one. */
void wp_record_bytes_apply(void *record, const uint8_t *bytes, size_t size);

#endif
