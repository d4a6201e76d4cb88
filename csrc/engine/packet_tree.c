/* packet_tree.c - the kept copy of a dissected packet: building it from a live tree, and checking a foreign one.
 * Functions ending in _locked need the epan lock and must not need the GIL. */
#include "packet_tree.h"

#include <stdlib.h>

#include "expert.h"
#include "field_remake.h"
#include "follow.h"
#include "library.h"
#include "live_field.h"

/* One growing array, kept from packet to packet and guarded by the epan lock. */
typedef struct {
    uint8_t *data;     /* owned */
    size_t used, room;
} scratch;

static scratch node_scratch, heap_scratch;

enum { SCRATCH_KEPT = 4 << 20 };   /* after a giant packet the scratch goes back to the system */

static bool
grow(scratch *s, size_t more)
{
    size_t room = s->room == 0 ? 1 << 16 : s->room;
    while (room - s->used < more) {
        room *= 2;
    }
    if (room > UINT32_MAX / 4) {   /* offsets are 32 bits; no real tree comes near */
        return false;
    }
    uint8_t *data = realloc(s->data, room);
    if (data == NULL) {
        return false;
    }
    s->data = data;
    s->room = room;
    return true;
}

static inline void *
reserve(scratch *s, size_t size)
{
    if (s->room - s->used < size && !grow(s, size)) {
        return NULL;
    }
    void *place = s->data + s->used;
    s->used += size;
    return place;
}

/* Up to the next multiple of 8, with zeros. */
static bool
pad(scratch *s)
{
    const size_t more = -s->used & 7;
    void *place = more == 0 ? NULL : reserve(s, more);
    if (place != NULL) {
        memset(place, 0, more);
    }
    return more == 0 || place != NULL;
}

static void
trim(scratch *s)
{
    s->used = 0;
    if (s->room > SCRATCH_KEPT) {
        free(s->data);
        s->data = NULL;
        s->room = 0;
    }
}

typedef struct {
    const uint8_t *wanted;        /* borrowed; NULL: the whole tree */
    uint32_t wanted_ids;
    const GSList *sources;        /* borrowed from the epan_dissect_t */
    const tvbuff_t *last_tvb;     /* most fields lie in the source of the field before */
    uint32_t last_source;
    bool label_addresses;         /* their text would change as names become known */
    bool label_all;               /* names are the user's own, known to this session alone */
    bool failed;
} builder;

static uint32_t
find_source(builder *b, const tvbuff_t *tvb)
{
    uint32_t i = 0;
    for (const GSList *item = b->sources; item != NULL && i < WP_NO_SOURCE; item = item->next, i++) {
        if (get_data_source_tvb((struct data_source *)item->data) == tvb) {
            return i;
        }
    }
    return WP_NO_SOURCE;
}

static inline uint32_t
source_of(builder *b, const tvbuff_t *tvb)
{
    if (tvb != b->last_tvb) {
        b->last_tvb = tvb;
        b->last_source = tvb == NULL ? WP_NO_SOURCE : find_source(b, tvb);
    }
    return b->last_source;
}

/* Copies `size` bytes to the heap; *at is where. `extra` 1 adds a NUL. */
static inline bool
keep_bytes(const void *bytes, uint32_t size, uint32_t extra, uint32_t *at)
{
    *at = (uint32_t)heap_scratch.used;
    uint8_t *place = reserve(&heap_scratch, (size_t)size + extra);
    if (place == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(place, bytes, size);
    }
    if (extra) {
        place[size] = '\0';
    }
    return true;
}

/* What only Wireshark can write is written now, so that reading the copy never needs the lock. */
static bool
keep_display(field_info *fi)
{
    char *volatile text = NULL;
    TRY   /* a value of a size that its type does not expect */
    {
        text = wsc_value_display(fi, WP_DISPLAY_OF_JSON);
    }
    CATCH_ALL
    {
        text = NULL;
    }
    ENDTRY;
    uint32_t at;
    const bool kept = keep_bytes(text == NULL ? "" : text, text == NULL ? 0 : (uint32_t)strlen(text), 1, &at);
    wmem_free(NULL, text);
    return kept;
}

