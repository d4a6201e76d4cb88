/* pcap_handle.c - the single path into libpcap. See the header for the contract on locking and waiting. */
#include "pcap_handle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    FILE_BUFFER = 128 * 1024,
    /* What is read of a file in one go at most: some milliseconds, after which the caller can look for signals. */
    MOST_PACKETS = 8192,
    MOST_BYTES = 8 * 1024 * 1024
};

/* How often this process was forked off from one that knew handles. */
static _Atomic unsigned int forks;
static pthread_once_t watch_forks_once = PTHREAD_ONCE_INIT;

static void
count_fork(void)
{
    forks++;
}

static void
watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

static void
init_mutex(wp_pcap *self)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&self->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

wp_status
wp_pcap_init(wp_pcap *self, wp_error *error)
{
    memset(self, 0, sizeof *self);
    self->wait_fd = -1;
    self->wait_limit_ms = -1;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_fd < 0) {
        wp_fail(error, WP_ECAPTURE, "eventfd: %s", strerror(errno));
        error->error_number = errno;
        return WP_ECAPTURE;
    }
    pthread_once(&watch_forks_once, watch_forks);
    self->forks = forks;
    self->maker = getpid();
    init_mutex(self);
    return WP_OK;
}

bool
wp_pcap_is_own(const wp_pcap *self)
{
    return self->maker == getpid();
}

/* In a child process the lock may be held by a thread that is not there, and the eventfd wakes the parent. */
static void
make_own(wp_pcap *self)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd >= 0) {
        dup3(fd, self->wake_fd, O_CLOEXEC);
        close(fd);
    }
    init_mutex(self);
    self->forks = forks;
}

static void
lock(wp_pcap *self)
{
    if (self->forks != forks) {
        make_own(self);
    }
    pthread_mutex_lock(&self->lock);
}

static void
unlock(wp_pcap *self)
{
    pthread_mutex_unlock(&self->lock);
}

/* The lock is held, or nobody else knows the handle. */
static void
close_now(wp_pcap *self)
{
    if (self->pcap != NULL) {
        pcap_close(self->pcap);
        self->pcap = NULL;
    }
    if (self->stream != NULL) {
        self->stream->free(self->stream);
        self->stream = NULL;
    }
    free(self->file_buffer);
    self->file_buffer = NULL;
    pcap_freecode(&self->filter);
    self->wait_fd = -1;
}

void
wp_pcap_fini(wp_pcap *self)
{
    if (self->wake_fd < 0) {
        return;
    }
    close_now(self);
    close(self->wake_fd);
    self->wake_fd = -1;
    pthread_mutex_destroy(&self->lock);
}

int
wp_pcap_errno(int pcap_status)
{
    switch (pcap_status) {
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return EPERM;
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return ENODEV;
    case PCAP_ERROR_IFACE_NOT_UP:
        return ENETDOWN;
    case PCAP_ERROR_RFMON_NOTSUP:
        return EOPNOTSUPP;
    default:
        return 0;
    }
}

/* libpcap's text of a failed activation: a general line, and the detail where there is one. */
static wp_status
activation_failed(pcap_t *pcap, const char *interface, int status, wp_error *error)
{
    const char *detail = pcap_geterr(pcap);
    if (status == PCAP_ERROR) {
        wp_fail(error, WP_ECAPTURE, "%s", detail);
    } else if (detail[0] == '\0') {
        wp_fail(error, WP_ECAPTURE, "%s: %s", interface, pcap_statustostr(status));
    } else {
        wp_fail(error, WP_ECAPTURE, "%s: %s (%s)", interface, pcap_statustostr(status), detail);
    }
    error->error_number = wp_pcap_errno(status);
    return WP_ECAPTURE;
}

wp_status
wp_pcap_create(wp_pcap *self, const char *interface, wp_error *error)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    self->pcap = pcap_create(interface, text);
    self->live = true;
    return self->pcap == NULL ? wp_fail(error, WP_ECAPTURE, "%s", text) : WP_OK;
}

void
wp_pcap_adopt(wp_pcap *self, pcap_t *pcap)
{
    char text[PCAP_ERRBUF_SIZE];
    self->pcap = pcap;
    self->live = true;
    pcap_setnonblock(pcap, 1, text);   /* a device that can't still has its own timeout */
    self->wait_fd = pcap_get_selectable_fd(pcap);
    const struct timeval *limit = pcap_get_required_select_timeout(pcap);
    if (limit != NULL) {
        self->wait_limit_ms = (int)(limit->tv_sec * 1000 + (limit->tv_usec + 999) / 1000);
    } else if (self->wait_fd < 0) {
        self->wait_limit_ms = 10;
    }
    self->nanoseconds = pcap_get_tstamp_precision(pcap) == PCAP_TSTAMP_PRECISION_NANO;
}

