/* table_reader.c - captures, one after the other, as batches of columns.
 * The session is opened at the first next(), not before: a consumer may ask for a stream only to see its schema. */
#include "table_reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "column_writer.h"
#include "library.h"

struct wp_table {
    wp_plan *plan;               /* owned reference */
    char **paths;                /* owned */
    uint32_t path_count, at;
    wp_session_options options;  /* owned: texts and fields */
    char *display_filter, *read_filter;   /* owned, or NULL */
    uint32_t *fields;            /* owned */
    wp_setting *settings;        /* owned, with their texts */
    uint64_t limit, skip;        /* still to come; still to leave out */
    int64_t batch_rows;
    int64_t offset_limit;
    wp_session *session;         /* owned; NULL between two files */
    wp_source_file *file;        /* borrowed from the session */
    wp_writer *writer;           /* owned; NULL before the first file */
    bool row_waits;              /* slot 0 holds a frame that found no room in the batch before */
    bool forked;
    wp_status failure;           /* what ended the reading, once the rows before it were delivered */
    wp_error failure_error;
    int64_t bytes_done, bytes_all;
};

static wp_table *open_table;   /* borrowed: whose session has the place. Lock held */

/* ---- making and freeing ---- */

static bool
copy_paths(wp_table *table, const wp_table_options *options)
{
    table->paths = calloc(options->path_count + 1, sizeof *table->paths);
    for (uint32_t i = 0; table->paths != NULL && i < options->path_count; i++) {
        table->paths[i] = strdup(options->paths[i]);
        if (table->paths[i] == NULL) {
            return false;
        }
        table->path_count++;
        struct stat about;
        if (stat(table->paths[i], &about) == 0 && S_ISREG(about.st_mode)) {
            table->bytes_all += about.st_size;
        }
    }
    return table->paths != NULL;
}

static bool
copy_text(const char *from, char **to)
{
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

static bool
copy_settings(wp_table *table, const wp_session_options *options)
{
    table->options.setting_count = 0;
    table->options.settings = table->settings = calloc(options->setting_count + 1, sizeof *table->settings);
    for (size_t i = 0; table->settings != NULL && i < options->setting_count; i++) {
        char *name, *value;
        const bool copied = copy_text(options->settings[i].name, &name);
        if (!copy_text(options->settings[i].value, &value) || !copied) {
            free(name);
            free(value);
            return false;
        }
        table->settings[i] = (wp_setting){options->settings[i].kind, name, value};
        table->options.setting_count++;
    }
    return table->settings != NULL;
}

/* All columns' fields: what is primed. */
static bool
collect_fields(wp_table *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < wp_plan_count(table->plan); i++) {
        count += wp_plan_column(table->plan, i)->id_count;
    }
    table->fields = malloc((count + 1) * sizeof *table->fields);
    if (table->fields == NULL) {
        return false;
    }
    count = 0;
    for (uint32_t i = 0; i < wp_plan_count(table->plan); i++) {
        const wp_column *column = wp_plan_column(table->plan, i);
        for (uint32_t j = 0; j < column->id_count; j++) {
            table->fields[count++] = column->ids[j];
        }
    }
    table->options.fields = table->fields;
    table->options.field_count = count;
    return true;
}

wp_table *
wp_table_new(wp_plan *plan, const wp_table_options *options)
{
    wp_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    wp_plan_hold(plan);
    table->plan = plan;
    table->options = options->session;
    table->limit = options->limit;
    table->skip = options->session.skip;
    table->batch_rows = options->batch_rows;
    table->offset_limit = options->offset_limit;
    if (!copy_paths(table, options) || !copy_text(options->session.display_filter, &table->display_filter)
        || !copy_text(options->session.read_filter, &table->read_filter)
        || !copy_settings(table, &options->session) || !collect_fields(table)) {
        wp_table_free(table);
        return NULL;
    }
    table->options.display_filter = table->display_filter;
    table->options.read_filter = table->read_filter;
    table->options.columns = wp_plan_needs_summary(plan);
    table->options.tree = wp_plan_needs_labels(plan);   /* an invisible tree's lines have no text of their own */
    return table;
}

static void
end_session_locked(void *session)
{
    open_table = NULL;   /* there is one session, and so this is its table */
    wp_session_free_locked(session);
}

void
wp_table_close(wp_table *table)
{
    wp_session *session = table->session;
    table->session = NULL;
    table->file = NULL;
    table->row_waits = false;
    if (session != NULL) {
        wp_epan_lock();
        end_session_locked(session);
        wp_epan_unlock();
    }
    table->at = table->path_count;
}

void
wp_table_free(wp_table *table)
{
    if (table == NULL) {
        return;
    }
    if (table->session != NULL) {
        wp_epan_retire(table->session, end_session_locked);
    }
    for (uint32_t i = 0; i < table->path_count; i++) {
        free(table->paths[i]);
    }
    free(table->paths);
    free(table->display_filter);
    free(table->read_filter);
    free(table->fields);
    for (size_t i = 0; table->settings != NULL && i < table->options.setting_count; i++) {
        free((void *)table->settings[i].name);
        free((void *)table->settings[i].value);
    }
    free(table->settings);
    wp_writer_free(table->writer);
    wp_plan_release(table->plan);
    free(table);
}