static bool
keep_value(const wp_field_def *def, field_info *fi, wp_node *node)
{
    wp_value value = {.time = {0, 0}};   /* the widest member: from gcc 15 {0} clears the first alone */
    uint8_t guid[16];
    wp_live_value(def, fi, &value, guid);
    switch ((wp_kind)def->kind) {
    case WP_ABSTIME:
    case WP_RELTIME: {
        uint8_t when[12];
        memcpy(when, &value.time.seconds, 8);
        memcpy(when + 8, &value.time.nanoseconds, 4);
        node->size = sizeof when;
        return keep_bytes(when, sizeof when, 0, &node->at);
    }
    case WP_STRING:
    case WP_BYTES:
    case WP_ETHER:
    case WP_IPV6:
    case WP_GUID:
        node->size = value.bytes == NULL ? 0 : value.length;
        return keep_bytes(value.bytes, node->size, def->kind == WP_STRING, &node->at);
    case WP_OTHER:
        node->size = value.bytes == NULL ? 0 : value.length;
        return keep_bytes(value.bytes, node->size, 0, &node->at) && keep_display(fi);
    case WP_PROTOCOL:   /* for filters such as tcp contains "x": what they search goes on behind the header */
        node->number = wsc_protocol_extent(fi);
        return true;
    default:
        node->number = value.number;
        return true;
    }
}

/* The line of an Ethernet address is written from a table that outlives the session and that another session's ARP
 * frames may rename; those of IP addresses only change while names are learnt. A profile may name ports and more. */
static inline bool
names_may_change(const builder *b, const wp_field_def *def)
{
    return def->kind == WP_ETHER || b->label_all || (b->label_addresses && (def->kind == WP_IPV4 || def->kind == WP_IPV6));
}

static bool
keep_label(const builder *b, const wp_field_def *def, field_info *fi, wp_node *node)
{
    char made[WP_LABEL_SIZE];
    const char *label = NULL;
    node->label = 0;
    if (fi->rep != NULL) {
        label = fi->rep->representation;
    } else if (names_may_change(b, def)) {
        wp_fill_label_locked(fi, made);
        label = made;
    }
    if (label == NULL) {
        return true;
    }
    uint32_t at;
    if (!keep_bytes(label, (uint32_t)strlen(label), 1, &at)) {
        return false;
    }
    node->label = at + 1;
    return true;
}

static inline bool
is_wanted(const builder *b, uint32_t id)
{
    return b->wanted == NULL || (id < b->wanted_ids && b->wanted[id / 8] & 1u << id % 8);
}

static bool
keep_node(builder *b, const wp_field_def *def, field_info *fi, size_t *place)
{
    *place = node_scratch.used;
    wp_node *node = reserve(&node_scratch, sizeof *node);
    if (node == NULL) {
        return false;
    }
    node->field = def->id;
    node->start = fi->start;
    node->length = fi->length;
    node->flags_source = (fi->flags & 0xffffu) | source_of(b, fi->ds_tvb) << 16;
    if (b->wanted != NULL) {   /* in an invisible tree everything is marked hidden */
        node->flags_source &= ~(uint32_t)WP_FIELD_HIDDEN;
    }
    return keep_value(def, fi, node) && keep_label(b, def, fi, node);
}

/* Depth first. Wireshark bounds the depth (gui_max_tree_depth), so the stack is safe. */
static void
keep_children(builder *b, const proto_node *parent)
{
    for (const proto_node *child = parent->first_child; child != NULL && !b->failed; child = child->next) {
        field_info *fi = WSC_FINFO(child);
        size_t place = 0;
        bool kept = false;
        if (fi != NULL) {   /* 4.6: a faked item has none, its children may have */
            const wp_field_def *def = wp_live_def(fi);
            kept = def != NULL && is_wanted(b, def->id);
            if (def == NULL || (kept && !keep_node(b, def, fi, &place))) {
                b->failed = true;
                return;
            }
        }
        if (kept && b->wanted != NULL) {   /* flat: a field asked for has no descendants here */
            ((wp_node *)(node_scratch.data + place))->end = (uint32_t)(node_scratch.used / sizeof(wp_node));
        }
        if (child->first_child != NULL) {
            keep_children(b, child);
        }
        if (kept && b->wanted == NULL && !b->failed) {
            ((wp_node *)(node_scratch.data + place))->end = (uint32_t)(node_scratch.used / sizeof(wp_node));
        }
    }
}

