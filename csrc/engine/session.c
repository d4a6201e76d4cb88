/* session.c - the single path into epan: one record in, one dissected frame in a slot.
 * It numbers the frames, keeps the reference times as tshark does (single pass and two passes), runs the display
 * filter, and builds only what was asked for. Functions ending in _locked need the epan lock and must not need the
 * GIL. */
#include "session.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "expert.h"
#include "follow.h"
#include "heuristic_order.h"
#include "huge_pages.h"
#include "library.h"
#include "name_tables.h"
#include "pseudo_header.h"
#include "record_bytes.h"
#include "ws_compat.h"

/* When a frame was captured, for columns that are filled when that frame is no longer the previous one. */
typedef struct {
    guint32 number;                    /* 0: there is none */
    nstime_t time;
} past_frame;

/* epan knows this struct by name only; it is each client's own. The frame_data are borrowed from the session. */
struct packet_provider_data {
    wtap *file;                        /* borrowed from the source; NULL for other sources and closed pipes */
    const frame_data *first;           /* the reference frame; NULL before the first */
    frame_data *previous_displayed;    /* NULL where none was */
    frame_data *previous_captured;
    frame_data_sequence *frames;       /* all frames, with two passes; else NULL */
    const past_frame *past;            /* two of them, while a slot's columns are filled; else NULL */
};

struct wp_slot {
    wp_session *session;               /* borrowed: the slot is a part of it */
    epan_dissect_t *edt;               /* owned */
    wmem_allocator_t *own_pool;        /* owned: what edt came with, see lend_pool */
    proto_node *columns_node;          /* borrowed from the tree, see wsc_take_columns */
    wsc_record record;                 /* owned */
    wsc_record before;                 /* the record's head as it was read: dissectors change it (PKTAP, ERF) */
    frame_data own_frame;              /* of a single pass */
    past_frame past[2];                /* displayed and captured before it */
    frame_data *frame;                 /* own_frame, or one of provider.frames */
    wp_text extra;                     /* owned: what is known of the record, while its packet is copied */
    wsc_block block;                   /* owned reference: the dissection drops the record's */
    column_info columns;               /* owned */
    GArray *experts;                   /* owned: wp_expert, of the tree that is alive */
    wp_frame facts;
    bool dissected;                    /* the tree is alive; a reset is due */
};

struct wp_session {
    epan_t *epan;                      /* owned */
    wp_source *source;                 /* owned; NULL: frames are handed in */
    wp_source_file *file;              /* the same as source, or NULL */
    wp_origin *origin;                 /* held; what the source says beside its packets */
    wp_origin_file followed;           /* how far the file's part of it was taken over */
    struct packet_provider_data provider;
    wp_slot slots[WP_SLOTS];
    dfilter_t *display_filter, *read_filter;   /* owned; NULL: everything */
    bool columns;              /* are made */
    bool columns_filtered;     /* a filter asks for them */
    bool tree, two_pass, first_pass_done, ready;
    bool huge_pages;                   /* were begun */
    bool long_capture;                 /* by what was dissected */
    uint8_t *wanted;                   /* owned; bit set of field ids, NULL for the whole tree */
    uint32_t wanted_ids;
    GArray *wanted_list;               /* owned; the same as a list, for priming */
    wp_resolution resolution, resolution_before;
    wp_settings *settings;             /* owned; to be undone */
    uint64_t skip;
    uint64_t reset_after, since_reset; /* frames; 0: no resets */
    uint64_t remembered;               /* frames dissected since the last reset, or the beginning */
    uint32_t count;                    /* frames read */
    uint32_t total;                    /* frames that the first of two passes kept */
    guint32 cumulative_bytes;
    nstime_t elapsed;
    frame_data reference, displayed, captured;   /* lasting storage for the provider's pointers */
    wp_status pass_status;             /* how the first pass ended: what could be read is delivered first */
    wp_error pass_error;
    wp_watch *watch;                   /* borrowed; NULL: nobody watches */
    const uint32_t *left_out;          /* borrowed; in rising order */
    size_t left_out_count;
};

wp_resolution
wp_resolution_set_locked(wp_resolution resolution)
{
    const wp_resolution before = wsc_resolution_get();
    if (before != resolution) {
        wsc_resolution_set(resolution);
    }
    return before;
}

wp_resolution
wp_resolution_now_locked(void)
{
    return wsc_resolution_get();
}

/* ---- what epan asks of its client ---- */

static const nstime_t *
frame_time(struct packet_provider_data *provider, guint32 number)
{
    const frame_data *known[] = {provider->first, provider->previous_displayed, provider->previous_captured};
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (known[i] != NULL && known[i]->num == number) {
            return &known[i]->abs_ts;   /* zero where nobody knows, as in tshark */
        }
    }
    for (size_t i = 0; provider->past != NULL && i < 2; i++) {
        if (provider->past[i].number == number) {
            return &provider->past[i].time;
        }
    }
    const frame_data *found = provider->frames == NULL ? NULL : frame_data_sequence_find(provider->frames, number);
    return found != NULL ? &found->abs_ts : NULL;
}

