/* bare_block.h - the kept copy of a frame that was not dissected: its bytes, and one line that says why. */
#ifndef WISHPY_BARE_BLOCK_H
#define WISHPY_BARE_BLOCK_H

#include "packet_tree.h"

/* A malloc'ed block; NULL where there is no memory. `text_field` is the id of lines of text; for `extra` see
 * record_bytes.h. No lock. */
wp_block *wp_block_bare(const wp_frame *frame, const uint8_t *bytes, const char *why, uint32_t text_field,
                        const wp_text *extra);

#endif
