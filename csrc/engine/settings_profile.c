/* settings_profile.c - a configuration profile of the user's, and the way back to none. The epan lock is held. */
#include "library.h"
#include "settings_parts.h"

/* All that a profile can change goes back to the defaults, then what the files of the current one say is applied. */
static void
load_settings(void)
{
    prefs_reset();
    proto_reenable_all();
    epan_load_settings();
    prefs_apply_all();
}

static void
leave_profile(const wp_undo *self)
{
    (void)self;
    set_profile_name(NULL);
    wp_library_no_personal_settings();
    load_settings();
}

char *
wp_profile_ethers_locked(void)
{
    char *path = get_persconffile_path("ethers", TRUE);   /* the profile's, and without one there the user's */
    if (!file_exists(path)) {
        g_free(path);
        path = get_persconffile_path("ethers", FALSE);
    }
    return path;
}

wp_status
wp_set_profile(const wp_setting *setting, GArray *list, wp_wrong *wrong, wp_error *error)
{
    const bool standard = strcmp(setting->name, DEFAULT_PROFILE) == 0;
    wp_library_personal_settings();
    if (!standard && !profile_exists(setting->name, FALSE) && !profile_exists(setting->name, TRUE)) {
        wp_library_no_personal_settings();
        *wrong = WP_WRONG_PROFILE;
        return wp_fail(error, WP_EVALUE, "profile: no configuration profile is called '%.200s'", setting->name);
    }
    const wp_undo undo = {.run = leave_profile};
    wp_undo_later(list, &undo);
    set_profile_name(standard ? NULL : setting->name);
    load_settings();
    return WP_OK;
}
