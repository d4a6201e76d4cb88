/* ws_compat.h - the only file that knows Wireshark's versions: 3.4, 4.0, 4.2, 4.4 and 4.6.
 * Each wrapper is named for what it does and says what changed when. Nothing here locks; the caller holds the epan
 * lock wherever libwireshark itself is entered. */
#ifndef WISHPY_WS_COMPAT_H
#define WISHPY_WS_COMPAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#if __has_include(<ws_version.h>)
#include <ws_version.h>
#define WSC_MAJOR WIRESHARK_VERSION_MAJOR
#define WSC_MINOR WIRESHARK_VERSION_MINOR
#define WSC_MICRO WIRESHARK_VERSION_MICRO
#else   /* 3.4 */
#include <config.h>
#define WSC_MAJOR VERSION_MAJOR
#define WSC_MINOR VERSION_MINOR
#define WSC_MICRO VERSION_MICRO
#endif
#define WSC_AT(major, minor) ((major) * 100 + (minor))
#define WSC_VERSION WSC_AT(WSC_MAJOR, WSC_MINOR)

#include <epan/addr_resolv.h>
#include <epan/column-utils.h>
#include <epan/column.h>
#include <epan/dfilter/dfilter.h>
#include <epan/epan.h>
#include <epan/epan_dissect.h>
#include <epan/exceptions.h>
#include <epan/frame_data.h>
#include <epan/frame_data_sequence.h>
#include <epan/ftypes/ftypes.h>
#include <epan/maxmind_db.h>
#include <epan/packet.h>
#include <epan/prefs-int.h>
#include <epan/prefs.h>
#include <epan/proto.h>
#include <epan/secrets.h>
#include <epan/tap.h>
#include <epan/tfs.h>
#include <epan/timestamp.h>
#include <epan/tvbuff.h>
#include <epan/uat-int.h>
#include <epan/uat.h>
#include <wiretap/pcap-encap.h>
#include <wiretap/wtap.h>
#include <wsutil/filesystem.h>
#include <wsutil/privileges.h>
#include <wsutil/report_message.h>
#include "field_value.h"

#if WSC_VERSION >= WSC_AT(4, 0)   /* col_setup and its kin moved */
#include <epan/column-info.h>
#endif
#if WSC_VERSION >= WSC_AT(3, 6)   /* GLib's logging before */
#include <wsutil/wslog.h>
#endif

/* ---- start-up ---- */

/* gboolean became bool in 4.4; it matters where the address of a callback is taken. */
#if WSC_VERSION >= WSC_AT(4, 4)
typedef bool wsc_bool;
typedef uint64_t wsc_frame_number;   /* of a write failure's report */
#else
typedef gboolean wsc_bool;
typedef guint32 wsc_frame_number;
#endif

/* Where libwireshark finds its data; NULL, or a message to g_free. */
static inline char *
wsc_configuration_init(const char *program)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    return configuration_init(program);
#elif WSC_VERSION >= WSC_AT(4, 0)
    return configuration_init(program, NULL);
#else
    return init_progfile_dir(program);
#endif
}

/* Takes one finished line; level is 0 (debug) to 4 (critical and worse). */
typedef void (*wsc_log_line)(int level, const char *domain, const char *text);
extern wsc_log_line wsc_log_sink;   /* defined in library.c */

static inline void
wsc_log_text(int level, const char *domain, const char *format, va_list arguments)
{
    char *text = g_strdup_vprintf(format, arguments);
    wsc_log_sink(level, domain == NULL ? "" : domain, text);
    g_free(text);
}

#if WSC_VERSION >= WSC_AT(3, 6)
static inline int
wsc_log_level(enum ws_log_level level)
{
    return level >= LOG_LEVEL_CRITICAL ? 4 : level == LOG_LEVEL_WARNING ? 3 : level == LOG_LEVEL_MESSAGE ? 2
         : level == LOG_LEVEL_INFO ? 1 : 0;
}

/* The writer's arguments changed in 4.0 (time, line) and 4.2 (no time, a manifest). */
static void
wsc_log_writer(const char *domain, enum ws_log_level level,
#if WSC_VERSION >= WSC_AT(4, 2)
               const char *file, long line, const char *function, const char *fatal, ws_log_manifest_t *manifest,
#elif WSC_VERSION >= WSC_AT(4, 0)
               struct timespec when, const char *file, long line, const char *function,
#else
               ws_log_time_t when, const char *file, int line, const char *function,
#endif
               const char *format, va_list arguments, void *data)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    (void)fatal;
    (void)manifest;
#else
    (void)when;
#endif
    (void)file;
    (void)line;
    (void)function;
    (void)data;
    wsc_log_text(wsc_log_level(level), domain, format, arguments);
}
#endif

static void
wsc_glib_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
    (void)data;
    int rank = level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? 4 : level & G_LOG_LEVEL_WARNING ? 3
             : level & G_LOG_LEVEL_MESSAGE ? 2 : level & G_LOG_LEVEL_INFO ? 1 : 0;
    wsc_log_sink(rank, domain == NULL ? "" : domain, message == NULL ? "" : message);
}

static inline void
wsc_log_init(void)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    ws_log_init(NULL);
#elif WSC_VERSION >= WSC_AT(3, 6)
    ws_log_init("wishpy", NULL);
#endif
#if WSC_VERSION >= WSC_AT(3, 6)
    ws_log_set_writer(wsc_log_writer);
#endif
    g_log_set_default_handler(wsc_glib_log, NULL);
}

static void
wsc_report_text(const char *format, va_list arguments)
{
    wsc_log_text(3, "report", format, arguments);
}

static void
wsc_report_line(const char *what, const char *name, int code)
{
    char *text = g_strdup_printf("%s: %s (%d)", name == NULL ? "" : name, what, code);
    wsc_log_sink(3, "report", text);
    g_free(text);
}

static void
wsc_report_open(const char *name, int code, wsc_bool writing)
{
    wsc_report_line(writing ? "cannot be opened for writing" : "cannot be opened", name, code);
}

static void
wsc_report_read(const char *name, int code)
{
    wsc_report_line("cannot be read", name, code);
}

static void
wsc_report_write(const char *name, int code)
{
    wsc_report_line("cannot be written", name, code);
}

#if WSC_VERSION >= WSC_AT(3, 6)   /* capture files' reports joined then */
static void
wsc_report_cfile(const char *name, int code, gchar *info)
{
    wsc_report_line("cannot be read", name, code);
    g_free(info);
}

static void
wsc_report_cfile_dump_open(const char *name, int code, gchar *info, int type)
{
    (void)type;
    wsc_report_line("cannot be opened for writing", name, code);
    g_free(info);
}

static void
wsc_report_cfile_write(const char *in_name, const char *name, int code, gchar *info, wsc_frame_number frame, int type)
{
    (void)in_name;
    (void)frame;
    (void)type;
    wsc_report_line("cannot be written", name, code);
    g_free(info);
}
#endif
#if WSC_VERSION >= WSC_AT(4, 6)
static void
wsc_report_rename(const char *from, const char *to, int code)
{
    (void)from;
    wsc_report_line("cannot be renamed to", to, code);
}
#endif

static inline void
wsc_report_init(void)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    static const struct report_message_routines routines = {   /* libwsutil keeps the address */
        .vreport_failure = wsc_report_text,
        .vreport_warning = wsc_report_text,
        .report_open_failure = wsc_report_open,
        .report_read_failure = wsc_report_read,
        .report_write_failure = wsc_report_write,
#if WSC_VERSION >= WSC_AT(4, 6)
        .report_rename_failure = wsc_report_rename,
#endif
        .report_cfile_open_failure = wsc_report_cfile,
        .report_cfile_dump_open_failure = wsc_report_cfile_dump_open,
        .report_cfile_read_failure = wsc_report_cfile,
        .report_cfile_write_failure = wsc_report_cfile_write,
        .report_cfile_close_failure = wsc_report_cfile,
    };
    init_report_message("wishpy", &routines);
