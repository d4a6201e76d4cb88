/* worker_guard.c - what keeps a worker process within its bounds, from inside: privileges, limits, a watchman.
 *
 * PR_SET_PDEATHSIG is of no use here: the signal comes when the thread ends that started the worker, and a Dissector
 * may well outlive the thread that opened it. So a thread watches the socket, which hangs up when the parent closes it
 * or dies, and the parent itself, as a forked child of the parent may hold the other end of the socket open. */
#include "worker_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LOOK_MS = 10,             /* between two looks at the memory */
    LARGEST_FILE = 1 << 20,   /* enough for last words on standard error */
};

static struct {
    int socket, parent, statm, bell;   /* owned but for the socket; parent is a pidfd, -1 where there is none */
    _Atomic uint64_t limit;
    _Atomic(_Atomic uint64_t *) found;
} guard = {.socket = -1, .parent = -1, .statm = -1, .bell = -1};

static wp_status
fail(wp_error *error, const char *what)
{
    const int code = errno;
    wp_status status = wp_fail(error, WP_ELIBRARY, "a worker process could not %s: %s", what, strerror(code));
    error->error_number = code;
    return status;
}

/* ---- the watchman ---- */

/* No _exit: whoever links this must be able to see that nothing here ends a process in passing. */
static void
end_process(void)
{
    kill(getpid(), SIGKILL);
}

/* Two numbers of /proc/self/statm: pages in all, pages resident. */
static bool
read_memory(uint64_t *all, uint64_t *resident)
{
    char text[128];
    const ssize_t n = pread(guard.statm, text, sizeof text - 1, 0);
    unsigned long long pages[2];
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    if (sscanf(text, "%llu %llu", &pages[0], &pages[1]) != 2) {
        return false;
    }
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    *all = pages[0] * page;
    *resident = pages[1] * page;
    return true;
}

static void
look_at_memory(uint64_t limit)
{
    uint64_t all, resident;
    _Atomic uint64_t *found = atomic_load(&guard.found);
    if (read_memory(&all, &resident) && resident > limit && found != NULL) {
        atomic_store(found, resident);
        end_process();
    }
}

static void *
watch(void *unused)
{
    struct pollfd ends[3] = {
        {.fd = guard.socket}, {.fd = guard.parent, .events = POLLIN}, {.fd = guard.bell, .events = POLLIN},
    };
    for (;;) {
        const uint64_t limit = atomic_load(&guard.limit);
        poll(ends, 3, limit == 0 ? -1 : LOOK_MS);
        if (ends[0].revents != 0 || ends[1].revents != 0) {
            end_process();
        }
        uint64_t count;
        if (ends[2].revents != 0 && read(guard.bell, &count, sizeof count) < 0) {
            continue;
        }
        if (limit != 0) {
            look_at_memory(limit);
        }
    }
    return unused;
}

static wp_status
start_watchman(wp_error *error)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        errno = code;
        return fail(error, "start its watchman");
    }
    pthread_detach(thread);
    return WP_OK;
}

/* A limit of 1 byte stops cores that go to a program as well, where 0 would not (see core(5)). */
static bool
set_limits(void)
{
    const struct rlimit core = {1, 1}, file = {LARGEST_FILE, LARGEST_FILE};
    return setrlimit(RLIMIT_CORE, &core) == 0 && setrlimit(RLIMIT_FSIZE, &file) == 0;
}

wp_status
wp_guard_start(int socket, pid_t parent, wp_error *error)
{
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !set_limits()) {
        return fail(error, "limit itself");
    }
    guard.socket = socket;
    guard.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    guard.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
#ifdef SYS_pidfd_open
    guard.parent = (int)syscall(SYS_pidfd_open, parent, 0);   /* before 5.3 there is none: the socket has to do */
#endif
    if (guard.bell < 0) {
        return fail(error, "make its eventfd");
    }
    if (getppid() != parent) {
        end_process();   /* it was gone before we could watch it */
    }
    return start_watchman(error);
}

wp_status
wp_guard_memory(uint64_t limit, _Atomic uint64_t *found, wp_error *error)
{
    uint64_t all = 0, resident = 0;
    struct rlimit space;
    getrlimit(RLIMIT_AS, &space);
    space.rlim_cur = space.rlim_max;
    if (limit != 0) {
        if (guard.statm < 0 || !read_memory(&all, &resident)) {
            return wp_fail(error, WP_EVALUE, "memory_limit needs /proc, which is not there");
        }
        if (resident >= limit) {
            return wp_fail(error, WP_EVALUE,
                           "memory_limit of %llu bytes: a worker has %llu before its first frame",
                           (unsigned long long)limit, (unsigned long long)resident);
        }
        /* One giant allocation must not get the machine into trouble between two looks. */
        const uint64_t most = all + 2 * limit;
        space.rlim_cur = most < space.rlim_max ? most : space.rlim_max;
    }
    setrlimit(RLIMIT_AS, &space);
    atomic_store(&guard.found, found);
    atomic_store(&guard.limit, limit);
    const uint64_t one = 1;
    return write(guard.bell, &one, sizeof one) < 0 ? fail(error, "wake its watchman") : WP_OK;
}

/* ---- privileges ---- */

/* The capabilities of this thread: none but these. */
static bool
set_capabilities(uint32_t kept)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{.effective = kept, .permitted = kept}, {0}};
    return syscall(SYS_capset, &head, sets) == 0;
}

wp_status
wp_guard_become(uid_t user, gid_t group, wp_error *error)
{
    static const uint32_t reading[] = {1u << CAP_DAC_READ_SEARCH | 1u << CAP_DAC_OVERRIDE, 1u << CAP_DAC_READ_SEARCH,
                                       1u << CAP_DAC_OVERRIDE, 0};
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0
        || setresuid(user, user, user) != 0) {
        return fail(error, "become an unprivileged user (worker_user=None keeps it what it is)");
    }
    for (size_t i = 0; i < sizeof reading / sizeof *reading && !set_capabilities(reading[i]); i++) {
    }   /* a container may lack some of them */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);   /* else its own /dev/fd is closed to it */
    return WP_OK;
}

void
wp_guard_drop_reading(void)
{
    set_capabilities(0);
}

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

wp_status
wp_guard_no_network(wp_error *error)
{
#ifdef OWN_ARCHITECTURE
    /* socket(AF_UNIX, ...) passes, every other socket() is refused; so is a call in another architecture's way. */
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
    };
    const struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0 && errno != ENOSYS
        && errno != EINVAL) {   /* a kernel without seccomp */
        return fail(error, "shut out the network");
    }
#else
    (void)error;
#endif
    return WP_OK;
}
