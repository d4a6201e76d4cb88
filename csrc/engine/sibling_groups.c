/* sibling_groups.c - which nodes of a kept packet share a JSON key with which. */
#include "sibling_groups.h"

#include <stdlib.h>

void
wp_groups_free(wp_groups *groups)
{
    free(groups->next);
    free(groups->slots);
    *groups = (wp_groups){0};
}

bool
wp_groups_prepare(wp_groups *groups, uint32_t node_count)
{
    if (node_count <= groups->room && groups->slots != NULL) {
        return true;
    }
    uint32_t room = 512;
    while (room < node_count) {
        room *= 2;
    }
    wp_groups_free(groups);
    groups->next = malloc(room * sizeof *groups->next);
    groups->slots = calloc((size_t)room * 2, sizeof *groups->slots);
    if (groups->next == NULL || groups->slots == NULL) {
        wp_groups_free(groups);
        return false;
    }
    groups->room = room;
    groups->mask = room * 2 - 1;
    return true;
}

static void
new_list(wp_groups *groups)
{
    if (++groups->stamp == 0) {   /* after four thousand million lists */
        memset(groups->slots, 0, ((size_t)groups->mask + 1) * sizeof *groups->slots);
        groups->stamp = 1;
    }
}

static inline uint32_t
place_of(const wp_groups *groups, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & groups->mask;
}

static inline void
join(wp_groups *groups, wp_group_slot *slot, uint64_t key, uint32_t node)
{
    groups->next[node] = 0;
    if (slot->stamp == groups->stamp) {
        groups->next[slot->last] |= node;
        groups->next[node] = WP_CONTINUES;
    }
    *slot = (wp_group_slot){.key = key, .stamp = groups->stamp, .last = node};
}

static void
join_by_key(wp_groups *groups, uint64_t key, uint32_t node)
{
    uint32_t place = place_of(groups, key);
    while (groups->slots[place].stamp == groups->stamp && groups->slots[place].key != key) {
        place = (place + 1) & groups->mask;
    }
    join(groups, &groups->slots[place], key, node);
}

/* ---- siblings ---- */

static const char *
text_of(const wp_block *block, uint32_t node)
{
    wp_field field;
    wp_block_field(block, node, &field);
    return !field.def->text_only ? field.def->name : field.label == NULL ? "" : field.label;
}

static void
join_by_text(wp_groups *groups, const wp_block *block, uint32_t node)
{
    const char *text = text_of(block, node);
    uint64_t key = UINT64_C(0xcbf29ce484222325);   /* FNV-1a */
    for (const char *at = text; *at != '\0'; at++) {
        key = (key ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    }
    key |= UINT64_C(1) << 63;   /* apart from the fields' numbers */
    uint32_t place = place_of(groups, key);
    while (groups->slots[place].stamp == groups->stamp
           && (groups->slots[place].key != key || strcmp(text_of(block, groups->slots[place].last), text) != 0)) {
        place = (place + 1) & groups->mask;
    }
    join(groups, &groups->slots[place], key, node);
}

/* A line of text could read like a field's name, and then they are one group. Names have no blanks in them. */
static void
link_by_text(wp_groups *groups, const wp_block *block, uint32_t first, uint32_t end)
{
    const wp_node *nodes = wp_block_nodes(block);
    new_list(groups);
    for (uint32_t i = first; i < end; i = nodes[i].end) {
        join_by_text(groups, block, i);
    }
}

void
wp_groups_link_siblings(wp_groups *groups, const wp_block *block, uint32_t first, uint32_t end)
{
    const wp_node *nodes = wp_block_nodes(block);
    if (first < end && nodes[first].end == end) {   /* an only child */
        groups->next[first] = 0;
        return;
    }
    new_list(groups);
    for (uint32_t i = first; i < end; i = nodes[i].end) {
        const wp_field_def *def = wp_field_by_id(nodes[i].field);
        if (!def->text_only) {
            join_by_key(groups, wp_field_more_of(def)->same_name, i);
        } else if (strchr(text_of(block, i), ' ') == NULL) {
            link_by_text(groups, block, first, end);
            return;
        } else {
            join_by_text(groups, block, i);
        }
    }
}

/* ---- tshark -T ek ---- */

static bool
join_ek(wp_groups *groups, const wp_block *block, uint32_t first, uint32_t end, uint32_t parent, unsigned depth)
{
    const wp_node *nodes = wp_block_nodes(block);
    for (uint32_t i = first; i < end; i = nodes[i].end) {
        const wp_field_def *def = wp_field_by_id(nodes[i].field);
        join_by_key(groups, (uint64_t)parent << 32 | wp_field_more_of(def)->same_name, i);
        if (def->kind != WP_PROTOCOL && nodes[i].end > i + 1
            && (depth >= WP_DEEPEST_TREE || !join_ek(groups, block, i + 1, nodes[i].end, wp_field_more_of(def)->same_name, depth + 1))) {
            return false;
        }
    }
    return true;
}

bool
wp_groups_link_ek(wp_groups *groups, const wp_block *block, uint32_t first, uint32_t end, uint32_t parent)
{
    new_list(groups);
    return join_ek(groups, block, first, end, parent, 0);
}
