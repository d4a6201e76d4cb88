/* status.h - how the engine tells what happened: a code, and the text that goes with it.
 * Plain C: nothing in engine/ includes Python.h, so that all of it runs without the GIL. */
#ifndef WISHPY_STATUS_H
#define WISHPY_STATUS_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef enum {
    WP_OK = 0,
    WP_END,          /* no more packets; not an error */
    WP_AGAIN,        /* nothing yet: a timeout passed or a signal came; the caller checks signals and calls again */
    WP_EMEMORY,      /* MemoryError */
    WP_EFILE,        /* FileError: path, and errno where the system gave one */
    WP_EFILTER,      /* FilterError: text, and position where it is known */
    WP_EFIELD,       /* FieldError */
    WP_EPREFERENCE,  /* PreferenceError */
    WP_ECAPTURE,     /* CaptureError */
    WP_EBUSY,        /* SessionError: the one place for a session is taken */
    WP_EKEYS,        /* SessionError: keys, or the like, that the library would keep after the session */
    WP_ECRASH,       /* DissectorCrash: with the frame number */
    WP_EVALUE,       /* ValueError */
    WP_ELIBRARY,     /* Error: libwireshark itself could not do it */
    WP_STATUS_COUNT
} wp_status;

/* Filled by whoever returns a status above WP_AGAIN; the caller owns it. No pointers: copying it is enough. */
typedef struct {
    char message[1024];   /* UTF-8 as far as the library's text was; never empty on error */
    int error_number;     /* errno, or 0 */
    int64_t position;     /* offset of the mistake in a filter's text, or -1 */
    int64_t span;         /* length of the mistake there, or 0 */
    uint64_t frame;       /* frame number, or 0 */
} wp_error;

static inline void
wp_error_clear(wp_error *error)
{
    error->message[0] = '\0';
    error->error_number = 0;
    error->position = -1;
    error->span = 0;
    error->frame = 0;
}

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline wp_status
wp_fail(wp_error *error, wp_status status, const char *format, ...)
{
    va_list arguments;
    wp_error_clear(error);
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

#endif
