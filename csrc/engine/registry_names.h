/* registry_names.h - the names that Wireshark knows, kind by kind. */
#ifndef WISHPY_REGISTRY_NAMES_H
#define WISHPY_REGISTRY_NAMES_H

typedef enum {
    WP_NAME_DISSECTOR,         /* for dissect(dissector=...) */
    WP_NAME_PROTOCOL,          /* filter names of protocols and heuristic dissectors' short names: enable, disable */
    WP_NAME_PREFERENCE,        /* "tcp.desegment_tcp_streams", "uat:user_dlts" */
    WP_NAME_COLUMN,            /* formats of columns: "%t" */
    WP_NAME_TABLE,             /* of dissectors, for decode_as: "tcp.port" */
} wp_name_kind;

/* Calls `each` for every name, in no order; it may come twice. Lock held; `each` must not enter epan. */
void wp_registry_names_locked(wp_name_kind kind, void (*each)(const char *name, void *data), void *data);

/* The same for the protocols that a table of dissectors can be told to decode as. */
void wp_registry_choices_locked(const char *table, void (*each)(const char *name, void *data), void *data);

#endif