/* The interface's place among all of its file, which may have several sections. */
static uint32_t
interface_index(wtap *file, uint32_t section, uint32_t id)
{
    return file == NULL ? id : wsc_interface_index(file, section, id);
}

static wtap_block_t
interface_block(wtap *file, uint32_t index)
{
    if (file == NULL) {
        return NULL;
    }
    wtapng_iface_descriptions_t *table = wtap_file_get_idb_info(file);
    wtap_block_t block = index < table->interface_data->len
                             ? g_array_index(table->interface_data, wtap_block_t, index)
                             : NULL;
    g_free(table);   /* a wrapper; the blocks are the file's */
    return block;
}

static const char *
interface_option(wtap_block_t block, guint option)
{
    char *text = NULL;
    return block != NULL && wtap_block_get_string_option_value(block, option, &text) == WTAP_OPTTYPE_SUCCESS ? text
                                                                                                             : NULL;
}

static const char *
interface_name_of(wtap *file, uint32_t index)
{
    wtap_block_t block = interface_block(file, index);
    const char *name = interface_option(block, OPT_IDB_NAME);
    if (name == NULL) {
        name = interface_option(block, WSC_OPT_IDB_DESCRIPTION);
    }
    if (name == NULL) {
        name = interface_option(block, WSC_OPT_IDB_HARDWARE);
    }
    return name == NULL ? "unknown" : name;   /* as tshark calls it */
}

static const char *
interface_name(struct packet_provider_data *provider, WSC_INTERFACE_ARGUMENTS)
{
    wtap *file = provider->file;
    return interface_name_of(file, interface_index(file, WSC_INTERFACE_SECTION, interface_id));
}

static const char *
interface_description(struct packet_provider_data *provider, WSC_INTERFACE_ARGUMENTS)
{
    wtap *file = provider->file;
    const uint32_t index = interface_index(file, WSC_INTERFACE_SECTION, interface_id);
    return interface_option(interface_block(file, index), WSC_OPT_IDB_DESCRIPTION);
}

static const struct packet_provider_funcs provider_functions = {
    .get_frame_ts = frame_time,
    .get_interface_name = interface_name,
    .get_interface_description = interface_description,
};

/* What a pcapng file says while it is read, without the lock; see source_file.c. */
/* What a pcapng file says of names and keys while it is read, which happens without the lock (see source_file.c). A
 * source that is being freed waits for its reader with the lock held: then the reader must not wait for the lock. */
static atomic_bool source_is_closing;

static bool
lock_unless_closing(void)
{
    const struct timespec nap = {0, 1000000};
    while (!wp_epan_try_lock()) {
        if (atomic_load(&source_is_closing)) {
            return false;
        }
        nanosleep(&nap, NULL);
    }
    return true;
}

static void
new_ipv4_name(const guint address, const gchar *name WSC_NAME_PARAMETER)
{
    if (lock_unless_closing()) {
        add_ipv4_name(address, name WSC_NAME_ARGUMENT);
        wp_epan_unlock();
    }
}

static void
new_ipv6_name(wsc_ipv6_argument address, const gchar *name WSC_NAME_PARAMETER)
{
    if (lock_unless_closing()) {
        add_ipv6_name(address, name WSC_NAME_ARGUMENT);
        wp_epan_unlock();
    }
}

static void
new_secrets(guint32 type, const void *secrets, guint size)
{
    if (lock_unless_closing()) {
        secrets_wtap_callback(type, secrets, size);
        wp_epan_unlock();
    }
}

static void
file_opened_locked(void *wtap_, void *session_)
{
    wtap *file = wtap_;
    wp_session *session = session_;
    if (session->provider.file == NULL) {
        wp_origin_open_file(&session->followed, session->origin, file);
    }
    session->provider.file = file;
    wtap_set_cb_new_ipv4(file, new_ipv4_name);
    wtap_set_cb_new_ipv6(file, new_ipv6_name);
    wtap_set_cb_new_secrets(file, new_secrets);
}

/* ---- slots ---- */

/* What a tree is made of, for a slot of any session: libwireshark keeps one such pool from session to session, and makes
 * and frees the other, a block of 2 MB. What it keeps for good in between would leave holes of that size in the heap. */
static wmem_allocator_t *
pool_of(const wp_slot *slot)
{
    static wmem_allocator_t *pools[WP_SLOTS];   /* owned for good */
    wmem_allocator_t **pool = &pools[slot - slot->session->slots];
    if (*pool == NULL) {
        *pool = wmem_allocator_new(WMEM_ALLOCATOR_BLOCK_FAST);
    }
    return *pool;
}

static void
lend_pool(wp_slot *slot)
{
    slot->own_pool = slot->edt->pi.pool;
    slot->edt->pi.pool = pool_of(slot);
}

static void
open_slot_locked(wp_session *session, wp_slot *slot)
{
    slot->session = session;
    slot->edt = epan_dissect_new(session->epan, TRUE, session->tree);
    lend_pool(slot);
    wsc_record_init(&slot->record);
    slot->experts = g_array_new(FALSE, FALSE, sizeof(wp_expert));
    if (session->columns) {
        build_column_format_array(&slot->columns, (gint)prefs.num_cols, TRUE);
    }
}

