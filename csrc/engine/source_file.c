/* source_file.c - capture files through libwiretap, from a path or a pipe.
 *
 * Reading happens without the epan lock, although a pcapng file's names and secrets enter epan: the session's
 * callbacks take the lock for just that. So a read that waits keeps nobody from dissecting or asking for a label.
 *
 * A pipe needs more care: libwiretap takes EINTR for a read error, and a half-written record would block it deaf to
 * signals. So its bytes go through a second, private pipe: a thread of ours sits in libwiretap's read at the far end,
 * while next() waits for both ends with poll(2), pumps, and returns WP_AGAIN when a signal came. */
#include "source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library.h"
#include "ws_compat.h"

enum { WAIT_MS = 50, PUMP_BYTES = 65536 };

typedef enum { JOB_NONE, JOB_OPEN, JOB_READ, JOB_QUIT } job;

/* The private pipe and the thread behind it. */
typedef struct {
    int input;                  /* owned: the user's pipe */
    int feed[2];                /* owned: our pipe; [0] is closed once libwiretap has it open */
    int asked[2], done[2];      /* owned: a byte each way starts a job and says that it is over */
    char name[32];              /* "/dev/fd/N" of feed[0] */
    pthread_t thread;
    bool started, input_ended, job_running, any_bytes;
    pid_t owner;                /* the thread lives in this process alone, not in one forked from it */
    job job;                    /* written before a byte goes into asked */
    wsc_record *record;         /* borrowed for a JOB_READ */
    wp_status status;           /* of the last job, with its error */
    wp_error error;
    char held[PUMP_BYTES];      /* read from input, not yet taken by feed */
    size_t held_from, held_to;
} pump;

struct wp_source_file {
    wp_source source;           /* first member: a wp_source is a wp_source_file */
    char *path;                 /* owned */
    wtap *wtap;                 /* owned; NULL until a pipe is open */
    int64_t offset;             /* of the record read last */
    uint64_t frames;
    bool random;
    bool first_pass_ended;      /* of two: the sequential half is closed */
    pump *pump;                 /* owned; NULL for a regular file */
    void (*opened)(void *wtap, void *data);
    void *opened_data;          /* borrowed from the session, which frees the file first */
    atomic_bool woken;
};

/* ---- what went wrong ---- */

static const char *
reason(int code)
{
    switch (code) {
    case WTAP_ERR_SHORT_READ:
        return "the file was cut short in the middle of a packet";
    case WTAP_ERR_FILE_UNKNOWN_FORMAT:
        return "not a capture file in a format that Wireshark reads";
    case WTAP_ERR_UNSUPPORTED:
        return "the file has something that Wireshark does not support";
    case WTAP_ERR_BAD_FILE:
        return "the file is damaged or corrupt";
    case WTAP_ERR_RANDOM_OPEN_PIPE:
    case WTAP_ERR_RANDOM_OPEN_STDIN:
        return "two passes need a file that can be read twice, not a pipe";
    case WTAP_ERR_NOT_REGULAR_FILE:
        return "not a file that can be read";
    default:
        return wtap_strerror(code);
    }
}

/* Takes over and frees `info`. */
static wp_status
file_error(const wp_source_file *file, int code, gchar *info, wp_error *error)
{
    char *path = g_filename_display_name(file->path);
    wp_status status;
    if (file->frames > 0) {
        status = wp_fail(error, WP_EFILE, "%s: after frame %llu: %s%s%s", path, (unsigned long long)file->frames,
                         reason(code), info == NULL ? "" : ": ", info == NULL ? "" : info);
    } else {
        status = wp_fail(error, WP_EFILE, "%s: %s%s%s", path, reason(code), info == NULL ? "" : ": ",
                         info == NULL ? "" : info);
    }
    error->error_number = code > 0 ? code : 0;
    error->frame = file->frames;
    g_free(path);
    g_free(info);
    return code == ENOMEM ? WP_EMEMORY : status;
}

/* libwiretap takes an empty file for one of no packets; to its reader it is none at all. */
static wp_status
empty_error(const wp_source_file *file, wp_error *error)
{
    char *path = g_filename_display_name(file->path);
    wp_status status = wp_fail(error, WP_EFILE, "%s: the file is empty", path);
    g_free(path);
    return status;
}

/* ---- libwiretap ---- */

static wp_status
open_wtap(wp_source_file *file, const char *name, wp_error *error)
{
    int code = 0;
    gchar *info = NULL;
    wtap *opened = wtap_open_offline(name, WTAP_TYPE_AUTO, &code, &info, file->random);
    if (opened == NULL) {
        return file_error(file, code, info, error);
    }
    file->wtap = opened;
    return WP_OK;
}

static wp_status
read_wtap(wp_source_file *file, wsc_record *record, wp_error *error)
{
    int code = 0;
    gchar *info = NULL;
    wsc_record_reset(record);
    if (wsc_read(file->wtap, record, &code, &info, &file->offset)) {
        file->frames++;
        return WP_OK;
    }
    return code == 0 ? WP_END : file_error(file, code, info, error);
}

/* ---- the pump ---- */

