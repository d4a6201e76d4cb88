/* dump.c - writing capture files through libwiretap: packets of any origin into one pcapng or pcap file.
 *
 * libwiretap's dumper is opened with the first packet, since a pcap file's header has its link type, and a pcapng file's
 * first block what the first packet's own file says of itself. Interfaces and secrets are compared by what they say: the
 * same interface in two files, or in a packet that went through a pickle, is written once.
 *
 * A dumper buffers, and a full disk cuts its output anywhere. So the ends of the packets since the last flush are
 * remembered, and after an error the file is cut behind the last packet that is in it as a whole (dump_end.c). */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dump_end.h"
#include "record_bytes.h"
#include "ws_compat.h"

struct wp_dump {
    char *path, *application;       /* owned */
    wp_dump_format format;
    wtap_compression_type compression;
    pthread_mutex_t mutex;
    pid_t owner;                    /* the file is another process's after a fork */
    int fd;                         /* owned: for dump_end; -1 once closed */
    wtap_dumper *dumper;            /* owned; NULL before the first packet and at the end */
    wp_dump_end end;
    wsc_record record;              /* owned; filled anew for each packet */
    int encapsulation;              /* of the first packet, and so of all in a pcap file; -1 before it */
    uint64_t count;
    bool failed, closed;
    wp_error failure;               /* what it said when it failed */
    /* What the file has, in its order; for pcapng. */
    GPtrArray *interfaces;          /* owned GBytes, as in an origin's item */
    GArray *section, *secrets;      /* owned wtap_block_t; libwiretap reads them while it writes */
    GHashTable *known_secrets;      /* owned set of GBytes */
    /* The origin of the last packet, and which interfaces its ones have become. */
    wp_origin *origin;              /* held; NULL at first */
    uint32_t items_seen;
    GArray *ids;                    /* owned: uint32_t by the interface's place in its origin */
    wp_dump *next;                  /* in the list of open ones */
};

#define NO_INTERFACE UINT32_MAX

static wp_dump *open_dumps;
static pthread_mutex_t open_dumps_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- what went wrong ---- */

static const char *
reason(int code)
{
    switch (code) {
    case WTAP_ERR_SHORT_WRITE:
        return "not all could be written";
    case WTAP_ERR_UNWRITABLE_REC_TYPE:
        return "libwiretap can't write such a record into this format";
    case WTAP_ERR_PACKET_TOO_LARGE:
        return "it is larger than Wireshark reads";
    default:
        return wtap_strerror(code);
    }
}

static wp_status
path_error(const char *path, int code, wp_error *error)
{
    char *shown = g_filename_display_name(path);
    const wp_status status = wp_fail(error, WP_EFILE, "%s: %s", shown, reason(code));
    error->error_number = code > 0 ? code : 0;
    g_free(shown);
    return status;
}

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static wp_status
refuse(const wp_dump *dump, const wp_dump_packet *packet, wp_error *error, const char *format, ...)
{
    char why[300], who[40] = "the packet";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    if (packet->frame.number > 0) {
        snprintf(who, sizeof who, "frame %u", packet->frame.number);
    }
    char *shown = g_filename_display_name(dump->path);
    const wp_status status = wp_fail(error, WP_EVALUE, "%s: %s can't be written: %s", shown, who, why);
    g_free(shown);
    return status;
}

/* Takes over `info`. The file is over. */
static wp_status
fail(wp_dump *dump, int code, char *info, wp_error *error)
{
    int ignored = 0;
    char *more = NULL;
    if (dump->dumper != NULL) {
        wsc_dump_close(dump->dumper, &ignored, &more);
        dump->dumper = NULL;
        g_free(more);
    }
    code = wp_dump_end_reason(&dump->end, dump->fd, code);
    dump->count = wp_dump_end_mend(&dump->end, dump->fd);
    char *shown = g_filename_display_name(dump->path);
    wp_fail(error, WP_EFILE, "%s: %s%s%s; %llu packets are in the file", shown, reason(code), info == NULL ? "" : ": ",
            info == NULL ? "" : info, (unsigned long long)dump->count);
    error->error_number = code > 0 ? code : 0;
    g_free(shown);
    g_free(info);
    dump->failed = true;
    dump->failure = *error;
    return WP_EFILE;
}

