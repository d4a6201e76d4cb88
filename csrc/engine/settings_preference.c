/* settings_preference.c - one preference set, and what it was before put back. The epan lock is held. */
#include "settings_parts.h"

#include <errno.h>
#include <stdlib.h>

typedef struct {
    module_t *module;   /* borrowed for good */
    pref_t *pref;       /* borrowed for good */
    wsc_preference_kind_t kind;
} found;

/* ---- finding it ---- */

static module_t *
find_module(const char *name)
{
    module_t *module = prefs_find_module(name);
    if (module == NULL) {   /* the protocol may have had another name: "ssl" */
        const header_field_info *renamed = proto_registrar_get_byalias(name);
        module = renamed == NULL ? NULL : prefs_find_module(renamed->abbrev);
    }
    return module;
}

/* Modules' names may have dots in them, and so may preferences': the shortest module that has the rest is it. */
static bool
find(const char *name, found *it)
{
    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        char *module_name = g_strndup(name, (gsize)(dot - name));
        it->module = find_module(module_name);
        g_free(module_name);
        it->pref = it->module == NULL ? NULL : prefs_find_preference(it->module, dot + 1);
        if (it->pref != NULL) {
            it->kind = wsc_preference_kind(it->pref);
            return true;
        }
    }
    return false;
}

bool
wp_preference_name_now_locked(const char *name, char *now, size_t room)
{
    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        char *module_name = g_strndup(name, (gsize)(dot - name));
        const header_field_info *renamed = proto_registrar_get_byalias(module_name);
        const bool found = renamed != NULL && prefs_find_module(module_name) == NULL;
        g_free(module_name);
        if (found) {
            snprintf(now, room, "%s%s", renamed->abbrev, dot);
            return true;
        }
    }
    return false;
}

bool
wp_preference_has_text(const char *name)
{
    found it;
    const char *text = find(name, &it) && it.kind == WSC_PREF_TEXT ? prefs_get_string_value(it.pref, pref_current) : NULL;
    return text != NULL && *text != '\0';
}

/* ---- putting it back ---- */

static void
changed(const wp_undo *self, unsigned flags)
{
    ((module_t *)self->owner)->prefs_changed_flags |= flags;
}

static void
put_back_number(const wp_undo *self)
{
    changed(self, prefs_set_uint_value(self->object, self->number, pref_current));
}

static void
put_back_bool(const wp_undo *self)
{
    changed(self, prefs_set_bool_value(self->object, self->number != 0, pref_current));
}

static void
put_back_enum(const wp_undo *self)
{
    changed(self, prefs_set_enum_value(self->object, (gint)self->number, pref_current));
}

static void
put_back_text(const wp_undo *self)
{
    changed(self, prefs_set_string_value(self->object, self->text, pref_current));
}

static void
put_back_password(const wp_undo *self)
{
    changed(self, wsc_preference_set_password(self->object, self->text));
}

static void
put_back_range(const wp_undo *self)
{
    range_t *range = NULL;
    if (range_convert_str(NULL, &range, self->text, UINT32_MAX) == CVT_NO_ERROR) {
        prefs_set_range_value(self->object, range, pref_current);
        changed(self, prefs_get_effect_flags(self->object));
        wmem_free(NULL, range);
    }
}

static void
put_back_custom(const wp_undo *self)
{
    changed(self, prefs_set_custom_value(self->object, self->text, pref_current));
}

static void
put_back_color(const wp_undo *self)
{
    const color_t color = {
        .red = (guint16)((self->number >> 16 & 0xff) * 257),
        .green = (guint16)((self->number >> 8 & 0xff) * 257),
        .blue = (guint16)((self->number & 0xff) * 257),
    };
    prefs_set_color_value(self->object, color, pref_current);
}

static void
remember_color(const found *it, wp_undo *undo)
{
    const color_t *color = prefs_get_color_value(it->pref, pref_current);
    undo->number = (uint32_t)(color->red >> 8) << 16 | (uint32_t)(color->green >> 8) << 8 | color->blue >> 8;
    undo->run = put_back_color;
}

