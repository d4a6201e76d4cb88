/* record.h - one captured packet on its way to a dissector: bytes and what the capture says about them.
 * A record is borrowed from the source that filled it, until that source's next call. */
#ifndef WISHPY_RECORD_H
#define WISHPY_RECORD_H

#include <stdint.h>

typedef struct {
    const uint8_t *data;        /* borrowed; captured_length bytes */
    uint32_t captured_length;   /* bytes here */
    uint32_t length;            /* bytes on the wire */
    int64_t seconds;            /* since the epoch, UTC */
    int32_t nanoseconds;        /* 0 to 999,999,999; -1: nobody knows when it was */
    int linktype;               /* libpcap's DLT_* number; -1 where only libwiretap knows what it is */
    uint32_t interface_id;      /* 0 where there is one interface */
    void *native;               /* borrowed; source_file's own record (wiretap's), else NULL */
} wp_record;

#endif
