/* dump.h - writing capture files through libwiretap: packets of any origin into one pcapng or pcap file.
 *
 * Needs neither the epan lock nor the GIL. Any thread; one at a time gets in. libwireshark must have been started. */
#ifndef WISHPY_DUMP_H
#define WISHPY_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "origin.h"
#include "packet_tree.h"
#include "status.h"

typedef struct wp_dump wp_dump;

typedef enum { WP_DUMP_PCAPNG, WP_DUMP_PCAP } wp_dump_format;

/* One packet on its way into a file. All is borrowed. */
typedef struct {
    wp_frame frame;            /* frame.number 0: it has none, which matters to messages alone */
    const uint8_t *bytes;      /* frame.captured_length of them */
    const uint8_t *extra;      /* see record_bytes.h; NULL where there is nothing */
    size_t extra_size;
    wp_origin *origin;         /* NULL: it has none */
    const char *interface;     /* the name of its interface, where the origin does not tell; or NULL */
    const char *comment;       /* to be added to its own; or NULL */
} wp_dump_packet;

/* Opens, and empties, the file; "-" is standard output. Compression is NULL or a name that wp_dump_can_compress knows.
 * `application` is what the file says that wrote it, where the first packet's own file says nothing of that. */
wp_status wp_dump_open(const char *path, wp_dump_format format, const char *compression, const char *application,
                       wp_dump **dump, wp_error *error);

/* Is this a name of a compression at all, and can libwiretap write it? NULL and "none" apart. */
bool wp_dump_knows_compression(const char *compression);
bool wp_dump_can_compress(const char *compression);

/* WP_EVALUE: the file can't hold this packet; it goes on without it. WP_EFILE: it could not be written, and the file ends
 * with the last whole packet that could; from then on that is what every call returns. */
wp_status wp_dump_write(wp_dump *dump, const wp_dump_packet *packet, wp_error *error);
/* All that was written is in the file, for others to read. */
wp_status wp_dump_flush(wp_dump *dump, wp_error *error);
/* Ends the file. May be called again, and does nothing where an error was returned before. */
wp_status wp_dump_close(wp_dump *dump, wp_error *error);
/* Closes it where it is open, and frees it. */
wp_status wp_dump_free(wp_dump *dump, wp_error *error);

/* A compressed file that failed lacks its end, which is for the caller to write, once: the descriptor, and owned by the
 * caller from now on. Else -1. The file was cut behind whole packets at a place where a deflate stream may end. */
int wp_dump_take_cut_file(wp_dump *dump);

uint64_t wp_dump_count(wp_dump *dump);   /* packets written */
bool wp_dump_is_closed(wp_dump *dump);

/* Around a fork: a child must find nothing in its copy of the buffers, or it would write that once more when it ends. */
void wp_dump_before_fork(void);
void wp_dump_after_fork(void);

#endif
