/* source_live.h - packets of a live capture, or of a file through libpcap, as a wp_source.
 * Packets are taken from libpcap many at a time into a buffer of their own, and handed out one by one: what is there
 * is handed out at once, nothing waits for the buffer to fill. One thread at a time reads; any thread may stop it. */
#ifndef WISHPY_SOURCE_LIVE_H
#define WISHPY_SOURCE_LIVE_H

#include "pcap_handle.h"
#include "source.h"

#define WP_NO_LIMIT UINT64_MAX

typedef struct {
    size_t offset;            /* in bytes */
    uint32_t captured_length;
    uint32_t length;
    int64_t seconds;
    int32_t nanoseconds;
} wp_buffered;

typedef struct {
    wp_source base;           /* first, so that a wp_source * is a wp_source_live * */
    wp_pcap handle;
    int linktype;             /* of all of its packets */
    uint64_t limit;           /* packets to hand out; WP_NO_LIMIT */
    uint64_t handed_out;
    int64_t deadline_ns;      /* CLOCK_MONOTONIC; 0 for none */

    wp_buffered *entries;     /* owned; batch of them */
    uint8_t *bytes;           /* owned; bytes_size of them */
    size_t bytes_size;
    size_t bytes_used;
    unsigned int filled;      /* entries that hold a packet */
    unsigned int next;        /* the first that was not handed out */
    bool no_memory;           /* a packet did not fit and there was no memory for it */
    wp_status pending;        /* what to say when the buffer is empty; WP_OK for nothing */
    wp_error pending_error;
} wp_source_live;

/* Ready for its handle to be opened. */
wp_status wp_source_live_init(wp_source_live *self, wp_error *error);
/* The handle is open: how many packets (or WP_NO_LIMIT) and for how long (seconds, <= 0: for ever). */
void wp_source_live_begin(wp_source_live *self, uint64_t limit, double duration);
void wp_source_live_fini(wp_source_live *self);

/* The next packet out of the buffer alone: true with *record filled. Never waits. */
bool wp_source_live_take(wp_source_live *self, wp_record *record);
/* Refills the buffer without waiting. WP_OK, WP_AGAIN, WP_END or an error. */
wp_status wp_source_live_refill(wp_source_live *self, wp_error *error);
/* Seconds until the time is over; negative when there is no such time. */
double wp_source_live_time_left(const wp_source_live *self);

#endif