#else
    init_report_message(wsc_report_text, wsc_report_text, wsc_report_open, wsc_report_read, wsc_report_write);
#endif
}

/* ---- plugins and features ---- */

/* What a plugin is: words to 4.2, bits from 4.4. */
#if WSC_VERSION >= WSC_AT(4, 4)
#define WSC_PLUGIN_TYPE uint32_t
#else
#define WSC_PLUGIN_TYPE const char *
#endif

/* Debian's packages of 4.0 lack the header. */
#if __has_include(<wsutil/plugins.h>)
#include <wsutil/plugins.h>
#else
void plugins_get_descriptions(void (*each)(const char *name, const char *version, WSC_PLUGIN_TYPE type,
                                           const char *path, void *data),
                              void *data);
#endif

/* Nor is the header of Lua's part ever installed; a libwireshark without Lua has no such function. */
__attribute__((weak)) void
wslua_plugins_get_descriptions(void (*each)(const char *name, const char *version, const char *type, const char *path,
                                            void *data),
                               void *data);

/* Its words, to g_free. */
static inline char *
wsc_plugin_type(WSC_PLUGIN_TYPE type)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    static const struct {
        uint32_t bit;
        const char *word;
    } words[] = {
        {WS_PLUGIN_DESC_DISSECTOR, "dissector"},   {WS_PLUGIN_DESC_FILE_TYPE, "file type"},
        {WS_PLUGIN_DESC_CODEC, "codec"},           {WS_PLUGIN_DESC_EPAN, "epan"},
        {WS_PLUGIN_DESC_TAP_LISTENER, "tap listener"}, {WS_PLUGIN_DESC_DFILTER, "dfilter"},
    };
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (type & words[i].bit) {
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", words[i].word);
        }
    }
    return g_string_free(text, FALSE);
#else
    return g_strdup(type);
#endif
}

/* A list of "+Lua 5.2.4" and "-SMI", all to g_free: a sentence ("with Lua 5.2.4, without SMI") to 3.6. */
static inline GList *
wsc_features(void)
{
    GList *features = NULL;
#if WSC_VERSION >= WSC_AT(4, 0)
    epan_gather_compile_info(&features);   /* the last one first */
    features = g_list_reverse(features);
#else
    GString *sentence = g_string_new(NULL);
    epan_get_compiled_version_info(sentence);
    char **parts = g_strsplit(sentence->str, ", ", -1);
    for (char **part = parts; *part != NULL; part++) {
        const char *text = g_strstrip(*part);
        if (g_str_has_prefix(text, "with ")) {
            features = g_list_append(features, g_strconcat("+", text + strlen("with "), NULL));
        } else if (g_str_has_prefix(text, "without ")) {
            features = g_list_append(features, g_strconcat("-", text + strlen("without "), NULL));
        }
    }
    g_strfreev(parts);
    g_string_free(sentence, TRUE);
#endif
    return features;
}

/* ---- records ---- */

/* 4.6 folded the bytes' Buffer into wtap_rec. */
typedef struct {
    wtap_rec rec;
#if WSC_VERSION < WSC_AT(4, 6)
    Buffer buffer;
#endif
} wsc_record;

static inline void
wsc_record_init(wsc_record *r)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    wtap_rec_init(&r->rec, 1514);
#else
    wtap_rec_init(&r->rec);
    ws_buffer_init(&r->buffer, 1514);
#endif
}

static inline void
wsc_record_cleanup(wsc_record *r)
{
    wtap_rec_cleanup(&r->rec);
#if WSC_VERSION < WSC_AT(4, 6)
    ws_buffer_free(&r->buffer);
#endif
}

/* To be called between two reads into one record (3.6+: it lets go of the packet's block of options). */
static inline void
wsc_record_reset(wsc_record *r)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    wtap_rec_reset(&r->rec);
#else
    (void)r;
#endif
}

static inline const uint8_t *
wsc_record_bytes(wsc_record *r)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    return ws_buffer_start_ptr(&r->rec.data);
#else
    return ws_buffer_start_ptr(&r->buffer);
#endif
}

static inline bool
wsc_read(wtap *file, wsc_record *r, int *err, gchar **info, int64_t *offset)
{
    gint64 at = 0;
#if WSC_VERSION >= WSC_AT(4, 6)
    bool ok = wtap_read(file, &r->rec, err, info, &at);
#else
    bool ok = wtap_read(file, &r->rec, &r->buffer, err, info, &at);
#endif
    *offset = at;
    return ok;
}

static inline bool
wsc_seek_read(wtap *file, int64_t offset, wsc_record *r, int *err, gchar **info)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    return wtap_seek_read(file, offset, &r->rec, err, info);
#else
    return wtap_seek_read(file, offset, &r->rec, &r->buffer, err, info);
#endif
}

/* The time of a record that comes from no file, unknown where nanoseconds are negative; it has no interface either. */
static inline void
wsc_record_set_origin(wsc_record *r, int64_t seconds, int nanoseconds)
{
    r->rec.presence_flags = (nanoseconds < 0 ? 0 : WTAP_HAS_TS) | WTAP_HAS_CAP_LEN;
    r->rec.ts.secs = (time_t)seconds;
    r->rec.ts.nsecs = nanoseconds < 0 ? 0 : nanoseconds;
    r->rec.tsprec = WTAP_TSPREC_NSEC;
}

/* A record that comes from no file, without its bytes.
 * From 4.6 wtap_setup_packet_rec must come first, or the first dissection aborts. */
static inline void
wsc_record_describe(wsc_record *r, unsigned record_type, int encap, uint32_t captured, uint32_t length,
                    int64_t seconds, int nanoseconds)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    wtap_setup_packet_rec(&r->rec, encap);
#endif
    r->rec.rec_type = record_type;
    wsc_record_set_origin(r, seconds, nanoseconds);
    memset(&r->rec.rec_header, 0, sizeof r->rec.rec_header);
    if (record_type != REC_TYPE_PACKET) {
        return;
    }
    r->rec.rec_header.packet_header.caplen = captured;
    r->rec.rec_header.packet_header.len = length;
    r->rec.rec_header.packet_header.pkt_encap = encap;
    if (encap == WTAP_ENCAP_ETHERNET) {
        r->rec.rec_header.packet_header.pseudo_header.eth.fcs_len = -1;
    }
}

/* A packet that comes from no file, with its bytes. */
static inline void
wsc_record_synthesize(wsc_record *r, int encap, const uint8_t *bytes, uint32_t captured, uint32_t length,
                      int64_t seconds, int nanoseconds)
{
    wsc_record_describe(r, REC_TYPE_PACKET, encap, captured, length, seconds, nanoseconds);
#if WSC_VERSION >= WSC_AT(4, 6)
    Buffer *buffer = &r->rec.data;
#else
    Buffer *buffer = &r->buffer;
#endif
    ws_buffer_clean(buffer);
    ws_buffer_append(buffer, (guint8 *)bytes, captured);
}

/* The packet's first comment, borrowed from the record; to be read before the dissection, which drops the block. */
static inline const char *
wsc_record_comment(const wsc_record *r)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    char *text = NULL;
    if (r->rec.block != NULL
        && wtap_block_get_nth_string_option_value(r->rec.block, OPT_COMMENT, 0, &text) == WTAP_OPTTYPE_SUCCESS) {
        return text;
    }
    return NULL;