/* The frame before dies: its tree, then its own data, then its block of options. In this order, see
 * epan_dissect_reset, which still looks at the record. */
static void
clear_slot_locked(wp_slot *slot)
{
    if (slot->dissected) {
        g_array_set_size(slot->experts, 0);
        if (slot->columns_node != NULL) {
            wsc_return_columns(slot->edt->tree, slot->columns_node);
            slot->columns_node = NULL;
        }
        epan_dissect_reset(slot->edt);
        slot->dissected = false;
    }
    if (slot->frame == &slot->own_frame) {
        frame_data_destroy(slot->frame);
    }
    slot->frame = NULL;
    wsc_block_release(slot->block);
    slot->block = NULL;
}

static void
close_slot_locked(wp_slot *slot)
{
    clear_slot_locked(slot);
    if (slot->edt != NULL) {
        slot->edt->pi.pool = slot->own_pool;
        epan_dissect_free(slot->edt);
        wmem_free_all(pool_of(slot));
        wsc_record_cleanup(&slot->record);
        wp_text_free(&slot->extra);
        g_array_free(slot->experts, TRUE);
        if (slot->session->columns) {
            col_cleanup(&slot->columns);
        }
    }
}

static void
close_slots_locked(wp_session *session)
{
    for (unsigned i = 0; i < WP_SLOTS; i++) {
        close_slot_locked(&session->slots[i]);
        memset(&session->slots[i], 0, sizeof session->slots[i]);
    }
}

static void
describe_frame(wp_slot *slot)
{
    const wtap_rec *rec = &slot->before.rec;
    const frame_data *frame = slot->frame;
    const bool packet = rec->rec_type == REC_TYPE_PACKET;
    const bool has_interface = packet && (rec->presence_flags & WTAP_HAS_INTERFACE_ID) != 0;
    slot->facts = (wp_frame){
        .seconds = frame->has_ts ? frame->abs_ts.secs : 0,
        .nanoseconds = frame->has_ts ? frame->abs_ts.nsecs : 0,
        .number = frame->num,
        .length = frame->pkt_len,
        .captured_length = frame->cap_len,
        .encapsulation = packet ? rec->rec_header.packet_header.pkt_encap : WTAP_ENCAP_UNKNOWN,
        .interface_index = has_interface ? interface_index(slot->session->provider.file, wsc_record_section(&slot->before),
                                                           rec->rec_header.packet_header.interface_id)
                                         : 0,
        .has_time = frame->has_ts,
        .has_interface = has_interface,
        .flat = slot->session->wanted != NULL,
        .record_type = (uint8_t)rec->rec_type,
        .precision = (int8_t)rec->tsprec,
    };
}

/* ---- who watches, and what is left out ---- */

void
wp_session_watch(wp_session *session, wp_watch *watch)
{
    session->watch = watch;
}

void
wp_session_leave_out(wp_session *session, const uint32_t *frames, size_t count)
{
    session->left_out = frames;
    session->left_out_count = count;
}

static bool
is_left_out(const wp_session *session, uint32_t number)
{
    for (size_t i = 0; i < session->left_out_count && session->left_out[i] <= number; i++) {
        if (session->left_out[i] == number) {
            return true;
        }
    }
    return false;
}

static inline void
watch_read(wp_session *session, uint32_t number)
{
    if (session->watch != NULL) {
        atomic_store_explicit(&session->watch->since, 0, memory_order_relaxed);
        atomic_store_explicit(&session->watch->frame, number, memory_order_release);
    }
}

