/* outline.c - the nodes of one packet in a flat list. */
#include "outline.h"

#include <stdlib.h>

#include "live_field.h"

enum { FIRST_ROOM = 512, KEPT_ROOM = 1 << 17 };   /* nodes; after a giant packet the memory goes back to the system */

void
wp_outline_free(wp_outline *outline)
{
    free(outline->nodes);
    *outline = (wp_outline){0};
}

static bool
make_room(wp_outline *outline, uint32_t count)
{
    uint32_t room = outline->room == 0 ? FIRST_ROOM : outline->room;
    while (room < count) {
        room *= 2;   /* a tree has fewer nodes than 2^26: see packet_tree.c */
    }
    wp_outline_node *nodes = realloc(outline->nodes, room * sizeof *nodes);
    if (nodes != NULL) {
        outline->nodes = nodes;
        outline->room = room;
    }
    return nodes != NULL;
}

/* Forgets the packet before. */
static void
begin(wp_outline *outline)
{
    if (outline->room > KEPT_ROOM) {
        wp_outline_free(outline);
    }
    outline->count = 0;
}

bool
wp_outline_kept(wp_outline *outline, const wp_block *block)
{
    const wp_node *nodes = wp_block_nodes(block);
    begin(outline);
    if (block->node_count > outline->room && !make_room(outline, block->node_count)) {
        return false;
    }
    for (uint32_t i = 0; i < block->node_count; i++) {
        outline->nodes[i] = (wp_outline_node){.def = wp_field_by_id(nodes[i].field), .end = nodes[i].end};
    }
    outline->count = block->node_count;
    outline->block = block;
    outline->frame = &block->frame;
    outline->resolution = block->resolution;
    return true;
}

/* Depth first. Wireshark bounds the depth (gui_max_tree_depth), so the stack is safe. */
static bool
add_children(wp_outline *outline, const proto_node *parent)
{
    for (const proto_node *child = parent->first_child; child != NULL; child = child->next) {
        const field_info *fi = WSC_FINFO(child);
        const uint32_t place = outline->count;
        if (fi != NULL) {   /* 4.6: a faked item has none, its children may have */
            wp_field_def *def = wp_live_def(fi);
            if (def == NULL || (place == outline->room && (place > UINT32_MAX / 4 || !make_room(outline, place + 1)))) {
                return false;
            }
            outline->nodes[place] = (wp_outline_node){.def = def, .live = fi};
            outline->count++;
        }
        if (child->first_child != NULL && !add_children(outline, child)) {
            return false;
        }
        if (fi != NULL) {
            outline->nodes[place].end = outline->count;
        }
    }
    return true;
}

bool
wp_outline_live_locked(wp_outline *outline, const void *root, const wp_frame *frame, wp_resolution resolution)
{
    begin(outline);
    outline->block = NULL;
    outline->frame = frame;
    outline->resolution = resolution;
    return add_children(outline, root);
}

void
wp_outline_live_field(const wp_outline_node *node, wp_field *field)
{
    wp_live_field(node->def, (field_info *)node->live, field);
}