/* The tree into the scratch: its nodes, and the heap, rounded up. *head is the block's head. */
static wp_status
build_tree(const epan_dissect_t *edt, const wp_frame *frame, const wp_tree_options *options, wp_block *head,
           wp_error *error)
{
    builder b = {
        .wanted = options->wanted,
        .wanted_ids = options->wanted_ids,
        .sources = edt->pi.data_src,
        .last_source = WP_NO_SOURCE,
        .label_addresses = (options->resolution & WP_RESOLVE_NETWORK) != 0,
        .label_all = wp_library_is_personal(),
    };
    if (edt->tree != NULL) {
        keep_children(&b, edt->tree);
    }
    if (b.failed || !pad(&heap_scratch)) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    *head = (wp_block){
        .magic = WP_BLOCK_MAGIC,
        .size = (uint32_t)(sizeof *head + node_scratch.used + heap_scratch.used),
        .node_count = (uint32_t)(node_scratch.used / sizeof(wp_node)),
        .heap_size = (uint32_t)heap_scratch.used,
        .resolution = options->resolution,
        .frame = *frame,
    };
    return WP_OK;
}

static void
trim_all(void)
{
    trim(&node_scratch);
    trim(&heap_scratch);
}

static wp_block *
assemble(const wp_block *head)
{
    wp_block *made = malloc(sizeof *head + node_scratch.used + heap_scratch.used);
    if (made != NULL) {
        *made = *head;
        uint8_t *place = (uint8_t *)(made + 1);
        if (node_scratch.used > 0) {
            memcpy(place, node_scratch.data, node_scratch.used);
        }
        if (heap_scratch.used > 0) {
            memcpy(place + node_scratch.used, heap_scratch.data, heap_scratch.used);
        }
    }
    return made;
}

wp_status
wp_block_copy_locked(const void *edt, const wp_frame *frame, const wp_tree_options *options, wp_block **block,
                     wp_error *error)
{
    wp_block head;
    wp_status status = build_tree(edt, frame, options, &head, error);
    *block = status == WP_OK ? assemble(&head) : NULL;
    if (status == WP_OK && *block == NULL) {
        status = wp_fail(error, WP_EMEMORY, "out of memory");
    }
    trim_all();
    return status;
}

/* ---- the rest ---- */

/* It is built in heap_scratch, behind what is there already; `base` is what makes an offset there one in the block. */
static bool
put_text(const char *text, uint32_t base, uint32_t *at)
{
    if (text == NULL) {
        *at = 0;
        return true;
    }
    uint32_t place;
    if (!keep_bytes(text, (uint32_t)strlen(text), 1, &place)) {
        return false;
    }
    *at = base + place;
    return true;
}

/* A dissector may have cut the frame itself down to what a length field says (raw IP does): its other bytes still lie
 * behind, and all that were captured are kept. */
static bool
put_sources(const epan_dissect_t *edt, const wp_frame *frame, uint32_t base, uint32_t table, uint32_t count)
{
    const GSList *item = edt->pi.data_src;
    for (uint32_t i = 0; i < count; i++, item = item->next) {
        const struct data_source *source = item->data;
        tvbuff_t *tvb = get_data_source_tvb(source);
        wp_block_source entry = {.length = (uint32_t)tvb_captured_length(tvb)};
        char *name = wsc_source_name(source);
        bool ok = put_text(name, base, &entry.name);
        wmem_free(NULL, name);
        uint32_t at;
        const uint32_t kept = i == 0 ? MAX(entry.length, frame->captured_length) : entry.length;
        const uint8_t *bytes = kept == 0 ? NULL : tvb_get_ptr(tvb, 0, (int)entry.length);
        if (!ok || !keep_bytes(bytes, kept, 0, &at)) {
            return false;
        }
        entry.bytes = base + at;
        memcpy(heap_scratch.data + table + i * sizeof entry, &entry, sizeof entry);
    }
    return true;
}

static bool
put_columns(column_info *columns, uint32_t base, uint32_t table, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        wp_block_column entry;
        if (!put_text(columns->columns[i].col_title, base, &entry.title)
            || !put_text(wsc_column_text(columns, (int)i), base, &entry.text)) {
            return false;
        }
        memcpy(heap_scratch.data + table + i * sizeof entry, &entry, sizeof entry);
    }
    return true;
}

