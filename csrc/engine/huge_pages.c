/* huge_pages.c - what malloc takes from the system for a long capture, in huge pages.
 *
 * A long capture makes libwireshark allocate 1 MB and more for each thousand packets. In pages of 4 KB that is a fault of
 * the processor for each, and again many misses when it is read: a twentieth of all time. Only a program that is started
 * anew can have glibc ask for huge pages itself (the tunable glibc.malloc.hugetlb). So room is allocated that the heap
 * does not have yet, the system is advised of it, and it is freed untouched: there the next allocations come from. That
 * is so in the main thread, whose heap ends at the process's break; other threads are left alone. Where the system gives
 * huge pages to everybody the room alone is what lets it: a heap grows in smaller steps.
 *
 * For the room to lie in the heap, glibc must keep large blocks there; then they no longer go back to the system one by one
 * when they are freed. So the end of a long capture gives back what is free (malloc_trim, some milliseconds), and what
 * the heap has not filled comes as it would without us again. */
#include "huge_pages.h"

#include <stdlib.h>

#if defined(__GLIBC__) && defined(__linux__)

#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ROOM = 30 << 20,
    LARGE = 31 << 20,   /* a freed block of this size tells glibc, as in any program, to keep such ones in its heap, and
                         * as much as two of them of what is free (M_MMAP_THRESHOLD in mallopt's manual) */
};

/* Guarded by the epan lock. */
static struct {
    bool on;
    bool must_ask;       /* else the system gives them to everybody */
    char *first;         /* where the advice begins; it goes to the end of the heap */
    void *end;           /* of the heap, when it was seen to last */
} heap;

/* Are huge pages to be had, and is there room for them? glibc may have been told already to ask for them itself. */
static bool
are_given(bool *must_ask)
{
    struct rlimit space;
    const char *tunables = getenv("GLIBC_TUNABLES");
    if ((tunables != NULL && strstr(tunables, "hugetlb") != NULL) || getrlimit(RLIMIT_AS, &space) != 0
        || space.rlim_cur != RLIM_INFINITY) {
        return false;
    }
    char modes[64] = "";
    const int file = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    const ssize_t size = file < 0 ? 0 : read(file, modes, sizeof modes - 1);
    if (file >= 0) {
        close(file);
    }
    *must_ask = strstr(modes, "[madvise]") != NULL;
    return size > 0 && (*must_ask || strstr(modes, "[always]") != NULL);
}

static char *
page_from(const void *place)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    return (char *)(((uintptr_t)place + page - 1) / page * page);
}

static void
make_room(void)
{
    char *room = malloc(ROOM);
    char *end = sbrk(0);
    if (heap.must_ask && room != NULL && room < end && end - room <= 3 * ROOM) {   /* it lies at the end of the heap */
        char *first = page_from(room);
        madvise(first, (size_t)(end - first), MADV_HUGEPAGE);   /* it may well refuse: then the pages are small */
        heap.first = heap.first == NULL || first < heap.first ? first : heap.first;
    }
    free(room);
    heap.end = sbrk(0);
}

/* The others' heaps end elsewhere. */
static bool
is_main_thread(void)
{
    return gettid() == getpid();
}

bool
wp_huge_pages_begin_locked(void)
{
    if (!is_main_thread() || !are_given(&heap.must_ask)) {
        return false;
    }
    void *volatile large = malloc(LARGE);   /* volatile: else the compiler leaves both out */
    free(large);
    heap.on = true;
    make_room();
    return true;
}

void
wp_huge_pages_go_on_locked(void)
{
    if (heap.on && sbrk(0) != heap.end && is_main_thread()) {   /* sbrk(0): glibc's own record, no system call */
        make_room();
    }
}

void
wp_huge_pages_end_locked(void)
{
    char *end = sbrk(0);
    if (heap.first != NULL && heap.first < end) {
        madvise(heap.first, (size_t)(end - heap.first), MADV_NOHUGEPAGE);
    }
    heap.first = NULL;
    heap.on = false;
}

void
wp_heap_trim(void)
{
    malloc_trim(0);
}

#else

bool
wp_huge_pages_begin_locked(void)
{
    return false;
}

void
wp_huge_pages_go_on_locked(void)
{
}

void
wp_huge_pages_end_locked(void)
{
}

void
wp_heap_trim(void)
{
}

#endif