static int64_t
nanoseconds_by(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void
watch_dissect(wp_session *session)
{
    if (session->watch != NULL) {
        atomic_store_explicit(&session->watch->since, nanoseconds_by(CLOCK_MONOTONIC), memory_order_release);
    }
}

/* Between what stays of a session for the next one lies what is free, in pieces: what finds no place there makes the heap
 * grow, by another megabyte now and then. To give whole free pages back takes less than a millisecond, but long in a
 * process that has much memory: there not each short session does it. That counts the processor's time: on a busy machine
 * memory goes back as on any. */
static void
end_memory_locked(bool long_capture)
{
    enum { SHORT_TIME = 4000000 };   /* nanoseconds */
    static int64_t sessions_to_skip;
    if (!long_capture && sessions_to_skip > 0) {
        sessions_to_skip--;
        return;
    }
    const int64_t begin = nanoseconds_by(CLOCK_THREAD_CPUTIME_ID);
    wp_heap_trim();
    sessions_to_skip = (nanoseconds_by(CLOCK_THREAD_CPUTIME_ID) - begin) / SHORT_TIME;
}

/* Frames that are dissected before huge pages pay. */
enum { LONG_CAPTURE = 2048 };

/* What a short capture needs fits into what the process has already, and so does what lies between two resets: a session
 * for days stays as small as it is. Of a file the size tells beforehand which it is, so that also what is allocated once
 * for each session finds its place; of other sources, the packets. */
static void
expect_long_file_locked(wp_session *session)
{
    enum { LONG_FILE = 4 << 20 };
    int64_t done, size = 0;
    if (session->file != NULL && (session->reset_after == 0 || session->reset_after >= LONG_CAPTURE)) {
        wp_source_file_progress(session->file, &done, &size);
    }
    session->huge_pages = size >= LONG_FILE && wp_huge_pages_begin_locked();
}

static inline void
expect_growth_locked(wp_session *session)
{
    if (++session->remembered == LONG_CAPTURE) {
        session->long_capture = true;
        session->huge_pages = session->huge_pages || wp_huge_pages_begin_locked();   /* now it may be the main thread */
    }
    if (session->huge_pages) {
        wp_huge_pages_go_on_locked();
    }
}

/* ---- a new conversation state ---- */

static bool
reset_is_due(const wp_session *session)
{
    return session->reset_after > 0 && session->since_reset >= session->reset_after;
}

/* All that epan remembers goes, as with tshark -M; frame numbers and reference times go on. No slot is in use. What a
 * pcapng file said of names and keys so far is told again. */
static void
reset_locked(wp_session *session)
{
    close_slots_locked(session);
    epan_free(session->epan);
    session->epan = wp_epan_new_locked(&session->provider, &provider_functions);
    for (unsigned i = 0; i < WP_SLOTS; i++) {
        open_slot_locked(session, &session->slots[i]);
    }
    if (session->provider.file != NULL) {
        file_opened_locked(session->provider.file, session);
    }
    session->since_reset = session->remembered = 0;
}

/* ---- one frame ---- */

static void
prime_locked(wp_session *session, epan_dissect_t *edt, bool first_pass)
{
    if (session->read_filter != NULL && first_pass) {
        epan_dissect_prime_with_dfilter(edt, session->read_filter);
    }
    if (session->display_filter != NULL) {
        epan_dissect_prime_with_dfilter(edt, session->display_filter);
    }
    if (first_pass || !session->two_pass) {
        wsc_prime_postdissectors(edt);
    }
    if (session->wanted_list != NULL && !(first_pass && session->two_pass)) {
        epan_dissect_prime_with_hfid_array(edt, session->wanted_list);
    }
}

/* frame_data_set_before_dissect may leave the reference pointing at a frame that will not last. */
static void
set_times_before(wp_session *session, frame_data *frame)
{
    frame_data_set_before_dissect(frame, &session->elapsed, &session->provider.first,
                                  session->provider.previous_displayed);
    if (session->provider.first == frame && !session->two_pass) {
        session->reference = *frame;
        session->provider.first = &session->reference;
    }
}

static past_frame
remember_time(const frame_data *frame)
{
    return frame == NULL ? (past_frame){.number = 0} : (past_frame){.number = frame->num, .time = frame->abs_ts};
}

static bool
passes_locked(const wp_session *session, wp_slot *slot)
{
    return (session->display_filter == NULL || dfilter_apply_edt(session->display_filter, slot->edt))
        && slot->frame->num > session->skip;
}

/* Copies go to lasting storage in a single pass; with two passes the frames last by themselves. */
static void
remember_frame(wp_session *session, frame_data *frame, bool passed)
{
    if (passed) {
        frame_data_set_after_dissect(frame, &session->cumulative_bytes);
        session->provider.previous_displayed = frame;
        if (!session->two_pass) {
            session->displayed = *frame;
            session->provider.previous_displayed = &session->displayed;
        }
    }
    session->provider.previous_captured = frame;
    if (!session->two_pass) {
        session->captured = *frame;
        session->provider.previous_captured = &session->captured;
    }
}

/* The frame's times count for those after it; its bytes are all that there is of it. */
static bool
leave_out_locked(wp_session *session, wp_slot *slot)
{
    set_times_before(session, slot->frame);
    slot->block = wsc_record_hold_block(&slot->record);
    slot->before.rec = slot->record.rec;
    remember_frame(session, slot->frame, true);
    describe_frame(slot);
    slot->facts.left_out = 1;
    return slot->frame->num > session->skip;
}

/* Dissects the record in the slot; true if the frame passes the filter. */
static bool
dissect_locked(wp_session *session, wp_slot *slot)
{
    if (is_left_out(session, slot->frame->num)) {
        return leave_out_locked(session, slot);
    }
    watch_dissect(session);
    expect_growth_locked(session);
    prime_locked(session, slot->edt, false);
    if (session->columns) {
        col_custom_prime_edt(slot->edt, &slot->columns);
    }
    set_times_before(session, slot->frame);
    slot->block = wsc_record_hold_block(&slot->record);
    slot->before.rec = slot->record.rec;
    const int type = session->file == NULL ? WTAP_FILE_TYPE_SUBTYPE_UNKNOWN : wp_source_file_type(session->file);
    slot->dissected = true;
    wp_expert_collect_locked(slot->experts);
    wsc_dissect(slot->edt, type, &slot->record, slot->frame, session->columns ? &slot->columns : NULL, true);
    wp_expert_collect_locked(NULL);
    const bool passed = passes_locked(session, slot);
    if (session->columns && session->tree && !session->columns_filtered) {
        slot->columns_node = wsc_take_columns(slot->edt->tree);
    }
    slot->past[0] = remember_time(session->provider.previous_displayed);
    slot->past[1] = remember_time(session->provider.previous_captured);
    remember_frame(session, slot->frame, passed);
    if (passed) {
        describe_frame(slot);
    }
    return passed;
}

/* ---- two passes ---- */

/* The frame's record is in slot 0's record; `edt` is the first pass's own. */
static void
first_pass_frame_locked(wp_session *session, epan_dissect_t *edt, wsc_record *record)
{
    frame_data local;
    frame_data_init(&local, session->total + 1, &record->rec, wp_source_file_offset(session->file),
                    session->cumulative_bytes);
    const bool dissect = !is_left_out(session, local.num);
    if (dissect) {
        prime_locked(session, edt, true);
    }
    frame_data_set_before_dissect(&local, &session->elapsed, &session->provider.first,
                                  session->provider.previous_displayed);
    if (session->provider.first == &local) {
        session->reference = local;
        session->provider.first = &session->reference;
    }
    if (dissect) {
        watch_dissect(session);
        expect_growth_locked(session);
        wsc_dissect(edt, wp_source_file_type(session->file), record, &local, NULL, false);
    }
    if (!dissect || session->read_filter == NULL || dfilter_apply_edt(session->read_filter, edt)) {
        frame_data_set_after_dissect(&local, &session->cumulative_bytes);
        frame_data *kept = frame_data_sequence_add(session->provider.frames, &local);
        session->provider.previous_captured = session->provider.previous_displayed = kept;
        session->total++;
        if (dissect && session->display_filter != NULL && dfilter_apply_edt(session->display_filter, edt)) {
            wsc_mark_dependent_frames(edt, session->provider.frames);
        }
    } else {
        frame_data_destroy(&local);
    }
    if (dissect) {
        epan_dissect_reset(edt);
    }
}

static void
end_first_pass_locked(wp_session *session)
{
    wp_source_file_end_first_pass(session->file);
    postseq_cleanup_all_protocols();
    session->provider.previous_displayed = session->provider.previous_captured = NULL;
    session->cumulative_bytes = 0;
    nstime_set_zero(&session->elapsed);
    set_resolution_synchrony(TRUE);
    session->first_pass_done = true;
}

static bool
is_late(struct timespec *limit)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (limit->tv_sec == 0) {
        *limit = now;
        limit->tv_nsec += 50000000;
        limit->tv_sec += limit->tv_nsec / 1000000000;
        limit->tv_nsec %= 1000000000;
        return false;
    }
    return now.tv_sec > limit->tv_sec || (now.tv_sec == limit->tv_sec && now.tv_nsec > limit->tv_nsec);
}