#else
    return r->rec.opt_comment;
#endif
}

/* The block of a packet's options came in 3.6. A dissection drops the record's reference; a client that wants the
 * comment afterwards holds one of its own and lends it back. NULL where there is none. */
#if WSC_VERSION >= WSC_AT(3, 6)
typedef wtap_block_t wsc_block;

static inline wsc_block
wsc_record_hold_block(wsc_record *r)
{
    return r->rec.block == NULL ? NULL : wtap_block_ref(r->rec.block);
}

static inline void
wsc_block_release(wsc_block block)
{
    wtap_block_unref(block);   /* NULL is fine */
}

static inline void
wsc_record_lend_block(wsc_record *r, wsc_block block)
{
    r->rec.block = block;
}
#else
typedef void *wsc_block;

static inline wsc_block
wsc_record_hold_block(wsc_record *r)
{
    (void)r;
    return NULL;
}

static inline void
wsc_block_release(wsc_block block)
{
    (void)block;
}

static inline void
wsc_record_lend_block(wsc_record *r, wsc_block block)
{
    (void)r;
    (void)block;
}
#endif

static inline uint32_t
wsc_record_section(const wsc_record *r)
{
#if WSC_VERSION >= WSC_AT(4, 0)
    return r->rec.presence_flags & WTAP_HAS_SECTION_NUMBER ? r->rec.section_number : 0;
#else
    (void)r;
    return 0;
#endif
}

/* ---- the file ---- */

static inline const char *
wsc_file_type_name(int type)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return wtap_file_type_subtype_name(type);
#else
    return wtap_file_type_subtype_short_string(type);
#endif
}

#if WSC_VERSION >= WSC_AT(3, 6)
#define WSC_OPT_IDB_DESCRIPTION OPT_IDB_DESCRIPTION
#define WSC_OPT_IDB_HARDWARE OPT_IDB_HARDWARE
#else
#define WSC_OPT_IDB_DESCRIPTION OPT_IDB_DESCR
#define WSC_OPT_IDB_HARDWARE OPT_IDB_HARDWARE
#endif

/* The time of a pcap file's record has 32 bits; 4.4 writes no more than 31 of them. Seen with 4.0 and 4.4. */
#if WSC_VERSION >= WSC_AT(4, 4)
#define WSC_LAST_SECOND_OF_PCAP INT32_MAX
#else
#define WSC_LAST_SECOND_OF_PCAP UINT32_MAX
#endif

/* Interface numbers count within a section from 4.4; libwiretap's table goes over the whole file. */
static inline uint32_t
wsc_interface_index(wtap *file, uint32_t section, uint32_t interface_id)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    return wtap_file_get_shb_global_interface_id(file, section, interface_id);
#else
    (void)file;
    (void)section;
    return interface_id;
#endif
}

/* The trailing arguments of the provider's interface callbacks. */
#if WSC_VERSION >= WSC_AT(4, 4)
#define WSC_INTERFACE_ARGUMENTS uint32_t interface_id, unsigned section
#define WSC_INTERFACE_SECTION section
#else
#define WSC_INTERFACE_ARGUMENTS guint32 interface_id
#define WSC_INTERFACE_SECTION 0
#endif

/* ---- writing capture files ---- */

/* What a wtap_block is about; named anew in 3.6. */
#if WSC_VERSION >= WSC_AT(3, 6)
#define WSC_BLOCK_SECTION WTAP_BLOCK_SECTION
#define WSC_BLOCK_INTERFACE WTAP_BLOCK_IF_ID_AND_INFO
#define WSC_BLOCK_SECRETS WTAP_BLOCK_DECRYPTION_SECRETS
#define wsc_block_free wtap_block_unref
#else
#define WSC_BLOCK_SECTION WTAP_BLOCK_NG_SECTION
#define WSC_BLOCK_INTERFACE WTAP_BLOCK_IF_DESCR
#define WSC_BLOCK_SECRETS WTAP_BLOCK_DSB
#define wsc_block_free wtap_block_free
#endif

/* What a wtap_block_foreach_func returns: nothing in 3.4, then a gboolean, from 4.4 a bool. */
#if WSC_VERSION >= WSC_AT(3, 6)
#define WSC_OPTION_RESULT wsc_bool
#define WSC_NEXT_OPTION return true
#else
#define WSC_OPTION_RESULT void
#define WSC_NEXT_OPTION return
#endif

/* More than numbers, texts and addresses among the options came in 3.6; custom ones parted in two in 4.6. */
#define WSC_TYPED_OPTIONS (WSC_VERSION >= WSC_AT(3, 6))
#define WSC_CUSTOM_OPTIONS (WSC_VERSION >= WSC_AT(3, 6) && WSC_VERSION < WSC_AT(4, 6))

/* Records other than packets whose head is plain numbers; journals came to be named anew, custom blocks came, in 3.6. */
static inline size_t
wsc_special_head_size(unsigned record_type)
{
    switch (record_type) {
    case REC_TYPE_FT_SPECIFIC_EVENT:
    case REC_TYPE_FT_SPECIFIC_REPORT:
        return sizeof(wtap_ft_specific_header);
    case REC_TYPE_SYSCALL:
        return sizeof(wtap_syscall_header);
#if WSC_VERSION >= WSC_AT(3, 6)
    case REC_TYPE_SYSTEMD_JOURNAL_EXPORT:
        return sizeof(wtap_systemd_journal_export_header);
    case REC_TYPE_CUSTOM_BLOCK:
        return sizeof(wtap_custom_block_header);
#else
    case REC_TYPE_SYSTEMD_JOURNAL:
        return sizeof(wtap_systemd_journal_header);
#endif
    default:
        return 0;
    }
}

/* Puts the number of its bytes into the head of a record that is no packet. */
static inline void
wsc_special_set_length(wsc_record *r, uint32_t length)
{
    switch (r->rec.rec_type) {
    case REC_TYPE_FT_SPECIFIC_EVENT:
    case REC_TYPE_FT_SPECIFIC_REPORT:
        r->rec.rec_header.ft_specific_header.record_len = length;
        break;
    case REC_TYPE_SYSCALL:   /* named anew in 4.6; with a pointer, which is another record's, from 4.4 */
#if WSC_VERSION >= WSC_AT(4, 6)
        r->rec.rec_header.syscall_header.event_data_len = length;
#else
        r->rec.rec_header.syscall_header.event_filelen = length;
#endif
#if WSC_VERSION >= WSC_AT(4, 4)
        r->rec.rec_header.syscall_header.pathname = NULL;
#endif
        break;
#if WSC_VERSION >= WSC_AT(3, 6)
    case REC_TYPE_SYSTEMD_JOURNAL_EXPORT:
        r->rec.rec_header.systemd_journal_export_header.record_len = length;
        break;
    case REC_TYPE_CUSTOM_BLOCK:
        r->rec.rec_header.custom_block_header.length = length;
        break;
#else
    case REC_TYPE_SYSTEMD_JOURNAL:
        r->rec.rec_header.systemd_journal_header.record_len = length;
        break;
#endif
    default:
        break;
    }
}

/* A custom block whose maker forbids copies: libwiretap leaves it out without a word. */
static inline bool
wsc_record_may_be_copied(const wsc_record *r)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return r->rec.rec_type != REC_TYPE_CUSTOM_BLOCK || r->rec.rec_header.custom_block_header.copy_allowed;
#else
    (void)r;
    return true;
#endif
}

/* Link types whose packets begin, in a pcap file, with what libwiretap keeps in the pseudo header (pcap_write_phdr in
 * pcap-common.c). None of these headers holds a pointer. */
