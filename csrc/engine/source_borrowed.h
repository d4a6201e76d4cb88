/* source_borrowed.h - a source that somebody else owns, for a session, which frees its source. */
#ifndef WISHPY_SOURCE_BORROWED_H
#define WISHPY_SOURCE_BORROWED_H

#include "source.h"

/* Reads from `inner`, which its owner must keep alive until the new source is freed. NULL without memory. */
wp_source *wp_source_borrow(wp_source *inner);

#endif
