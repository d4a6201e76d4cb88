/* filter_position.h - where the mistake in a capture filter is. No Python. */
#ifndef WISHPY_FILTER_POSITION_H
#define WISHPY_FILTER_POSITION_H

#include "../engine/status.h"

/* libpcap refused `text` with error->message, and doesn't say where. Fills position and span (bytes), or leaves -1.
 * Compiles parts of the filter to find out, so it may take a few milliseconds. */
void wp_filter_position(int linktype, int snaplen, const char *text, wp_error *error);

#endif