static inline bool
wsc_encap_has_header(int encap)
{
    switch (encap) {
    case WTAP_ENCAP_ATM_PDUS:
    case WTAP_ENCAP_IRDA:
    case WTAP_ENCAP_MTP2_WITH_PHDR:
    case WTAP_ENCAP_LINUX_LAPD:
    case WTAP_ENCAP_SITA:
    case WTAP_ENCAP_BLUETOOTH_H4_WITH_PHDR:
    case WTAP_ENCAP_BLUETOOTH_LINUX_MONITOR:
    case WTAP_ENCAP_NFC_LLCP:
    case WTAP_ENCAP_PPP_WITH_PHDR:
    case WTAP_ENCAP_ERF:
    case WTAP_ENCAP_I2C_LINUX:
        return true;
    default:
        return false;
    }
}

/* The record's block of options, borrowed, and a new one in its place (taken over). 3.4 has none. */
static inline void
wsc_record_set_block(wsc_record *r, wtap_block_t block)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    r->rec.block = block;
#else
    (void)r;
    wtap_block_free(block);
#endif
}

static inline wtap_block_t
wsc_packet_block_new(void)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return wtap_block_create(WTAP_BLOCK_PACKET);
#else
    return NULL;
#endif
}

/* One more comment of the packet; 3.4 has room for one. */
static inline void
wsc_record_add_comment(wsc_record *r, const char *text)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    if (r->rec.block == NULL) {
        r->rec.block = wsc_packet_block_new();
    }
    wtap_block_add_string_option(r->rec.block, OPT_COMMENT, text, strlen(text));
#else
    g_free(r->rec.opt_comment);
    r->rec.opt_comment = g_strdup(text);
#endif
}

static inline int
wsc_pcapng_type(void)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return wtap_pcapng_file_type_subtype();
#else
    return WTAP_FILE_TYPE_SUBTYPE_PCAPNG;
#endif
}

static inline int
wsc_pcap_nsec_type(void)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return wtap_pcap_nsec_file_type_subtype();
#else
    return WTAP_FILE_TYPE_SUBTYPE_PCAP_NSEC;
#endif
}

/* A compression by name; 3.4 knows but one. */
static inline wtap_compression_type
wsc_compression(const char *name)
{
    if (name != NULL && strcmp(name, "gzip") == 0) {
        return WTAP_GZIP_COMPRESSED;
    }
#if WSC_VERSION >= WSC_AT(3, 6)
    if (name != NULL && strcmp(name, "zstd") == 0) {
        return WTAP_ZSTD_COMPRESSED;
    }
    if (name != NULL && strcmp(name, "lz4") == 0) {
        return WTAP_LZ4_COMPRESSED;
    }
#endif
    return WTAP_UNCOMPRESSED;
}

/* What libwiretap can compress while it writes: gzip, and lz4 from 4.4. Asked for any other it writes plain files. */
static inline bool
wsc_can_compress(wtap_compression_type type)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    return wtap_can_write_compression_type(type);
#else
    return type == WTAP_GZIP_COMPRESSED;
#endif
}

/* Has the link type a number in pcap and pcapng files? 3.4 only tells it the other way round. */
static inline bool
wsc_encap_has_number(int encap)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return wtap_dump_can_write_encap(wtap_pcap_nsec_file_type_subtype(), encap);
#else
    int number = 0;
    while (number < 400 && wtap_pcap_encap_to_wtap_encap(number) != encap) {
        number++;
    }
    return encap > 0 && number < 400;
#endif
}

/* Its compressed streams take the writing of no bytes for a failure. Seen with 4.0 and 4.4; 4.6 was not tried. */
#define WSC_COMPRESSION_NEEDS_BYTES (WSC_VERSION < WSC_AT(4, 6))

/* From 4.6 the bytes are in the record. */
static inline bool
wsc_dump(wtap_dumper *dumper, wsc_record *r, const uint8_t *bytes, uint32_t size, int *code, char **info)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    ws_buffer_clean(&r->rec.data);
    ws_buffer_append(&r->rec.data, bytes, size);
    return wtap_dump(dumper, &r->rec, code, info);
#else
    (void)size;
    return wtap_dump(dumper, &r->rec, bytes, code, info);
#endif
}

static inline bool
wsc_dump_close(wtap_dumper *dumper, int *code, char **info)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return wtap_dump_close(dumper, NULL, code, info);
#else
    return wtap_dump_close(dumper, code, info);
#endif
}

/* The precision of an interface's times, as pcapng says it. */
static inline int
wsc_decimal_precision(int tsprec)
{
    return tsprec >= 0 && tsprec <= WTAP_TSPREC_NSEC ? tsprec : WTAP_TSPREC_NSEC;
}

/* ---- dissection ---- */

/* From 4.6 epan makes the tvb itself. The bytes are borrowed until epan_dissect_reset. With taps, as tshark does when
 * it shows a frame: some dissectors (SMB) read from their own taps what they then show. */
static inline void
wsc_dissect(epan_dissect_t *edt, int file_type, wsc_record *r, frame_data *fd, column_info *columns, bool taps)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    (taps ? epan_dissect_run_with_taps : epan_dissect_run)(edt, file_type, &r->rec, fd, columns);
#else
    tvbuff_t *tvb = tvb_new_real_data(wsc_record_bytes(r), fd->cap_len, (gint)MIN(fd->pkt_len, (guint32)G_MAXINT));
    (taps ? epan_dissect_run_with_taps : epan_dissect_run)(edt, file_type, &r->rec, tvb, fd, columns);
#endif
}

/* 4.6 does it by itself for frames not yet visited. */
static inline void
wsc_prime_postdissectors(epan_dissect_t *edt)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    (void)edt;
#else
    prime_epan_dissect_with_postdissector_wanted_hfids(edt);
#endif
}

/* Frames that a displayed one depends on: a list in packet_info to 4.0, a hash table in frame_data from 4.2. */
static inline void
wsc_mark_dependent_frames(epan_dissect_t *edt, frame_data_sequence *frames)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    if (edt->pi.fd->dependent_frames != NULL) {
        g_hash_table_foreach(edt->pi.fd->dependent_frames, find_and_mark_frame_depended_upon, frames);
    }
#else
    g_slist_foreach(edt->pi.dependent_frames, find_and_mark_frame_depended_upon, frames);
#endif
}

/* A tap's listener is told flags from 3.6 on. */
#if WSC_VERSION >= WSC_AT(3, 6)
#define WSC_TAP_PARAMETER , tap_flags_t flags
#define WSC_TAP_UNUSED (void)flags
#else
#define WSC_TAP_PARAMETER
#define WSC_TAP_UNUSED (void)0
#endif

/* Which stream a follower puts a frame in: a display filter to g_free, or NULL. From 3.6 some look at the tree. */
#if WSC_VERSION >= WSC_AT(3, 6)
typedef char *(*wsc_follow_packet_func)(epan_dissect_t *edt, packet_info *pinfo, guint *stream, guint *sub_stream);
#else
typedef char *(*wsc_follow_packet_func)(packet_info *pinfo, guint *stream, guint *sub_stream);
#endif

static inline char *
wsc_follow_packet(wsc_follow_packet_func of_packet, epan_dissect_t *edt, guint *stream, guint *sub_stream)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return of_packet(edt, &edt->pi, stream, sub_stream);
#else
    return of_packet(&edt->pi, stream, sub_stream);
#endif
}

/* The text of column i after epan_dissect_fill_in_columns, borrowed. */
static inline const char *
wsc_column_text(column_info *columns, int i)
{
#if WSC_VERSION >= WSC_AT(4, 0)
    return get_column_text(columns, i);
#else
    return columns->columns[i].col_data;
#endif
}