/* ---- opening ---- */

bool
wp_dump_knows_compression(const char *name)
{
    return wsc_compression(name) != WTAP_UNCOMPRESSED;
}

bool
wp_dump_can_compress(const char *name)
{
    return wp_dump_knows_compression(name) && wsc_can_compress(wsc_compression(name));
}

static void
free_block(void *block)
{
    wsc_block_free(*(wtap_block_t *)block);
}

static GArray *
block_array(void)
{
    GArray *array = g_array_new(FALSE, FALSE, sizeof(wtap_block_t));
    g_array_set_clear_func(array, free_block);
    return array;
}

static void
list_add(wp_dump *dump)
{
    pthread_mutex_lock(&open_dumps_mutex);
    dump->next = open_dumps;
    open_dumps = dump;
    pthread_mutex_unlock(&open_dumps_mutex);
}

static void
list_remove(wp_dump *dump)
{
    pthread_mutex_lock(&open_dumps_mutex);
    wp_dump **at = &open_dumps;
    while (*at != NULL && *at != dump) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = dump->next;
    }
    pthread_mutex_unlock(&open_dumps_mutex);
}

/* A compressed file must be read again where its end is to be mended. */
static int
open_path(const char *path, bool compressed)
{
    if (strcmp(path, "-") == 0) {
        return fcntl(1, F_DUPFD_CLOEXEC, 3);
    }
    const int flags = O_CREAT | O_TRUNC | O_CLOEXEC;
    int fd = compressed ? open(path, O_RDWR | flags, 0666) : -1;
    if (fd < 0) {
        fd = open(path, O_WRONLY | flags, 0666);
    }
    return fd;
}

