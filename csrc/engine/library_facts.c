/* library_facts.c - what libwireshark was built from, and which plugins it has loaded. */
#include "library.h"
#include "ws_compat.h"

typedef struct {
    void (*each)(const wp_plugin_facts *facts, void *data);
    void *data;
} listing;

static void
tell_plugin(const char *name, const char *version, WSC_PLUGIN_TYPE type, const char *path, void *to_)
{
    const listing *to = to_;
    char *words = wsc_plugin_type(type);
    const wp_plugin_facts facts = {.name = name, .version = version, .type = words, .path = path};
    to->each(&facts, to->data);
    g_free(words);
}

static void
tell_script(const char *name, const char *version, const char *type, const char *path, void *to_)
{
    const listing *to = to_;
    const wp_plugin_facts facts = {.name = name, .version = version, .type = type, .path = path};
    to->each(&facts, to->data);
}

void
wp_library_plugins_locked(void (*each)(const wp_plugin_facts *facts, void *data), void *data)
{
    listing to = {.each = each, .data = data};
    plugins_get_descriptions(tell_plugin, &to);
    if (wslua_plugins_get_descriptions != NULL) {
        wslua_plugins_get_descriptions(tell_script, &to);
    }
}

void
wp_library_features(void (*each)(const char *feature, void *data), void *data)
{
    GList *features = wsc_features();
    for (GList *item = features; item != NULL; item = item->next) {
        each(item->data, data);
    }
    g_list_free_full(features, g_free);
}