/* A data source's name; free it with wmem_free(NULL, ...). */
static inline char *
wsc_source_name(const struct data_source *source)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    return get_data_source_description(source);
#else
    return get_data_source_name(source);
#endif
}

/* ---- names from files ---- */

/* To 4.0 each epan_new reads the tables of names from files anew; from 4.2 they are compiled in. What is done about that is
 * in name_tables.c. Not in 3.4, where nobody tried it. */
#define WSC_NAMES_ARE_READ (WSC_VERSION >= WSC_AT(3, 6) && WSC_VERSION < WSC_AT(4, 2))

/* ---- what a pcapng file says of names ---- */

/* Name callbacks gained an argument in 4.2; the IPv6 address became typed in 4.6. */
#if WSC_VERSION >= WSC_AT(4, 2)
#define WSC_NAME_PARAMETER , const bool fixed
#define WSC_NAME_ARGUMENT , fixed
#else
#define WSC_NAME_PARAMETER
#define WSC_NAME_ARGUMENT
#endif
#if WSC_VERSION >= WSC_AT(4, 6)
typedef const ws_in6_addr *wsc_ipv6_argument;
#else
typedef const void *wsc_ipv6_argument;
#endif

/* ---- name resolution ---- */

/* A portable form of gbl_resolv_flags: the bits of wp_resolution. */
static inline uint32_t
wsc_resolution_get(void)
{
    const e_addr_resolve *now = &gbl_resolv_flags;
    return (now->mac_name ? WP_RESOLVE_MAC : 0) | (now->network_name ? WP_RESOLVE_NETWORK : 0)
         | (now->transport_name ? WP_RESOLVE_TRANSPORT : 0) | (now->vlan_name ? WP_RESOLVE_VLAN : 0)
#if WSC_VERSION >= WSC_AT(4, 4)   /* MaxMind's had preferences of their own before, the other was not there */
         | (now->maxmind_geoip ? WP_RESOLVE_MAXMIND : 0)
         | (now->handshake_sni_addr_resolution ? WP_RESOLVE_HANDSHAKES : 0)
#endif
         | (now->use_external_net_name_resolver ? WP_RESOLVE_EXTERNAL : 0)
         | (now->dns_pkt_addr_resolution ? WP_RESOLVE_PACKETS : 0);
}

static inline void
wsc_resolution_set(uint32_t bits)
{
    disable_name_resolution();
    gbl_resolv_flags.mac_name = (bits & WP_RESOLVE_MAC) != 0;
    gbl_resolv_flags.network_name = (bits & WP_RESOLVE_NETWORK) != 0;
    gbl_resolv_flags.transport_name = (bits & WP_RESOLVE_TRANSPORT) != 0;
    gbl_resolv_flags.vlan_name = (bits & WP_RESOLVE_VLAN) != 0;
#if WSC_VERSION >= WSC_AT(4, 4)
    gbl_resolv_flags.maxmind_geoip = (bits & WP_RESOLVE_MAXMIND) != 0;
    gbl_resolv_flags.handshake_sni_addr_resolution = (bits & WP_RESOLVE_HANDSHAKES) != 0;
#endif
    gbl_resolv_flags.use_external_net_name_resolver = (bits & WP_RESOLVE_EXTERNAL) != 0;
    gbl_resolv_flags.dns_pkt_addr_resolution = (bits & WP_RESOLVE_PACKETS) != 0;
}

/* ---- MaxMind's databases ---- */

/* Folders of databases, with ':' between them; a new string. */
static inline char *
wsc_maxmind_folders(void)
{
    return maxmind_db_get_paths();
}

/* Whether they are asked: one flag from 4.4, before that a preference of IPv4 and one of IPv6, a bit each here. */
#if WSC_VERSION < WSC_AT(4, 4)
static const char *const wsc_geoip_modules[] = {"ip", "ipv6"};

static inline pref_t *
wsc_geoip_preference(unsigned which)
{
    module_t *module = prefs_find_module(wsc_geoip_modules[which]);
    return module == NULL ? NULL : prefs_find_preference(module, "use_geoip");
}
#endif

static inline uint32_t
wsc_geoip_get(void)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    return gbl_resolv_flags.maxmind_geoip ? 1 : 0;
#else
    uint32_t bits = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(wsc_geoip_modules); i++) {
        pref_t *preference = wsc_geoip_preference(i);
        bits |= preference != NULL && prefs_get_bool_value(preference, pref_current) ? 1u << i : 0;
    }
    return bits;
#endif
}

static inline void
wsc_geoip_set(uint32_t bits)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    gbl_resolv_flags.maxmind_geoip = bits != 0;
#else
    for (unsigned i = 0; i < G_N_ELEMENTS(wsc_geoip_modules); i++) {
        pref_t *preference = wsc_geoip_preference(i);
        if (preference != NULL) {
            prefs_set_bool_value(preference, (bits >> i & 1) != 0, pref_current);
        }
    }
#endif
}

/* What it is to be for a session with databases: what the preferences say, which are on by themselves. The flag of 4.4
 * says nothing where `preferred` is false: then whoever chose what is resolved set it, or did not think of it. */
static inline uint32_t
wsc_geoip_wanted(uint32_t now, bool preferred)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    return preferred ? now : 1;
#else
    (void)preferred;
    return now;
#endif
}

/* ---- heuristics ---- */

/* The first node of a list of heuristics, whose first entry is known. No header has this struct, which is packet.c's own:
 * its second pointer to 4.2, the third from 4.4, which has a title before. NULL where it is neither. */
static inline GSList *
wsc_heuristics(struct heur_dissector_list *list, const void *first)
{
    for (int i = 1; i <= (WSC_VERSION >= WSC_AT(4, 4) ? 2 : 1); i++) {
        GSList *node = ((GSList **)(void *)list)[i];
        if (node != NULL && node->data == first) {
            return node;
        }
    }
    return NULL;
}

/* ---- preferences ---- */

typedef enum {
    WSC_PREF_NUMBER,
    WSC_PREF_PORT,       /* a number in a table of dissectors; given up in 4.4 */
    WSC_PREF_BOOL,
    WSC_PREF_CHOICE,
    WSC_PREF_TEXT,       /* file names too */
    WSC_PREF_PASSWORD,   /* from 3.6 */
    WSC_PREF_RANGE,
    WSC_PREF_PORTS,      /* a range in a table of dissectors */
    WSC_PREF_COLOR,
    WSC_PREF_TABLE,
    WSC_PREF_LABEL,      /* nothing to set */
    WSC_PREF_OBSOLETE,
    WSC_PREF_CUSTOM,
} wsc_preference_kind_t;

/* Types are bits to 4.4, with PREF_OBSOLETE as one more; an enum from 4.6, which has no obsolete ones. */
static inline wsc_preference_kind_t
wsc_preference_kind(pref_t *preference)
{
    const unsigned type = (unsigned)prefs_get_type(preference);
#if WSC_VERSION < WSC_AT(4, 6)
    if (type & PREF_OBSOLETE) {
        return WSC_PREF_OBSOLETE;
    }
#endif
    switch (type) {
    case PREF_UINT:
        return WSC_PREF_NUMBER;
#if WSC_VERSION < WSC_AT(4, 4)
    case PREF_DECODE_AS_UINT:
        return WSC_PREF_PORT;
#endif
    case PREF_BOOL:
        return WSC_PREF_BOOL;
    case PREF_ENUM:
        return WSC_PREF_CHOICE;
    case PREF_STRING:
    case PREF_SAVE_FILENAME:
    case PREF_OPEN_FILENAME:
    case PREF_DIRNAME:
        return WSC_PREF_TEXT;
#if WSC_VERSION >= WSC_AT(3, 6)
    case PREF_PASSWORD:
        return WSC_PREF_PASSWORD;
#endif
    case PREF_RANGE:
        return WSC_PREF_RANGE;
    case PREF_DECODE_AS_RANGE:
        return WSC_PREF_PORTS;
    case PREF_COLOR:
        return WSC_PREF_COLOR;
    case PREF_UAT:
        return WSC_PREF_TABLE;
    case PREF_CUSTOM:
        return WSC_PREF_CUSTOM;
#if WSC_VERSION >= WSC_AT(4, 4)
    case PREF_DISSECTOR:
        return WSC_PREF_TEXT;
#endif
    default:
        return WSC_PREF_LABEL;
    }
}

