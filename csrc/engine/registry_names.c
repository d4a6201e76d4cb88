/* registry_names.c - the names that Wireshark knows, kind by kind. The epan lock is held throughout. */
#include "registry_names.h"

#include "ws_compat.h"

typedef struct {
    void (*each)(const char *name, void *data);
    void *data;
    const char *module;   /* borrowed: the prefix of the preferences that are listed now */
} listing;

/* ---- dissectors ---- */

static void
list_dissectors(const listing *to)
{
    GList *names = get_dissector_names();   /* the names are the table's own */
    for (GList *item = names; item != NULL; item = item->next) {
        to->each(item->data, to->data);
    }
    g_list_free(names);
}

/* ---- protocols and heuristics ---- */

static void
list_heuristic(const gchar *table, heur_dtbl_entry_t *entry, gpointer to_)
{
    const listing *to = to_;
    (void)table;
    to->each(entry->short_name, to->data);
}

static void
list_heuristics(const char *table, struct heur_dissector_list *list, gpointer to)
{
    (void)list;
    heur_dissector_table_foreach(table, list_heuristic, to);
}

static void
list_protocols(listing *to)
{
    void *cookie = NULL;
    for (int id = proto_get_first_protocol(&cookie); id != -1; id = proto_get_next_protocol(&cookie)) {
        to->each(proto_get_protocol_filter_name(id), to->data);
    }
    dissector_all_heur_tables_foreach_table(list_heuristics, to, NULL);
}

/* ---- preferences ---- */

static guint
list_preference(pref_t *preference, gpointer to_)
{
    const listing *to = to_;
    const wsc_preference_kind_t kind = wsc_preference_kind(preference);
    const char *module = to->module, *name = prefs_get_name(preference);
    if (kind == WSC_PREF_TABLE) {
        module = "uat";
        name = prefs_get_uat_value(preference)->filename;
    }
    if (kind == WSC_PREF_OBSOLETE || kind == WSC_PREF_LABEL || name == NULL) {
        return 0;
    }
    char *full = g_strdup_printf(kind == WSC_PREF_TABLE ? "%s:%s" : "%s.%s", module, name);
    to->each(full, to->data);
    g_free(full);
    return 0;
}

static guint
list_module(module_t *module, gpointer to_)
{
    listing *to = to_;
    if (module->name != NULL && !module->obsolete) {
        to->module = module->name;
        prefs_pref_foreach(module, list_preference, to);
    }
    return 0;
}

/* ---- columns ---- */

static void
list_columns(const listing *to)
{
    for (int i = 0; i < NUM_COL_FMTS; i++) {
        if (i != COL_CUSTOM) {   /* its name is a field's */
            to->each(col_format_to_string(i), to->data);
        }
    }
}

/* ---- tables of dissectors ---- */

static void
list_table(const gchar *name, const gchar *title, gpointer to_)
{
    const listing *to = to_;
    (void)title;
    to->each(name, to->data);
}

static void
list_choice(const gchar *table, gpointer handle, gpointer to_)
{
    const listing *to = to_;
    const int protocol = dissector_handle_get_protocol_index(handle);
    (void)table;
    if (protocol != -1) {
        to->each(proto_get_protocol_filter_name(protocol), to->data);
    }
}

void
wp_registry_names_locked(wp_name_kind kind, void (*each)(const char *name, void *data), void *data)
{
    listing to = {.each = each, .data = data};
    switch (kind) {
    case WP_NAME_DISSECTOR:
        list_dissectors(&to);
        break;
    case WP_NAME_PROTOCOL:
        list_protocols(&to);
        break;
    case WP_NAME_PREFERENCE:
        prefs_modules_foreach(list_module, &to);
        break;
    case WP_NAME_COLUMN:
        list_columns(&to);
        break;
    case WP_NAME_TABLE:
        dissector_all_tables_foreach_table(list_table, &to, NULL);
        break;
    }
}

void
wp_registry_choices_locked(const char *table, void (*each)(const char *name, void *data), void *data)
{
    listing to = {.each = each, .data = data};
    if (find_dissector_table(table) != NULL) {
        dissector_table_foreach_handle(table, list_choice, &to);
    }
}
