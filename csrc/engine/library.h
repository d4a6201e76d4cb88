/* library.h - libwireshark as a process-wide thing: started once, locked, with room for one session. */
#ifndef WISHPY_LIBRARY_H
#define WISHPY_LIBRARY_H

#include <stdbool.h>

#include "status.h"

/* Refuses a libwireshark of another major.minor than the headers'. Needs no start. */
wp_status wp_library_check(wp_error *error);

/* Starts libwireshark; once per process, later calls return what the first one did. No lock held. */
wp_status wp_library_start(wp_error *error);

/* libwireshark trusts the environment and the user's folder of plugins with less where root starts it. Called first by a
 * worker, so that it counts as started by whom its parent is, and not as the user that it becomes; else the start does
 * it. No lock. */
void wp_library_note_privileges(void);

/* Lua and binary plugins, which libwireshark loads when it starts: says whether it shall. WP_EBUSY where it has started
 * with the other choice, or the other was asked for before. No lock held. */
wp_status wp_library_choose_plugins(bool load, wp_error *error);
/* What was chosen; without a choice they are loaded. */
bool wp_library_has_plugins(void);

/* What is told of a plugin; all texts are borrowed until `each` returns. */
typedef struct {
    const char *name, *version, *type, *path;
} wp_plugin_facts;

/* Every plugin that was loaded, binary ones first. Lock held, after the start. */
void wp_library_plugins_locked(void (*each)(const wp_plugin_facts *facts, void *data), void *data);

/* Every feature that libwireshark was compiled with ("+Lua 5.2.4") or without ("-SMI"), in its own order. */
void wp_library_features(void (*each)(const char *feature, void *data), void *data);

/* Points libwireshark away from the user's own settings, to a folder that is not there. Lock held. */
void wp_library_no_personal_settings(void);
/* Points it to the user's own folder. Lock held. */
void wp_library_personal_settings(void);
/* Which of the two was last. Lock held. */
bool wp_library_is_personal(void);

/* The one lock around every entry into epan. Recursive, because libwiretap's callbacks enter epan from a read that
 * may itself be under it. Never waited for with the GIL held (see wp_epan_lock_with_gil in epan/state.h). */
void wp_epan_lock(void);
bool wp_epan_try_lock(void);
void wp_epan_unlock(void);

/* After a fork, in the child: the lock may have been held by the forking thread alone. */
void wp_epan_lock_after_fork(void);

/* The one place for a session. Lock held. WP_EBUSY where it is taken by a session of this process; a session that
 * was inherited through fork counts for nothing: its owner can never run here. */
wp_status wp_place_take_locked(void *owner, wp_error *error);
void wp_place_leave_locked(void *owner);

/* Frees a session from a place that must not wait: at once where the lock is free, else at the next unlock. */
void wp_epan_retire(void *session, void (*free_locked)(void *session));

/* Lines that the library logged, oldest first; 0 where there is none. Any thread, no lock needed. */
typedef struct {
    int level;            /* 0 debug, 1 info, 2 message, 3 warning, 4 critical */
    char domain[32];
    char text[480];
} wp_log_line;
bool wp_log_pending(void);
bool wp_log_take(wp_log_line *line);

/* The loaded library's version. */
void wp_library_version(int *major, int *minor, int *micro);
/* The headers' version. */
void wp_library_built_for(int *major, int *minor, int *micro);

#endif