static inline const char *
wsc_preference_password(pref_t *preference)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return prefs_get_password_value(preference, pref_current);
#else
    return prefs_get_string_value(preference, pref_current);
#endif
}

static inline unsigned
wsc_preference_set_password(pref_t *preference, const char *value)
{
#if WSC_VERSION >= WSC_AT(3, 6)
    return prefs_set_password_value(preference, value, pref_current);
#else
    return prefs_set_string_value(preference, value, pref_current);
#endif
}

/* How a custom column shows its field: resolved or not; a letter of its own from 4.6. */
static inline char
wsc_column_display(const fmt_data *column)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    return column->display;
#else
    return column->resolved ? 'R' : 'U';
#endif
}

/* Can a custom column show this? Fields, with "||" or "or" between them; from 4.2 whatever a display filter can compute. */
static inline bool
wsc_column_takes(const char *text)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    dfilter_t *filter = NULL;
    df_error_t *error = NULL;
    const bool good = dfilter_compile(text, &filter, &error) && filter != NULL;
    dfilter_free(filter);
    df_error_free(&error);
    return good;
#else
    char **names = g_regex_split_simple(" *\\|\\| *| +or +", text, (GRegexCompileFlags)0, (GRegexMatchFlags)0);
    bool good = names[0] != NULL;
    for (char **name = names; good && *name != NULL; name++) {
        good = proto_registrar_get_byname(*name) != NULL;
    }
    g_strfreev(names);
    return good;
#endif
}

/* Named anew in 4.6. */
static inline uint32_t
wsc_preference_number(pref_t *preference)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    return prefs_get_uint_value(preference, pref_current);
#else
    return prefs_get_uint_value_real(preference, pref_current);
#endif
}

/* ---- display filters ---- */

/* False with *message to g_free, and the mistake's place: position -1 where it is not known. */
static inline bool
wsc_filter_compile(const char *text, dfilter_t **filter, char **message, int64_t *position, int64_t *span)
{
    *position = -1;
    *span = 0;
    *message = NULL;
#if WSC_VERSION >= WSC_AT(4, 2)
    df_error_t *error = NULL;
    if (dfilter_compile(text, filter, &error)) {
        return true;
    }
    *message = g_strdup(error == NULL || error->msg == NULL ? "not a valid display filter" : error->msg);
    if (error != NULL && error->loc.col_start >= 0) {
        *position = error->loc.col_start;
        *span = (int64_t)error->loc.col_len;
    }
    df_error_free(&error);
    return false;
#elif WSC_VERSION >= WSC_AT(4, 0)
    dfilter_loc_t place = {-1, 0};
    if (dfilter_compile2(text, filter, message, &place)) {
        return true;
    }
    *position = place.col_start;
    *span = (int64_t)place.col_len;
    return false;
#else
    return dfilter_compile(text, filter, message);
#endif
}

/* From 4.2 a filter may ask for _ws.col.*; then the columns must be made. */
static inline bool
wsc_filter_needs_columns(dfilter_t *filter)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    return dfilter_requires_columns(filter);
#else
    (void)filter;
    return false;
#endif
}

/* What Wireshark has to say against a filter that it takes: words given up to 4.0, whole sentences from 4.2. */
static inline void
wsc_filter_warnings(dfilter_t *filter, void (*each)(const char *text, void *data), void *data)
{
    GPtrArray *words = dfilter_deprecated_tokens(filter);
    for (guint i = 0; words != NULL && i < words->len; i++) {
        char *text = g_strdup_printf("\"%s\" is deprecated or may have unexpected results",
                                     (const char *)g_ptr_array_index(words, i));
        each(text, data);
        g_free(text);
    }
#if WSC_VERSION >= WSC_AT(4, 2)
    for (GSList *item = dfilter_get_warnings(filter); item != NULL; item = item->next) {
        each(item->data, data);
    }
#endif
}

/* ---- fields and values ---- */

/* 4.6: the node of a faked item has no field_info. */
#define WSC_FINFO(node) ((node)->finfo)

/* From 4.2 a dissection with columns adds them to the tree, hidden, as _ws.col; whoever makes columns for another
 * reason than a filter's wish does not want it there, as tshark has none either. It is taken out of the list of layers;
 * before the tree is freed it must be put back, or its values leak. NULL: there is none. */
#if WSC_VERSION >= WSC_AT(4, 2)
static inline proto_node *
wsc_take_columns(proto_node *tree)
{
    for (proto_node *before = NULL, *at = tree->first_child; at != NULL; before = at, at = at->next) {
        const field_info *fi = WSC_FINFO(at);
        if (fi != NULL && fi->hfinfo->type == FT_PROTOCOL && strcmp(fi->hfinfo->abbrev, "_ws.col") == 0) {
            *(before == NULL ? &tree->first_child : &before->next) = at->next;
            if (tree->last_child == at) {
                tree->last_child = before;
            }
            return at;
        }
    }
    return NULL;
}

static inline void
wsc_return_columns(proto_node *tree, proto_node *columns)
{
    columns->next = tree->first_child;
    tree->first_child = columns;
    if (tree->last_child == NULL) {
        tree->last_child = columns;
    }
}
#else
static inline proto_node *
wsc_take_columns(proto_node *tree)
{
    (void)tree;
    return NULL;
}

static inline void
wsc_return_columns(proto_node *tree, proto_node *columns)
{
    (void)tree;
    (void)columns;
}
#endif

/* To 4.0 the value lies inside field_info, from 4.2 behind a pointer. */
#if WSC_VERSION >= WSC_AT(4, 2)
#define WSC_VALUE(fi) ((fi)->value)
#else
#define WSC_VALUE(fi) (&(fi)->value)
#endif

#define WSC_FIELD_IS_TEXT(hf) ((hf)->id == hf_text_only)

/* Numbers by their width. To 4.0 they are read where they lie: the accessors cost more than the rest of a visit. */
static inline uint32_t
wsc_value_uint(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    return fvalue_get_uinteger(fi->value);
#else
    return fi->hfinfo->type == FT_IEEE_11073_SFLOAT ? fi->value.value.sfloat_ieee_11073 : fi->value.value.uinteger;
#endif
}

static inline uint64_t
wsc_value_uint64(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    return fvalue_get_uinteger64(fi->value);
#else
    return fi->value.value.uinteger64;
#endif
}

static inline int32_t
wsc_value_int(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    return fvalue_get_sinteger(fi->value);
#else
    return fi->value.value.sinteger;
#endif
}

static inline int64_t
wsc_value_int64(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    return fvalue_get_sinteger64(fi->value);
#else
    return fi->value.value.sinteger64;
#endif
}

static inline double
wsc_value_real(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    return fvalue_get_floating(fi->value);
#else
    return fi->value.value.floating;
#endif
}

static inline const uint8_t *
wsc_value_bytes(const field_info *fi, uint32_t *length)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    *length = (uint32_t)fvalue_get_bytes_size(fi->value);
    return fvalue_get_bytes_data(fi->value);
