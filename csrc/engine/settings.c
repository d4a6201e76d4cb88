/* settings.c - applies a Dissector's settings one after the other, and undoes them in reverse.
 * How one preference, one rule or one protocol is set is in settings_*.c. */
#include "settings_parts.h"

#include <stdbool.h>
#include <stdlib.h>

struct wp_settings {
    GArray *undone_by;       /* owned: wp_undo */
};

static wp_status
apply_one(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error)
{
    switch (setting->kind) {
    case WP_SET_PREFERENCE:
    case WP_SET_NUMBER:
        return strncmp(setting->name, "uat:", 4) == 0 ? wp_set_table(setting, undo, wrong, error)
                                                      : wp_set_preference(setting, undo, wrong, error);
    case WP_SET_DECODE_AS:
        return wp_set_decode_as(setting, undo, wrong, error);
    case WP_SET_ENABLE:
    case WP_SET_DISABLE:
        return wp_set_protocol(setting, undo, wrong, error);
    case WP_SET_COLUMN:
        return wp_set_column(setting, undo, wrong, error);
    case WP_SET_PROFILE:
        return wp_set_profile(setting, undo, wrong, error);
    }
    return WP_OK;
}

/* ---- what stays ---- */

/* What Wireshark reads from these files stays in it for as long as the process lives, whatever they are set to later: its
 * packet-kerberos.c and packet-ssh.c have no way to forget. So only a process that ends with its session takes them. */
static const char *const lasting[] = {"kerberos.file", "ssh.keylog_file"};

static bool may_last, spent;   /* guarded by the epan lock */

void
wp_settings_let_last_locked(void)
{
    may_last = true;
}

bool
wp_settings_did_last_locked(void)
{
    return spent;
}

wp_status
wp_stays_locked(const char *what, wp_error *error)
{
    if (!may_last) {
        return wp_fail(error, WP_EKEYS, "Wireshark keeps %s for as long as its process lives, so they need a worker: a "
                       "Dissector without isolated=False", what);
    }
    spent = true;
    return WP_OK;
}

static wp_status
check_lasting(wp_error *error)
{
    wp_status status = WP_OK;
    for (size_t i = 0; i < G_N_ELEMENTS(lasting) && status == WP_OK; i++) {
        if (wp_preference_has_text(lasting[i])) {
            char *what = g_strdup_printf("the keys of %s", lasting[i]);
            status = wp_stays_locked(what, error);
            g_free(what);
        }
    }
    return status;
}

wp_status
wp_settings_apply_locked(const wp_setting *list, size_t count, wp_settings **out, size_t *failed, wp_wrong *wrong,
                         wp_error *error)
{
    *out = NULL;
    if (count == 0) {
        return WP_OK;
    }
    wp_settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    settings->undone_by = g_array_new(FALSE, TRUE, sizeof(wp_undo));
    wp_status status = WP_OK;
    for (size_t i = 0; i < count && status == WP_OK; i++) {
        *failed = i;
        *wrong = WP_WRONG_VALUE;
        status = apply_one(&list[i], settings->undone_by, wrong, error);
    }
    prefs_apply_all();
    if (status == WP_OK) {
        status = check_lasting(error);
    }
    if (status != WP_OK) {
        wp_settings_undo_locked(settings);
        return status;
    }
    *out = settings;
    return WP_OK;
}

void
wp_settings_undo_locked(wp_settings *settings)
{
    if (settings == NULL) {
        return;
    }
    for (guint i = settings->undone_by->len; i > 0; i--) {
        wp_undo *undo = &g_array_index(settings->undone_by, wp_undo, i - 1);
        undo->run(undo);
        g_free(undo->text);
        g_free(undo->name);
    }
    prefs_apply_all();
    g_array_free(settings->undone_by, TRUE);
    free(settings);
}

void
wp_undo_later(GArray *list, const wp_undo *undo)
{
    g_array_append_vals(list, undo, 1);
}
