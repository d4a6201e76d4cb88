/* pseudo_header.c - frames whose first bytes say what their link layer's dissector must be told. No lock is needed.
 * libwiretap's pcap_process_pseudo_header() (wiretap/pcap-common.c) takes them apart, and it can only be reached by
 * reading a file: so each such frame is written to one in memory. They are few: Bluetooth, SS7, ATM, IrDA, ERF. */
#include "pseudo_header.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static const int linktypes[] = {
    123, /* SUNATM */
    139, /* MTP2_WITH_PHDR */
    144, /* LINUX_IRDA */
    177, /* LINUX_LAPD */
    196, /* SITA */
    197, /* ERF */
    201, /* BLUETOOTH_HCI_H4_WITH_PHDR */
    209, /* IPMB_LINUX */
    245, /* NFC_LLCP */
    254, /* BLUETOOTH_LINUX_MONITOR */
};

bool
wp_has_pseudo_header(int linktype)
{
    for (size_t i = 0; i < G_N_ELEMENTS(linktypes); i++) {
        if (linktypes[i] == linktype) {
            return true;
        }
    }
    return false;
}

/* A capture file of one frame, in memory; its descriptor, or -1 with errno. The time is set afterwards. */
static int
write_file(const wp_record *record)
{
    const uint32_t head[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, (uint32_t)record->linktype};
    const uint32_t packet[] = {0, 0, record->captured_length, record->length};
    const struct {
        const void *data;
        size_t size;
    } parts[] = {{head, sizeof head}, {packet, sizeof packet}, {record->data, record->captured_length}};
    const int file = memfd_create("wishpy-frame", MFD_CLOEXEC);
    for (size_t i = 0; file >= 0 && i < G_N_ELEMENTS(parts); i++) {
        if (write(file, parts[i].data, parts[i].size) != (ssize_t)parts[i].size) {
            const int reason = errno;
            close(file);
            errno = reason;
            return -1;
        }
    }
    return file;
}

static wp_status
refuse(const wp_record *record, int code, char *info, wp_error *error)
{
    wp_status status = wp_fail(error, WP_EVALUE, "a frame of link type %d cannot be read: %s", record->linktype,
                               info != NULL ? info : wtap_strerror(code));
    g_free(info);
    return status;
}

static wp_status
read_file(int descriptor, const wp_record *record, wsc_record *native, wp_error *error)
{
    char name[64];
    char *info = NULL;
    int code = 0;
    int64_t offset;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    wtap *file = wtap_open_offline(name, WTAP_TYPE_AUTO, &code, &info, FALSE);
    if (file == NULL) {
        return refuse(record, code, info, error);
    }
    wsc_record_reset(native);
    const bool done = wsc_read(file, native, &code, &info, &offset);
    wtap_close(file);
    return done ? WP_OK : refuse(record, code, info, error);
}

wp_status
wp_pseudo_header_read(const wp_record *record, wsc_record *native, wp_error *error)
{
    const int file = write_file(record);
    if (file < 0) {
        return wp_fail(error, WP_EMEMORY, "a file in memory cannot be made: %s", strerror(errno));
    }
    wp_status status = read_file(file, record, native, error);
    close(file);
    if (status == WP_OK) {
        wsc_record_set_origin(native, record->seconds, record->nanoseconds);
    }
    return status;
}
