/* pipe_stream.h - a pcap or pcapng stream out of a pipe, for libpcap. No Python. */
#ifndef WISHPY_PIPE_STREAM_H
#define WISHPY_PIPE_STREAM_H

#include "../engine/pcap_handle.h"

/* A stream over a descriptor, which stays the caller's unless owns_fd. NULL without memory (then fd is closed too if
 * owns_fd). */
wp_stream *wp_pipe_stream_new(int fd, bool owns_fd);

/* Whether the path names something other than a regular file, so that reading it can wait: a pipe, "-". */
bool wp_path_may_wait(const char *path);

#endif
