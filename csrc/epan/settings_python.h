/* settings_python.h - Dissector's keywords that set something in libwireshark, as the engine takes them. */
#ifndef WISHPY_EPAN_SETTINGS_PYTHON_H
#define WISHPY_EPAN_SETTINGS_PYTHON_H

#include "state.h"

#include "../engine/settings.h"

/* The keywords; borrowed, None where they were not given. */
typedef struct {
    PyObject *preferences, *decode_as, *tls_keylog, *enable, *disable, *profile, *columns;
} settings_keywords;

/* All zero: no settings. */
typedef struct {
    wp_setting *list;      /* owned; its texts are borrowed from keep */
    size_t count, room;
    PyObject *keep;        /* owned: list */
    bool resolution;       /* name resolution is among them */
    bool fields;           /* they may register fields */
} python_settings;

static inline bool
settings_given(const settings_keywords *given)
{
    return given->preferences != Py_None || given->decode_as != Py_None || given->tls_keylog != Py_None
        || given->enable != Py_None || given->disable != Py_None || given->profile != Py_None
        || given->columns != Py_None;
}

#define NO_SETTINGS {Py_None, Py_None, Py_None, Py_None, Py_None, Py_None, Py_None}

/* Raises: -1. Release it in any case. */
int python_settings_read(module_state *state, python_settings *self, const settings_keywords *given);
void python_settings_release(python_settings *self);

/* The exception for a setting that the engine refused. */
void python_settings_raise(module_state *state, const python_settings *self, wp_status status, const wp_error *error);

/* ---- what a table shares with a Dissector: dissector.c ---- */

/* The options borrow their texts from the dict and from the settings. Raises: -1. Release the settings in any case. */
int dissector_table_options(module_state *state, PyObject *keywords, python_settings *settings,
                            wp_session_options *options, uint64_t *limit);
/* The exception for what the engine answered to these options. */
void dissector_raise_table(module_state *state, PyObject *keywords, wp_status status, wp_error *error, PyObject *path);

#endif
