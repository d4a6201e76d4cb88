/* huge_pages.c - what malloc takes from the system for dissecting, in huge pages.
 *
 * A long capture makes libwireshark allocate about 1 MB for each thousand packets. In pages of 4 KB that is a fault of the
 * processor for each, and again many misses when it is read: a twentieth of all time. Only a program that is started anew
 * can have glibc ask for huge pages itself (the tunable glibc.malloc.hugetlb). So room is allocated that the heap
 * does not have yet, the system is advised of it, and it is freed untouched: there the next allocations come from.
 * Where malloc works otherwise, nothing is gained, and nothing lost.
 *
 * In the end the room that is left is small pages again: what comes after shall not make the process grow by 2 MB at a
 * time. And whoever opens short captures alone keeps the heap that he has. */
#include "huge_pages.h"

#include <stdlib.h>

#if defined(__GLIBC__) && defined(__linux__)

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ROOM = 30 << 20,
    LARGE = 31 << 20,   /* a freed block of this size tells glibc, as in any program, to keep such ones in its heap, and
                         * as much as two of them of what is free (M_MMAP_THRESHOLD in mallopt's manual) */
};

static void *end_of_heap;   /* when it was seen to last; guarded by the epan lock */

static void
advise_of_room(int advice)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *room = malloc(ROOM);
    if (room != NULL) {
        const uintptr_t first = ((uintptr_t)room + page - 1) / page * page;
        const uintptr_t last = ((uintptr_t)room + ROOM) / page * page;
        madvise((void *)first, last - first, advice);   /* it may well refuse: then the pages are small */
        free(room);
    }
    end_of_heap = sbrk(0);
}

void
wp_huge_pages_begin_locked(void)
{
    void *volatile large = malloc(LARGE);   /* volatile: else the compiler leaves both out */
    free(large);
    advise_of_room(MADV_HUGEPAGE);
}

void
wp_huge_pages_go_on_locked(void)
{
    if (sbrk(0) != end_of_heap) {   /* glibc's own record, no system call */
        advise_of_room(MADV_HUGEPAGE);
    }
}

void
wp_huge_pages_end_locked(void)
{
    advise_of_room(MADV_NOHUGEPAGE);
}

#else

void
wp_huge_pages_begin_locked(void)
{
}

void
wp_huge_pages_go_on_locked(void)
{
}

void
wp_huge_pages_end_locked(void)
{
}

#endif
