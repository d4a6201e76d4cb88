/* pseudo_header.h - frames whose first bytes say what their link layer's dissector must be told. */
#ifndef WISHPY_PSEUDO_HEADER_H
#define WISHPY_PSEUDO_HEADER_H

#include <stdbool.h>

#include "record.h"
#include "status.h"
#include "ws_compat.h"

bool wp_has_pseudo_header(int linktype);

/* Fills `native` as if the record had been read from a capture file: libwiretap takes the first bytes apart, and nothing
 * outside of it can. Neither the epan lock nor the GIL is needed. */
wp_status wp_pseudo_header_read(const wp_record *record, wsc_record *native, wp_error *error);

#endif