static void
remember(const found *it, GArray *list)
{
    wp_undo undo = {.object = it->pref, .owner = it->module};
    if (it->kind == WSC_PREF_NUMBER || it->kind == WSC_PREF_PORT) {
        undo.number = wsc_preference_number(it->pref);
        undo.run = put_back_number;
    } else if (it->kind == WSC_PREF_BOOL) {
        undo.number = prefs_get_bool_value(it->pref, pref_current) ? 1 : 0;
        undo.run = put_back_bool;
    } else if (it->kind == WSC_PREF_CHOICE) {
        undo.number = (uint32_t)prefs_get_enum_value(it->pref, pref_current);
        undo.run = put_back_enum;
    } else if (it->kind == WSC_PREF_TEXT) {
        const char *text = prefs_get_string_value(it->pref, pref_current);
        undo.text = g_strdup(text == NULL ? "" : text);
        undo.run = put_back_text;
    } else if (it->kind == WSC_PREF_PASSWORD) {
        const char *text = wsc_preference_password(it->pref);
        undo.text = g_strdup(text == NULL ? "" : text);
        undo.run = put_back_password;
    } else if (it->kind == WSC_PREF_COLOR) {
        remember_color(it, &undo);
    } else {
        undo.text = prefs_pref_to_str(it->pref, pref_current);
        undo.run = it->kind == WSC_PREF_RANGE || it->kind == WSC_PREF_PORTS ? put_back_range : put_back_custom;
    }
    wp_undo_later(list, &undo);
}

/* A port preference also changes a table of dissectors: each of its entries is put back as it was. */
static void
remember_ports(const found *it, const char *value, GArray *list)
{
    const char *table = prefs_get_name(it->pref);
    range_t *range = NULL;
    if (find_dissector_table(table) == NULL
        || range_convert_str(NULL, &range, value, prefs_get_max_value(it->pref)) != CVT_NO_ERROR) {
        return;
    }
    for (guint i = 0; i < range->nranges; i++) {
        for (uint64_t port = range->ranges[i].low; port <= range->ranges[i].high; port++) {
            wp_remember_entry(table, (uint32_t)port, list);
        }
    }
    wmem_free(NULL, range);
}

/* ---- setting it ---- */

static wp_status
refuse(const wp_setting *setting, const char *why, wp_error *error)
{
    return wp_fail(error, WP_EPREFERENCE, "%s: '%.100s' %s", setting->name, setting->value, why);
}

static bool
whole_number(const char *text, int64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static wp_status
set_bool(const found *it, const wp_setting *setting, wp_error *error)
{
    const char *value = setting->value;
    const bool yes = g_ascii_strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!yes && g_ascii_strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0) {
        return refuse(setting, "is neither TRUE nor FALSE", error);
    }
    it->module->prefs_changed_flags |= prefs_set_bool_value(it->pref, yes, pref_current);
    return WP_OK;
}

static wp_status
set_enum(const found *it, const wp_setting *setting, wp_error *error)
{
    const enum_val_t *choices = prefs_get_enumvals(it->pref), *choice = choices;
    int64_t number;
    const bool numeric = whole_number(setting->value, &number);
    while (choice->name != NULL && g_ascii_strcasecmp(choice->name, setting->value) != 0
           && g_ascii_strcasecmp(choice->description, setting->value) != 0
           && !(numeric && number == choice->value)) {
        choice++;
    }
    if (choice->name != NULL) {
        it->module->prefs_changed_flags |= prefs_set_enum_value(it->pref, choice->value, pref_current);
        return WP_OK;
    }
    GString *names = g_string_new("is none of ");
    for (choice = choices; choice->name != NULL; choice++) {
        g_string_append_printf(names, "%s'%s'", choice == choices ? "" : ", ", choice->name);
    }
    wp_status status = refuse(setting, names->str, error);
    g_string_free(names, TRUE);
    return status;
}

static wp_status
set_number(const found *it, const wp_setting *setting, wp_error *error)
{
    int64_t number;
    if (!whole_number(setting->value, &number) || number < 0 || number > UINT32_MAX) {
        return refuse(setting, "is not a number from 0 to 4294967295", error);
    }
    it->module->prefs_changed_flags |= prefs_set_uint_value(it->pref, (guint)number, pref_current);
    return WP_OK;
}

/* As tshark -o does it. */
static wp_status
set_as_text(const wp_setting *setting, wp_error *error)
{
    char *argument = g_strdup_printf("%s:%s", setting->name, setting->value);
    char *message = NULL;
    const prefs_set_pref_e done = prefs_set_pref(argument, &message);
    wp_status status = WP_OK;
    if (done != PREFS_SET_OK) {
        status = refuse(setting, message != NULL ? message : "is not a value for it", error);
    }
    g_free(message);
    g_free(argument);
    return status;
}

static wp_status
set_it(const found *it, const wp_setting *setting, wp_error *error)
{
    if (it->kind == WSC_PREF_BOOL) {
        return set_bool(it, setting, error);
    }
    if (it->kind == WSC_PREF_CHOICE) {
        return set_enum(it, setting, error);
    }
    if (it->kind == WSC_PREF_NUMBER && setting->kind == WP_SET_NUMBER) {
        return set_number(it, setting, error);
    }
    if (it->kind == WSC_PREF_TEXT) {
        it->module->prefs_changed_flags |= prefs_set_string_value(it->pref, setting->value, pref_current);
        return WP_OK;
    }
    if (it->kind == WSC_PREF_PASSWORD) {   /* which tshark -o cannot set */
        it->module->prefs_changed_flags |= wsc_preference_set_password(it->pref, setting->value);
        return WP_OK;
    }
    return set_as_text(setting, error);
}

