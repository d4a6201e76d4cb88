/* sibling_groups.c - which nodes of a packet share a JSON key with which. */
#include "sibling_groups.h"

#include <stdlib.h>

#include "ws_compat.h"

void
wp_groups_free(wp_groups *groups)
{
    free(groups->slots);
    *groups = (wp_groups){0};
}

bool
wp_groups_prepare(wp_groups *groups, uint32_t node_count)
{
    if (node_count <= groups->room) {
        return true;
    }
    uint32_t room = 512;
    while (room < node_count) {
        room *= 2;
    }
    wp_groups_free(groups);
    groups->slots = calloc((size_t)room * 2, sizeof *groups->slots);
    groups->room = groups->slots == NULL ? 0 : room;
    return groups->slots != NULL;
}

static void
new_list(wp_groups *groups)
{
    if (++groups->stamp == 0) {   /* after four thousand million lists */
        memset(groups->slots, 0, (size_t)groups->room * 2 * sizeof *groups->slots);
        groups->stamp = 1;
    }
}

static inline uint32_t
place_of(const wp_groups *groups, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (groups->room * 2 - 1);
}

static inline uint32_t
place_behind(const wp_groups *groups, uint32_t place)
{
    return (place + 1) & (groups->room * 2 - 1);
}

static inline void
join(wp_groups *groups, const wp_outline *outline, wp_group_slot *slot, uint64_t key, uint32_t node)
{
    outline->nodes[node].next &= WP_CHILDREN_DIFFER;
    if (slot->stamp == groups->stamp) {
        outline->nodes[slot->last].next |= node;
        outline->nodes[node].next |= WP_CONTINUES;
    }
    *slot = (wp_group_slot){.key = key, .stamp = groups->stamp, .last = node};
}

static void
join_by_key(wp_groups *groups, const wp_outline *outline, uint64_t key, uint32_t node)
{
    uint32_t place = place_of(groups, key);
    while (groups->slots[place].stamp == groups->stamp && groups->slots[place].key != key) {
        place = place_behind(groups, place);
    }
    join(groups, outline, &groups->slots[place], key, node);
}

/* ---- siblings ---- */

static const char *
text_of(const wp_outline *outline, uint32_t node)
{
    const wp_field_def *def = outline->nodes[node].def;
    if (!def->text_only) {
        return def->name;
    }
    wp_field field;
    wp_outline_field(outline, node, &field);
    return field.label == NULL ? "" : field.label;
}

/* Cheap rather than good: lines that share it are compared. */
static uint64_t
text_key(const char *text, size_t length)
{
    uint64_t head = 0, tail = 0;
    const size_t size = length < sizeof head ? length : sizeof head;
    memcpy(&head, text, size);
    memcpy(&tail, text + length - size, size);
    const uint64_t key = (head * UINT64_C(0x100000001b3)) ^ tail ^ length;
    return key | UINT64_C(1) << 63;   /* apart from the fields' numbers */
}

static void
join_by_text(wp_groups *groups, const wp_outline *outline, uint32_t node)
{
    const char *text = text_of(outline, node);
    const uint64_t key = text_key(text, strlen(text));
    uint32_t place = place_of(groups, key);
    while (groups->slots[place].stamp == groups->stamp
           && (groups->slots[place].key != key || strcmp(text_of(outline, groups->slots[place].last), text) != 0)) {
        place = place_behind(groups, place);
    }
    join(groups, outline, &groups->slots[place], key, node);
}

/* Where a line of text reads like a field's name, they are one group. Names have no blanks in them. */
static void
link_by_text(wp_groups *groups, const wp_outline *outline, uint32_t first, uint32_t end)
{
    new_list(groups);
    for (uint32_t i = first; i < end; i = outline->nodes[i].end) {
        join_by_text(groups, outline, i);
    }
}

static bool
could_be_a_name(const char *text, size_t length)
{
    return memchr(text, ' ', length) == NULL;
}

void
wp_groups_link_siblings(wp_groups *groups, const wp_outline *outline, uint32_t first, uint32_t end)
{
    const wp_outline_node *nodes = outline->nodes;
    const bool differ = first == 0 ? outline->tops_differ : (nodes[first - 1].next & WP_CHILDREN_DIFFER) != 0;
    if (differ || (first < end && nodes[first].end == end)) {
        return;
    }
    new_list(groups);
    for (uint32_t i = first; i < end; i = nodes[i].end) {
        if (!nodes[i].def->text_only) {
            join_by_key(groups, outline, nodes[i].def->same_name, i);
            continue;
        }
        const char *text = text_of(outline, i);
        if (could_be_a_name(text, strlen(text))) {
            link_by_text(groups, outline, first, end);
            return;
        }
        join_by_text(groups, outline, i);
    }
}

/* ---- tshark -T ek ---- */

static bool
join_ek(wp_groups *groups, const wp_outline *outline, uint32_t first, uint32_t end, uint32_t parent, unsigned depth)
{
    const wp_outline_node *nodes = outline->nodes;
    for (uint32_t i = first; i < end; i = nodes[i].end) {
        const wp_field_def *def = nodes[i].def;
        join_by_key(groups, outline, (uint64_t)(WSC_EK_PARENTS_APART ? parent : 0) << 32 | def->same_name, i);
        if (def->kind != WP_PROTOCOL && nodes[i].end > i + 1
            && (depth >= WP_DEEPEST_TREE || !join_ek(groups, outline, i + 1, nodes[i].end, def->same_name, depth + 1))) {
            return false;
        }
    }
    return true;
}

bool
wp_groups_link_ek(wp_groups *groups, const wp_outline *outline, uint32_t first, uint32_t end, uint32_t parent)
{
    new_list(groups);
    return join_ek(groups, outline, first, end, parent, 0);
}
