/* session.h - the single path into epan: one record in, one dissected frame in a slot, its tree alive until the
 * slot is used again. */
#ifndef WISHPY_SESSION_H
#define WISHPY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "origin.h"
#include "packet_tree.h"
#include "settings.h"
#include "source.h"
#include "source_file.h"
#include "status.h"
#include "watch.h"

typedef struct wp_session wp_session;
typedef struct wp_slot wp_slot;

/* Two trees live at a time. While a loop handles frame N+1, frame N (the loop variable's old value) need not be
 * copied: it is usually dropped a moment later, and then no copy was ever made. */
enum { WP_SLOTS = 2 };

typedef struct {
    const char *display_filter;   /* borrowed during the call; NULL or "": all frames */
    const char *read_filter;      /* with two_pass only */
    bool two_pass;
    bool columns;
    bool tree;                    /* the whole visible tree; else only `fields` */
    const uint32_t *fields;       /* borrowed during the call: ids to build where !tree */
    uint32_t field_count;
    uint64_t skip;                /* leave out this many frames at the start */
    uint64_t reset_after;         /* forget all conversations after this many frames; 0: never */
    wp_resolution resolution;
    bool preferred_resolution;    /* the preferences say which; `resolution` counts for nothing */
    const wp_setting *settings;   /* borrowed during the call */
    size_t setting_count;
} wp_session_options;

/* Name resolution now in force; sets it and returns what was. Lock held. */
wp_resolution wp_resolution_set_locked(wp_resolution resolution);
wp_resolution wp_resolution_now_locked(void);

/* Takes the place and starts a session that reads from `source`, which it owns from now on, also on failure; NULL
 * where frames are only handed in by wp_session_dissect. `file` is the same source where it is a file, else NULL.
 * Takes the lock itself. On WP_EFILTER error->frame is 0 for the display filter and 1 for the read filter.
 * For a setting that is refused error->position is its index and error->span a wp_wrong; else position is -1. */
wp_status wp_session_open(const wp_session_options *options, wp_source *source, wp_source_file *file,
                          wp_session **session, wp_error *error);

/* Ends it, frees the source, leaves the place. NULL is fine. */
void wp_session_free_locked(void *session);

/* Most of an open goes into libwireshark's own tables. A process that waits for work does that beforehand: a session
 * without a source, that has dissected nothing, is laid by (it is owned here from now on), and the next wp_session_open
 * takes it up. The caller knows that the settings will be the same; where they will not, it drops it. */
void wp_session_lay_by_locked(wp_session *session);
void wp_session_drop_spare_locked(void);

/* Reads and dissects until a frame passes the filter, into this slot, whose frame before dies. Lock not held; takes
 * it per frame. WP_AGAIN about every 50 ms without a result, so that the caller can look at signals. */
wp_status wp_session_next(wp_session *session, unsigned slot, wp_error *error);

/* Dissects one record from elsewhere as the next frame, into this slot: WP_OK; WP_AGAIN where a filter or `skip` leaves
 * it out; WP_EFIELD for an unknown name. It starts at the dissector of this name, or at that of its link type where the
 * name is NULL. Lock not held. */
wp_status wp_session_dissect(wp_session *session, unsigned slot, const wp_record *record, const char *dissector,
                             wp_error *error);

/* Any thread: makes a next() that waits return soon. */
void wp_session_wake(wp_session *session);

/* Does a tree (an epan_dissect_t) match a filter (a dfilter_t)? Lock held. */
bool wp_filter_apply_locked(void *filter, void *edt);

/* Frames read so far, for messages. */
uint32_t wp_session_frames(const wp_session *session);

/* Lets another process see what the session is busy with. The watch is borrowed until the session ends. */
void wp_session_watch(wp_session *session, wp_watch *watch);

/* Frames that are read and counted but never dissected, in rising order: each passes the display filter, has its bytes
 * and no tree (facts.left_out). Borrowed until the session ends. */
void wp_session_leave_out(wp_session *session, const uint32_t *frames, size_t count);

/* ---- a slot that next() filled ---- */

wp_slot *wp_session_slot(wp_session *session, unsigned slot);
const wp_frame *wp_slot_frame(const wp_slot *slot);
const uint8_t *wp_slot_bytes(wp_slot *slot);   /* the frame's captured bytes, borrowed */
void *wp_slot_edt(wp_slot *slot);              /* the live epan_dissect_t, borrowed; to be read with the lock held */

/* The root of the live tree (a proto_node, see cursor.h), to be read with the lock held; NULL where only some fields
 * were built. */
const void *wp_slot_tree(const wp_slot *slot);

/* Must every slot be copied before the next frame is dissected: because what is learnt from it could change this one,
 * or because all state is given up before it? */
bool wp_session_is_eager(const wp_session *session);

/* What the source has said up to now beside its packets; borrowed from the session. */
wp_origin *wp_session_origin(wp_session *session);
/* Appends what a file must know of the record beside its bytes (record_bytes.h). No lock: the slot is not in use. */
void wp_slot_extra(wp_slot *slot, wp_text *out);

wp_status wp_slot_copy_locked(wp_slot *slot, wp_block **block, wp_error *error);
wp_status wp_slot_finish_locked(wp_slot *slot, wp_block **block, wp_error *error);
/* Both at once, see wp_block_lend_locked. */
wp_status wp_slot_lend_locked(wp_slot *slot, wp_lent_block *lent, wp_error *error);

#endif
