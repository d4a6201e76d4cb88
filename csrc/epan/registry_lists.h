/* registry_lists.h - lists of the names that Wireshark knows, to suggest the right one from. */
#ifndef WISHPY_EPAN_REGISTRY_LISTS_H
#define WISHPY_EPAN_REGISTRY_LISTS_H

#include "state.h"

#include "../engine/registry_names.h"

/* All names of this kind, a new list of str. Gives up the GIL while it waits for the lock. */
PyObject *registry_names(wp_name_kind kind);

/* The protocols that a rule of decode_as, "tcp.port==80", can choose from; a new list of str. */
PyObject *registry_choices(const char *rule);

/* The fields whose names are nearest to this one; a new list of str. */
PyObject *registry_nearest_fields(const char *name);

#endif