static int
activate_locked(wp_pcap *self)
{
    int status = self->pcap == NULL ? PCAP_ERROR : pcap_activate(self->pcap);
    self->warning[0] = '\0';
    if (status < 0) {
        return status;
    }
    if (status == PCAP_WARNING) {
        snprintf(self->warning, sizeof self->warning, "%s", pcap_geterr(self->pcap));
    } else if (status > 0 && status != PCAP_WARNING_PROMISC_NOTSUP) {
        snprintf(self->warning, sizeof self->warning, "%s", pcap_statustostr(status));
    }
    wp_pcap_adopt(self, self->pcap);
    return status;
}

int
wp_pcap_activate(wp_pcap *self)
{
    lock(self);
    int status = activate_locked(self);
    unlock(self);
    return status;
}

/* Options that only an activated handle takes. */
static wp_status
finish_live(wp_pcap *self, const wp_pcap_options *options, wp_error *error)
{
    if (options->linktype >= 0 && pcap_set_datalink(self->pcap, options->linktype) != 0) {
        return wp_fail(error, WP_ECAPTURE, "%s: %s", options->interface, pcap_geterr(self->pcap));
    }
    if (options->direction != PCAP_D_INOUT
        && pcap_setdirection(self->pcap, (pcap_direction_t)options->direction) != 0) {
        return wp_fail(error, WP_ECAPTURE, "%s: %s", options->interface, pcap_geterr(self->pcap));
    }
    return WP_OK;
}

wp_status
wp_pcap_open_live(wp_pcap *self, const wp_pcap_options *options, wp_error *error)
{
    wp_status result = wp_pcap_create(self, options->interface, error);
    if (result != WP_OK) {
        return result;
    }
    pcap_t *pcap = self->pcap;
    pcap_set_snaplen(pcap, options->snaplen);
    pcap_set_promisc(pcap, options->promiscuous);
    pcap_set_timeout(pcap, options->timeout_ms);
    pcap_set_immediate_mode(pcap, options->immediate);
    if (options->buffer_size > 0) {
        pcap_set_buffer_size(pcap, options->buffer_size);
    }
    if (options->nanoseconds) {
        pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);   /* refused where the device has none */
    }
    if (options->monitor) {
        pcap_set_rfmon(pcap, 1);
    }
    int status = wp_pcap_activate(self);
    result = status < 0 ? activation_failed(pcap, options->interface, status, error)
                        : finish_live(self, options, error);
    if (result != WP_OK) {
        close_now(self);
    }
    return result;
}

static unsigned int
precision(bool nanoseconds)
{
    return nanoseconds ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO;
}

wp_status
wp_pcap_open_path(wp_pcap *self, const char *path, bool nanoseconds, wp_error *error)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    self->live = false;
    self->nanoseconds = nanoseconds;
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rbe");
    if (file == NULL) {
        errno = 0;   /* libpcap's own words, whether for standard input or for why it can't be opened */
        self->pcap = pcap_open_offline_with_tstamp_precision(path, precision(nanoseconds), text);
    } else {
        self->file_buffer = malloc(FILE_BUFFER);
        if (self->file_buffer != NULL) {
            setvbuf(file, self->file_buffer, _IOFBF, FILE_BUFFER);   /* stdio's own is one page */
        }
        errno = 0;
        self->pcap = pcap_fopen_offline_with_tstamp_precision(file, precision(nanoseconds), text);
    }
    if (self->pcap == NULL) {
        int number = errno;
        if (file != NULL) {
            fclose(file);
        }
        close_now(self);
        wp_fail(error, WP_EFILE, "%s", text);
        error->error_number = number;
        return WP_EFILE;
    }
    return WP_OK;
}

wp_status
wp_pcap_open_stream(wp_pcap *self, wp_stream *stream, bool nanoseconds, wp_error *error)
{
    struct pollfd descriptor = {.fd = stream->fd, .events = POLLIN};
    while (!stream->ready(stream)) {
        if (poll(&descriptor, 1, 50) <= 0) {
            return WP_AGAIN;   /* so that the caller can look for signals */
        }
        stream->fill(stream);
    }
    char text[PCAP_ERRBUF_SIZE] = "";
    self->live = false;
    self->nanoseconds = nanoseconds;
    self->pcap = pcap_fopen_offline_with_tstamp_precision(stream->file, precision(nanoseconds), text);
    if (self->pcap == NULL) {
        fclose(stream->file);
        stream->free(stream);
        return wp_fail(error, WP_EFILE, "%s", text);
    }
    self->stream = stream;
    self->wait_fd = stream->fd;
    return WP_OK;
}

