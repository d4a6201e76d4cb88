/* settings_decode_as.c - one rule of "decode as", with all selectors that tshark -d takes. The epan lock is held. */
#include "settings_parts.h"

#include <stdlib.h>

typedef struct {
    char *table;            /* owned */
    const char *selector;   /* borrowed from table's memory; NULL where there is none */
    uint32_t first, last;   /* of a selector that is a number */
    dissector_handle_t handle;
} rule;

/* ---- putting an entry back ---- */

static void
put_back_uint(const wp_undo *self)
{
    dissector_reset_uint(self->name, self->number);
    dissector_table_t table = find_dissector_table(self->name);
    if (dissector_get_uint_handle(table, self->number) != self->object) {
        dissector_change_uint(self->name, self->number, self->object);
    }
}

static void
put_back_string(const wp_undo *self)
{
    dissector_reset_string(self->name, self->text);
    dissector_table_t table = find_dissector_table(self->name);
    if (dissector_get_string_handle(table, self->text) != self->object) {
        dissector_change_string(self->name, self->text, self->object);
    }
}

void
wp_remember_entry(const char *table, uint32_t number, GArray *list)
{
    const wp_undo undo = {
        .run = put_back_uint,
        .object = dissector_get_uint_handle(find_dissector_table(table), number),
        .name = g_strdup(table),
        .number = number,
    };
    wp_undo_later(list, &undo);
}

/* ---- reading the rule ---- */

static bool
read_number(const char *text, const char **end, uint32_t *number)
{
    char *stop;
    const uint64_t value = g_ascii_strtoull(text, &stop, 0);
    if (stop == text || value > UINT32_MAX || *text == '-') {
        return false;
    }
    *end = stop;
    *number = (uint32_t)value;
    return true;
}

/* "8888", "0x22b8", "8888-8890", "8888:3" */
static bool
read_numbers(const char *text, uint32_t *first, uint32_t *last)
{
    while (g_ascii_isspace(*text)) {
        text++;
    }
    if (!read_number(text, &text, first)) {
        return false;
    }
    *last = *first;
    const char kind = *text;
    if (kind == '\0') {
        return true;
    }
    uint32_t second;
    if ((kind != ':' && kind != '-') || !read_number(text + 1, &text, &second) || *text != '\0') {
        return false;
    }
    const uint64_t end = kind == '-' ? second : (uint64_t)*first + second - 1;
    *last = (uint32_t)end;
    return end <= UINT32_MAX && end >= *first;
}

static void
split(const char *name, rule *r)
{
    r->table = g_strdup(name);
    char *equals = strchr(r->table, '=');
    if (equals != NULL) {
        *equals++ = '\0';
        equals += *equals == '=' ? 1 : 0;
        r->selector = equals;
    } else if (*r->table != '\0' && r->table[strlen(r->table) - 1] == ',') {   /* tshark's way for no selector */
        r->table[strlen(r->table) - 1] = '\0';
    }
    g_strstrip(r->table);   /* only up to the NUL that was put there */
}

typedef struct {
    const char *name;
    dissector_handle_t handle;   /* the first one of that name */
} choice;

static void
look_at_choice(const gchar *table, gpointer handle, gpointer choice_)
{
    choice *wanted = choice_;
    const int protocol = dissector_handle_get_protocol_index(handle);
    (void)table;
    if (wanted->handle == NULL && protocol != -1
        && strcmp(proto_get_protocol_filter_name(protocol), wanted->name) == 0) {
        wanted->handle = handle;
    }
}

static wp_status
find_choice(const wp_setting *setting, rule *r, wp_wrong *wrong, wp_error *error)
{
    const header_field_info *renamed = proto_registrar_get_byalias(setting->value);
    choice wanted = {.name = renamed != NULL ? renamed->abbrev : setting->value};
    dissector_table_foreach_handle(r->table, look_at_choice, &wanted);
    r->handle = wanted.handle;
    if (wanted.handle != NULL) {
        return WP_OK;
    }
    *wrong = WP_WRONG_CHOICE;
    if (proto_get_id_by_filter_name(setting->value) == -1) {
        return wp_fail(error, WP_EVALUE, "decode_as: no protocol is called '%.200s'", setting->value);
    }
    return wp_fail(error, WP_EVALUE, "decode_as: '%.200s' cannot be chosen for %.200s", setting->value, r->table);
}

/* ---- setting it ---- */

static wp_status
bad_selector(const wp_setting *setting, const char *wanted, wp_error *error)
{
    return wp_fail(error, WP_EVALUE, "decode_as: '%.200s': %s", setting->name, wanted);
}

static wp_status
set_numbers(const wp_setting *setting, rule *r, GArray *undo, wp_error *error)
{
    if (r->selector == NULL || !read_numbers(r->selector, &r->first, &r->last)) {
        return bad_selector(setting, "a number is needed, 'TABLE==8888', or several, '8888-8890' or '8888:3'", error);
    }
    for (uint64_t i = r->first; i <= r->last; i++) {
        wp_remember_entry(r->table, (uint32_t)i, undo);
        dissector_change_uint(r->table, (uint32_t)i, r->handle);
    }
    return WP_OK;
}

static wp_status
set_string(const wp_setting *setting, const rule *r, GArray *undo, wp_error *error)
{
    if (r->selector == NULL) {
        return bad_selector(setting, "a text is needed, 'TABLE==text'", error);
    }
    const wp_undo back = {
        .run = put_back_string,
        .object = dissector_get_string_handle(find_dissector_table(r->table), r->selector),
        .name = g_strdup(r->table),
        .text = g_strdup(r->selector),
    };
    wp_undo_later(undo, &back);
    dissector_change_string(r->table, r->selector, r->handle);
    return WP_OK;
}

static wp_status
set_by_kind(const wp_setting *setting, rule *r, GArray *undo, wp_error *error)
{
    switch (get_dissector_table_selector_type(r->table)) {
    case FT_UINT8:
    case FT_UINT16:
    case FT_UINT24:
    case FT_UINT32:
        return set_numbers(setting, r, undo, error);
    case FT_STRING:
    case FT_STRINGZ:
    case FT_UINT_STRING:
    case FT_STRINGZPAD:
    case FT_STRINGZTRUNC:
        return set_string(setting, r, undo, error);
    case FT_NONE:
        if (r->selector != NULL && *r->selector != '\0') {
            return bad_selector(setting, "this table has no selector: write its name alone", error);
        }
        wp_remember_entry(r->table, 0, undo);   /* that is where such a table keeps its one entry */
        dissector_change_payload(r->table, r->handle);
        return WP_OK;
    default:
        return bad_selector(setting, "Wireshark has no decode as for a table of bytes, GUIDs or rules of its own", error);
    }
}

wp_status
wp_set_decode_as(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error)
{
    rule r = {0};
    split(setting->name, &r);
    wp_status status;
    if (find_dissector_table(r.table) == NULL) {
        *wrong = WP_WRONG_TABLE;
        status = wp_fail(error, WP_EVALUE, "decode_as: no table of dissectors is called '%.200s'", r.table);
    } else {
        status = find_choice(setting, &r, wrong, error);
    }
    if (status == WP_OK) {
        status = set_by_kind(setting, &r, undo, error);
    }
    g_free(r.table);
    return status;
}
