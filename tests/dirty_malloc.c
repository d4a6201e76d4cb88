/* dirty_malloc.c - preloaded into tshark, it fills each block of malloc() with DIRTY_MALLOC's first character, up to
 * what the heap gave and not only what was asked for: a dissector that reads what nobody wrote, or behind its block,
 * then says something else with each character, and each time the same with one. For glibc.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size);

void *
malloc(size_t size)
{
    static const char *fill;
    void *block = __libc_malloc(size);
    if (fill == NULL) {
        fill = getenv("DIRTY_MALLOC");   /* NULL while the program starts */
    }
    if (block != NULL && fill != NULL) {
        memset(block, fill[0], malloc_usable_size(block));
    }
    return block;
}