wp_status
wp_pcap_wait(wp_pcap *self, int timeout_ms)
{
    lock(self);
    bool closed = self->pcap == NULL;
    bool ready = !closed && (self->stream != NULL ? self->stream->ready(self->stream) : !self->live);
    int wait_fd = self->wait_fd;
    unlock(self);
    if (closed) {
        return WP_END;
    }
    if (ready) {
        return WP_OK;
    }
    bool limited = self->wait_limit_ms >= 0 && (timeout_ms < 0 || self->wait_limit_ms < timeout_ms);
    struct pollfd descriptors[2] = {
        {.fd = self->wake_fd, .events = POLLIN},
        {.fd = wait_fd, .events = POLLIN},   /* poll() passes over -1 */
    };
    int count = poll(descriptors, 2, limited ? self->wait_limit_ms : timeout_ms);
    if (count > 0 && descriptors[0].revents != 0) {
        uint64_t value;
        (void)!read(self->wake_fd, &value, sizeof value);   /* only empties it */
        return WP_AGAIN;
    }
    return count > 0 || (count == 0 && limited) ? WP_OK : WP_AGAIN;
}

/* Whether libpcap can be asked without being held up; the lock is held. */
static bool
prepare(wp_pcap *self)
{
    if (self->stream != NULL) {
        if (!self->stream->ready(self->stream) && !self->stream->fill(self->stream)) {
            return false;
        }
        clearerr(pcap_file(self->pcap));   /* the stream says "end" after each whole packet it has */
    }
    return true;
}

/* What it means that libpcap had nothing. */
static wp_status
nothing(const wp_pcap *self)
{
    bool more = self->stream != NULL ? !self->stream->ended(self->stream) : self->live;
    return more ? WP_AGAIN : WP_END;
}

static wp_status
read_failed(const wp_pcap *self, int status, wp_error *error)
{
    return wp_fail(error, self->live ? WP_ECAPTURE : WP_EFILE, "%s",
                   status == PCAP_ERROR ? pcap_geterr(self->pcap) : pcap_statustostr(status));
}

/* What read_locked's handler for files knows. */
typedef struct {
    wp_pcap *handle;
    pcap_handler handler;
    void *user;
    int wanted;      /* packets; <= 0 for as many as there are */
    int passed;      /* the filter let so many through */
    size_t bytes;    /* of all that were read */
} file_read;

/* libpcap's own filter for files would look for the next packet to the end of the file, and nothing could stop it. */
static void
filter_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    file_read *self = (file_read *)user;
    const struct bpf_program *filter = &self->handle->filter;
    self->bytes += header->caplen;
    if (filter->bf_insns == NULL || pcap_offline_filter(filter, header, data) != 0) {
        self->passed++;
        self->handler(self->user, header, data);
    }
    if (self->passed == self->wanted || self->bytes > MOST_BYTES) {
        wp_pcap_break(self->handle);
    }
}

static int
dispatch(wp_pcap *self, int max, pcap_handler handler, void *user)
{
    int count;
    do {
        self->broke = false;
        count = pcap_dispatch(self->pcap, max, handler, user);
    } while (count == PCAP_ERROR_BREAK && !self->broke);   /* left over from a handler before */
    return count;
}

static wp_status
read_locked(wp_pcap *self, int max, pcap_handler handler, void *user, wp_error *error)
{
    if (self->pcap == NULL) {
        return WP_END;
    }
    if (!prepare(self)) {
        return WP_AGAIN;
    }
    file_read read = {.handle = self, .handler = handler, .user = user, .wanted = max > 0 ? max : -1};
    int count = self->live ? dispatch(self, max, handler, user)
                           : dispatch(self, MOST_PACKETS, filter_packet, &read);
    if (count > 0 || count == PCAP_ERROR_BREAK) {
        self->break_left = count > 0 && self->broke;
        return self->live || read.passed > 0 ? WP_OK : WP_AGAIN;
    }
    return count == 0 ? nothing(self) : read_failed(self, count, error);
}

wp_status
wp_pcap_read(wp_pcap *self, int max, pcap_handler handler, void *user, wp_error *error)
{
    lock(self);
    wp_status result = read_locked(self, max, handler, user, error);
    unlock(self);
    return result;
}

