/* settings_column.c - one column more beside Wireshark's own, or in place of one. The epan lock is held. */
#include "settings_parts.h"

static const char preference[] = "gui.column.format";

static void
append_column(GString *list, const char *title, const char *format)
{
    char *escaped = g_strescape(title, NULL);
    g_string_append_printf(list, "%s\"%s\",\"%s\"", list->len > 0 ? "," : "", escaped, format);
    g_free(escaped);
}

/* A column as the preference writes it. A new string. */
static char *
format_of(const fmt_data *column)
{
    if (column->fmt != COL_CUSTOM) {
        return g_strdup(col_format_to_string(column->fmt));
    }
    return g_strdup_printf("%%Cus:%s:%d:%c", column->custom_fields, column->custom_occurrence,
                           wsc_column_display(column));
}

static bool
is_field(const char *name)
{
    dfilter_t *filter = NULL;
    char *message = NULL;
    int64_t position, span;
    const bool good = wsc_filter_compile(name, &filter, &message, &position, &span);
    dfilter_free(filter);
    g_free(message);
    return good && *name != '\0';
}

/* A new string, NULL where the value is neither a format nor a field. */
static char *
read_format(const char *value)
{
    if (*value == '%') {
        return strncmp(value, "%Cus:", 5) == 0 || get_column_format_from_str(value) != -1 ? g_strdup(value) : NULL;
    }
    return is_field(value) ? g_strdup_printf("%%Cus:%s:0:R", value) : NULL;
}

wp_status
wp_set_column(const wp_setting *setting, GArray *undo, wp_error *error)
{
    char *format = read_format(setting->value);
    if (format == NULL || strchr(format, '"') != NULL) {
        g_free(format);
        return wp_fail(error, WP_EVALUE, "columns: '%.200s' is neither a column's format such as '%%t' nor a field",
                       setting->value);
    }
    GString *list = g_string_new(NULL);
    bool replaced = false;
    for (GList *item = prefs.col_list; item != NULL; item = item->next) {
        const fmt_data *column = item->data;
        char *before = format_of(column);
        const bool same = strcmp(column->title, setting->name) == 0;
        append_column(list, column->title, same ? format : before);
        replaced |= same;
        g_free(before);
    }
    if (!replaced) {
        append_column(list, setting->name, format);
    }
    const wp_setting all = {.kind = WP_SET_PREFERENCE, .name = preference, .value = list->str};
    wp_wrong wrong;
    wp_status status = wp_set_preference(&all, undo, &wrong, error);
    g_string_free(list, TRUE);
    g_free(format);
    return status;
}