static bool
put_experts(const GArray *found, uint32_t base, uint32_t table)
{
    for (guint i = 0; i < found->len; i++) {
        const expert_info_t *info = g_array_index(found, wp_expert, i).info;
        wp_block_expert entry;
        if (!put_text(val_to_str_const((guint32)info->severity, expert_severity_vals, "Unknown"), base, &entry.severity)
            || !put_text(val_to_str_const((guint32)info->group, expert_group_vals, "Unknown"), base, &entry.group)
            || !put_text(info->summary, base, &entry.summary) || !put_text(info->protocol, base, &entry.protocol)) {
            return false;
        }
        memcpy(heap_scratch.data + table + i * sizeof entry, &entry, sizeof entry);
    }
    return true;
}

static bool
put_follows(const GArray *found, uint32_t base, uint32_t table)
{
    for (guint i = 0; i < found->len; i++) {
        const wp_follow *stream = &g_array_index(found, wp_follow, i);
        wp_block_follow entry = {
            .numbers = stream->named_by, .stream = stream->stream, .sub_stream = stream->sub_stream,
        };
        if (!put_text(stream->name, base, &entry.name) || !put_text(stream->filter, base, &entry.filter)) {
            return false;
        }
        memcpy(heap_scratch.data + table + i * sizeof entry, &entry, sizeof entry);
    }
    return true;
}

/* "eth:ethertype:ip:udp": the Frame layer has it, and knows better after a frame on which a dissector threw.
 * Where that stands in the block; 0: nowhere. */
static uint32_t
frame_protocols(const wp_node *nodes, uint32_t count)
{
    static int id = -1;   /* with the lock held */
    if (id < 0) {
        id = proto_registrar_get_id_byname("frame.protocols");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].field == (uint32_t)id) {
            return (uint32_t)(sizeof(wp_block) + count * sizeof *nodes) + nodes[i].at;
        }
    }
    return 0;
}

static bool
put_protocols(const epan_dissect_t *edt, uint32_t base, uint32_t *at)
{
    if (*at != 0) {
        return true;
    }
    GString *stack = g_string_new(NULL);
    wmem_list_frame_t *layer = edt->pi.layers == NULL ? NULL : wmem_list_head(edt->pi.layers);
    for (; layer != NULL; layer = wmem_list_frame_next(layer)) {
        const char *name = proto_get_protocol_filter_name(GPOINTER_TO_INT(wmem_list_frame_data(layer)));
        if (name != NULL && strcmp(name, "frame") != 0) {
            g_string_append_printf(stack, "%s%s", stack->len > 0 ? ":" : "", name);
        }
    }
    bool ok = put_text(stack->str, base, at);
    g_string_free(stack, TRUE);
    return ok;
}

/* Room for `count` entries of a table; where it is, from the block's start in *at, from the rest's in *table. */
static bool
reserve_table(uint32_t base, uint32_t count, size_t size, uint32_t *at, uint32_t *table)
{
    *table = (uint32_t)heap_scratch.used;
    *at = base + *table;
    return reserve(&heap_scratch, count * size) != NULL;
}

static bool
build_rest(epan_dissect_t *edt, const wp_frame *frame, const wp_rest_facts *facts, uint32_t protocols,
           uint32_t base)
{
    const size_t start = heap_scratch.used;
    column_info *columns = facts->columns ? edt->pi.cinfo : NULL;
    GArray *experts = facts->experts, *follows = facts->follows;
    uint32_t sources_at, columns_at, experts_at, follows_at;
    wp_expert_sort_locked(experts, edt->tree);
    wp_follow_find_locked(follows, edt);
    wp_rest rest = {
        .source_count = MIN(g_slist_length(edt->pi.data_src), WP_NO_SOURCE),
        .column_count = columns == NULL ? 0 : (uint32_t)columns->num_cols,
        .expert_count = experts->len,
        .follow_count = follows->len,
        .protocols = protocols,
    };
    if (reserve(&heap_scratch, sizeof rest) == NULL
        || !reserve_table(base, rest.source_count, sizeof(wp_block_source), &rest.sources, &sources_at)
        || !reserve_table(base, rest.column_count, sizeof(wp_block_column), &rest.columns, &columns_at)
        || !reserve_table(base, rest.expert_count, sizeof(wp_block_expert), &rest.experts, &experts_at)
        || !reserve_table(base, rest.follow_count, sizeof(wp_block_follow), &rest.follows, &follows_at)) {
        return false;
    }
    if (columns != NULL) {
        epan_dissect_fill_in_columns(edt, FALSE, TRUE);
    }
    if (!put_sources(edt, frame, base, sources_at, rest.source_count)
        || (columns != NULL && !put_columns(columns, base, columns_at, rest.column_count))
        || !put_experts(experts, base, experts_at) || !put_follows(follows, base, follows_at)
        || !put_text(facts->comment, base, &rest.comment)
        || !put_text(facts->interface_name, base, &rest.interface_name)
        || !put_protocols(edt, base, &rest.protocols) || facts->extra->failed
        || !keep_bytes(facts->extra->data, (uint32_t)facts->extra->used, 0, &rest.extra)) {
        return false;
    }
    rest.extra += base;
    rest.extra_size = (uint32_t)facts->extra->used;
    memcpy(heap_scratch.data + start, &rest, sizeof rest);
    return pad(&heap_scratch);
}

