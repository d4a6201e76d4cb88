/* library.c - libwireshark as a process-wide thing: its start, its lock, its one place for a session, its log.
 * Nothing here touches Python. */
#include "library.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "expert.h"
#include "name_tables.h"
#include "settings.h"
#include "ws_compat.h"

/* ---- the log: lines wait here until somebody holds the GIL and hands them to Python's logging ---- */

enum { LOG_CAPACITY = 256 };   /* a flood must not eat memory: what does not fit is counted and dropped */

static struct {
    pthread_mutex_t lock;
    wp_log_line lines[LOG_CAPACITY];
    unsigned first, count, dropped;
    atomic_bool pending;
} log_queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
log_line(int level, const char *domain, const char *text)
{
    pthread_mutex_lock(&log_queue.lock);
    if (log_queue.count == LOG_CAPACITY) {
        log_queue.dropped++;
    } else {
        wp_log_line *line = &log_queue.lines[(log_queue.first + log_queue.count++) % LOG_CAPACITY];
        line->level = level;
        g_strlcpy(line->domain, domain, sizeof line->domain);
        g_strlcpy(line->text, text, sizeof line->text);
    }
    atomic_store(&log_queue.pending, true);
    pthread_mutex_unlock(&log_queue.lock);
}

wsc_log_line wsc_log_sink = log_line;

bool
wp_log_pending(void)
{
    return atomic_load_explicit(&log_queue.pending, memory_order_relaxed);
}

bool
wp_log_take(wp_log_line *line)
{
    bool taken = true;
    pthread_mutex_lock(&log_queue.lock);
    if (log_queue.count > 0) {
        *line = log_queue.lines[log_queue.first];
        log_queue.first = (log_queue.first + 1) % LOG_CAPACITY;
        log_queue.count--;
    } else if (log_queue.dropped > 0) {
        line->level = 3;
        g_strlcpy(line->domain, "wishpy", sizeof line->domain);
        snprintf(line->text, sizeof line->text, "%u more log lines were dropped", log_queue.dropped);
        log_queue.dropped = 0;
    } else {
        taken = false;
        atomic_store(&log_queue.pending, false);
    }
    pthread_mutex_unlock(&log_queue.lock);
    return taken;
}

/* ---- start ---- */

void
wp_library_version(int *major, int *minor, int *micro)
{
    epan_get_version_number(major, minor, micro);
}

wp_status
wp_library_check(wp_error *error)
{
    int major = 0, minor = 0, micro = 0;
    epan_get_version_number(&major, &minor, &micro);
    if (major == WSC_MAJOR && minor == WSC_MINOR) {
        return WP_OK;
    }
    return wp_fail(error, WP_ELIBRARY,
                   "wishpy was built for libwireshark %d.%d, but %d.%d.%d is loaded: build wishpy again on this machine",
                   WSC_MAJOR, WSC_MINOR, major, minor, micro);
}

static bool personal;   /* guarded by the epan lock */

/* The user's own Wireshark settings must not change results, so the personal folder is one that does not exist.
 * It lies below the data folder: only an administrator could make it appear. */
void
wp_library_no_personal_settings(void)
{
    personal = false;
    char *folder = g_build_filename(get_datafile_dir(), "no-personal-configuration", NULL);
    set_persconffile_dir(folder);
    g_free(folder);
}

void
wp_library_personal_settings(void)
{
    personal = true;
    set_persconffile_dir(NULL);
}

bool
wp_library_is_personal(void)
{
    return personal;
}

/* ---- plugins ---- */

static atomic_int plugins_chosen = -1;   /* -1: nobody cared yet, and then they are loaded */

wp_status
wp_library_choose_plugins(bool load, wp_error *error)
{
    int before = -1;
    if (atomic_compare_exchange_strong(&plugins_chosen, &before, load) || before == load) {
        return WP_OK;
    }
    return wp_fail(error, WP_EBUSY,
                   "plugins=%s: libwireshark works %s plugins in this process already, and it starts only once: say it "
                   "before anything else is asked of Wireshark, or in a process of its own",
                   load ? "True" : "False", before ? "with" : "without");
}

bool
wp_library_has_plugins(void)
{
    return atomic_load(&plugins_chosen) != 0;
}

/* Lua scripts are loaded whatever epan_init is told, from the folders that these functions know. No function sets them
 * and root's environment does not count, so the texts, which are libwsutil's own memory, are made empty. */
static void
forget_plugin_folders(void)
{
    const char *const folders[] = {
        get_plugins_dir_with_version(), get_plugins_dir(), get_plugins_pers_dir_with_version(), get_plugins_pers_dir(),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (folders[i] != NULL) {
            *(char *)(uintptr_t)folders[i] = '\0';
        }
    }
}

static void
note_privileges(void)
{
    wsc_log_init();   /* what comes next may want to say something */
    init_process_policies();
}

void
wp_library_note_privileges(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, note_privileges);
}

