/* cursor.h - a place among siblings, in a kept copy or in a live tree: what is made of a tree is written once for
 * both. Walking a live tree needs the epan lock and ends with it; a kept copy needs nothing. */
#ifndef WISHPY_CURSOR_H
#define WISHPY_CURSOR_H

#include "live_field.h"
#include "packet_tree.h"

typedef struct {
    const wp_block *block;    /* borrowed; NULL: a live tree */
    uint32_t at, end;         /* in the block */
    const proto_node *node;   /* in the live tree; NULL behind the last sibling */
} wp_cursor;

static inline wp_cursor
wp_cursor_kept(const wp_block *block, uint32_t first, uint32_t end)
{
    return (wp_cursor){.block = block, .at = first, .end = end};
}

/* Behind a node of 4.6 that has no field (a faked item; there is none in a visible tree) to the next that has one. */
static inline const proto_node *
wp_cursor_real(const proto_node *node)
{
    while (node != NULL && WSC_FINFO(node) == NULL) {
        node = node->next;
    }
    return node;
}

/* The children of a node; of the root, the layers. */
static inline wp_cursor
wp_cursor_live(const void *parent)
{
    return (wp_cursor){.node = wp_cursor_real(((const proto_node *)parent)->first_child)};
}

static inline bool
wp_cursor_ok(const wp_cursor *c)
{
    return c->block != NULL ? c->at < c->end : c->node != NULL;
}

static inline void
wp_cursor_next(wp_cursor *c)
{
    if (c->block != NULL) {
        c->at = wp_block_nodes(c->block)[c->at].end;
    } else {
        c->node = wp_cursor_real(c->node->next);
    }
}

static inline bool
wp_cursor_nested(const wp_cursor *c)
{
    return c->block != NULL ? wp_block_nodes(c->block)[c->at].end != c->at + 1 : c->node->first_child != NULL;
}

static inline wp_cursor
wp_cursor_children(const wp_cursor *c)
{
    return c->block != NULL ? wp_cursor_kept(c->block, c->at + 1, wp_block_nodes(c->block)[c->at].end)
                            : wp_cursor_live(c->node);
}

/* The field here. Of a live one the data source is not looked up. False: no memory to define the field. */
static inline bool
wp_cursor_field(const wp_cursor *c, wp_field *field)
{
    if (c->block != NULL) {
        wp_block_field(c->block, c->at, field);
        return true;
    }
    field_info *fi = WSC_FINFO(c->node);
    wp_field_def *def = wp_live_def(fi);
    if (def != NULL) {
        wp_live_field(def, fi, field);
    }
    return def != NULL;
}

/* The next node of a live tree in its order, NULL at its end; `root` is where the walk began. */
static inline const proto_node *
wp_live_walk(const proto_node *root, const proto_node *node)
{
    if (node->first_child != NULL) {
        return node->first_child;
    }
    while (node != root && node->next == NULL) {
        node = node->parent;
    }
    return node == root ? NULL : node->next;
}

#endif
