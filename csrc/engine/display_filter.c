/* display_filter.c - a display filter that is compiled once and asked of kept packets. The epan lock is held.
 *
 * A filter looks at a tree only through the tree's lists of the fields that were asked for before the dissection. Here
 * the tree is an empty one, with lists of the fields that the filter names, and these are filled from the kept copy: with
 * the same values, made again. So a packet is judged as it was dissected, whatever has happened since. */
#include "display_filter.h"

#include <stdlib.h>

#include "field_remake.h"
#include "session.h"
#include "live_field.h"
#include "registry.h"
#include "ws_compat.h"

struct wp_filter {
    dfilter_t *compiled;     /* owned; NULL: matches everything */
    epan_dissect_t *primed;  /* owned: an empty tree with the filter's lists */
    GHashTable *lists;       /* the tree's: field id -> GPtrArray of field_info */
};

typedef struct {
    field_info field;
    wsc_made made;
    bool has_value;
    tvbuff_t *bytes;         /* owned or NULL: what a protocol covers */
} made_field;

/* ---- the fields it names ---- */

static void
add_fields(wp_filter *filter, const char *name)
{
    uint32_t ids[WP_SAME_NAME_MAX];
    size_t count = wp_registry_find_locked(name, ids);
    if (count == 0) {
        const header_field_info *renamed = proto_registrar_get_byalias(name);
        count = renamed == NULL ? 0 : wp_registry_find_locked(renamed->abbrev, ids);
    }
    for (size_t i = 0; i < count; i++) {
        const gpointer key = GINT_TO_POINTER((gint)ids[i]);
        if (g_hash_table_lookup(filter->lists, key) == NULL) {
            g_hash_table_insert(filter->lists, key, g_ptr_array_new());
        }
    }
}

/* Behind a text in quotes. */
static const char *
skip_quoted(const char *text)
{
    const char quote = *text++;
    while (*text != '\0' && *text != quote) {
        text += *text == '\\' && text[1] != '\0' ? 2 : 1;
    }
    return *text == '\0' ? text : text + 1;
}

/* Fields are the words of a filter; a word that is none does no harm. A minus may end a word or belong to it. */
static void
find_fields(wp_filter *filter, const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    while (*text != '\0') {
        const size_t length = strspn(text, letters);
        if (length == 0) {
            text = *text == '"' || *text == '\'' ? skip_quoted(text) : text + 1;
            continue;
        }
        char *word = g_strndup(text, length);
        add_fields(filter, word);
        for (char *minus = strrchr(word, '-'); minus != NULL; minus = strrchr(word, '-')) {
            *minus = '\0';
            add_fields(filter, word);
        }
        g_free(word);
        text += length;
    }
}