static bool
try_rest(epan_dissect_t *edt, const wp_frame *frame, const wp_rest_facts *facts, uint32_t protocols, uint32_t base)
{
    volatile bool ok = false;
    TRY   /* a tvb or a column can throw on a damaged frame */
    {
        ok = build_rest(edt, frame, facts, protocols, base);
    }
    CATCH_ALL
    {
        ok = false;
    }
    ENDTRY;
    return ok;
}

wp_status
wp_block_finish_locked(void *edt, const wp_rest_facts *facts, wp_block **block, wp_error *error)
{
    const uint32_t base = (*block)->size;
    const uint32_t protocols = frame_protocols(wp_block_nodes(*block), (*block)->node_count);
    const bool ok = try_rest(edt, &(*block)->frame, facts, protocols, base);
    const size_t size = (size_t)base + heap_scratch.used;
    wp_block *moved = ok && size <= UINT32_MAX / 2 ? realloc(*block, size) : NULL;
    if (moved != NULL) {
        memcpy((uint8_t *)moved + base, heap_scratch.data, heap_scratch.used);
        moved->rest = base;
        moved->size = (uint32_t)size;
        *block = moved;
    }
    trim(&heap_scratch);
    return moved == NULL ? wp_fail(error, WP_EMEMORY, "out of memory") : WP_OK;
}

wp_status
wp_block_lend_locked(void *edt, const wp_frame *frame, const wp_tree_options *options, const wp_rest_facts *facts,
                     wp_lent_block *lent, wp_error *error)
{
    wp_block *head = &lent->head;
    wp_status status = build_tree(edt, frame, options, head, error);
    if (status != WP_OK) {
        return status;
    }
    const wp_node *nodes = (const void *)node_scratch.data;
    const uint32_t protocols = frame_protocols(nodes, head->node_count);
    if (!try_rest(edt, frame, facts, protocols, head->size - head->heap_size)) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    head->rest = head->size;
    head->size += (uint32_t)(heap_scratch.used - head->heap_size);
    lent->nodes = nodes;
    lent->heap = heap_scratch.data;
    lent->heap_size = (uint32_t)heap_scratch.used;
    return WP_OK;
}

void
wp_block_return_locked(void)
{
    trim_all();
}

/* ---- a block from outside ---- */

static bool
inside(uint64_t at, uint64_t length, uint64_t size)
{
    return at <= size && length <= size - at;
}

static bool
text_inside(const wp_block *block, uint32_t at)
{
    return at == 0 || (at < block->size && memchr((const char *)block + at, 0, block->size - at) != NULL);
}

static bool
table_inside(const wp_block *block, uint32_t at, uint32_t count, size_t size)
{
    return at % 4 == 0 && inside(at, (uint64_t)count * size, block->size);
}

static bool
check_experts(const wp_block *block, const wp_rest *rest)
{
    const wp_block_expert *experts = (const void *)((const uint8_t *)block + rest->experts);
    for (uint32_t i = 0; i < rest->expert_count; i++) {
        if (!text_inside(block, experts[i].severity) || !text_inside(block, experts[i].group)
            || !text_inside(block, experts[i].summary) || !text_inside(block, experts[i].protocol)) {
            return false;
        }
    }
    return true;
}

static bool
check_follows(const wp_block *block, const wp_rest *rest)
{
    const wp_block_follow *follows = (const void *)((const uint8_t *)block + rest->follows);
    for (uint32_t i = 0; i < rest->follow_count; i++) {
        if (!text_inside(block, follows[i].name) || !text_inside(block, follows[i].filter)) {
            return false;
        }
    }
    return true;
}

