/* source_live.c - packets out of libpcap, many at a time, as a wp_source. No Python, no GIL. */
#include "source_live.h"

#include <stdlib.h>
#include <time.h>

enum {
    BATCH = 256,                   /* packets a refill takes at most */
    BYTES_AT_FIRST = 128 * 1024,
    BYTES_ENOUGH = 512 * 1024,     /* a refill ends when it has this much, so that the buffer stays in the cache */
    WAIT_MS = 50                   /* how long a wait may last before the caller can look for signals */
};

static int64_t
monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double
wp_source_live_time_left(const wp_source_live *self)
{
    if (self->deadline_ns == 0) {
        return -1;
    }
    int64_t left = self->deadline_ns - monotonic_ns();
    return left < 0 ? 0 : (double)left / 1e9;
}

static bool
grow(wp_source_live *self, size_t needed)
{
    size_t size = self->bytes_size;
    while (size < needed) {
        size *= 2;
    }
    uint8_t *bytes = realloc(self->bytes, size);
    if (bytes == NULL) {
        return false;
    }
    self->bytes = bytes;
    self->bytes_size = size;
    return true;
}

/* In a damaged capture the fraction can be anything; it is brought back between 0 and a second. */
static void
set_time(wp_buffered *entry, const struct timeval *ts, bool nanoseconds)
{
    int64_t fraction = nanoseconds ? ts->tv_usec : (int64_t)ts->tv_usec * 1000;
    int64_t seconds = fraction / 1000000000 - (fraction % 1000000000 < 0);
    entry->seconds = ts->tv_sec + seconds;
    entry->nanoseconds = (int32_t)(fraction - seconds * 1000000000);
}

static void
keep_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    wp_source_live *self = (wp_source_live *)user;
    size_t end = self->bytes_used + header->caplen;
    if (end > self->bytes_size && !grow(self, end)) {
        self->no_memory = true;
        wp_pcap_break(&self->handle);
        return;
    }
    memcpy(self->bytes + self->bytes_used, data, header->caplen);
    wp_buffered *entry = &self->entries[self->filled++];
    entry->offset = self->bytes_used;
    entry->captured_length = header->caplen;
    entry->length = header->len;
    set_time(entry, &header->ts, self->handle.nanoseconds);
    self->bytes_used = end;
    if (end >= BYTES_ENOUGH) {
        wp_pcap_break(&self->handle);
    }
}

bool
wp_source_live_take(wp_source_live *self, wp_record *record)
{
    if (self->next == self->filled || self->handed_out >= self->limit
        || atomic_load_explicit(&self->handle.stop, memory_order_relaxed)) {
        return false;
    }
    const wp_buffered *entry = &self->entries[self->next++];
    self->handed_out++;
    record->data = self->bytes + entry->offset;
    record->captured_length = entry->captured_length;
    record->length = entry->length;
    record->seconds = entry->seconds;
    record->nanoseconds = entry->nanoseconds;
    record->linktype = self->linktype;
    record->interface_id = 0;
    record->native = NULL;
    return true;
}

/* Whether the packets are to end here: somebody said stop, there were enough, or the time is over. */
static bool
is_over(const wp_source_live *self)
{
    return atomic_load(&self->handle.stop) || self->handed_out >= self->limit
           || (self->deadline_ns != 0 && monotonic_ns() >= self->deadline_ns);
}

wp_status
wp_source_live_refill(wp_source_live *self, wp_error *error)
{
    if (is_over(self)) {
        return WP_END;
    }
    if (self->next < self->filled) {
        return WP_OK;
    }
    if (self->pending != WP_OK) {
        *error = self->pending_error;
        return self->pending;   /* for good: libpcap is not asked again after an error or the end */
    }
    self->filled = self->next = 0;
    self->bytes_used = 0;
    wp_status status = wp_pcap_read(&self->handle, BATCH, keep_packet, (void *)self, error);
    if (self->no_memory) {
        self->no_memory = false;
        status = wp_fail(error, WP_EMEMORY, "no memory for a packet");
    }
    if (status != WP_OK && status != WP_AGAIN) {
        self->pending = status;
        self->pending_error = *error;
    }
    return self->filled > 0 ? WP_OK : status;   /* an error comes after the packets before it */
}

static wp_status
source_live_next(wp_source *base, wp_record *record, wp_error *error)
{
    wp_source_live *self = (wp_source_live *)base;
    if (wp_source_live_take(self, record)) {
        return WP_OK;
    }
    wp_status status = wp_source_live_refill(self, error);
    if (status == WP_AGAIN) {
        double left = wp_source_live_time_left(self);
        int wait = left >= 0 && left < WAIT_MS / 1e3 ? (int)(left * 1e3) + 1 : WAIT_MS;
        if (wp_pcap_wait(&self->handle, wait) != WP_OK) {
            return is_over(self) ? WP_END : WP_AGAIN;
        }
        status = wp_source_live_refill(self, error);
    }
    if (status == WP_OK && !wp_source_live_take(self, record)) {
        status = is_over(self) ? WP_END : WP_AGAIN;
    }
    return status;
}

static void
source_live_wake(wp_source *base)
{
    wp_pcap_wake(&((wp_source_live *)base)->handle);
}

static void
source_live_free(wp_source *base)
{
    wp_source_live_fini((wp_source_live *)base);
}

static const wp_source_vtable source_live_vtable = {
    .kind = "live",
    .needs_gil = false,
    .next = source_live_next,
    .wake = source_live_wake,
    .free = source_live_free,
};

wp_status
wp_source_live_init(wp_source_live *self, wp_error *error)
{
    memset(self, 0, sizeof *self);
    self->base.vtable = &source_live_vtable;
    wp_status status = wp_pcap_init(&self->handle, error);
    if (status != WP_OK) {
        return status;
    }
    self->entries = malloc(BATCH * sizeof *self->entries);
    self->bytes = malloc(BYTES_AT_FIRST);
    self->bytes_size = BYTES_AT_FIRST;
    if (self->entries == NULL || self->bytes == NULL) {
        wp_source_live_fini(self);
        return wp_fail(error, WP_EMEMORY, "no memory for a capture");
    }
    return WP_OK;
}

void
wp_source_live_begin(wp_source_live *self, uint64_t limit, double duration)
{
    self->linktype = pcap_datalink(self->handle.pcap);
    self->limit = limit;
    self->deadline_ns = duration > 0 ? monotonic_ns() + (int64_t)(duration * 1e9) : 0;
}

void
wp_source_live_fini(wp_source_live *self)
{
    wp_pcap_fini(&self->handle);
    free(self->entries);
    free(self->bytes);
    self->entries = NULL;
    self->bytes = NULL;
}
