/* expert.h - expert information of the frame that is dissected now, as Wireshark's own tap tells it. The epan lock is
 * held throughout. */
#ifndef WISHPY_EXPERT_H
#define WISHPY_EXPERT_H

#include "ws_compat.h"

#include <epan/expert.h>

/* One piece of it. */
typedef struct {
    const expert_info_t *info;   /* borrowed from the dissection: dies with its tree */
    guint number;                /* in the order in which they were found */
    guint rank;                  /* place in the tree; G_MAXUINT for one that no line of the tree has */
    guint next;                  /* number + 1 of the next one of the same line; 0: none */
} wp_expert;

/* Once, after epan_init. */
void wp_expert_start_locked(void);

/* Whatever a dissection finds from now on is appended to this array of wp_expert; NULL: nobody wants to know. */
void wp_expert_collect_locked(GArray *into);

/* In the order of the tree; those that are not in it come last. `root` may be NULL. */
void wp_expert_sort_locked(GArray *found, const proto_node *root);

#endif
