/* settings_former.c - what took the place of a preference that Wireshark has given up. The epan lock is held.
 *
 * Many a preference that said whether to guess became the switch of a heuristic dissector or of a protocol. Wireshark still
 * acts on such a name, by tables inside prefs.c that nothing shows (deprecated_heur_dissector_pref() and the one after it).
 * So it is told both values: what changes between the two is the answer. Everything is put back then. */
#include "settings_parts.h"

typedef struct {
    GPtrArray *heuristics;   /* of heur_dtbl_entry_t *, borrowed for good */
    GArray *protocols;       /* of int */
} switches;

static void
add_heuristic(const gchar *table, heur_dtbl_entry_t *entry, gpointer to)
{
    (void)table;
    g_ptr_array_add(to, entry);
}

static void
add_heuristics(const char *table, struct heur_dissector_list *list, gpointer to)
{
    (void)list;
    heur_dissector_table_foreach(table, add_heuristic, to);
}

static void
find_switches(switches *all)
{
    void *cookie = NULL;
    all->heuristics = g_ptr_array_new();
    all->protocols = g_array_new(FALSE, FALSE, sizeof(int));
    dissector_all_heur_tables_foreach_table(add_heuristics, all->heuristics, NULL);
    for (int id = proto_get_first_protocol(&cookie); id != -1; id = proto_get_next_protocol(&cookie)) {
        if (proto_can_toggle_protocol(id)) {
            g_array_append_val(all->protocols, id);
        }
    }
}

static guint
count(const switches *all)
{
    return all->heuristics->len + all->protocols->len;
}

static bool
is_on(const switches *all, guint i)
{
    if (i < all->heuristics->len) {
        return ((heur_dtbl_entry_t *)all->heuristics->pdata[i])->enabled;
    }
    return proto_is_protocol_enabled(find_protocol_by_id(g_array_index(all->protocols, int, i - all->heuristics->len)));
}

static void
turn(const switches *all, guint i, bool on)
{
    if (i < all->heuristics->len) {
        ((heur_dtbl_entry_t *)all->heuristics->pdata[i])->enabled = on;
    } else {
        proto_set_decoding(g_array_index(all->protocols, int, i - all->heuristics->len), on);
    }
}

static const char *
name_of(const switches *all, guint i)
{
    return i < all->heuristics->len
               ? ((heur_dtbl_entry_t *)all->heuristics->pdata[i])->short_name
               : proto_get_protocol_filter_name(g_array_index(all->protocols, int, i - all->heuristics->len));
}

static bool *
states(const switches *all)
{
    bool *on = g_new(bool, count(all));
    for (guint i = 0; i < count(all); i++) {
        on[i] = is_on(all, i);
    }
    return on;
}

static void
tell(const char *preference, const char *value)
{
    char *argument = g_strdup_printf("%s:%s", preference, value), *message = NULL;
    (void)prefs_set_pref(argument, &message);
    g_free(message);
    g_free(argument);
}

char *
wp_former_preference_locked(const char *name)
{
    if (strstr(name, "port") != NULL) {   /* the table of these has a module in it that does not exist */
        return NULL;
    }
    switches all;
    find_switches(&all);
    bool *before = states(&all);
    tell(name, "FALSE");
    bool *without = states(&all);
    tell(name, "TRUE");
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < count(&all); i++) {
        if (is_on(&all, i) != without[i]) {
            g_string_append_printf(names, "%s'%s'", names->len > 0 ? ", " : "", name_of(&all, i));
        }
        if (is_on(&all, i) != before[i]) {
            turn(&all, i, before[i]);
        }
    }
    g_free(before);
    g_free(without);
    g_ptr_array_free(all.heuristics, TRUE);
    g_array_free(all.protocols, TRUE);
    return g_string_free(names, names->len == 0);
}
