/* source_file.h - capture files through libwiretap: every format that Wireshark reads, from a path or a pipe. */
#ifndef WISHPY_SOURCE_FILE_H
#define WISHPY_SOURCE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "source.h"

typedef struct wp_source_file wp_source_file;

/* `path` as the file system has it; "-" is standard input. A regular file is opened now; a pipe, a terminal or a
 * socket only at the first read, which may wait. random: seek_read will be called. */
wp_status wp_source_file_open(const char *path, bool random, wp_source_file **file, wp_error *error);

wp_source *wp_source_file_as_source(wp_source_file *file);

/* Borrowed: libwiretap's handle, NULL until a pipe is open. */
void *wp_source_file_wtap(const wp_source_file *file);
int wp_source_file_type(const wp_source_file *file);

/* Sets what is called once the file is open, at once where it is open already. Lock held. */
void wp_source_file_on_open_locked(wp_source_file *file, void (*opened)(void *wtap, void *data), void *data);

/* Reads the record at `offset` into the wsc_record at record->native. */
wp_status wp_source_file_seek_read(wp_source_file *file, int64_t offset, void *native, wp_error *error);
/* The first of two passes is over. */
void wp_source_file_end_first_pass(wp_source_file *file);
int64_t wp_source_file_offset(const wp_source_file *file);   /* of the record read last */

/* Bytes of the file read so far and in all (0 where it is not known). */
void wp_source_file_progress(const wp_source_file *file, int64_t *done, int64_t *all);

#endif