/* Goes on with the first pass for a while. A fault in the file ends it; the fault is kept for after the last frame. */
static wp_status
first_pass(wp_session *session)
{
    struct timespec limit = {0, 0};
    wsc_record *record = &session->slots[0].record;
    wp_status status = WP_OK;
    wp_epan_lock();
    const bool tree = session->read_filter != NULL || session->display_filter != NULL || postdissectors_want_hfids();
    epan_dissect_t *edt = epan_dissect_new(session->epan, tree, FALSE);
    wp_epan_unlock();
    while (status == WP_OK) {
        wp_record out = {.native = record};
        watch_read(session, session->total + 1);
        status = session->source->vtable->next(session->source, &out, &session->pass_error);
        if (status == WP_OK) {
            wp_epan_lock();
            first_pass_frame_locked(session, edt, record);
            wp_epan_unlock();
            status = is_late(&limit) ? WP_AGAIN : WP_OK;
        }
    }
    wp_epan_lock();
    epan_dissect_free(edt);
    if (status != WP_AGAIN) {
        session->pass_status = status;
        end_first_pass_locked(session);
    }
    wp_epan_unlock();
    return status == WP_AGAIN ? WP_AGAIN : WP_OK;
}

static wp_status
read_second_pass(wp_session *session, wp_slot *slot, wp_error *error)
{
    if (session->count >= session->total) {
        *error = session->pass_error;
        return session->pass_status;
    }
    slot->frame = frame_data_sequence_find(session->provider.frames, ++session->count);
    wp_origin_follow(&session->followed, session->origin);
    return wp_source_file_seek_read(session->file, slot->frame->file_off, &slot->record, error);
}

/* ---- reading ---- */

/* A record from a source that is no file goes into a wtap_rec as if it had been read from one. */
static wp_status
take_record(wp_slot *slot, const wp_record *record, wp_error *error)
{
    const int encap = wtap_pcap_encap_to_wtap_encap(record->linktype);
    if (encap == WTAP_ENCAP_UNKNOWN) {
        return wp_fail(error, WP_EVALUE, "link type %d is not known to Wireshark", record->linktype);
    }
    if (wp_has_pseudo_header(record->linktype)) {
        return wp_pseudo_header_read(record, &slot->record, error);
    }
    wsc_record_reset(&slot->record);
    wsc_record_synthesize(&slot->record, encap, record->data, record->captured_length, record->length,
                          record->seconds, record->nanoseconds);
    return WP_OK;
}