wp_status
wp_filter_compile_locked(const char *text, wp_filter **out, wp_error *error)
{
    char *message = NULL;
    int64_t position, span;
    *out = NULL;
    wp_filter *filter = calloc(1, sizeof *filter);
    if (filter == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    if (!wsc_filter_compile(text, &filter->compiled, &message, &position, &span)) {
        wp_status status = wp_fail(error, WP_EFILTER, "%s", message);
        error->position = position;
        error->span = span;
        g_free(message);
        free(filter);
        return status;
    }
    filter->primed = epan_dissect_new(NULL, TRUE, FALSE);
    tree_data_t *tree = PTREE_DATA(filter->primed->tree);
    if (tree->interesting_hfids == NULL) {
        tree->interesting_hfids = g_hash_table_new(g_direct_hash, NULL);
    }
    filter->lists = tree->interesting_hfids;
    find_fields(filter, text);
    *out = filter;
    return WP_OK;
}

void
wp_filter_free_locked(void *filter_)
{
    wp_filter *filter = filter_;
    if (filter != NULL) {
        epan_dissect_free(filter->primed);
        dfilter_free(filter->compiled);
        free(filter);
    }
}

/* ---- filling the lists ---- */

/* What a protocol covers, of its data source. */
static tvbuff_t *
protocol_bytes(const wp_block *block, const wp_field *field)
{
    const wp_rest *rest = wp_block_rest(block);
    if (rest == NULL || field->source >= rest->source_count) {
        return NULL;
    }
    const wp_block_source *source = (const wp_block_source *)((const uint8_t *)block + rest->sources) + field->source;
    if (field->start < 0 || (uint32_t)field->start > source->length) {
        return NULL;
    }
    const uint32_t there = source->length - (uint32_t)field->start;
    const uint32_t known = (uint32_t)field->value.number;
    const uint32_t covered = known > 0 ? known - 1 : field->length < 0 ? there : (uint32_t)field->length;
    const uint32_t length = MIN(covered, there);
    return tvb_new_real_data((const uint8_t *)block + source->bytes + field->start, length, (int)length);
}

static bool
make(const wp_block *block, uint32_t node, made_field *made)
{
    wp_field field;
    wp_block_field(block, node, &field);
    memset(made, 0, sizeof *made);
    made->has_value = wp_field_has_value(&field);
    if (!wp_field_remake(&field, &made->field, &made->made)) {
        return false;
    }
    if (field.def->kind == WP_PROTOCOL) {
        made->bytes = protocol_bytes(block, &field);
        const uint64_t extent = field.value.number;
        wsc_make_protocol(&made->field, made->bytes, field.def->name, extent == 0 ? -1 : (int)(extent >> 32) - 1);
    }
    return true;
}

static void
unmake(made_field *made)
{
    if (made->has_value) {
        wsc_make_end(&made->field, &made->made);
    } else if (made->field.hfinfo->type == FT_PROTOCOL) {
        wsc_unmake_protocol(&made->field);
    }
    if (made->bytes != NULL) {
        tvb_free(made->bytes);
    }
}

static uint32_t
count_wanted(GHashTable *lists, const wp_block *block)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < block->node_count; i++) {
        count += g_hash_table_contains(lists, GINT_TO_POINTER((gint)wp_block_nodes(block)[i].field)) ? 1 : 0;
    }
    return count;
}

static uint32_t
fill(GHashTable *lists, const wp_block *block, made_field *room)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < block->node_count; i++) {
        GPtrArray *list = g_hash_table_lookup(lists, GINT_TO_POINTER((gint)wp_block_nodes(block)[i].field));
        if (list != NULL && make(block, i, &room[used])) {
            g_ptr_array_add(list, &room[used++].field);
        }
    }
    return used;
}

static void
empty_list(gpointer key, gpointer list, gpointer unused)
{
    (void)key;
    (void)unused;
    g_ptr_array_set_size(list, 0);
}

wp_status
wp_filter_matches_locked(const wp_filter *filter, const wp_block *block, bool *matches, wp_error *error)
{
    *matches = true;
    if (filter->compiled == NULL) {
        return WP_OK;
    }
    const uint32_t count = count_wanted(filter->lists, block);
    made_field *room = calloc(count + 1, sizeof *room);
    if (room == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    const uint32_t used = fill(filter->lists, block, room);
    *matches = wp_filter_apply_locked(filter->compiled, filter->primed);
    g_hash_table_foreach(filter->lists, empty_list, NULL);
    for (uint32_t i = 0; i < used; i++) {
        unmake(&room[i]);
    }
    free(room);
    return WP_OK;
}

/* ---- what it is ---- */

void
wp_filter_fields_locked(const wp_filter *filter, void (*each)(const char *name, void *data), void *data)
{
    GHashTableIter iterator;
    gpointer id;
    g_hash_table_iter_init(&iterator, filter->lists);
    while (g_hash_table_iter_next(&iterator, &id, NULL)) {
        each(proto_registrar_get_nth((guint)GPOINTER_TO_INT(id))->abbrev, data);
    }
}

void
wp_filter_warnings_locked(const wp_filter *filter, void (*each)(const char *text, void *data), void *data)
{
    if (filter->compiled != NULL) {
        wsc_filter_warnings(filter->compiled, each, data);
    }
}