#else
    const GByteArray *array = fi->value.value.bytes;
    *length = array == NULL ? 0 : array->len;
    return array == NULL ? NULL : array->data;
#endif
}

static inline const char *
wsc_value_string(field_info *fi, uint32_t *length)
{
#if WSC_VERSION >= WSC_AT(4, 0)
#if WSC_VERSION >= WSC_AT(4, 2)
    const wmem_strbuf_t *text = fvalue_get_strbuf(fi->value);
#else
    const wmem_strbuf_t *text = fi->value.value.strbuf;
#endif
    *length = text == NULL ? 0 : (uint32_t)text->len;
    return text == NULL ? NULL : text->str;
#else
    const char *text = (const char *)fvalue_get(WSC_VALUE(fi));
    *length = text == NULL ? 0 : (uint32_t)strlen(text);
    return text;
#endif
}

static inline const nstime_t *
wsc_value_time(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    return fvalue_get_time(fi->value);
#else
    return &fi->value.value.time;
#endif
}

static inline const e_guid_t *
wsc_value_guid(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 0)
    return fvalue_get_guid(WSC_VALUE(fi));
#else
    return (const e_guid_t *)fvalue_get(WSC_VALUE(fi));
#endif
}

/* Address in the low half, mask in the high half, both in host order. 4.2 gives out no mask. */
static inline uint64_t
wsc_value_ipv4(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    const ipv4_addr_and_mask *ip = fvalue_get_ipv4(fi->value);
    return (uint64_t)ip->nmask << 32 | ip->addr;
#elif WSC_VERSION >= WSC_AT(4, 2)
    return (uint64_t)0xffffffffu << 32 | g_ntohl(fvalue_get_uinteger(fi->value));
#else
    return (uint64_t)fi->value.value.ipv4.nmask << 32 | fi->value.value.ipv4.addr;
#endif
}

static inline const uint8_t *
wsc_value_ipv6(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    return fvalue_get_ipv6(fi->value)->addr.bytes;
#elif WSC_VERSION >= WSC_AT(4, 2)
    return fvalue_get_ipv6(fi->value)->bytes;
#else
    return fi->value.value.ipv6.addr.bytes;
#endif
}

/* EUI-64 in network order as a number: bytes from 4.6, an integer before. */
static inline uint64_t
wsc_value_eui64(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 6)
    uint32_t length;
    const uint8_t *bytes = wsc_value_bytes(fi, &length);
    uint64_t number = 0;
    for (uint32_t i = 0; i < length && i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
#else
    return wsc_value_uint64(fi);
#endif
}

#if WSC_VERSION >= WSC_AT(4, 4)   /* AX.25 addresses became strings */
#define WSC_AX25_IS_STRING 1
#else
#define WSC_AX25_IS_STRING 0
#endif
/* A network of IPX has 32 bits; to 4.2 it is written as such a number, from 4.4 on as one of 64. */
#define WSC_IPXNET_DIGITS (WSC_VERSION >= WSC_AT(4, 4) ? 16 : 8)
/* How values are printed (FTREPR_DISPLAY) is known for 4.0 in full; 4.2 began to print booleans and times otherwise. */
#define WSC_DISPLAYS_AS_4_0 (WSC_VERSION >= WSC_AT(4, 0) && WSC_VERSION < WSC_AT(4, 2))

#if WSC_VERSION >= WSC_AT(4, 6)
#define WSC_EUI64_IS_BYTES 1
#else
#define WSC_EUI64_IS_BYTES 0
#endif

/* The line that the tree shows for a field with no text of its own. */
static inline void
wsc_fill_label(field_info *fi, char label[ITEM_LABEL_LENGTH])
{
#if WSC_VERSION >= WSC_AT(4, 6)
    proto_item_fill_label(fi, label, NULL);
#else
    proto_item_fill_label(fi, label);
#endif
}

/* ---- making a value, to have Wireshark write it again after its tree is gone ---- */

#if WSC_VERSION < WSC_AT(4, 2)
/* To 4.0 fvalue_t is public but its makers are not exported. A literal of each type gives the one thing that a
 * client cannot make: the pointer to the type. NULL where the type takes no literal. */
static inline ftype_t *
wsc_ftype(ftenum_t type)
{
    static ftype_t *known[FT_NUM_TYPES];
    static const char *const literals[] = {
        "0", "00:00", "00:00:00:00:00:00", "00:00:00:00:00:00:00:00", "00:00:00:00:00:00:00", "1.2.3", "0.0.0.0", "::",
        "00000000-0000-0000-0000-000000000000", "2000-01-01 00:00:00", "x",
    };
    for (size_t i = 0; known[type] == NULL && i < G_N_ELEMENTS(literals); i++) {
        gchar *message = NULL;
#if WSC_VERSION >= WSC_AT(3, 6)
        fvalue_t *sample = fvalue_from_literal(type, literals[i], TRUE, &message);
#else
        fvalue_t *sample = fvalue_from_unparsed(type, literals[i], TRUE, &message);
#endif
        g_free(message);
        if (sample != NULL) {
            known[type] = sample->ftype;   /* the sample itself, once a type, is kept: its free is not exported */
        }
    }
    return known[type];
}
#endif

/* A value in the hands of a client: whatever must be released later. */
typedef struct {
#if WSC_VERSION < WSC_AT(4, 2)
    GByteArray bytes;
#if WSC_VERSION >= WSC_AT(4, 0)
    wmem_strbuf_t *text;   /* owned or NULL */
#else
    char *text;            /* owned or NULL */
#endif
#else
    int unused;
#endif
} wsc_made;

static inline bool
wsc_make_begin(field_info *fi, ftenum_t type, wsc_made *made)
{
    memset(made, 0, sizeof *made);
#if WSC_VERSION >= WSC_AT(4, 2)
    fi->value = fvalue_new(type);
    return fi->value != NULL;
#else
    memset(&fi->value, 0, sizeof fi->value);
    fi->value.ftype = wsc_ftype(type);
    return fi->value.ftype != NULL;
#endif
}

static inline void
wsc_make_end(field_info *fi, wsc_made *made)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    (void)made;
    fvalue_free(fi->value);
#elif WSC_VERSION >= WSC_AT(4, 0)
    (void)fi;
    if (made->text != NULL) {
        wmem_strbuf_destroy(made->text);
    }
#else
    (void)fi;
    g_free(made->text);
#endif
}

static inline void
wsc_make_uint(field_info *fi, uint32_t number)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_uinteger(fi->value, number);
#else
    /* The 16-bit float shares the union's first bytes with a number of its own width. */
    if (fi->hfinfo->type == FT_IEEE_11073_SFLOAT) {
        fi->value.value.sfloat_ieee_11073 = (guint16)number;
    } else {
        fi->value.value.uinteger = number;
    }
#endif
}

static inline void
wsc_make_uint64(field_info *fi, uint64_t number)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_uinteger64(fi->value, number);
#else
    fi->value.value.uinteger64 = number;
#endif
}

static inline void
wsc_make_int(field_info *fi, int32_t number)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_sinteger(fi->value, number);
#else
    fi->value.value.sinteger = number;
#endif
}

static inline void
wsc_make_int64(field_info *fi, int64_t number)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_sinteger64(fi->value, number);
#else
    fi->value.value.sinteger64 = number;
#endif
}

static inline void
wsc_make_float(field_info *fi, double number)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_floating(fi->value, number);
#else
    fi->value.value.floating = number;
#endif
}

static inline void
wsc_make_time(field_info *fi, int64_t seconds, int nanoseconds)
{
    const nstime_t when = {.secs = (time_t)seconds, .nsecs = nanoseconds};
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_time(fi->value, &when);
#else
    fi->value.value.time = when;
#endif
}

