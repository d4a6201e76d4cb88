/* settings.h - what a Dissector sets in libwireshark, and puts back as it was.
 * The epan lock is held throughout, and no session is open. */
#ifndef WISHPY_SETTINGS_H
#define WISHPY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

typedef enum {
    WP_SET_PREFERENCE,   /* name "tcp.desegment_tcp_streams" or "uat:user_dlts", value as tshark -o takes it */
    WP_SET_NUMBER,       /* a preference too, value in decimal digits whatever the preference's base */
    WP_SET_DECODE_AS,    /* name "tcp.port==8888", value "http" */
    WP_SET_ENABLE,       /* name of a protocol or of a heuristic dissector */
    WP_SET_DISABLE,
    WP_SET_COLUMN,       /* name is its title, value "%a" or a field's name */
    WP_SET_PROFILE,      /* name of a configuration profile; comes first */
} wp_setting_kind;

typedef struct {
    wp_setting_kind kind;
    const char *name;    /* borrowed during the call */
    const char *value;   /* borrowed during the call; NULL where the kind has none */
} wp_setting;

typedef struct wp_settings wp_settings;

/* What a name in a failed setting should have been; the caller can look for the nearest. */
typedef enum {
    WP_WRONG_VALUE,        /* the name is right */
    WP_WRONG_PREFERENCE,
    WP_WRONG_PROTOCOL,
    WP_WRONG_TABLE,
    WP_WRONG_CHOICE,       /* a protocol that the table cannot be told to decode as; its name is in the value */
    WP_WRONG_PROFILE,
    WP_WRONG_COLUMN,       /* a column's format that does not exist, which is the value */
    WP_WRONG_FIELD,        /* a column's field that does not exist; its name is in the value */
} wp_wrong;

/* Applies them in order. On failure nothing is left applied, *failed is the index and *wrong what was wrong there;
 * WP_EPREFERENCE for preferences, else WP_EVALUE. *undo is NULL where there was nothing to do. */
wp_status wp_settings_apply_locked(const wp_setting *settings, size_t count, wp_settings **undo, size_t *failed,
                                   wp_wrong *wrong, wp_error *error);

/* What the preference is called now, where its protocol had another name before: "tls.debug_file" for "ssl.debug_file".
 * False where that is not so. There may be no such preference all the same. */
bool wp_preference_name_now_locked(const char *name, char *now, size_t room);

/* After the settings: MaxMind's databases are read where `asked`, or where a preference or a profile names folders of them.
 * `preferred`: preferences say what is resolved.
 * WP_EPREFERENCE where they cannot be, WP_EKEYS where this process cannot forget them. Stopping is always right. */
wp_status wp_maxmind_start_locked(bool asked, bool preferred, wp_error *error);
void wp_maxmind_stop_locked(void);

/* Once, before settings are read: see settings_maxmind.c. */
void wp_maxmind_hide_program_locked(void);

/* Keys that would outlive their session are refused with WP_EKEYS until the first of these is called, by a process that
 * has the one purpose; the second tells whether there were such keys. */
void wp_settings_let_last_locked(void);
bool wp_settings_did_last_locked(void);

/* Keys that a session left behind go. */
void wp_settings_forget_keys_locked(void);

/* Puts everything back, in reverse, and frees `settings`. NULL is fine. */
void wp_settings_undo_locked(wp_settings *settings);

/* Where Wireshark looks for a name of an Ethernet address, each time that it has none yet; there may be no such file. To
 * g_free. Lock held. */
char *wp_profile_ethers_locked(void);

#endif