static wp_status
read_record(wp_session *session, wp_slot *slot, wp_error *error)
{
    if (session->two_pass) {
        return read_second_pass(session, slot, error);
    }
    wp_record record = {.native = &slot->record};
    wp_status status = session->source->vtable->next(session->source, &record, error);
    if (status == WP_OK && session->file == NULL) {
        status = take_record(slot, &record, error);
    }
    if (status == WP_OK) {
        wp_origin_follow(&session->followed, session->origin);
        frame_data_init(&slot->own_frame, ++session->count, &slot->record.rec,
                        session->file == NULL ? 0 : wp_source_file_offset(session->file), session->cumulative_bytes);
        slot->frame = &slot->own_frame;
    }
    return status;
}

/* The caller has copied what it wants of the slots (wp_session_is_eager). */
static void
make_room(wp_session *session, wp_slot *slot)
{
    wp_epan_lock();
    clear_slot_locked(slot);
    if (reset_is_due(session)) {
        reset_locked(session);
    }
    wp_epan_unlock();
}

wp_status
wp_session_next(wp_session *session, unsigned which, wp_error *error)
{
    wp_slot *slot = &session->slots[which];
    struct timespec limit = {0, 0};
    make_room(session, slot);
    if (session->two_pass && !session->first_pass_done) {
        wp_status status = first_pass(session);
        if (status != WP_OK) {
            return status;
        }
    }
    for (;;) {
        watch_read(session, session->count + 1);
        wp_status status = read_record(session, slot, error);
        if (status != WP_OK) {
            return status;
        }
        wp_epan_lock();
        const bool passed = dissect_locked(session, slot);
        if (!passed) {
            clear_slot_locked(slot);
        }
        wp_epan_unlock();
        session->since_reset++;
        if (passed) {
            return WP_OK;
        }
        if (is_late(&limit) || reset_is_due(session)) {
            return WP_AGAIN;
        }
    }
}

/* ---- frames that are handed in ---- */

static dissector_handle_t handed_in_dissector;   /* where dissect_handed_in goes on; guarded by the epan lock */

/* Stands in for a link type's dissector. Those get a pseudo header, which another dissector would misread. */
static int
dissect_handed_in(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    (void)data;
    return call_dissector_with_data(handed_in_dissector, tvb, pinfo, tree, NULL);
}

static bool
dissect_at_locked(wp_session *session, wp_slot *slot, const char *dissector)
{
    static const char table[] = "wtap_encap";
    static dissector_handle_t stand_in;   /* once per process, as dissectors are */
    if (stand_in == NULL) {
        stand_in = create_dissector_handle(dissect_handed_in, -1);
    }
    dissector_handle_t before = dissector_get_uint_handle(find_dissector_table(table), WTAP_ENCAP_USER15);
    handed_in_dissector = find_dissector(dissector);
    dissector_change_uint(table, WTAP_ENCAP_USER15, stand_in);
    const bool passed = dissect_locked(session, slot);
    dissector_change_uint(table, WTAP_ENCAP_USER15, before);
    return passed;
}

static wp_status
take_handed_in(wp_slot *slot, const wp_record *record, const char *dissector, wp_error *error)
{
    wp_record taken = *record;
    if (dissector != NULL) {
        enum { DLT_USER15 = 162 };
        wp_epan_lock();
        const bool known = find_dissector(dissector) != NULL;
        wp_epan_unlock();
        if (!known) {
            return wp_fail(error, WP_EFIELD, "no dissector is called '%.200s'", dissector);
        }
        taken.linktype = DLT_USER15;
    }
    return take_record(slot, &taken, error);
}

wp_status
wp_session_dissect(wp_session *session, unsigned which, const wp_record *record, const char *dissector,
                   wp_error *error)
{
    wp_slot *slot = &session->slots[which];
    make_room(session, slot);
    wp_status status = take_handed_in(slot, record, dissector, error);
    if (status != WP_OK) {
        return status;
    }
    frame_data_init(&slot->own_frame, ++session->count, &slot->record.rec, 0, session->cumulative_bytes);
    slot->frame = &slot->own_frame;
    wp_epan_lock();
    const bool passed = dissector == NULL ? dissect_locked(session, slot) : dissect_at_locked(session, slot, dissector);
    wp_epan_unlock();
    session->since_reset++;
    return passed ? WP_OK : WP_AGAIN;
}

void
wp_session_wake(wp_session *session)
{
    if (session->source != NULL && session->source->vtable->wake != NULL) {
        session->source->vtable->wake(session->source);
    }
}

/* ---- filters ---- */

/* A slice of a value that a damaged frame cut short can throw; that is no match. */
bool
wp_filter_apply_locked(void *filter, void *edt)
{
    volatile bool matches = false;
    TRY
    {
        matches = dfilter_apply_edt(filter, edt);
    }
    CATCH_ALL
    {
        matches = false;
    }
    ENDTRY;
    return matches;
}

/* ---- opening and closing ---- */

