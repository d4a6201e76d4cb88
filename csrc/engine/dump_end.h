/* dump_end.h - where in a file that is being written its last whole packet ends: what remains when the disk is full. */
#ifndef WISHPY_DUMP_END_H
#define WISHPY_DUMP_END_H

#include <stdbool.h>
#include <stdint.h>

enum { WP_DUMP_ENDS = 1024 };   /* packets between two flushes at most */

typedef struct {
    bool seekable;             /* a file, not a pipe */
    bool compressed;
    bool odd;                  /* something was written of which libwiretap may count the bytes wrong */
    int64_t ends[WP_DUMP_ENDS];
    unsigned count;            /* packets since the last flush */
    int64_t start;             /* where the file begins, which need not be at 0 on standard output */
    int64_t flushed;           /* place of the last flush */
    uint64_t packets;          /* before it */
} wp_dump_end;

void wp_dump_end_init(wp_dump_end *end, int fd, bool compressed);

/* After each packet, `packets` in all; and when all must be in the file. 0, or an error's code. `dumper` is a
 * wtap_dumper. */
int wp_dump_end_record(wp_dump_end *end, void *dumper, int fd, uint64_t packets);
int wp_dump_end_flush(wp_dump_end *end, void *dumper, int fd, uint64_t packets);

/* The dumper is closed, and failed with this code: the system's own, where it said no more than that not all could be
 * written. */
int wp_dump_end_reason(const wp_dump_end *end, int fd, int code);
/* Then: cuts the file behind its last whole packet. The number of packets in it. */
uint64_t wp_dump_end_mend(wp_dump_end *end, int fd);

#endif