/* As pcap_next_ex(), but 0 after MOST_PACKETS or MOST_BYTES of a file that the filter let nothing through of. */
static int
next_filtered(wp_pcap *self, struct pcap_pkthdr **header, const u_char **data)
{
    const struct bpf_program *filter = &self->filter;
    size_t bytes = 0;
    for (int i = 0; i < MOST_PACKETS && bytes <= MOST_BYTES; i++) {
        int status = pcap_next_ex(self->pcap, header, data);
        if (status != 1 || filter->bf_insns == NULL || pcap_offline_filter(filter, *header, *data) != 0) {
            return status;
        }
        bytes += (*header)->caplen;
    }
    return 0;
}

static wp_status
next_locked(wp_pcap *self, struct pcap_pkthdr **header, const u_char **data, wp_error *error)
{
    if (self->pcap == NULL) {
        return WP_END;
    }
    if (!prepare(self)) {
        return WP_AGAIN;
    }
    int status = next_filtered(self, header, data);
    if (status == PCAP_ERROR_BREAK && self->break_left) {
        status = next_filtered(self, header, data);   /* for a file, the end looks the same */
    }
    self->break_left = false;
    switch (status) {
    case 1:
        return WP_OK;
    case PCAP_ERROR_BREAK:
        return self->live ? WP_AGAIN : nothing(self);   /* for files, the end */
    case 0:
        return WP_AGAIN;
    default:
        return read_failed(self, status, error);
    }
}

wp_status
wp_pcap_next(wp_pcap *self, struct pcap_pkthdr **header, const u_char **data, wp_error *error)
{
    lock(self);
    wp_status result = next_locked(self, header, data, error);
    unlock(self);
    return result;
}

void
wp_pcap_break(wp_pcap *self)
{
    self->broke = true;
    pcap_breakloop(self->pcap);
}

void
wp_pcap_wake(wp_pcap *self)
{
    uint64_t one = 1;
    int number = errno;   /* a signal handler may have interrupted somebody who looks at it */
    (void)!write(self->wake_fd, &one, sizeof one);
    errno = number;
}

void
wp_pcap_stop(wp_pcap *self)
{
    atomic_store(&self->stop, true);
    wp_pcap_wake(self);
}

void
wp_pcap_close(wp_pcap *self)
{
    wp_pcap_stop(self);
    lock(self);
    close_now(self);
    unlock(self);
    wp_pcap_wake(self);
}

static wp_status
fail_closed(wp_error *error)
{
    return wp_fail(error, WP_EVALUE, "pcap is closed");
}

wp_status
wp_pcap_set_filter(wp_pcap *self, const char *text, bpf_u_int32 netmask, wp_error *error)
{
    struct bpf_program program;
    wp_status result = WP_OK;
    lock(self);
    if (self->pcap == NULL) {
        result = fail_closed(error);
        goto done;
    }
    if (pcap_compile(self->pcap, &program, text, 1, netmask) != 0) {
        result = wp_fail(error, WP_EFILTER, "%s", pcap_geterr(self->pcap));
        goto done;
    }
    if (!self->live) {
        pcap_freecode(&self->filter);
        self->filter = program;   /* filter_packet's and next_filtered's */
        goto done;
    }
    if (pcap_setfilter(self->pcap, &program) != 0) {
        result = wp_fail(error, WP_EFILTER, "%s", pcap_geterr(self->pcap));
    }
    pcap_freecode(&program);

done:
    unlock(self);
    return result;
}

wp_status
wp_pcap_stats(wp_pcap *self, struct pcap_stat *stats, wp_error *error)
{
    wp_status result = WP_OK;
    memset(stats, 0, sizeof *stats);
    lock(self);
    if (self->pcap == NULL) {
        result = fail_closed(error);
    } else if (pcap_stats(self->pcap, stats) != 0) {
        result = wp_fail(error, WP_ECAPTURE, "%s", pcap_geterr(self->pcap));
    }
    unlock(self);
    return result;
}

wp_status
wp_pcap_send(wp_pcap *self, const void *data, int length, wp_error *error)
{
    wp_status result = WP_OK;
    lock(self);
    if (self->pcap == NULL) {
        result = fail_closed(error);
    } else if (pcap_sendpacket(self->pcap, data, length) != 0) {
        result = wp_fail(error, WP_ECAPTURE, "%s", pcap_geterr(self->pcap));
    }
    unlock(self);
    return result;
}