static wp_status
compile_locked(const char *text, dfilter_t **filter, uint64_t which, wp_error *error)
{
    if (text == NULL || *text == '\0') {
        return WP_OK;
    }
    char *message = NULL;
    int64_t position, span;
    if (wsc_filter_compile(text, filter, &message, &position, &span)) {
        /* Wireshark's parser gives up silently on thousands of brackets, and that would mean "everything". */
        return *filter != NULL || text[strspn(text, " \t\r\n\v\f")] == '\0'
                   ? WP_OK
                   : wp_fail(error, WP_EFILTER, "the display filter is nested too deeply");
    }
    wp_status status = wp_fail(error, WP_EFILTER, "%s", message == NULL ? "not a valid display filter" : message);
    error->position = position;
    error->span = span;
    error->frame = which;
    g_free(message);
    return status;
}

static wp_status
set_wanted(wp_session *session, const wp_session_options *options, wp_error *error)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < options->field_count; i++) {
        top = MAX(top, options->fields[i] + 1);
    }
    session->wanted = calloc(top / 8 + 1, 1);
    if (session->wanted == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    session->wanted_ids = top;
    session->wanted_list = g_array_new(FALSE, FALSE, sizeof(int));
    for (uint32_t i = 0; i < options->field_count; i++) {
        const int id = (int)options->fields[i];
        session->wanted[id / 8] |= (uint8_t)(1u << id % 8);
        g_array_append_val(session->wanted_list, id);
    }
    return WP_OK;
}

static wp_status
apply_settings_locked(wp_session *session, const wp_session_options *options, wp_error *error)
{
    size_t failed = 0;
    wp_wrong wrong = WP_WRONG_VALUE;
    wp_status status = wp_settings_apply_locked(options->settings, options->setting_count, &session->settings, &failed,
                                                &wrong, error);
    if (status != WP_OK) {
        error->position = (int64_t)failed;
        error->span = (int64_t)wrong;
        return status;
    }
    if (!options->preferred_resolution) {
        wp_resolution_set_locked(options->resolution);
    }
    session->resolution = wp_resolution_now_locked();
    const bool preferred = options->preferred_resolution;
    return wp_maxmind_start_locked(!preferred && (options->resolution & WP_RESOLVE_MAXMIND) != 0, preferred, error);
}

/* Takes the place, with the settings in force. */
static wp_status
begin_locked(wp_session *session, const wp_session_options *options, wp_error *error)
{
    wp_status status = wp_place_take_locked(session, error);
    if (status != WP_OK) {
        return status;
    }
    session->resolution_before = wp_resolution_now_locked();
    session->ready = true;   /* from here on closing has something to undo */
    return apply_settings_locked(session, options, error);
}

static void
start_epan_locked(wp_session *session)
{
    wp_settings_forget_keys_locked();
    wp_heuristic_order_restore_locked();
    session->epan = wp_epan_new_locked(&session->provider, &provider_functions);
}

static wp_status
open_locked(wp_session *session, const wp_session_options *options, wp_error *error)
{
    wp_status status = session->ready ? WP_OK : begin_locked(session, options, error);
    if (status != WP_OK) {
        return status;
    }
    if ((status = compile_locked(options->display_filter, &session->display_filter, 0, error)) != WP_OK
        || (status = compile_locked(options->read_filter, &session->read_filter, 1, error)) != WP_OK
        || (!options->tree && (status = set_wanted(session, options, error)) != WP_OK)) {
        return status;
    }
    session->columns_filtered = session->display_filter != NULL && wsc_filter_needs_columns(session->display_filter);
    session->columns = session->columns || session->columns_filtered;
    expect_long_file_locked(session);
    if (session->epan == NULL) {
        start_epan_locked(session);
    }
    if (session->two_pass) {
        session->provider.frames = new_frame_data_sequence();
    }
    set_resolution_synchrony(!session->two_pass);   /* in the last pass names must be there: nothing is dissected again */
    for (unsigned i = 0; i < WP_SLOTS; i++) {
        open_slot_locked(session, &session->slots[i]);
    }
    if (session->file != NULL) {   /* after epan_new, which forgets the names it knew */
        wp_source_file_on_open_locked(session->file, file_opened_locked, session);
    }
    return WP_OK;
}

/* ---- a session made ready before it is needed ---- */

static wp_session *spare;   /* owned; it has the place. Guarded by the epan lock */

void
wp_session_lay_by_locked(wp_session *session)
{
    close_slots_locked(session);
    spare = session;
}

void
wp_session_drop_spare_locked(void)
{
    wp_session *session = spare;
    spare = NULL;
    wp_session_free_locked(session);
}

static wp_session *
new_session(void)
{
    wp_session *session = calloc(1, sizeof *session);
    if (session != NULL && (session->origin = wp_origin_new()) == NULL) {
        free(session);
        session = NULL;
    }
    return session;
}

static wp_session *
take_spare(void)
{
    wp_epan_lock();
    wp_session *session = spare;
    spare = NULL;
    wp_epan_unlock();
    return session;
}

