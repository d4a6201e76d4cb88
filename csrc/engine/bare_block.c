/* bare_block.c - the kept copy of a frame that was not dissected: its bytes, and one line that says why. */
#include "bare_block.h"

#include <stdlib.h>

static uint32_t
round_up(size_t n)
{
    return (uint32_t)((n + 7) & ~(size_t)7);
}

/* Copies and moves on. */
static uint32_t
append(wp_block *block, uint32_t *at, const void *bytes, size_t size)
{
    const uint32_t place = *at;
    if (size > 0) {
        memcpy((uint8_t *)block + place, bytes, size);
    }
    *at += (uint32_t)size;
    return place;
}

wp_block *
wp_block_bare(const wp_frame *frame, const uint8_t *bytes, const char *why, uint32_t text_field,
              const wp_text *extra)
{
    const wp_node node = {
        .field = text_field, .end = 1, .flags_source = WP_FIELD_GENERATED | (uint32_t)WP_NO_SOURCE << 16, .label = 1,
    };
    char name[40];
    const int name_size = snprintf(name, sizeof name, "Frame (%u bytes)", frame->captured_length) + 1;
    const uint32_t heap = round_up(strlen(why) + 1);
    const uint32_t rest_at = round_up(sizeof(wp_block) + sizeof node + heap);
    const size_t size = round_up(rest_at + sizeof(wp_rest) + sizeof(wp_block_source) + (size_t)name_size + 1
                                 + frame->captured_length + extra->used);
    wp_block *block = calloc(1, size);
    if (block == NULL) {
        return NULL;
    }
    *block = (wp_block){
        .magic = WP_BLOCK_MAGIC, .size = (uint32_t)size, .node_count = 1, .heap_size = heap, .rest = rest_at,
        .frame = *frame,
    };
    uint32_t at = sizeof *block;
    append(block, &at, &node, sizeof node);
    append(block, &at, why, strlen(why) + 1);
    wp_rest rest = {.source_count = 1, .sources = rest_at + (uint32_t)sizeof rest};
    wp_block_source source = {.length = frame->captured_length};
    rest.columns = rest.experts = rest.follows = rest.sources;
    at = rest.sources + (uint32_t)sizeof source;
    source.name = append(block, &at, name, (size_t)name_size);
    rest.protocols = append(block, &at, "", 1);
    source.bytes = append(block, &at, bytes, frame->captured_length);
    rest.extra = append(block, &at, extra->data, extra->used);
    rest.extra_size = (uint32_t)extra->used;
    memcpy((uint8_t *)block + rest_at, &rest, sizeof rest);
    memcpy((uint8_t *)block + rest.sources, &source, sizeof source);
    return block;
}
