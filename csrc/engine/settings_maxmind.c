/* settings_maxmind.c - MaxMind's databases of places and networks, for the sessions that ask for them and for no others.
 * The epan lock is held.
 *
 * libwireshark has mmdbresolve, a program of Wireshark's, look the addresses up. It expects that program beside the
 * executable, which is Python's, and would start it for every process as soon as the system has databases. So the text
 * that tells it where it is stays empty but for the moment when a session wants them.
 *
 * What was looked up stays in libwireshark for as long as the process lives (the maps of its maxmind_db.c), also that an
 * address is not known. So nothing is looked up unless a session wants the databases, and such a session needs a process
 * that ends with it. */
#include "settings_parts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char program_name[] = "mmdbresolve", table_name[] = "maxmind_db_paths";

static size_t room;            /* bytes that libwsutil has for the text, without the NUL */
static pid_t resolver = -1;    /* our child, to be waited for */
static bool running;
static uint32_t geoip_before;
static bool geoip_changed;

/* ---- where libwireshark looks for its programs ---- */

static char *
program_folder(void)
{
    return (char *)(uintptr_t)get_progfile_dir();   /* libwsutil's own memory; no function sets it */
}

void
wp_maxmind_hide_program_locked(void)
{
    char *folder = program_folder();
    if (folder != NULL) {
        room = strlen(folder);
        *folder = '\0';
    }
}

static wp_status
find_program(char **path, wp_error *error)
{
    *path = g_find_program_in_path(program_name);
    if (*path == NULL) {
        return wp_fail(error, WP_EPREFERENCE, "MaxMind databases need %s, a program of Wireshark's that is not in PATH",
                       program_name);
    }
    char *folder = g_path_get_dirname(*path);
    const size_t length = strlen(folder);
    g_free(folder);
    if (length <= room) {
        return WP_OK;
    }
    wp_status status = wp_fail(error, WP_EPREFERENCE, "libwireshark has %zu bytes for the folder of %.300s, which is longer",
                               room, *path);
    return status;
}

/* ---- which databases there are ---- */

/* As maxmind_db_scan_dir() of maxmind_db.c does it. */
static void
add_databases(const char *folder, GPtrArray *arguments)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        char *path = g_build_filename(folder, name, NULL);
        const int descriptor = g_str_has_suffix(name, ".mmdb") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (descriptor == -1) {
            g_free(path);
            continue;
        }
        close(descriptor);
        g_ptr_array_add(arguments, g_strdup("-f"));
        g_ptr_array_add(arguments, path);
    }
    if (dir != NULL) {
        g_dir_close(dir);
    }
}

/* What comes behind the program's name: "-f", a database, and so on; none where there are no databases. */
static GPtrArray *
find_databases(void)
{
    GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);
    char *text = wsc_maxmind_folders();
    char **folders = g_strsplit(text, G_SEARCHPATH_SEPARATOR_S, -1);
    for (char **folder = folders; *folder != NULL; folder++) {
        add_databases(*folder, arguments);
    }
    g_strfreev(folders);
    g_free(text);
    return arguments;
}

/* libwireshark waits for each answer, and for ever where the program ended because it could read none of them. */
static wp_status
try_databases(char *path, GPtrArray *databases, wp_error *error)
{
    GPtrArray *arguments = g_ptr_array_new();
    g_ptr_array_add(arguments, path);
    for (guint i = 0; i < databases->len; i++) {
        g_ptr_array_add(arguments, databases->pdata[i]);
    }
    g_ptr_array_add(arguments, NULL);
    char *output = NULL;
    GError *problem = NULL;
    wp_status status = WP_OK;
    if (!g_spawn_sync(NULL, (char **)arguments->pdata, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL, NULL,
                      &problem)) {
        status = wp_fail(error, WP_EPREFERENCE, "MaxMind databases: %s", problem->message);
    } else if (strstr(output, "mmdbresolve.status: true") == NULL) {
        status = wp_fail(error, WP_EPREFERENCE, "no MaxMind database could be read: %s", g_strdelimit(output, "\n", ' '));
    }
    g_clear_error(&problem);
    g_free(output);
    g_ptr_array_free(arguments, TRUE);
    return status;
}

/* ---- the program's life ---- */

/* The newest child of this thread, -1 where there is none or the kernel does not tell. */
static pid_t
newest_child(void)
{
    char *text = NULL;
    pid_t child = -1;
    if (g_file_get_contents("/proc/thread-self/children", &text, NULL, NULL)) {
        const char *last = strrchr(g_strchomp(text), ' ');
        child = (pid_t)atol(last == NULL ? text : last);
    }
    g_free(text);
    return child > 0 ? child : -1;
}

static void
start_program(const char *path, uat_t *table)
{
    char *folder = g_path_get_dirname(path);
    g_strlcpy(program_folder(), folder, room + 1);
    g_free(folder);
    const pid_t before = newest_child();
    table->post_update_cb();
    *program_folder() = '\0';
    const pid_t child = newest_child();
    resolver = child != before ? child : -1;
    running = true;
}

static wp_status
start_locked(uat_t *table, GPtrArray *databases, wp_error *error)
{
    char *path = NULL;
    wp_status status = wp_stays_locked("the answers of MaxMind's databases", error);
    if (status == WP_OK) {
        status = find_program(&path, error);
    }
    if (status == WP_OK) {
        status = try_databases(path, databases, error);
    }
    if (status == WP_OK) {
        start_program(path, table);
    }
    g_free(path);
    return status;
}

wp_status
wp_maxmind_start_locked(bool asked, bool preferred, wp_error *error)
{
    uat_t *table = wp_find_table(table_name);
    if (asked && table == NULL) {
        return wp_fail(error, WP_EVALUE, "name_resolution: this Wireshark was built without MaxMind databases");
    }
    wp_status status = WP_OK;
    geoip_before = wsc_geoip_get();
    geoip_changed = true;
    wsc_geoip_set(wsc_geoip_wanted(geoip_before, preferred));   /* from 4.4 the program is not started without */
    if (table != NULL && (asked || table->user_data->len > 0)) {
        GPtrArray *databases = find_databases();
        if (databases->len > 0) {
            status = start_locked(table, databases, error);
        }
        g_ptr_array_free(databases, TRUE);
    }
    if (!running) {
        wsc_geoip_set(0);
    }
    return status;
}

void
wp_maxmind_stop_locked(void)
{
    if (geoip_changed) {
        wsc_geoip_set(geoip_before);
        geoip_changed = false;
    }
    if (!running) {
        return;
    }
    running = false;
    if (resolver > 0) {
        kill(resolver, SIGKILL);   /* libwireshark waits for its end, and does not ask for it where a copy of the pipe is open */
    }
    wp_find_table(table_name)->reset_cb();
    if (resolver > 0) {
        waitpid(resolver, NULL, 0);
        resolver = -1;
    }
}