wp_status
wp_session_open(const wp_session_options *options, wp_source *source, wp_source_file *file, wp_session **out,
                wp_error *error)
{
    *out = NULL;
    wp_session *session = take_spare();
    if (session == NULL) {
        session = new_session();
    }
    if (session == NULL) {
        if (source != NULL) {
            source->vtable->free(source);
        }
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    session->source = source;
    session->file = file;
    session->two_pass = options->two_pass;
    session->columns = options->columns;
    session->tree = options->tree;
    session->skip = options->skip;
    session->reset_after = options->reset_after;
    wp_epan_lock();
    wp_status status = open_locked(session, options, error);
    if (status != WP_OK) {
        wp_session_free_locked(session);
        session = NULL;
    }
    wp_epan_unlock();
    *out = session;
    return status;
}

void
wp_session_free_locked(void *session_)
{
    wp_session *session = session_;
    if (session == NULL) {
        return;
    }
    if (session->epan != NULL) {
        close_slots_locked(session);
        epan_free(session->epan);
    }
    if (session->provider.frames != NULL) {
        free_frame_data_sequence(session->provider.frames);
    }
    dfilter_free(session->display_filter);
    dfilter_free(session->read_filter);
    if (session->wanted_list != NULL) {
        g_array_free(session->wanted_list, TRUE);
    }
    free(session->wanted);
    if (session->source != NULL) {
        atomic_store(&source_is_closing, true);
        session->source->vtable->free(session->source);
        atomic_store(&source_is_closing, false);
    }
    const bool had_place = session->ready;
    if (had_place) {
        wp_maxmind_stop_locked();
        wp_settings_undo_locked(session->settings);
        wp_resolution_set_locked(session->resolution_before);
        set_resolution_synchrony(FALSE);
        wp_place_leave_locked(session);
    }
    wp_origin_release(session->origin);
    if (session->huge_pages) {
        wp_huge_pages_end_locked();
    }
    if (had_place) {
        end_memory_locked(session->long_capture);
    }
    free(session);
}

/* ---- what the slots hold ---- */

uint32_t
wp_session_frames(const wp_session *session)
{
    return session->count;
}

wp_slot *
wp_session_slot(wp_session *session, unsigned slot)
{
    return &session->slots[slot];
}

const wp_frame *
wp_slot_frame(const wp_slot *slot)
{
    return &slot->facts;
}

const uint8_t *
wp_slot_bytes(wp_slot *slot)
{
    return wsc_record_bytes(&slot->record);
}

const void *
wp_slot_tree(const wp_slot *slot)
{
    return slot->session->tree ? slot->edt->tree : NULL;
}

void *
wp_slot_edt(wp_slot *slot)
{
    return slot->edt;
}

wp_origin *
wp_session_origin(wp_session *session)
{
    return session->origin;
}

void
wp_slot_extra(wp_slot *slot, wp_text *out)
{
    wp_record_bytes_append(out, &slot->before, slot->block);
}

bool
wp_session_is_eager(const wp_session *session)
{
    return (session->resolution & WP_RESOLVE_NETWORK) != 0 || reset_is_due(session);
}

static wp_tree_options
tree_options(const wp_session *session)
{
    return (wp_tree_options){
        .resolution = session->resolution,
        .wanted = session->wanted,
        .wanted_ids = session->wanted_ids,
    };
}

/* Until end_rest the frames before this one are known again; it frees what is made here. */
static wp_rest_facts
rest_facts(wp_slot *slot)
{
    wp_session *session = slot->session;
    const wp_frame *frame = &slot->facts;
    wp_text_reset(&slot->extra);
    wp_slot_extra(slot, &slot->extra);
    /* The dissection dropped the record's block; the reference that was kept lends it back for this. */
    wsc_record_lend_block(&slot->record, slot->block);
    const wp_rest_facts facts = {
        .comment = wsc_record_comment(&slot->record),
        .interface_name =
            frame->has_interface ? interface_name_of(session->provider.file, frame->interface_index) : NULL,
        .extra = &slot->extra,
        .columns = session->columns,
        .experts = slot->experts,
        .follows = g_array_new(FALSE, FALSE, sizeof(wp_follow)),
    };
    wsc_record_lend_block(&slot->record, NULL);
    session->provider.past = slot->past;
    return facts;
}

static void
end_rest(wp_slot *slot, const wp_rest_facts *facts)
{
    slot->session->provider.past = NULL;
    wp_follow_free(facts->follows);
}

wp_status
wp_slot_copy_locked(wp_slot *slot, wp_block **block, wp_error *error)
{
    const wp_tree_options options = tree_options(slot->session);
    return wp_block_copy_locked(slot->edt, &slot->facts, &options, block, error);
}

wp_status
wp_slot_finish_locked(wp_slot *slot, wp_block **block, wp_error *error)
{
    const wp_rest_facts facts = rest_facts(slot);
    wp_status status = wp_block_finish_locked(slot->edt, &facts, block, error);
    end_rest(slot, &facts);
    return status;
}

wp_status
wp_slot_lend_locked(wp_slot *slot, wp_lent_block *lent, wp_error *error)
{
    const wp_tree_options options = tree_options(slot->session);
    const wp_rest_facts facts = rest_facts(slot);
    wp_status status = wp_block_lend_locked(slot->edt, &slot->facts, &options, &facts, lent, error);
    end_rest(slot, &facts);
    return status;
}