static wp_status
no_such_preference(const wp_setting *setting, wp_error *error)
{
    char now[200];
    if (wp_preference_name_now_locked(setting->name, now, sizeof now)) {
        return wp_fail(error, WP_EPREFERENCE, "no preference is called '%.200s', nor '%s' as it would be now", setting->name,
                       now);
    }
    return wp_fail(error, WP_EPREFERENCE, "no preference is called '%.200s'", setting->name);
}

static wp_status
given_up(const wp_setting *setting, wp_wrong *wrong, wp_error *error)
{
    char *successors = wp_former_preference_locked(setting->name);
    wp_status status = wp_fail(error, WP_EPREFERENCE, "%s: Wireshark has given up this preference", setting->name);
    if (successors != NULL) {
        status = wp_fail(error, WP_EPREFERENCE, "%s: Wireshark has given up this preference; enable or disable %s instead",
                         setting->name, successors);
    } else {
        *wrong = WP_WRONG_PREFERENCE;   /* what took its place most often has a name near to it */
    }
    g_free(successors);
    return status;
}

wp_status
wp_set_preference(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error)
{
    found it;
    if (!find(setting->name, &it)) {
        *wrong = WP_WRONG_PREFERENCE;
        return no_such_preference(setting, error);
    }
    if (it.kind == WSC_PREF_OBSOLETE) {
        return given_up(setting, wrong, error);
    }
    if (it.kind == WSC_PREF_TABLE) {
        return wp_fail(error, WP_EPREFERENCE, "%s is a table: set 'uat:%s'", setting->name,
                       prefs_get_uat_value(it.pref)->filename);
    }
    if (it.kind == WSC_PREF_LABEL) {
        return wp_fail(error, WP_EPREFERENCE, "%s is a text that cannot be set", setting->name);
    }
    if (it.kind == WSC_PREF_PORT || it.kind == WSC_PREF_PORTS) {
        remember_ports(&it, setting->value, undo);
    }
    remember(&it, undo);
    return set_it(&it, setting, error);
}

/* ---- tables ---- */

typedef struct {
    const char *name;   /* borrowed */
    uat_t *table;
} table_search;

static void
look_at_table(void *uat_, void *search_)
{
    uat_t *uat = uat_;
    table_search *search = search_;
    if (strcmp(uat->name, search->name) == 0 || strcmp(uat->filename, search->name) == 0) {
        search->table = uat;
    }
}

uat_t *
wp_find_table(const char *name)
{
    table_search search = {.name = name};
    uat_foreach_table(look_at_table, &search);
    return search.table;
}

/* The static keys of a WireGuard key log or of a capture's secrets stay until this table's records are read again, see
 * wg_key_uat_apply() in packet-wireguard.c. */
void
wp_settings_forget_keys_locked(void)
{
    const uat_t *table = wp_find_table("wg_keys");
    if (table != NULL && table->post_update_cb != NULL) {
        table->post_update_cb();
    }
}

/* The records behind the first `number` go. */
static void
shorten_table(const wp_undo *self)
{
    uat_t *uat = self->object;
    if (self->number == 0) {
        uat_clear(uat);
    }
    while (uat->raw_data->len > self->number) {
        uat_remove_record_idx(uat, uat->raw_data->len - 1);
    }
    while (uat->user_data->len > self->number) {
        if (uat->free_cb != NULL) {
            uat->free_cb(UAT_USER_INDEX_PTR(uat, uat->user_data->len - 1));
        }
        g_array_set_size(uat->user_data, uat->user_data->len - 1);
    }
    UAT_UPDATE(uat);
    if (uat->post_update_cb != NULL) {
        uat->post_update_cb();
    }
}

wp_status
wp_set_table(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error)
{
    uat_t *table = wp_find_table(setting->name + strlen("uat:"));
    if (table == NULL) {
        *wrong = WP_WRONG_PREFERENCE;
        return wp_fail(error, WP_EPREFERENCE, "no preference is called '%.200s'", setting->name);
    }
    if (table->raw_data->len != table->user_data->len) {
        return wp_fail(error, WP_EPREFERENCE, "%s: the table has records that are not valid", setting->name);
    }
    const wp_undo back = {.run = shorten_table, .object = table, .number = table->raw_data->len};
    wp_undo_later(undo, &back);
    return set_as_text(setting, error);
}