static void
run_job(wp_source_file *file)
{
    pump *p = file->pump;
    wp_error_clear(&p->error);
    if (p->job == JOB_OPEN) {
        p->status = open_wtap(file, p->name, &p->error);
    } else {
        p->status = read_wtap(file, p->record, &p->error);
    }
}

static void *
pump_thread(void *file_)
{
    wp_source_file *file = file_;
    pump *p = file->pump;
    char byte;
    while (read(p->asked[0], &byte, 1) == 1 && p->job != JOB_QUIT) {
        run_job(file);
        if (write(p->done[1], "", 1) != 1) {
            break;
        }
    }
    return NULL;
}

static wp_status
start_thread(wp_source_file *file, wp_error *error)
{
    /* Signals are for the threads of the program; this one must not see EINTR. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&file->pump->thread, NULL, pump_thread, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    file->pump->started = code == 0;
    return code == 0 ? WP_OK : file_error(file, code, NULL, error);
}

static wp_status
ask(wp_source_file *file, job what, wp_error *error)
{
    pump *p = file->pump;
    if (p->job_running) {
        return WP_OK;   /* an earlier next() was interrupted in its middle: go on with that one */
    }
    p->job = what;
    if (!p->started) {
        wp_status status = start_thread(file, error);
        if (status != WP_OK) {
            return status;
        }
    }
    if (write(p->asked[1], "", 1) != 1) {
        return file_error(file, errno, NULL, error);
    }
    p->job_running = true;
    return WP_OK;
}

static void
close_feed(pump *p)
{
    if (p->feed[1] >= 0) {
        close(p->feed[1]);
        p->feed[1] = -1;
    }
}

/* Moves what is there, without ever waiting. */
static void
move_bytes(pump *p, bool readable, bool writable)
{
    if (readable && p->held_from == p->held_to) {
        ssize_t n = read(p->input, p->held, sizeof p->held);
        if (n > 0) {
            p->held_from = 0;
            p->held_to = (size_t)n;
            p->any_bytes = true;
            writable = true;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            p->input_ended = true;
        }
    }
    if (writable && p->feed[1] >= 0 && p->held_from < p->held_to) {
        ssize_t n = write(p->feed[1], p->held + p->held_from, p->held_to - p->held_from);
        if (n > 0) {
            p->held_from += (size_t)n;
        }
    }
    if (p->input_ended && p->held_from == p->held_to) {
        close_feed(p);   /* libwiretap sees the end of the file */
    }
}

/* Pumps until the job is over: WP_OK; or WP_AGAIN after a while or a signal. */
static wp_status
wait_for_job(wp_source_file *file)
{
    pump *p = file->pump;
    const bool empty = p->held_from == p->held_to;
    struct pollfd ends[3] = {
        {.fd = p->done[0], .events = POLLIN},
        {.fd = empty && !p->input_ended ? p->input : -1, .events = POLLIN},
        {.fd = empty ? -1 : p->feed[1], .events = POLLOUT},
    };
    int ready = poll(ends, 3, WAIT_MS);
    if (ready <= 0) {
        return WP_AGAIN;
    }
    move_bytes(p, ends[1].revents != 0, ends[2].revents != 0);
    char byte;
    if (ends[0].revents != 0 && read(p->done[0], &byte, 1) == 1) {
        p->job_running = false;
        return WP_OK;
    }
    return atomic_load(&file->woken) ? WP_AGAIN : WP_OK;
}

static wp_status
do_job(wp_source_file *file, job what, wp_error *error)
{
    wp_status status = ask(file, what, error);
    while (status == WP_OK && file->pump->job_running) {
        status = wait_for_job(file);
    }
    if (status != WP_OK) {
        return status;
    }
    *error = file->pump->error;
    return file->pump->status;
}

static wp_status
next_piped(wp_source_file *file, wsc_record *record, wp_error *error)
{
    pump *p = file->pump;
    if (file->wtap == NULL || (p->job_running && p->job == JOB_OPEN)) {
        wp_status status = do_job(file, JOB_OPEN, error);
        if (status != WP_OK) {
            return status;
        }
        close(p->feed[0]);   /* libwiretap has its own descriptor of it */
        p->feed[0] = -1;
        if (!p->any_bytes) {
            return empty_error(file, error);
        }
        if (file->opened != NULL) {
            wp_epan_lock();
            file->opened(file->wtap, file->opened_data);
            wp_epan_unlock();
        }
    }
    if (!p->job_running) {
        p->record = record;
    }
    return do_job(file, JOB_READ, error);
}

static void
free_pump(wp_source_file *file)
{
    pump *p = file->pump;
    close_feed(p);   /* ends a read that waits */
    if (p->started && p->owner == getpid()) {
        char byte;
        if (p->job_running && read(p->done[0], &byte, 1) == 1) {
            p->job_running = false;
        }
        p->job = JOB_QUIT;
        close(p->asked[1]);
        p->asked[1] = -1;
        pthread_join(p->thread, NULL);
    }
    int *const all[] = {&p->input, &p->feed[0], &p->asked[0], &p->asked[1], &p->done[0], &p->done[1]};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        if (*all[i] >= 0) {
            close(*all[i]);
        }
    }
    free(p);
    file->pump = NULL;
}

