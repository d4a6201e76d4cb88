/* settings_parts.h - between settings.c and the files that know one kind of setting each. */
#ifndef WISHPY_SETTINGS_PARTS_H
#define WISHPY_SETTINGS_PARTS_H

#include "settings.h"
#include "ws_compat.h"

/* How one setting is put back. */
typedef struct wp_undo wp_undo;
struct wp_undo {
    void (*run)(const wp_undo *self);
    void *object;         /* borrowed for good: a preference, a table, a protocol, a heuristic, a dissector's handle */
    void *owner;          /* borrowed for good: the preference's module */
    char *name;           /* owned or NULL */
    char *text;           /* owned or NULL */
    uint32_t number;
};

void wp_undo_later(GArray *list, const wp_undo *undo);   /* takes over name and text */

/* What a table of dissectors does for this number now is put back later. */
void wp_remember_entry(const char *table, uint32_t number, GArray *list);

/* The table of that name, or that Wireshark's file for it has; NULL where there is none. */
uat_t *wp_find_table(const char *name);

/* Wireshark would keep `what` after the session: WP_EKEYS where that must not be. */
wp_status wp_stays_locked(const char *what, wp_error *error);

/* The protocols and heuristic dissectors, in quotes, whose switches took the place of a preference that was given up; a
 * new string, NULL where there are none. */
char *wp_former_preference_locked(const char *name);

/* Is this preference, a text, set to anything? */
bool wp_preference_has_text(const char *name);

wp_status wp_set_preference(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error);
wp_status wp_set_table(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error);
wp_status wp_set_decode_as(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error);
wp_status wp_set_protocol(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error);
wp_status wp_set_column(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error);
wp_status wp_set_profile(const wp_setting *setting, GArray *undo, wp_wrong *wrong, wp_error *error);

#endif
