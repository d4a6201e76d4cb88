/* outline.c - the nodes of one packet in a flat list. */
#include "outline.h"

#include <stdlib.h>

#include "live_field.h"

enum {
    FIRST_ROOM = 512,
    KEPT_ROOM = 1 << 17,    /* after a giant packet the memory goes back to the system */
    MOST_NODES = 1 << 29,   /* a number fits beside the flags of `next` */
};

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
        room *= 2;   /* a kept copy has fewer than 2^26: see packet_tree.c */
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
    outline->tops_differ = false;
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

/* Most siblings repeat nothing, and while their definitions are at hand a bit for each name shows it at little cost:
 * who asks later which ones share a name has nothing to do then. */
typedef struct {
    uint64_t seen[16];
    bool differ;
} name_bits;

static inline void
note_name(name_bits *names, const wp_field_def *def)
{
    const uint32_t bit = (def->same_name * UINT32_C(0x9e3779b1)) >> 22;   /* one of 1024 */
    names->differ = names->differ && !def->text_only && (names->seen[bit / 64] >> bit % 64 & 1) == 0;
    names->seen[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool add_children(wp_outline *outline, const proto_node *parent, bool *differ);

static bool
add_node(wp_outline *outline, const proto_node *node, const field_info *fi, name_bits *names)
{
    wp_field_def *def = wp_live_def(fi);
    const uint32_t place = outline->count;
    if (def == NULL || (place == outline->room && (place >= MOST_NODES || !make_room(outline, place + 1)))) {
        return false;
    }
    note_name(names, def);
    outline->nodes[place] = (wp_outline_node){.def = def, .live = fi};
    outline->count++;
    bool differ = false;
    if (node->first_child != NULL && !add_children(outline, node, &differ)) {
        return false;
    }
    outline->nodes[place].end = outline->count;
    outline->nodes[place].next = differ ? WP_CHILDREN_DIFFER : 0;
    return true;
}

/* Depth first. Wireshark bounds the depth (gui_max_tree_depth), so the stack is safe. */
static bool
add_children(wp_outline *outline, const proto_node *parent, bool *differ)
{
    name_bits names = {.differ = true};
    for (const proto_node *child = parent->first_child; child != NULL; child = child->next) {
        const field_info *fi = WSC_FINFO(child);
        if (fi != NULL) {
            if (!add_node(outline, child, fi, &names)) {
                return false;
            }
        } else {   /* 4.6: a faked item; its children stand in its place */
            bool ignored;
            names.differ = false;
            if (!add_children(outline, child, &ignored)) {
                return false;
            }
        }
    }
    *differ = names.differ;
    return true;
}

bool
wp_outline_live_locked(wp_outline *outline, const void *root, const wp_frame *frame, wp_resolution resolution)
{
    begin(outline);
    outline->block = NULL;
    outline->frame = frame;
    outline->resolution = resolution;
    return add_children(outline, root, &outline->tops_differ);
}

void
wp_outline_live_field(const wp_outline_node *node, wp_field *field)
{
    wp_live_field(node->def, (field_info *)node->live, field);
}
