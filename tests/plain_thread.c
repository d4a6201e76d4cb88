/* plain_thread.c - reads an Arrow stream to its end and releases it in a thread that Python knows nothing of, as
 * consumers with threads of their own do. test_arrow_abi.py compiles it. */
#include <pthread.h>
#include <string.h>

#include "arrow_export.h"

typedef struct {
    struct ArrowArrayStream *stream;
    int64_t rows, batches;
    int code;
} reading;

static void *
read_all(void *reading_)
{
    reading *r = reading_;
    struct ArrowSchema schema;
    struct ArrowArray array;
    r->code = r->stream->get_schema(r->stream, &schema);
    if (r->code == 0) {
        schema.release(&schema);
    }
    while (r->code == 0 && (r->code = r->stream->get_next(r->stream, &array)) == 0 && array.release != NULL) {
        r->rows += array.length;
        r->batches++;
        array.release(&array);
    }
    r->stream->release(r->stream);
    return NULL;
}

/* What get_next returned last; -1 without a thread. */
int
read_in_a_thread(struct ArrowArrayStream *stream, int64_t *rows, int64_t *batches)
{
    pthread_t thread;
    reading r = {.stream = stream};
    if (pthread_create(&thread, NULL, read_all, &r) != 0 || pthread_join(thread, NULL) != 0) {
        return -1;
    }
    *rows = r.rows;
    *batches = r.batches;
    return r.code;
}
