/* outline.h - the nodes of one packet in a flat list, in the order of the tree: of a live tree or of a kept copy. What
 * writes a whole packet as text walks it more than once (to see which nodes share a key), and by number. */
#ifndef WISHPY_OUTLINE_H
#define WISHPY_OUTLINE_H

#include "packet_tree.h"

typedef struct {
    wp_field_def *def;         /* borrowed for good */
    const void *live;          /* borrowed: the field_info; NULL in a kept copy */
    uint32_t end;              /* index of the first node after this one's descendants */
    uint32_t next;             /* see sibling_groups.h; from the start no more than WP_CHILDREN_DIFFER */
} wp_outline_node;

#define WP_CHILDREN_DIFFER 0x40000000u   /* no two children are fields of one name, and none is a line of text */

typedef struct {
    const wp_block *block;     /* borrowed; NULL: a live tree */
    const wp_frame *frame;     /* borrowed */
    wp_resolution resolution;
    wp_outline_node *nodes;    /* owned, and used again for the next packet */
    uint32_t count, room;
    bool tops_differ;          /* what WP_CHILDREN_DIFFER says of a node's children, of those that have no parent */
} wp_outline;

void wp_outline_free(wp_outline *outline);

/* False: no memory. A live tree (its root, a proto_node) needs the epan lock until the outline is used no more. */
bool wp_outline_kept(wp_outline *outline, const wp_block *block);
bool wp_outline_live_locked(wp_outline *outline, const void *root, const wp_frame *frame, wp_resolution resolution);

/* Node i of a live tree as a view, but for its data source. */
void wp_outline_live_field(const wp_outline_node *node, wp_field *field);

static inline void
wp_outline_field(const wp_outline *outline, uint32_t i, wp_field *field)
{
    if (outline->block != NULL) {
        wp_block_field(outline->block, i, field);
    } else {
        wp_outline_live_field(&outline->nodes[i], field);
    }
}

#endif
