/* worker_guard.h - what keeps a worker process within its bounds, from inside: privileges, limits, a watchman.
 * For a process of our own only: nothing here is to be called in the user's. */
#ifndef WISHPY_WORKER_GUARD_H
#define WISHPY_WORKER_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "status.h"

/* No new privileges, no core, no big files; and a thread that ends the process when the socket hangs up or the parent
 * is gone, whatever the other threads are doing. */
wp_status wp_guard_start(int socket, pid_t parent, wp_error *error);

/* Never again a socket to a network, for all threads. */
wp_status wp_guard_no_network(wp_error *error);

/* Becomes this user for good. What is left of root is that files can be read, until wp_guard_drop_reading(). */
wp_status wp_guard_become(uid_t user, gid_t group, wp_error *error);
void wp_guard_drop_reading(void);

/* Ends the process when more than `limit` bytes are resident; what was found goes to *found first. 0: no limit.
 * WP_EVALUE where it is exceeded already. */
wp_status wp_guard_memory(uint64_t limit, _Atomic uint64_t *found, wp_error *error);

#endif