static bool
make_pipes(pump *p)
{
    return pipe2(p->feed, O_CLOEXEC) == 0 && pipe2(p->asked, O_CLOEXEC) == 0 && pipe2(p->done, O_CLOEXEC) == 0
        && fcntl(p->feed[1], F_SETFL, O_NONBLOCK) == 0;
}

static wp_status
open_pump(wp_source_file *file, bool standard_input, wp_error *error)
{
    pump *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    p->input = p->feed[0] = p->feed[1] = p->asked[0] = p->asked[1] = p->done[0] = p->done[1] = -1;
    p->owner = getpid();
    file->pump = p;
    /* Without O_NONBLOCK opening a named pipe would wait for its writer, deaf to signals. */
    p->input = standard_input ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (p->input < 0 || !make_pipes(p)) {
        return file_error(file, errno, NULL, error);
    }
    snprintf(p->name, sizeof p->name, "/dev/fd/%d", p->feed[0]);
    return WP_OK;
}

/* ---- the source ---- */

static wp_status
next(wp_source *source, wp_record *out, wp_error *error)
{
    wp_source_file *file = (wp_source_file *)source;
    wsc_record *record = out->native;
    return file->pump != NULL ? next_piped(file, record, error) : read_wtap(file, record, error);
}

static void
wake(wp_source *source)
{
    atomic_store(&((wp_source_file *)source)->woken, true);
}

static void
free_source(wp_source *source)
{
    wp_source_file *file = (wp_source_file *)source;
    if (file->pump != NULL) {
        free_pump(file);
    }
    if (file->wtap != NULL) {
        wtap_close(file->wtap);
    }
    free(file->path);
    free(file);
}

static const wp_source_vtable file_vtable = {.kind = "file", .next = next, .wake = wake, .free = free_source};

/* Regular files go to libwiretap as they are; whatever can make a reader wait goes through the pump. */
static wp_status
open_by_kind(wp_source_file *file, wp_error *error)
{
    const bool standard_input = strcmp(file->path, "-") == 0;
    struct stat status;
    if ((standard_input ? fstat(0, &status) : stat(file->path, &status)) != 0) {
        return file_error(file, errno, NULL, error);
    }
    if (S_ISDIR(status.st_mode)) {
        return file_error(file, EISDIR, NULL, error);
    }
    const bool waits = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || S_ISCHR(status.st_mode);
    if (waits) {
        return file->random ? file_error(file, WTAP_ERR_RANDOM_OPEN_PIPE, NULL, error)
                            : open_pump(file, standard_input, error);
    }
    if (S_ISREG(status.st_mode) && status.st_size == 0) {
        return empty_error(file, error);
    }
    return open_wtap(file, standard_input ? (file->random ? "/dev/fd/0" : "-") : file->path, error);
}

wp_status
wp_source_file_open(const char *path, bool random, wp_source_file **out, wp_error *error)
{
    *out = NULL;
    wp_source_file *file = calloc(1, sizeof *file);
    if (file == NULL || (file->path = strdup(path)) == NULL) {
        free(file);
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    file->source.vtable = &file_vtable;
    file->random = random;
    wp_status status = open_by_kind(file, error);
    if (status != WP_OK) {
        free_source(&file->source);
        return status;
    }
    *out = file;
    return WP_OK;
}

wp_source *
wp_source_file_as_source(wp_source_file *file)
{
    return &file->source;
}

void *
wp_source_file_wtap(const wp_source_file *file)
{
    return file->wtap;
}

int
wp_source_file_type(const wp_source_file *file)
{
    return file->wtap == NULL ? WTAP_FILE_TYPE_SUBTYPE_UNKNOWN : wtap_file_type_subtype(file->wtap);
}

void
wp_source_file_on_open_locked(wp_source_file *file, void (*opened)(void *wtap, void *data), void *data)
{
    file->opened = opened;
    file->opened_data = data;
    if (file->wtap != NULL) {
        opened(file->wtap, data);
    }
}

wp_status
wp_source_file_seek_read(wp_source_file *file, int64_t offset, void *native, wp_error *error)
{
    int code = 0;
    gchar *info = NULL;
    wsc_record_reset(native);
    if (wsc_seek_read(file->wtap, offset, native, &code, &info)) {
        return WP_OK;
    }
    return file_error(file, code == 0 ? WTAP_ERR_SHORT_READ : code, info, error);
}

void
wp_source_file_end_first_pass(wp_source_file *file)
{
    wtap_sequential_close(file->wtap);
    file->first_pass_ended = true;
}

int64_t
wp_source_file_offset(const wp_source_file *file)
{
    return file->offset;
}

void
wp_source_file_progress(const wp_source_file *file, int64_t *done, int64_t *all)
{
    *done = *all = 0;
    if (file->wtap != NULL && file->pump == NULL) {
        int code = 0;
        *all = wtap_file_size(file->wtap, &code);
    }
    if (file->wtap != NULL) {   /* the second pass seeks: where it is in the file says nothing */
        *done = file->first_pass_ended ? *all : wtap_read_so_far(file->wtap);
    }
}
