/* display_filter.h - a display filter that is compiled once and asked of kept packets. The epan lock is held. */
#ifndef WISHPY_DISPLAY_FILTER_H
#define WISHPY_DISPLAY_FILTER_H

#include <stdbool.h>

#include "packet_tree.h"
#include "status.h"

typedef struct wp_filter wp_filter;

/* WP_EFILTER with the mistake's position. */
wp_status wp_filter_compile_locked(const char *text, wp_filter **filter, wp_error *error);
void wp_filter_free_locked(void *filter);   /* NULL is fine */

/* Does the packet match? Its block has its rest. */
wp_status wp_filter_matches_locked(const wp_filter *filter, const wp_block *block, bool *matches, wp_error *error);

/* The fields it looks at, and what Wireshark has to say against it: calls for each. */
void wp_filter_fields_locked(const wp_filter *filter, void (*each)(const char *name, void *data), void *data);
void wp_filter_warnings_locked(const wp_filter *filter, void (*each)(const char *text, void *data), void *data);

#endif