static bool
check_rest(const wp_block *block)
{
    const wp_rest *rest = wp_block_rest(block);
    if (rest == NULL) {
        return false;   /* what leaves a process is finished */
    }
    if (block->rest % 8 != 0 || !inside(block->rest, sizeof *rest, block->size)
        || !table_inside(block, rest->sources, rest->source_count, sizeof(wp_block_source))
        || !table_inside(block, rest->columns, rest->column_count, sizeof(wp_block_column))
        || !table_inside(block, rest->experts, rest->expert_count, sizeof(wp_block_expert))
        || !table_inside(block, rest->follows, rest->follow_count, sizeof(wp_block_follow))
        || !text_inside(block, rest->comment) || !text_inside(block, rest->interface_name)
        || !text_inside(block, rest->protocols) || !check_experts(block, rest) || !check_follows(block, rest)
        || !inside(rest->extra, rest->extra_size, block->size)) {
        return false;
    }
    const wp_block_source *sources = (const void *)((const uint8_t *)block + rest->sources);
    for (uint32_t i = 0; i < rest->source_count; i++) {
        if (!text_inside(block, sources[i].name) || !inside(sources[i].bytes, sources[i].length, block->size)
            || (i == 0 && !inside(sources[i].bytes, block->frame.captured_length, block->size))) {
            return false;
        }
    }
    const wp_block_column *columns = (const void *)((const uint8_t *)block + rest->columns);
    for (uint32_t i = 0; i < rest->column_count; i++) {
        if (!text_inside(block, columns[i].title) || !text_inside(block, columns[i].text)) {
            return false;
        }
    }
    return true;
}

/* What the kind's value needs of the heap. Fixed sizes matter: readers take them for granted. */
static bool
check_value(const wp_block *block, const wp_node *node, wp_kind kind)
{
    const uint32_t size = node->size;
    switch (kind) {
    case WP_ABSTIME:
    case WP_RELTIME:
        return size == 12 && inside(node->at, size, block->heap_size);
    case WP_IPV6:
    case WP_GUID:
        return size == 16 && inside(node->at, size, block->heap_size);
    case WP_ETHER:
        return size == 6 && inside(node->at, size, block->heap_size);
    case WP_STRING:
        return inside(node->at, (uint64_t)size + 1, block->heap_size)
            && wp_block_heap(block)[node->at + size] == '\0';
    case WP_BYTES:
        return inside(node->at, size, block->heap_size);
    case WP_OTHER:
        return inside(node->at, (uint64_t)size + 1, block->heap_size)
            && memchr(wp_block_heap(block) + node->at + size, 0, block->heap_size - node->at - size) != NULL;
    default:
        return true;
    }
}

static bool
check_node(const wp_block *block, uint32_t i, uint32_t end)
{
    const wp_node *node = &wp_block_nodes(block)[i];
    const uint8_t *heap = wp_block_heap(block);
    if (node->end <= i || node->end > end) {
        return false;
    }
    if (node->label != 0 && (node->label > block->heap_size
                             || memchr(heap + node->label - 1, 0, block->heap_size - node->label + 1) == NULL)) {
        return false;
    }
    if (node->field / WP_FIELD_CHUNK >= WP_FIELD_CHUNKS || wp_field_chunks[node->field / WP_FIELD_CHUNK] == NULL) {
        return false;
    }
    const wp_field_def *def = wp_field_by_id(node->field);
    return def->name != NULL && check_value(block, node, (wp_kind)def->kind);
}

bool
wp_block_check(const wp_block *block, size_t size)
{
    if (size < sizeof *block || block->magic != WP_BLOCK_MAGIC || block->size != size
        || !inside(sizeof *block, (uint64_t)block->node_count * sizeof(wp_node) + block->heap_size, size)
        || !check_rest(block)) {
        return false;
    }
    uint32_t ends[1024];   /* ends of the open ancestors: Wireshark's own limit of depth is half of this */
    unsigned depth = 0;
    for (uint32_t i = 0; i < block->node_count; i++) {
        while (depth > 0 && i >= ends[depth - 1]) {
            depth--;
        }
        if (!check_node(block, i, depth > 0 ? ends[depth - 1] : block->node_count)) {
            return false;
        }
        if (depth == sizeof ends / sizeof *ends) {
            return false;
        }
        ends[depth++] = wp_block_nodes(block)[i].end;
    }
    return true;
}
