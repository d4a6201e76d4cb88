/* registry_facts.c - what is registered in libwireshark, one thing at a time. The epan lock is held throughout. */
#include "registry_facts.h"

#include "ws_compat.h"

/* ---- fields ---- */

static const char *
base_of(const header_field_info *hf)
{
    static const char *const bases[] = {
        [BASE_NONE] = "none", [BASE_DEC] = "dec", [BASE_HEX] = "hex", [BASE_OCT] = "oct",
        [BASE_DEC_HEX] = "dec_hex", [BASE_HEX_DEC] = "hex_dec", [BASE_CUSTOM] = "custom",
    };
    const unsigned base = (unsigned)hf->display & 0xffu;
    const bool number = hf->type >= FT_CHAR && hf->type <= FT_INT64;
    return number && base < G_N_ELEMENTS(bases) && bases[base] != NULL ? bases[base] : "none";
}

static bool
tell_field(const header_field_info *hf, const char *protocol, bool (*each)(const wp_field_facts *, void *), void *data)
{
    const wp_field_facts facts = {
        .id = (uint32_t)hf->id,
        .name = hf->abbrev,
        .title = hf->name,
        .type = ftype_name(hf->type),
        .base = base_of(hf),
        .description = hf->blurb == NULL || *hf->blurb == '\0' ? NULL : hf->blurb,
        .protocol = protocol,
    };
    return each(&facts, data);
}

void
wp_registry_fields_locked(bool (*each)(const wp_field_facts *facts, void *data), void *data)
{
    void *cookie = NULL;
    proto_initialize_all_prefixes();
    for (int id = proto_get_first_protocol(&cookie); id != -1; id = proto_get_next_protocol(&cookie)) {
        const char *protocol = proto_get_protocol_filter_name(id);
        void *field_cookie = NULL;
        if (!tell_field(proto_registrar_get_nth((guint)id), protocol, each, data)) {
            return;
        }
        for (const header_field_info *hf = proto_get_first_protocol_field(id, &field_cookie); hf != NULL;
             hf = proto_get_next_protocol_field(id, &field_cookie)) {
            if (!tell_field(hf, protocol, each, data)) {
                return;
            }
        }
    }
}

/* ---- value strings ---- */

static void
tell_ranges(const range_string *ranges, bool (*each)(const wp_string_facts *, void *), void *data)
{
    enum { WIDEST = 4096 };   /* a range over all the rest is no list of values: its first one is told */
    for (; ranges != NULL && ranges->strptr != NULL; ranges++) {
        const uint64_t last = ranges->value_max - ranges->value_min < WIDEST ? ranges->value_max : ranges->value_min;
        for (uint64_t value = ranges->value_min; value <= last; value++) {
            if (!each(&(wp_string_facts){(int64_t)value, ranges->strptr}, data)) {
                return;
            }
        }
    }
}

static void
tell_values(const value_string *values, bool (*each)(const wp_string_facts *, void *), void *data)
{
    while (values != NULL && values->strptr != NULL && each(&(wp_string_facts){values->value, values->strptr}, data)) {
        values++;
    }
}

static void
tell_values_64(const val64_string *values, bool (*each)(const wp_string_facts *, void *), void *data)
{
    while (values != NULL && values->strptr != NULL
           && each(&(wp_string_facts){(int64_t)values->value, values->strptr}, data)) {
        values++;
    }
}

void
wp_registry_strings_locked(uint32_t id, bool (*each)(const wp_string_facts *facts, void *data), void *data)
{
    const header_field_info *hf = proto_registrar_get_nth(id);
    const unsigned display = (unsigned)hf->display;
    const bool number = hf->type >= FT_CHAR && hf->type <= FT_INT64;
    if (hf->strings == NULL) {
        return;
    }
    if (hf->type == FT_BOOLEAN) {
        const true_false_string *both = hf->strings;
        if (each(&(wp_string_facts){1, both->true_string}, data)) {
            each(&(wp_string_facts){0, both->false_string}, data);
        }
    } else if (!number || (display & 0xffu) == BASE_CUSTOM || display & BASE_UNIT_STRING) {
        return;
    } else if (display & BASE_RANGE_STRING) {
        tell_ranges(hf->strings, each, data);
    } else if (display & BASE_VAL64_STRING) {
        tell_values_64(display & BASE_EXT_STRING ? VAL64_STRING_EXT_VS_P((const val64_string_ext *)hf->strings)
                                                 : hf->strings, each, data);
    } else if (display & BASE_EXT_STRING) {
        tell_values(VALUE_STRING_EXT_VS_P((const value_string_ext *)hf->strings), each, data);
    } else {
        tell_values(hf->strings, each, data);
    }
}

/* ---- protocols ---- */

void
wp_registry_protocols_locked(bool (*each)(const wp_protocol_facts *facts, void *data), void *data)
{
    void *cookie = NULL;
    for (int id = proto_get_first_protocol(&cookie); id != -1; id = proto_get_next_protocol(&cookie)) {
        const protocol_t *protocol = find_protocol_by_id(id);
        const wp_protocol_facts facts = {
            .name = proto_get_protocol_filter_name(id),
            .title = proto_get_protocol_long_name((protocol_t *)protocol),
            .short_name = proto_get_protocol_short_name((protocol_t *)protocol),
            .enabled = proto_is_protocol_enabled((protocol_t *)protocol),
        };
        if (!each(&facts, data)) {
            return;
        }
    }
}

/* ---- preferences ---- */

typedef struct {
    bool (*each)(const wp_preference_facts *facts, void *data);
    void *data;
    const char *module;   /* borrowed: of the preferences that are listed now */
    bool stopped;
} listing;

static guint
tell_preference(pref_t *preference, gpointer to_)
{
    listing *to = to_;
    const wsc_preference_kind_t kind = wsc_preference_kind(preference);
    if (to->stopped || kind == WSC_PREF_OBSOLETE || kind == WSC_PREF_LABEL || prefs_get_name(preference) == NULL) {
        return 0;
    }
    const bool table = kind == WSC_PREF_TABLE;
    char *name = table ? g_strdup_printf("uat:%s", prefs_get_uat_value(preference)->filename)
                       : g_strdup_printf("%s.%s", to->module, prefs_get_name(preference));
    char *standard = table ? NULL : prefs_pref_to_str(preference, pref_default);
    char *value = table ? NULL : prefs_pref_to_str(preference, pref_current);
    const wp_preference_facts facts = {
        .name = name,
        .title = prefs_get_title(preference),
        .type = prefs_pref_type_name(preference),
        .standard = standard,
        .value = value,
        .description = prefs_get_description(preference),
    };
    to->stopped = !to->each(&facts, to->data);
    g_free(name);
    g_free(standard);
    g_free(value);
    return 0;
}

static guint
tell_module(module_t *module, gpointer to_)
{
    listing *to = to_;
    if (module->name != NULL && !module->obsolete) {
        to->module = module->name;
        prefs_pref_foreach(module, tell_preference, to);
    }
    return 0;
}

void
wp_registry_preferences_locked(bool (*each)(const wp_preference_facts *facts, void *data), void *data)
{
    listing to = {.each = each, .data = data};
    prefs_modules_foreach(tell_module, &to);
}
