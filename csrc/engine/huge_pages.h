/* huge_pages.h - what malloc takes from the system for a long capture, in huge pages. */
#ifndef WISHPY_HUGE_PAGES_H
#define WISHPY_HUGE_PAGES_H

#include <stdbool.h>

/* Between the two the heap grows by huge pages; false where it is left as it is: the system has none to give, glibc asks
 * for them itself, address space is limited, or this is not the process's main thread. Lock held. */
bool wp_huge_pages_begin_locked(void);
void wp_huge_pages_end_locked(void);

/* To be called in between, often: the heap may have grown beyond what begin had seen to. Costs next to nothing else. */
void wp_huge_pages_go_on_locked(void);

/* What is free goes back to the system, of any thread. */
void wp_heap_trim(void);

#endif
