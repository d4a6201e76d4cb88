/* pipe_stream.c - a pcap or pcapng stream out of a pipe, for libpcap.
 * libpcap reads files with fread() and would be stuck in the middle of a packet while the writer thinks. So bytes are
 * gathered here until a whole packet is there, and libpcap's FILE sees an end of file after each of them. */
#include "pipe_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 65536,
    LARGEST = 16 * 1024 * 1024   /* libpcap refuses larger blocks (sf-pcapng.c), so they need not be waited for */
};

typedef struct {
    wp_stream base;
    bool owns_fd;
    bool end;            /* the descriptor has no more */
    bool opaque;         /* neither pcap nor pcapng, or damaged: libpcap is to see it as it is */
    bool swapped;        /* other byte order than this machine's */
    bool is_pcapng;
    bool known;          /* the first word was looked at */
    bool in_packets;     /* pcap: the file's header was stepped over */
    uint8_t *bytes;      /* owned */
    size_t size, used;
    size_t given;        /* libpcap has had these */
    size_t scanned;      /* up to here the blocks were looked at */
    size_t whole;        /* up to here it ends with a whole packet */
} pipe_stream;

static uint32_t
word_at(const pipe_stream *self, size_t offset)
{
    uint32_t word;
    memcpy(&word, self->bytes + offset, sizeof word);
    return self->swapped ? __builtin_bswap32(word) : word;
}

static void
give_up(pipe_stream *self)
{
    self->opaque = true;
}

/* The file's first word says what it is. False while it isn't there yet. */
static bool
scan_magic(pipe_stream *self)
{
    if (self->used < 4) {
        return false;
    }
    uint32_t magic = word_at(self, 0);
    switch (magic) {
    case 0x0a0d0d0a:
        self->is_pcapng = true;
        break;
    case 0xd4c3b2a1:
    case 0x4d3cb2a1:
        self->swapped = true;
        break;
    case 0xa1b2c3d4:
    case 0xa1b23c4d:
        break;
    default:
        give_up(self);
        return false;
    }
    self->known = true;
    return true;
}

/* pcapng: steps over one block. False while it is not whole. */
static bool
scan_block(pipe_stream *self)
{
    size_t at = self->scanned;
    if (self->used - at < 12) {
        return false;
    }
    uint32_t type = word_at(self, at);
    if (type == 0x0a0d0d0a) {   /* a palindrome: the same in both byte orders; the section's order follows it */
        self->swapped = false;
        self->swapped = word_at(self, at + 8) == 0x4d3c2b1a;
    }
    uint32_t length = word_at(self, at + 4);
    if (length < 12 || length > LARGEST) {
        give_up(self);
        return false;
    }
    if (self->used - at < length) {
        return false;
    }
    self->scanned += length;
    /* Interface descriptions count too: libpcap reads as far as the first of them when it opens the file. */
    if (type == 6 || type == 3 || type == 2 || type == 1) {
        self->whole = self->scanned;
    }
    return true;
}

/* pcap: steps over the header or one packet. */
static bool
scan_packet(pipe_stream *self)
{
    size_t length = 24;
    if (self->in_packets) {
        if (self->used - self->scanned < 16) {
            return false;
        }
        size_t captured = word_at(self, self->scanned + 8);
        if (captured > LARGEST) {
            give_up(self);
            return false;
        }
        length = 16 + captured;
    }
    if (self->used - self->scanned < length) {
        return false;
    }
    self->in_packets = true;
    self->scanned += length;
    self->whole = self->scanned;
    return true;
}

static void
scan(pipe_stream *self)
{
    bool more = self->known || scan_magic(self);
    while (more && !self->opaque) {
        more = self->is_pcapng ? scan_block(self) : scan_packet(self);
    }
    if (self->opaque || self->end) {
        self->whole = self->used;
    }
}

static bool
pipe_ready(const wp_stream *base)
{
    const pipe_stream *self = (const pipe_stream *)base;
    return self->given < self->whole || self->end;
}

static bool
pipe_ended(const wp_stream *base)
{
    const pipe_stream *self = (const pipe_stream *)base;
    return self->end && self->given == self->used;
}

/* Throws away what libpcap has had, and makes room for a chunk. */
static bool
make_room(pipe_stream *self)
{
    if (self->given > 0 && self->given == self->whole) {
        memmove(self->bytes, self->bytes + self->given, self->used - self->given);
        self->used -= self->given;
        self->scanned -= self->given;
        self->whole = 0;
        self->given = 0;
    }
    if (self->size - self->used < CHUNK) {
        size_t size = self->size * 2 + CHUNK;
        uint8_t *bytes = realloc(self->bytes, size);
        if (bytes == NULL) {
            return false;
        }
        self->bytes = bytes;
        self->size = size;
    }
    return true;
}

static bool
pipe_fill(wp_stream *base)
{
    pipe_stream *self = (pipe_stream *)base;
    if (pipe_ready(base)) {
        return true;
    }
    struct pollfd descriptor = {.fd = self->base.fd, .events = POLLIN};
    if (poll(&descriptor, 1, self->opaque ? -1 : 0) <= 0) {
        return false;   /* read() would wait, or find no writer yet and take that for the end */
    }
    ssize_t count = make_room(self) ? read(self->base.fd, self->bytes + self->used, CHUNK) : 0;
    if (count > 0) {
        self->used += (size_t)count;
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
        self->end = true;
    }
    scan(self);
    return pipe_ready(base);
}

/* What libpcap's FILE reads: whole packets, then an end of file, which the next read clears. */
static ssize_t
cookie_read(void *cookie, char *buffer, size_t size)
{
    pipe_stream *self = cookie;
    while (self->opaque && self->given == self->used && !self->end) {
        pipe_fill(&self->base);   /* framing unknown: nothing for it but to wait here */
    }
    size_t count = self->whole - self->given;
    if (count > size) {
        count = size;
    }
    memcpy(buffer, self->bytes + self->given, count);
    self->given += count;
    return (ssize_t)count;
}

static int
cookie_close(void *cookie)
{
    (void)cookie;   /* pipe_free releases all */
    return 0;
}

static void
pipe_free(wp_stream *base)
{
    pipe_stream *self = (pipe_stream *)base;
    if (self->owns_fd) {
        close(self->base.fd);
    }
    free(self->bytes);
    free(self);
}

wp_stream *
wp_pipe_stream_new(int fd, bool owns_fd)
{
    pipe_stream *self = calloc(1, sizeof *self);
    if (self == NULL) {
        if (owns_fd) {
            close(fd);
        }
        return NULL;
    }
    self->base.fd = fd;
    self->base.fill = pipe_fill;
    self->base.ready = pipe_ready;
    self->base.ended = pipe_ended;
    self->base.free = pipe_free;
    self->owns_fd = owns_fd;
    self->base.file = fopencookie(self, "r", (cookie_io_functions_t){.read = cookie_read, .close = cookie_close});
    if (self->base.file == NULL) {
        pipe_free(&self->base);
        return NULL;
    }
    setvbuf(self->base.file, NULL, _IONBF, 0);   /* so that `given` is what libpcap has really had */
    return &self->base;
}

bool
wp_path_may_wait(const char *path)
{
    struct stat status;
    if (strcmp(path, "-") == 0) {
        return fstat(STDIN_FILENO, &status) == 0 && !S_ISREG(status.st_mode);
    }
    return stat(path, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode));
}
