/* settings_column.c - one column more beside Wireshark's own, or in place of one. The epan lock is held. */
#include "settings_parts.h"

static const char preference[] = "gui.column.format";
static const char custom[] = "%Cus:";

static void
append_column(GString *list, const char *title, const char *format)
{
    g_string_append(list, list->len > 0 ? ",\"" : "\"");
    for (const char *c = title; *c != '\0'; c++) {   /* Wireshark knows a backslash before either of two, and no more */
        if (*c == '"' || *c == '\\') {
            g_string_append_c(list, '\\');
        }
        g_string_append_c(list, *c);
    }
    g_string_append_printf(list, "\",\"%s\"", format);
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

/* Is the field of "%Cus:field:occurrence:R" one, or several with "||" between them? */
static bool
is_good_custom(const char *format)
{
    char **parts = g_strsplit(format + strlen(custom), ":", 2);
    const bool good = parts[0] != NULL && wsc_column_takes(parts[0]);
    g_strfreev(parts);
    return good;
}

/* A new string, NULL where the value is neither a format nor a field. */
static char *
read_format(const char *value, wp_wrong *wrong)
{
    const bool format = *value == '%', is_custom = strncmp(value, custom, strlen(custom)) == 0;
    *wrong = format && !is_custom ? WP_WRONG_COLUMN : WP_WRONG_FIELD;
    if (strchr(value, '"') != NULL) {
        return NULL;
    }
    if (format && !is_custom) {
        const int known = get_column_format_from_str(value);
        return known != -1 && known != COL_CUSTOM ? g_strdup(value) : NULL;
    }
    char *whole = is_custom ? g_strdup(value) : g_strdup_printf("%s%s:0:R", custom, value);
    if (!is_good_custom(whole)) {
        g_free(whole);
        return NULL;
    }
    return whole;
}

wp_status
wp_set_column(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error)
{
    char *format = read_format(setting->value, wrong);
    if (format == NULL) {
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
    *wrong = WP_WRONG_VALUE;
    wp_wrong ignored;
    wp_status status = wp_set_preference(&all, undo, &ignored, error);
    g_string_free(list, TRUE);
    g_free(format);
    return status;
}
