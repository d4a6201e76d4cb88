/* follow.h - the streams that a frame belongs to, as Wireshark's "Follow" and tshark -z follow number them. The epan
 * lock is held throughout. */
#ifndef WISHPY_FOLLOW_H
#define WISHPY_FOLLOW_H

#include "ws_compat.h"

/* How a follower names its streams. */
enum {
    WP_FOLLOW_FILTER,       /* by a display filter alone: SIP's calls */
    WP_FOLLOW_STREAM,       /* by a number */
    WP_FOLLOW_SUB_STREAM,   /* by two: HTTP/2's streams within a connection */
};

typedef struct {
    const char *name;       /* borrowed for good: the protocol's filter name */
    char *filter;           /* owned; NULL where the numbers say it */
    guint stream, sub_stream;
    guint named_by;
} wp_follow;

/* Appends to an array of wp_follow what the tree tells; while it is alive. */
void wp_follow_find_locked(GArray *found, epan_dissect_t *edt);

void wp_follow_free(GArray *found);

#endif
