/* heuristic_order.c - the order in which heuristic dissectors are asked, remembered once and put back.
 * The epan lock is held throughout. */
#include "heuristic_order.h"

#include "ws_compat.h"

typedef struct {
    const char *name;                   /* borrowed for good: the list's */
    struct heur_dissector_list *list;   /* borrowed for good */
    GPtrArray *entries;                 /* owned: heur_dtbl_entry_t *, borrowed for good */
} order;

static GArray *orders;   /* of order; for the life of the process */

static void
add_entry(const gchar *table, struct heur_dtbl_entry *entry, gpointer entries)
{
    (void)table;
    g_ptr_array_add(entries, entry);
}

static void
add_list(const char *table, struct heur_dissector_list *list, gpointer unused)
{
    const order kept = {.name = table, .list = list, .entries = g_ptr_array_new()};
    (void)unused;
    heur_dissector_table_foreach(table, add_entry, kept.entries);
    g_array_append_val(orders, kept);
}

/* The nodes stay, what they point to is put back in order. A list that has grown since is left alone. */
static void
put_back(const order *kept)
{
    GPtrArray *now = g_ptr_array_new();
    heur_dissector_table_foreach(kept->name, add_entry, now);
    if (now->len == kept->entries->len && now->len > 1) {
        GSList *node = wsc_heuristics(kept->list, g_ptr_array_index(now, 0));
        for (guint i = 0; node != NULL && i < now->len; node = node->next) {
            node->data = g_ptr_array_index(kept->entries, i++);
        }
    }
    g_ptr_array_free(now, TRUE);
}

void
wp_heuristic_order_restore_locked(void)
{
    if (orders == NULL) {
        orders = g_array_new(FALSE, FALSE, sizeof(order));
        dissector_all_heur_tables_foreach_table(add_list, NULL, NULL);
        return;
    }
    for (guint i = 0; i < orders->len; i++) {
        put_back(&g_array_index(orders, order, i));
    }
}
