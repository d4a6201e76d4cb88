/* watch.h - what another process may see of a session's work: the frame it is busy with, and since when. */
#ifndef WISHPY_WATCH_H
#define WISHPY_WATCH_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct {
    _Atomic uint32_t frame;   /* being read or dissected; 0: none yet */
    _Atomic int64_t since;    /* CLOCK_MONOTONIC in ns when its dissection began; 0: it is not being dissected */
} wp_watch;

#endif