wp_status
wp_dump_open(const char *path, wp_dump_format format, const char *compression, const char *application, wp_dump **out,
             wp_error *error)
{
    *out = NULL;
    wp_dump *dump = calloc(1, sizeof *dump);
    if (dump == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    dump->path = g_strdup(path);
    dump->application = g_strdup(application);
    dump->format = format;
    dump->compression = wsc_compression(compression);
    dump->fd = open_path(path, dump->compression != WTAP_UNCOMPRESSED);
    if (dump->fd < 0) {
        const wp_status status = path_error(path, errno, error);
        g_free(dump->path);
        g_free(dump->application);
        free(dump);
        return status;
    }
    dump->encapsulation = -1;
    dump->owner = getpid();
    pthread_mutex_init(&dump->mutex, NULL);
    wsc_record_init(&dump->record);
    wp_dump_end_init(&dump->end, dump->fd, dump->compression != WTAP_UNCOMPRESSED);
    dump->interfaces = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    dump->section = block_array();
    dump->secrets = block_array();
    dump->known_secrets = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    dump->ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    list_add(dump);
    *out = dump;
    return WP_OK;
}

/* ---- interfaces and secrets ---- */

static wp_status
write_interface(wp_dump *dump, const uint8_t *bytes, size_t size, wp_error *error)
{
    int code = 0;
    char *info = NULL;
    wp_interface head;
    memcpy(&head, bytes, sizeof head);
    wtap_block_t block = wtap_block_create(WSC_BLOCK_INTERFACE);
    wtapng_if_descr_mandatory_t *known = wtap_block_get_mandatory_data(block);
    known->wtap_encap = head.encapsulation;
    known->time_units_per_second = head.units;
    known->tsprecision = head.precision;
    known->snap_len = head.snaplen;
    wp_options_add(block, bytes + sizeof head, size - sizeof head);
    const bool written = wtap_dump_add_idb(dump->dumper, block, &code, &info);
    wsc_block_free(block);
    dump->end.odd = true;
    return written ? WP_OK : fail(dump, code, info, error);
}

/* The number that the `nth` interface of those that say just this has in the file; it is written where it is new.
 * NO_INTERFACE for a link type that no pcapng file can say. */
static wp_status
find_interface(wp_dump *dump, const uint8_t *bytes, size_t size, uint32_t nth, uint32_t *id, wp_error *error)
{
    wp_interface head;
    memcpy(&head, bytes, sizeof head);
    *id = NO_INTERFACE;
    if (!wsc_encap_has_number(head.encapsulation)) {
        return WP_OK;
    }
    for (uint32_t i = 0; i < dump->interfaces->len; i++) {
        gsize known_size;
        const void *known = g_bytes_get_data(g_ptr_array_index(dump->interfaces, i), &known_size);
        if (known_size == size && memcmp(known, bytes, size) == 0 && nth-- == 0) {
            *id = i;
            return WP_OK;
        }
    }
    const wp_status status = write_interface(dump, bytes, size, error);
    if (status == WP_OK) {
        *id = dump->interfaces->len;
        g_ptr_array_add(dump->interfaces, g_bytes_new(bytes, size));
    }
    return status;
}

static void
add_secrets(wp_dump *dump, const wp_origin_item *item)
{
    GBytes *bytes = g_bytes_new(item->bytes, item->size);
    if (!g_hash_table_add(dump->known_secrets, bytes)) {   /* takes it over */
        return;
    }
    wtap_block_t block = wtap_block_create(WSC_BLOCK_SECRETS);
    wtapng_dsb_mandatory_t *known = wtap_block_get_mandatory_data(block);
    memcpy(&known->secrets_type, item->bytes, sizeof known->secrets_type);
    known->secrets_len = item->size - (uint32_t)sizeof known->secrets_type;
    known->secrets_data = g_malloc(known->secrets_len + 1);
    memcpy(known->secrets_data, item->bytes + sizeof known->secrets_type, known->secrets_len);
    g_array_append_val(dump->secrets, block);   /* libwiretap writes it before the next record */
    dump->end.odd = true;
}

/* Interfaces of one file that say the same are different ones all the same: the second is looked for as the second. */
static wp_status
add_origin_interface(wp_dump *dump, const wp_origin_item *item, wp_error *error)
{
    uint32_t id, nth = 0;
    for (uint32_t i = 0; i < dump->items_seen; i++) {
        const wp_origin_item *earlier = wp_origin_item_at(dump->origin, i);
        nth += earlier->kind == WP_ORIGIN_INTERFACE && earlier->size == item->size
            && memcmp(earlier->bytes, item->bytes, item->size) == 0;
    }
    const wp_status status = find_interface(dump, item->bytes, item->size, nth, &id, error);
    if (status == WP_OK) {
        g_array_append_val(dump->ids, id);
    }
    return status;
}

/* What the packet's origin has said up to now goes into the file, packets of it or not, as tshark does it. */
static wp_status
learn_origin(wp_dump *dump, wp_origin *origin, wp_error *error)
{
    if (origin == NULL) {
        return WP_OK;
    }
    if (origin != dump->origin) {
        wp_origin_release(dump->origin);
        dump->origin = wp_origin_hold(origin);
        dump->items_seen = 0;
        g_array_set_size(dump->ids, 0);
    }
    wp_status status = WP_OK;
    for (const uint32_t end = wp_origin_count(origin); dump->items_seen < end && status == WP_OK; dump->items_seen++) {
        const wp_origin_item *item = wp_origin_item_at(origin, dump->items_seen);
        if (item->kind == WP_ORIGIN_INTERFACE) {
            status = add_origin_interface(dump, item, error);
        } else if (item->kind == WP_ORIGIN_SECRETS) {
            add_secrets(dump, item);
        }
    }
    return status;
}

static bool
fits(const wp_dump *dump, uint32_t id, const wp_frame *frame, bool times)
{
    wp_interface head;
    if (id == NO_INTERFACE) {
        return false;
    }
    memcpy(&head, g_bytes_get_data(g_ptr_array_index(dump->interfaces, id), NULL), sizeof head);
    return head.encapsulation == frame->encapsulation && (!times || head.precision == frame->precision);
}

/* Which of its origin's interfaces the packet came from. One that does not say, or says what can't be, belongs to the
 * first of its link type. */
static uint32_t
known_interface(const wp_dump *dump, const wp_dump_packet *packet)
{
    const wp_frame *frame = &packet->frame;
    const uint32_t count = packet->origin == NULL ? 0 : dump->ids->len;
    if (frame->has_interface && frame->interface_index < count) {
        const uint32_t id = g_array_index(dump->ids, uint32_t, frame->interface_index);
        if (fits(dump, id, frame, false)) {
            return id;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t id = g_array_index(dump->ids, uint32_t, i);
        if (fits(dump, id, frame, !frame->has_interface)) {
            return id;
        }
    }
    return NO_INTERFACE;
}

static wp_status
interface_of(wp_dump *dump, const wp_dump_packet *packet, uint32_t *id, wp_error *error)
{
    *id = known_interface(dump, packet);
    if (*id != NO_INTERFACE) {
        return WP_OK;
    }
    wp_text bytes = {0};
    wp_interface_append(&bytes, packet->frame.encapsulation, packet->frame.precision, 0, packet->interface, NULL);
    const wp_status status = bytes.failed ? wp_fail(error, WP_EMEMORY, "out of memory")
                                          : find_interface(dump, (const uint8_t *)bytes.data, bytes.used, 0, id, error);
    wp_text_free(&bytes);
    return status;
}

/* ---- the dumper ---- */

/* The section's block: what the first packet's file says of itself, and what wrote this one. */
static void
make_section(wp_dump *dump, wp_origin *origin)
{
    char *application = NULL;
    wtap_block_t block = wtap_block_create(WSC_BLOCK_SECTION);
    const uint32_t count = origin == NULL ? 0 : wp_origin_count(origin);
    for (uint32_t i = 0; i < count; i++) {
        const wp_origin_item *item = wp_origin_item_at(origin, i);
        if (item->kind == WP_ORIGIN_SECTION) {
            wp_options_add(block, item->bytes, item->size);
            break;
        }
    }
    if (wtap_block_get_string_option_value(block, OPT_SHB_USERAPPL, &application) != WTAP_OPTTYPE_SUCCESS) {
        wtap_block_add_string_option(block, OPT_SHB_USERAPPL, dump->application, strlen(dump->application));
    }
    g_array_append_val(dump->section, block);
}

/* `packet` is the first one, or NULL for a file without any. */
static wp_status
start(wp_dump *dump, const wp_dump_packet *packet, wp_error *error)
{
    const bool pcapng = dump->format == WP_DUMP_PCAPNG;
    const bool record = packet == NULL || packet->frame.record_type == REC_TYPE_PACKET;
    int code = 0;
    char *info = NULL;
    const int encapsulation = packet == NULL ? WTAP_ENCAP_ETHERNET : packet->frame.encapsulation;
    dump->encapsulation = record ? encapsulation : -1;
    make_section(dump, packet == NULL ? NULL : packet->origin);
    /* libwiretap makes up an interface where it is given none; with this one and dont_copy_idbs it writes none. */
    wtap_block_t none = wtap_block_create(WSC_BLOCK_INTERFACE);
    GArray *interfaces = block_array();
    g_array_append_val(interfaces, none);
    wtapng_iface_descriptions_t table = {.interface_data = interfaces};
    wtap_dump_params params = WTAP_DUMP_PARAMS_INIT;
    params.encap = record ? encapsulation : WTAP_ENCAP_PER_PACKET;
    params.tsprec = WTAP_TSPREC_NSEC;
    params.shb_hdrs = dump->section;
    params.idb_inf = &table;
    params.dsbs_growing = dump->secrets;
    params.dont_copy_idbs = TRUE;
    const int output = fcntl(dump->fd, F_DUPFD_CLOEXEC, 3);
    if (output >= 0) {
        dump->dumper = wtap_dump_fdopen(output, pcapng ? wsc_pcapng_type() : wsc_pcap_nsec_type(), dump->compression,
                                        &params, &code, &info);
    } else {
        code = errno;
    }
    g_array_free(interfaces, TRUE);
    dump->end.odd = true;
    if (dump->dumper == NULL && code < 0) {
        close(output);   /* refused; where writing failed libwiretap has closed it */
    }
    return dump->dumper != NULL ? WP_OK : fail(dump, code, info, error);
}

/* ---- packets ---- */

static wp_status
check_time(const wp_dump *dump, const wp_dump_packet *packet, uint64_t units, wp_error *error)
{
    const wp_frame *frame = &packet->frame;
    uint64_t time;
    if (!frame->has_time) {
        return WP_OK;
    }
    if (frame->seconds < 0) {
        return refuse(dump, packet, error, "its time, %lld seconds, is before 1970", (long long)frame->seconds);
    }
    if (dump->format == WP_DUMP_PCAP && frame->seconds > WSC_LAST_SECOND_OF_PCAP) {
        return refuse(dump, packet, error, "its time, %lld seconds after 1970, is beyond what pcap can say: %s",
                      (long long)frame->seconds, WSC_LAST_SECOND_OF_PCAP == UINT32_MAX ? "2106" : "2038");
    }
    if (__builtin_mul_overflow((uint64_t)frame->seconds + 1, units, &time)) {
        return refuse(dump, packet, error, "its time, %lld seconds after 1970, is beyond what pcapng can say",
                      (long long)frame->seconds);
    }
    return WP_OK;
}

static const char *
link_type(int encapsulation)
{
    const char *name = encapsulation < 0 ? NULL : wtap_encap_description(encapsulation);
    return name == NULL ? "unknown" : name;
}

static wp_status
check_packet(const wp_dump *dump, const wp_dump_packet *packet, wp_error *error)
{
    const wp_frame *frame = &packet->frame;
    const bool record = frame->record_type == REC_TYPE_PACKET;
    if (record && frame->encapsulation != dump->encapsulation && !wsc_encap_has_number(frame->encapsulation)) {
        return refuse(dump, packet, error, "no pcap or pcapng file has its link type, %s",
                      link_type(frame->encapsulation));
    }
    if (dump->format == WP_DUMP_PCAP && !record) {
        return refuse(dump, packet, error, "it is no packet but another record, which a pcap file can't have");
    }
    if (dump->format == WP_DUMP_PCAP && dump->dumper != NULL && frame->encapsulation != dump->encapsulation) {
        return refuse(dump, packet, error, "its link type is %s, and that of the file %s: a pcap file has one, a pcapng "
                      "file takes both", link_type(frame->encapsulation), link_type(dump->encapsulation));
    }
    if (dump->format == WP_DUMP_PCAP && packet->comment != NULL) {
        return refuse(dump, packet, error, "a pcap file has no comments");
    }
    if (packet->comment != NULL && strlen(packet->comment) > UINT16_MAX) {
        return refuse(dump, packet, error, "a comment has 65,535 bytes at most");
    }
#if WSC_COMPRESSION_NEEDS_BYTES
    if (dump->compression != WTAP_UNCOMPRESSED && frame->captured_length == 0) {
        return refuse(dump, packet, error, "it has no bytes, and this libwiretap can't compress that");
    }
#endif
    return WP_OK;
}

/* The record as it would have been read from a file. */
static void
fill_record(wp_dump *dump, const wp_dump_packet *packet)
{
    const wp_frame *frame = &packet->frame;
    wsc_record *record = &dump->record;
    wsc_record_reset(record);
    wsc_record_describe(record, frame->record_type, frame->encapsulation, frame->captured_length, frame->length,
                        frame->seconds, frame->has_time ? frame->nanoseconds : -1);
    record->rec.tsprec = frame->precision;
    wp_record_bytes_apply(record, packet->extra, packet->extra_size);
    wsc_special_set_length(record, frame->captured_length);
    if (packet->comment != NULL) {
        wsc_record_add_comment(record, packet->comment);
    }
}

/* Errors that libwiretap finds before it has written anything: the file is as good as it was. */
static bool
is_refusal(int code)
{
    return code == WTAP_ERR_UNWRITABLE_REC_TYPE || code == WTAP_ERR_UNWRITABLE_REC_DATA
        || code == WTAP_ERR_PACKET_TOO_LARGE;
}

static wp_status
put_record(wp_dump *dump, const wp_dump_packet *packet, wp_error *error)
{
    int code = 0;
    char *info = NULL;
    if (wsc_dump(dump->dumper, &dump->record, packet->bytes, packet->frame.captured_length, &code, &info)) {
        dump->count++;
        code = wp_dump_end_record(&dump->end, dump->dumper, dump->fd, dump->count);
        return code == 0 ? WP_OK : fail(dump, code, NULL, error);
    }
    if (is_refusal(code)) {
        const wp_status status = refuse(dump, packet, error, "%s%s%s", reason(code), info == NULL ? "" : ": ",
                                        info == NULL ? "" : info);
        g_free(info);
        return status;
    }
    return fail(dump, code, info, error);
}

static wp_status
write_packet(wp_dump *dump, const wp_dump_packet *packet, wp_error *error)
{
    uint32_t id = NO_INTERFACE;
    wp_interface head = {.units = 1000000000};
    fill_record(dump, packet);
    if (!wsc_record_may_be_copied(&dump->record)) {
        return refuse(dump, packet, error, "it is a custom block that says that it must not be copied");
    }
    wp_status status = check_packet(dump, packet, error);
    if (status == WP_OK) {   /* before anything is written for its sake */
        status = check_time(dump, packet, 1, error);
    }
    if (status == WP_OK && dump->dumper == NULL) {
        status = start(dump, packet, error);
    }
    if (status == WP_OK && dump->format == WP_DUMP_PCAPNG) {
        status = learn_origin(dump, packet->origin, error);
        if (status == WP_OK && packet->frame.record_type == REC_TYPE_PACKET) {
            status = interface_of(dump, packet, &id, error);
        }
    }
    if (status == WP_OK && id != NO_INTERFACE) {
        memcpy(&head, g_bytes_get_data(g_ptr_array_index(dump->interfaces, id), NULL), sizeof head);
        dump->record.rec.presence_flags |= WTAP_HAS_INTERFACE_ID;
        dump->record.rec.rec_header.packet_header.interface_id = id;
    }
    if (status == WP_OK) {
        status = check_time(dump, packet, head.units, error);
    }
    if (packet->extra_size > 0 || packet->comment != NULL || packet->frame.record_type != REC_TYPE_PACKET) {
        dump->end.odd = true;
    }
    return status == WP_OK ? put_record(dump, packet, error) : status;
}

static wp_status
check_open(wp_dump *dump, wp_error *error)
{
    if (dump->owner != getpid()) {
        return wp_fail(error, WP_EBUSY, "this Writer was opened before a fork, and works in the parent process only");
    }
    if (dump->closed) {
        return wp_fail(error, WP_EVALUE, "the Writer is closed");
    }
    if (dump->failed) {
        *error = dump->failure;
        return WP_EFILE;
    }
    return WP_OK;
}

wp_status
wp_dump_write(wp_dump *dump, const wp_dump_packet *packet, wp_error *error)
{
    pthread_mutex_lock(&dump->mutex);
    wp_status status = check_open(dump, error);
    if (status == WP_OK) {
        status = write_packet(dump, packet, error);
    }
    pthread_mutex_unlock(&dump->mutex);
    return status;
}

/* ---- the end ---- */

static wp_status
flush(wp_dump *dump, wp_error *error)
{
    wp_status status = dump->dumper != NULL ? WP_OK : start(dump, NULL, error);
    if (status == WP_OK) {
        const int code = wp_dump_end_flush(&dump->end, dump->dumper, dump->fd, dump->count);
        status = code == 0 ? WP_OK : fail(dump, code, NULL, error);
    }
    return status;
}

wp_status
wp_dump_flush(wp_dump *dump, wp_error *error)
{
    pthread_mutex_lock(&dump->mutex);
    wp_status status = check_open(dump, error);
    if (status == WP_OK && dump->dumper != NULL) {
        status = flush(dump, error);
    }
    pthread_mutex_unlock(&dump->mutex);
    return status;
}

/* In a forked child all that is let go is the descriptor: the dumper's end would be written by both. */
static wp_status
finish(wp_dump *dump, wp_error *error)
{
    wp_status status = WP_OK;
    if (dump->owner == getpid() && !dump->failed) {
        int code = 0;
        char *info = NULL;
        status = flush(dump, error);
        if (status == WP_OK && !wsc_dump_close(dump->dumper, &code, &info)) {
            dump->dumper = NULL;
            status = fail(dump, code, info, error);
        }
    }
    dump->dumper = NULL;
    if (dump->failed && dump->end.compressed) {
        return status;   /* the descriptor is still wanted: wp_dump_take_cut_file */
    }
    if (dump->fd >= 0 && close(dump->fd) != 0 && status == WP_OK && dump->owner == getpid() && !dump->failed) {
        status = path_error(dump->path, errno, error);   /* a network's file system may say it only now */
    }
    dump->fd = -1;
    return status;
}

wp_status
wp_dump_close(wp_dump *dump, wp_error *error)
{
    wp_status status = WP_OK;
    pthread_mutex_lock(&dump->mutex);
    if (!dump->closed) {
        status = finish(dump, error);
        dump->closed = true;
    }
    pthread_mutex_unlock(&dump->mutex);
    return status;
}

wp_status
wp_dump_free(wp_dump *dump, wp_error *error)
{
    const wp_status status = wp_dump_close(dump, error);
    if (dump->fd >= 0) {
        close(dump->fd);
    }
    list_remove(dump);
    wsc_record_cleanup(&dump->record);
    g_ptr_array_free(dump->interfaces, TRUE);
    g_array_free(dump->section, TRUE);
    g_array_free(dump->secrets, TRUE);
    g_hash_table_destroy(dump->known_secrets);
    g_array_free(dump->ids, TRUE);
    wp_origin_release(dump->origin);
    pthread_mutex_destroy(&dump->mutex);
    g_free(dump->path);
    g_free(dump->application);
    free(dump);
    return status;
}

int
wp_dump_take_cut_file(wp_dump *dump)
{
    int fd = -1;
    pthread_mutex_lock(&dump->mutex);
    if (dump->failed && dump->end.compressed && dump->end.seekable && dump->fd >= 0) {
        fd = dump->fd;
        dump->fd = -1;
    }
    pthread_mutex_unlock(&dump->mutex);
    return fd;
}

uint64_t
wp_dump_count(wp_dump *dump)
{
    pthread_mutex_lock(&dump->mutex);
    const uint64_t count = dump->count;
    pthread_mutex_unlock(&dump->mutex);
    return count;
}

bool
wp_dump_is_closed(wp_dump *dump)
{
    pthread_mutex_lock(&dump->mutex);
    const bool closed = dump->closed;
    pthread_mutex_unlock(&dump->mutex);
    return closed;
}

/* ---- fork ---- */

void
wp_dump_before_fork(void)
{
    wp_error ignored;   /* the next call says it again */
    pthread_mutex_lock(&open_dumps_mutex);
    for (wp_dump *dump = open_dumps; dump != NULL; dump = dump->next) {
        pthread_mutex_lock(&dump->mutex);
        if (dump->dumper != NULL && dump->owner == getpid()) {
            flush(dump, &ignored);
        }
    }
}

void
wp_dump_after_fork(void)
{
    for (wp_dump *dump = open_dumps; dump != NULL; dump = dump->next) {
        pthread_mutex_unlock(&dump->mutex);
    }
    pthread_mutex_unlock(&open_dumps_mutex);
}
