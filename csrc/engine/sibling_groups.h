/* sibling_groups.h - which nodes of a packet share a JSON key with which: the groups of tshark's --no-duplicate-keys,
 * found in one pass over each list of siblings. An outline's `next` is where it is noted: the next node of the same
 * group, 0 for none; and WP_CONTINUES. */
#ifndef WISHPY_SIBLING_GROUPS_H
#define WISHPY_SIBLING_GROUPS_H

#include "outline.h"

typedef struct {
    uint64_t key;
    uint32_t stamp;      /* of the list that it belongs to; others are free */
    uint32_t last;       /* the last node of the group so far */
} wp_group_slot;

typedef struct {
    wp_group_slot *slots;   /* owned; a hash table, NULL until it is needed */
    uint32_t room;          /* for so many nodes, half of the slots */
    uint32_t stamp;
} wp_groups;

enum { WP_DEEPEST_TREE = 2000 };   /* Wireshark's own limit is 500; a foreign block could be a chain of a million */

#define WP_CONTINUES 0x80000000u   /* not the first of its group */

void wp_groups_free(wp_groups *groups);
/* For a packet of so many nodes. False: no memory. */
bool wp_groups_prepare(wp_groups *groups, uint32_t node_count);

/* The nodes of one parent, by their JSON key: the field's name, or a line's own text. */
void wp_groups_link_siblings(wp_groups *groups, const wp_outline *outline, uint32_t first, uint32_t end);
/* All fields below one protocol but not those below a protocol in it, by their name and, where this version
 * of tshark -T ek keeps them apart, their parent's.
 * False: the tree is too deep to be one of Wireshark's. */
bool wp_groups_link_ek(wp_groups *groups, const wp_outline *outline, uint32_t first, uint32_t end, uint32_t parent);

static inline uint32_t
wp_group_next(const wp_outline *outline, uint32_t node)
{
    return outline->nodes[node].next & ~(WP_CONTINUES | WP_CHILDREN_DIFFER);
}

static inline bool
wp_group_starts(const wp_outline *outline, uint32_t node)
{
    return !(outline->nodes[node].next & WP_CONTINUES);
}

#endif