static void
start_steps(wp_status *status, wp_error *error)
{
    /* They turn a dissector's error into an abort of the whole process; read once, inside epan_init. */
    unsetenv("WIRESHARK_ABORT_ON_DISSECTOR_BUG");
    unsetenv("WIRESHARK_ABORT_ON_TOO_MANY_ITEMS");
#ifdef WISHPY_DATA_DIR
    /* From 4.2 libwireshark looks beside the executable, which is Python's: say where it was installed instead. */
    setenv("WIRESHARK_DATA_DIR", WISHPY_DATA_DIR, 0);
    setenv("WIRESHARK_PLUGIN_DIR", WISHPY_PLUGIN_DIR, 0);
#endif
    wp_library_note_privileges();
    char *message = wsc_configuration_init("wishpy");
    if (message != NULL) {
        log_line(3, "wishpy", message);
        g_free(message);
    }
    wp_library_no_personal_settings();
    wsc_report_init();
    timestamp_set_type(TS_RELATIVE);
    timestamp_set_precision(TS_PREC_AUTO);
    timestamp_set_seconds_type(TS_SECONDS_DEFAULT);
    int nobody = -1;
    atomic_compare_exchange_strong(&plugins_chosen, &nobody, 1);   /* from here on it is settled */
    const bool plugins = wp_library_has_plugins();
    if (!plugins) {
        forget_plugin_folders();
    }
    wtap_init(plugins);
    if (!wp_epan_init_locked(plugins)) {
        *status = wp_fail(error, WP_ELIBRARY, "libwireshark could not register its dissectors");
        return;
    }
    wp_maxmind_hide_program_locked();
    epan_load_settings();
    prefs_apply_all();
    wp_expert_start_locked();
}

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static wp_status start_status = WP_OK;
static wp_error start_error;

static void
start(void)
{
    wp_epan_lock();
    start_steps(&start_status, &start_error);
    wp_epan_unlock();
}

wp_status
wp_library_start(wp_error *error)
{
    pthread_once(&start_once, start);
    if (start_status != WP_OK) {
        *error = start_error;
    }
    return start_status;
}

/* ---- the lock ---- */

static pthread_mutex_t epan_mutex;
static pthread_once_t mutex_once = PTHREAD_ONCE_INIT;
static int lock_depth;   /* guarded by epan_mutex */

/* Sessions to free at the next unlock: they could not be freed where they were dropped. */
typedef struct retired {
    struct retired *next;            /* owned */
    void *session;                   /* owned */
    void (*free_locked)(void *session);
} retired;

static _Atomic(retired *) retired_list;

static void
make_mutex(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&epan_mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static void
free_retired_locked(void)
{
    retired *item = atomic_exchange(&retired_list, NULL);
    while (item != NULL) {
        retired *next = item->next;
        item->free_locked(item->session);
        free(item);
        item = next;
    }
}

static void
entered(void)
{
    if (lock_depth++ == 0) {
        free_retired_locked();
    }
}

void
wp_epan_lock(void)
{
    pthread_once(&mutex_once, make_mutex);
    pthread_mutex_lock(&epan_mutex);
    entered();
}

bool
wp_epan_try_lock(void)
{
    pthread_once(&mutex_once, make_mutex);
    if (pthread_mutex_trylock(&epan_mutex) != 0) {
        return false;
    }
    entered();
    return true;
}

void
wp_epan_unlock(void)
{
    if (lock_depth == 1) {
        free_retired_locked();
    }
    lock_depth--;
    pthread_mutex_unlock(&epan_mutex);
}

void
wp_epan_lock_after_fork(void)
{
    make_mutex();
    lock_depth = 0;
}

void
wp_epan_retire(void *session, void (*free_locked)(void *session))
{
    if (wp_epan_try_lock()) {
        free_locked(session);
        wp_epan_unlock();
        return;
    }
    retired *item = malloc(sizeof *item);
    if (item == NULL) {   /* no memory and the lock is taken: wait after all, rather than leak the place for good */
        wp_epan_lock();
        free_locked(session);
        wp_epan_unlock();
        return;
    }
    item->session = session;
    item->free_locked = free_locked;
    item->next = atomic_load(&retired_list);
    while (!atomic_compare_exchange_weak(&retired_list, &item->next, item)) {
    }
}

/* ---- the place ---- */

static void *place_owner;   /* borrowed; guarded by the epan lock */

wp_status
wp_place_take_locked(void *owner, wp_error *error)
{
    if (place_owner != NULL) {
        return wp_fail(error, WP_EBUSY,
                       "another Dissector is open in this process, and libwireshark has room for one: "
                       "close() that one first, or use it in a with statement");
    }
    place_owner = owner;
    return WP_OK;
}

void
wp_place_leave_locked(void *owner)
{
    if (place_owner == owner) {
        place_owner = NULL;
    }
}

void
wp_library_built_for(int *major, int *minor, int *micro)
{
    *major = WSC_MAJOR;
    *minor = WSC_MINOR;
    *micro = WSC_MICRO;
}