void
wp_table_after_fork(void)
{
    wp_table *table = open_table;
    if (table != NULL) {
        wp_table_close(table);
        table->forked = true;
    }
}

/* ---- one file after the other ---- */

static wp_status
open_next(wp_table *table, wp_error *error)
{
    if (table->writer == NULL) {
        table->writer = wp_writer_new(table->plan, table->offset_limit, table->options.resolution);
        if (table->writer == NULL) {
            return wp_fail(error, WP_EMEMORY, "out of memory");
        }
    }
    table->options.skip = table->skip;
    wp_status status = wp_source_file_open(table->paths[table->at], table->options.two_pass, &table->file, error);
    if (status == WP_OK) {
        status = wp_session_open(&table->options, wp_source_file_as_source(table->file), table->file, &table->session,
                                 error);
    }
    if (status != WP_OK) {
        table->file = NULL;
        return status;
    }
    wp_epan_lock();
    open_table = table;
    status = wp_writer_session_opened_locked(table->writer, error);
    wp_epan_unlock();
    return status;
}

static void
end_file(wp_table *table)
{
    const uint32_t frames = wp_session_frames(table->session);
    const uint32_t next = table->at + 1;
    int64_t done = 0, all = 0;
    wp_source_file_progress(table->file, &done, &all);
    table->bytes_done += all > 0 ? all : done;
    table->skip -= table->skip < frames ? table->skip : frames;
    wp_table_close(table);
    table->at = next;
}

/* ---- rows ---- */

static wp_status
add_row(wp_table *table, wp_error *error)
{
    wp_slot *slot = wp_session_slot(table->session, 0);
    wp_epan_lock();
    wp_status status = wp_writer_add_locked(table->writer, wp_slot_edt(slot), table->paths[table->at], error);
    wp_epan_unlock();
    table->row_waits = status == WP_AGAIN;
    if (status == WP_OK) {
        table->limit--;
    }
    return status;
}

static bool
is_late(int64_t *limit)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    const int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (*limit == 0) {
        *limit = ms + 50;
    }
    return ms > *limit;
}

enum { ROWS_BETWEEN_CLOCKS = 64 };

/* Until the batch is full (WP_OK), the file ends, or the caller should look around. */
static wp_status
fill(wp_table *table, wp_error *error)
{
    int64_t limit = 0;
    for (unsigned rows = 0;; rows++) {
        if (table->limit == 0) {
            return WP_END;
        }
        wp_status status = table->row_waits ? WP_OK : wp_session_next(table->session, 0, error);
        if (status == WP_OK) {
            status = add_row(table, error);
            if (status == WP_AGAIN || (status == WP_OK && wp_writer_rows(table->writer) >= table->batch_rows)) {
                return WP_OK;   /* no room is a full batch as well */
            }
        }
        if (status != WP_OK) {
            return status;
        }
        if (rows % ROWS_BETWEEN_CLOCKS == 0 && is_late(&limit)) {
            return WP_AGAIN;
        }
    }
}

static wp_status
go_on(wp_table *table, wp_error *error)
{
    for (;;) {
        if (table->at == table->path_count) {
            return WP_END;
        }
        wp_status status = table->session == NULL ? open_next(table, error) : WP_OK;
        if (status == WP_OK) {
            status = fill(table, error);
        }
        if (status != WP_END) {
            return status;
        }
        if (table->limit == 0) {
            wp_table_close(table);
        } else {
            end_file(table);
        }
    }
}

wp_status
wp_table_next(wp_table *table, wp_batch **batch, wp_error *error)
{
    *batch = NULL;
    if (table->forked) {
        return wp_fail(error, WP_EBUSY, "this reading was begun before a fork, and goes on in the parent process only: "
                       "begin a new one here");
    }
    if (table->failure == WP_OK) {
        wp_status status = go_on(table, &table->failure_error);
        if (status == WP_AGAIN) {
            return status;
        }
        table->failure = status;   /* or WP_OK: then there is a batch */
    }
    if (table->writer != NULL && wp_writer_rows(table->writer) > 0 && table->failure != WP_EMEMORY) {
        return wp_writer_take(table->writer, batch, error);
    }
    if (table->session != NULL) {   /* an error: whoever gets it has nothing more to read */
        const uint32_t at = table->at;
        wp_table_close(table);
        table->at = at;
    }
    *error = table->failure_error;
    return table->failure;
}

/* ---- what others ask ---- */

const char *
wp_table_path(const wp_table *table)
{
    return table->path_count == 0 ? NULL : table->paths[table->at < table->path_count ? table->at : table->path_count - 1];
}

void
wp_table_progress(const wp_table *table, int64_t *done, int64_t *all)
{
    int64_t now = 0, of_file = 0;
    if (table->file != NULL) {
        wp_source_file_progress(table->file, &now, &of_file);
    }
    *done = table->bytes_done + now;
    *all = table->bytes_all;
}