static inline void
wsc_make_string(field_info *fi, wsc_made *made, const char *text, uint32_t length)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    (void)made;
    fvalue_set_strbuf(fi->value, wmem_strbuf_new_len(NULL, text, length));
#elif WSC_VERSION >= WSC_AT(4, 0)
    made->text = length > 0 ? wmem_strbuf_new_len(NULL, text, length) : wmem_strbuf_new(NULL, "");
    fi->value.value.strbuf = made->text;
#else
    made->text = g_strndup(text, length);
    fi->value.value.string = made->text;
#endif
}

static inline void
wsc_make_bytes(field_info *fi, wsc_made *made, const uint8_t *bytes, uint32_t length)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    (void)made;
    fvalue_set_bytes_data(fi->value, length == 0 ? NULL : bytes, length);
#else
    /* Only read. Wireshark tells "no bytes" by the pointer. */
    made->bytes.data = length == 0 ? NULL : (guint8 *)bytes;
    made->bytes.len = length;
    fi->value.value.bytes = &made->bytes;
#endif
}

static inline void
wsc_make_guid(field_info *fi, const e_guid_t *guid)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_guid(fi->value, guid);
#else
    fi->value.value.guid = *guid;
#endif
}

static inline void
wsc_make_ipv4(field_info *fi, uint64_t address_and_mask)
{
#if WSC_VERSION >= WSC_AT(4, 4)
    const ipv4_addr_and_mask ip = {(uint32_t)address_and_mask, (uint32_t)(address_and_mask >> 32)};
    fvalue_set_ipv4(fi->value, &ip);
#elif WSC_VERSION >= WSC_AT(4, 2)
    fvalue_set_uinteger(fi->value, g_htonl((uint32_t)address_and_mask));
#else
    fi->value.value.ipv4.addr = (guint32)address_and_mask;
    fi->value.value.ipv4.nmask = (guint32)(address_and_mask >> 32);
#endif
}

static inline void
wsc_make_ipv6(field_info *fi, const uint8_t address[16])
{
#if WSC_VERSION >= WSC_AT(4, 4)
    ipv6_addr_and_prefix ip = {.prefix = 128};
    memcpy(ip.addr.bytes, address, 16);
    fvalue_set_ipv6(fi->value, &ip);
#elif WSC_VERSION >= WSC_AT(4, 2)
    ws_in6_addr ip;
    memcpy(ip.bytes, address, 16);
    fvalue_set_ipv6(fi->value, &ip);
#else
    memcpy(fi->value.value.ipv6.addr.bytes, address, 16);
    fi->value.value.ipv6.prefix = 128;
#endif
}

/* What a filter can search of a protocol: the bytes from its start on in the low half, its own length in the high half,
 * one more each; 0 where it is not known. With 4.2 nobody can ask: the value gives no more than its own length. */
static inline uint64_t
wsc_protocol_extent(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 4)   /* a value without a length gives all that it has */
    if (fi->ds_tvb == NULL) {
        return 0;
    }
    const int own = (int)fvalue_length2(fi->value);
    fvalue_set_protocol_length(fi->value, -1);
    tvbuff_t *tvb = fvalue_get_protocol(fi->value);
    fvalue_set_protocol_length(fi->value, own);
#elif WSC_VERSION >= WSC_AT(3, 6) && WSC_VERSION < WSC_AT(4, 2)
    const int own = fi->value.value.protocol.length;
    tvbuff_t *tvb = fi->value.value.protocol.tvb;
#endif
#if WSC_VERSION >= WSC_AT(4, 4) || (WSC_VERSION >= WSC_AT(3, 6) && WSC_VERSION < WSC_AT(4, 2))
    if (tvb == NULL || fi->ds_tvb == NULL || tvb_get_ds_tvb(tvb) != fi->ds_tvb || tvb_raw_offset(tvb) != fi->start) {
        return 0;
    }
    return (uint64_t)(uint32_t)(own + 1) << 32 | (tvb_captured_length(tvb) + 1);
#else
    (void)fi;
    return 0;
#endif
}

/* `bytes` (borrowed, may be NULL) is what the protocol covers. */
static inline void
wsc_make_protocol(field_info *fi, tvbuff_t *bytes, const char *name, int length)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fi->value = fvalue_new(FT_PROTOCOL);
    fvalue_set_protocol(fi->value, bytes, name, length);
#else
    memset(&fi->value, 0, sizeof fi->value);
    fi->value.ftype = wsc_ftype(FT_PROTOCOL);
    fi->value.value.protocol.tvb = bytes;
    fi->value.value.protocol.proto_string = (gchar *)name;   /* only read */
#if WSC_VERSION >= WSC_AT(3, 6)
    fi->value.value.protocol.length = length;
#else
    (void)length;
#endif
#endif
}

static inline void
wsc_unmake_protocol(field_info *fi)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    fvalue_free(fi->value);
#else
    (void)fi;
#endif
}

/* The value as tshark prints it, to free with wmem_free(NULL, ...); NULL where it prints none. One text to 4.0. From 4.2
 * on -T json has one of its own: 1 and 0 where -T fields says True and False. */
static inline char *
wsc_value_display(field_info *fi, wp_display_of of)
{
#if WSC_VERSION >= WSC_AT(4, 2)
    const ftrepr_t form = of == WP_DISPLAY_OF_JSON ? FTREPR_JSON : FTREPR_DISPLAY;
#else
    const ftrepr_t form = FTREPR_DISPLAY;
    (void)of;
#endif
    return fvalue_to_string_repr(NULL, WSC_VALUE(fi), form, fi->hfinfo->display);
}

/* tshark -T ek: to 4.0 fields of one name below two parents are not in one array. Seen with 4.0 and 4.4. */
#define WSC_EK_PARENTS_APART (WSC_VERSION < WSC_AT(4, 4))

#ifdef NSTIME_ISO8601_BUFSIZE   /* in 4.4, and not in 4.0 */
enum { WSC_EK_TIME_ROOM = NSTIME_ISO8601_BUFSIZE };
#else
enum { WSC_EK_TIME_ROOM = sizeof "YYYY-MM-DDTHH:MM:SS.4294967295Z" };
#endif

/* A time as tshark -T ek writes it: the years as strftime has them, and no carry of the nanoseconds. To 4.0 they have no
 * sign; later all of it is libwsutil's, and what is too long for the usual length loses its end. */
static inline bool
wsc_ek_time(char text[WSC_EK_TIME_ROOM], int64_t seconds, int32_t nanoseconds)
{
#ifdef NSTIME_ISO8601_BUFSIZE
    const nstime_t time = {.secs = (time_t)seconds, .nsecs = nanoseconds};
    return nstime_to_iso8601(text, WSC_EK_TIME_ROOM, &time) != 0;
#else
    const time_t when = (time_t)seconds;
    struct tm utc;
    const size_t length = gmtime_r(&when, &utc) == NULL
                              ? 0
                              : strftime(text, sizeof "YYYY-MM-DDTHH:MM:SS", "%Y-%m-%dT%H:%M:%S", &utc);
    if (length != 0) {
        snprintf(text + length, WSC_EK_TIME_ROOM - length, ".%09uZ", (uint32_t)nanoseconds);
    }
    return length != 0;
#endif
}

/* tshark -T fields: to 4.0 it escapes some control characters of each value. From 4.4 on it escapes what it has joined,
 * as CSV: more of them, the backslash, and the separator or else the quotes. Seen with 4.0 and 4.4. */
#define WSC_FIELDS_ARE_CSV (WSC_VERSION >= WSC_AT(4, 4))

#endif
