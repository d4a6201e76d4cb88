/* column_writer.c - values from a live tree straight into Arrow buffers.
 *
 * A walk over the tree, in the order in which tshark -T fields prints, finds each column's occurrence; the fields not
 * asked for were never built, so the walk is short. A row that does not fit any more is undone by going back to the
 * lengths of the row before: offsets tell where that was, and only null counts must be counted again. */
#include "column_writer.h"

#include <stdlib.h>

#include "address_text.h"
#include "column_buffers.h"
#include "live_field.h"
#include "value_text.h"

typedef struct {
    const wp_column *plan;    /* borrowed from the plan */
    wp_values values;         /* of the column, or of its lists' items */
    wp_lists lists;           /* where the column has them */
    field_info *hit;          /* borrowed from the tree during one row: the occurrence that counts */
    uint32_t next_same;       /* column + 1 that takes the same field; 0: none */
    int summary;              /* index among Wireshark's columns, in this session */
} column;

struct wp_writer {
    wp_plan *plan;            /* owned reference */
    wp_resolution resolution;
    wp_occurrence occurrence;
    uint32_t count;
    column *columns;          /* owned */
    uint32_t *by_id;          /* owned: field id to column + 1 */
    uint32_t id_count;
    int64_t rows;
    wp_fit fit;               /* of the row that is being written */
    uint32_t wanted;          /* columns that can still get their first occurrence in this row */
};

/* ---- one value ---- */

static int64_t
as_integer(const wp_field_def *def, const wp_value *value, bool *valid)
{
    uint8_t bytes[16];
    switch ((wp_kind)def->kind) {
    case WP_BOOL:
        return value->number != 0;
    case WP_IPV4:
        return (int64_t)(uint32_t)value->number;
    case WP_ETHER: {
        uint64_t number = 0;
        const size_t size = wp_address_bytes(WP_ETHER, value, bytes);
        for (size_t i = 0; i < size; i++) {
            number = number << 8 | bytes[i];
        }
        *valid = size > 0;
        return (int64_t)number;
    }
    default:
        return (int64_t)value->number;
    }
}

static double
as_real(const wp_field_def *def, const wp_value *value)
{
    switch ((wp_kind)def->kind) {
    case WP_FLOAT:
        return value->real;
    case WP_FLOAT16:
        return wp_ieee11073(value->number, 2);
    case WP_FLOAT32:
        return wp_ieee11073(value->number, 4);
    case WP_INT:
        return (double)(int64_t)value->number;
    case WP_BOOL:
        return value->number != 0;
    default:
        return (double)value->number;
    }
}

/* False beyond what 64 bits of nanoseconds hold: the years 1677 to 2262. */
static bool
as_time(const wp_value *value, int64_t divisor, int64_t *time)
{
    int64_t whole;
    if (__builtin_mul_overflow(value->time.seconds, INT64_C(1000000000), &whole)
        || __builtin_add_overflow(whole, (int64_t)value->time.nanoseconds, &whole)) {
        return false;
    }
    *time = whole / divisor - (whole % divisor < 0);   /* downwards, also before 1970 */
    return true;
}

/* A view, so that Wireshark can write the value anew; see field_value.h. */
static void
view_field(wp_field_def *def, const field_info *fi, const wp_value *value, wp_field *field)
{
    *field = (wp_field){
        .def = def,
        .value = *value,
        .label = fi->rep == NULL ? NULL : fi->rep->representation,
        .start = fi->start,
        .length = fi->length,
        .flags = fi->flags,
        .source = WP_NO_SOURCE,
    };
}

static wp_fit
put_display(wp_writer *writer, wp_values *to, wp_field_def *def, const field_info *fi, const wp_value *value)
{
    wp_field field;
    wp_error error;
    char *text;
    view_field(def, fi, value, &field);
    if (wp_field_display_locked(&field, writer->resolution, WP_DISPLAY_OF_JSON, &text, &error) != WP_OK) {
        return WP_NO_MEMORY;
    }
    const wp_fit fit = text == NULL ? wp_values_put_null(to) : wp_values_put_text(to, text, strlen(text));
    free(text);
    return fit;
}

static wp_fit
put_text(wp_writer *writer, const wp_column *plan, wp_values *to, wp_field_def *def, const field_info *fi,
         const wp_value *value)
{
    char text[WP_ADDRESS_TEXT_SIZE];
    if (def->kind == WP_STRING) {
        return wp_values_put_text(to, (const char *)value->bytes, value->length);
    }
    const size_t size = plan->displayed ? 0 : wp_address_text((wp_kind)def->kind, value, text);
    return size > 0 ? wp_values_put_text(to, text, size) : put_display(writer, to, def, fi, value);
}

static wp_fit
put_bytes(wp_values *to, const wp_field_def *def, const wp_value *value)
{
    uint8_t bytes[16];
    const size_t size = wp_address_bytes((wp_kind)def->kind, value, bytes);
    return size > 0 ? wp_values_put_bytes(to, bytes, size) : wp_values_put_bytes(to, value->bytes, value->length);
}

static wp_fit
put_label(wp_writer *writer, wp_values *to, wp_field_def *def, field_info *fi, const wp_value *value)
{
    char label[WP_LABEL_SIZE];
    wp_field field;
    view_field(def, fi, value, &field);
    wp_field_label_locked(&field, writer->resolution, label);
    return wp_values_put_text(to, label, strlen(label));
}

static wp_fit
put_integer(wp_values *to, wp_column_type type, const wp_field_def *def, const wp_value *value)
{
    bool valid = true;
    const int64_t number = as_integer(def, value, &valid);
    return valid ? wp_values_put_integer(to, type, number, def->kind == WP_INT) : wp_values_put_null(to);
}

static wp_fit
put_value(wp_writer *writer, const wp_column *plan, wp_values *to, field_info *fi)
{
    wp_field_def *def = wp_live_def(fi);
    wp_value value = {0};
    uint8_t guid[16];
    int64_t time;
    if (def == NULL) {
        return WP_NO_MEMORY;
    }
    wp_live_value(def, fi, &value, guid);
    if (plan->origin == WP_FROM_LABEL) {
        return put_label(writer, to, def, fi, &value);
    }
    if (!wp_has_value(def)) {   /* there is no value, but where only presence counts */
        return plan->type == WP_TYPE_BOOL ? wp_values_put_bool(to, true) : wp_values_put_null(to);
    }
    switch (plan->type) {
    case WP_TYPE_BOOL:
        return wp_values_put_bool(to, value.number != 0);
    case WP_TYPE_FLOAT32:
        return wp_values_put_float(to, (float)as_real(def, &value));
    case WP_TYPE_FLOAT64:
        return wp_values_put_double(to, as_real(def, &value));
    case WP_TYPE_TIMESTAMP:
    case WP_TYPE_DURATION:
        return as_time(&value, plan->divisor, &time) ? wp_values_put_int64(to, time) : wp_values_put_null(to);
    case WP_TYPE_UTF8:
        return put_text(writer, plan, to, def, fi, &value);
    case WP_TYPE_BINARY:
        return put_bytes(to, def, &value);
    default:
        return put_integer(to, plan->type, def, &value);
    }
}

wp_status
wp_writer_session_opened_locked(wp_writer *writer, wp_error *error)
{
    for (uint32_t i = 0; i < writer->count; i++) {
        column *c = &writer->columns[i];
        if (c->plan->origin == WP_FROM_SUMMARY && (c->summary = wp_summary_find_locked(c->plan->name)) < 0) {
            return wp_fail(error, WP_EFIELD, "the profile has no column '%s'", c->plan->name);
        }
    }
    return WP_OK;
}

/* ---- one row ---- */

static void
meet(wp_writer *writer, uint32_t at, field_info *fi)
{
    for (; at != 0; at = writer->columns[at - 1].next_same) {
        column *c = &writer->columns[at - 1];
        if (writer->occurrence == WP_ALL) {
            if (writer->fit == WP_FITS) {
                c->hit = fi;
                writer->fit = put_value(writer, c->plan, &c->values, fi);
            }
        } else if (c->hit == NULL) {
            c->hit = fi;
            writer->wanted -= writer->occurrence == WP_FIRST;
        } else if (writer->occurrence == WP_LAST) {
            c->hit = fi;
        }
    }
}

/* Depth first. Wireshark bounds the depth (gui_max_tree_depth), so the stack is safe. */
static void
walk(wp_writer *writer, const proto_node *parent)
{
    for (const proto_node *child = parent->first_child; child != NULL && writer->wanted > 0; child = child->next) {
        field_info *fi = WSC_FINFO(child);
        if (fi != NULL && (uint32_t)fi->hfinfo->id < writer->id_count) {
            const uint32_t at = writer->by_id[fi->hfinfo->id];
            if (at != 0) {
                meet(writer, at, fi);
            }
        }
        if (child->first_child != NULL) {
            walk(writer, child);
        }
    }
}

static wp_fit
end_of_row(wp_writer *writer, column *c, const epan_dissect_t *edt, const char *path)
{
    const char *text;
    switch (c->plan->origin) {
    case WP_FROM_SUMMARY:
        text = wsc_column_text(edt->pi.cinfo, c->summary);
        return text == NULL ? wp_values_put_null(&c->values) : wp_values_put_text(&c->values, text, strlen(text));
    case WP_FROM_PATH:
        return wp_values_put_text(&c->values, path, strlen(path));
    default:
        if (c->plan->list) {
            return wp_lists_put(&c->lists, c->values.length, c->hit != NULL);
        }
        return c->hit != NULL ? put_value(writer, c->plan, &c->values, c->hit) : wp_values_put_null(&c->values);
    }
}

static void
undo_row(wp_writer *writer)
{
    for (uint32_t i = 0; i < writer->count; i++) {
        column *c = &writer->columns[i];
        wp_values_cut(&c->values, c->plan->list ? wp_lists_cut(&c->lists, writer->rows) : writer->rows);
    }
}

wp_status
wp_writer_add_locked(wp_writer *writer, void *edt_, const char *path, wp_error *error)
{
    epan_dissect_t *edt = edt_;
    writer->fit = WP_FITS;
    writer->wanted = writer->count;   /* more than can be met where some columns are no fields: the walk just ends */
    for (uint32_t i = 0; i < writer->count; i++) {
        writer->columns[i].hit = NULL;
    }
    if (edt->tree != NULL) {
        walk(writer, edt->tree);
    }
    if (wp_plan_needs_summary(writer->plan)) {
        epan_dissect_fill_in_columns(edt, FALSE, TRUE);
    }
    for (uint32_t i = 0; i < writer->count && writer->fit == WP_FITS; i++) {
        writer->fit = end_of_row(writer, &writer->columns[i], edt, path);
    }
    if (writer->fit == WP_FITS) {
        writer->rows++;
        return WP_OK;
    }
    undo_row(writer);
    if (writer->fit == WP_OVERFLOW && writer->rows > 0) {
        return WP_AGAIN;
    }
    return writer->fit == WP_OVERFLOW ? wp_fail(error, WP_EVALUE, "the values of one frame do not fit in a batch")
                                      : wp_fail(error, WP_EMEMORY, "out of memory");
}

/* ---- batches ---- */

wp_status
wp_writer_take(wp_writer *writer, wp_batch **batch, wp_error *error)
{
    *batch = wp_batch_new(writer->count);
    if (*batch == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    wp_array *root = wp_batch_root(*batch);
    root->length = writer->rows;
    bool complete = true;
    for (uint32_t i = 0; i < writer->count && complete; i++) {
        column *c = &writer->columns[i];
        complete = c->plan->list ? wp_lists_take(&c->lists, &c->values, &root->children[i])
                                 : wp_values_take(&c->values, &root->children[i]);
    }
    writer->rows = 0;
    if (complete) {
        return WP_OK;
    }
    wp_batch_release(*batch);
    *batch = NULL;
    return wp_fail(error, WP_EMEMORY, "out of memory");
}

int64_t
wp_writer_rows(const wp_writer *writer)
{
    return writer->rows;
}

/* ---- making it ---- */

static uint32_t
highest_id(const wp_plan *plan)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < wp_plan_count(plan); i++) {
        const wp_column *c = wp_plan_column(plan, i);
        for (uint32_t j = 0; j < c->id_count; j++) {
            top = MAX(top, c->ids[j] + 1);
        }
    }
    return top;
}

/* From the last column to the first, so that a field's chain begins at its first column. A name's fields share all
 * their columns, so that one chain does for all of them. */
static void
index_columns(wp_writer *writer)
{
    for (uint32_t i = writer->count; i-- > 0;) {
        const wp_column *plan = writer->columns[i].plan;
        if (plan->id_count > 0) {
            writer->columns[i].next_same = writer->by_id[plan->ids[0]];
        }
        for (uint32_t j = 0; j < plan->id_count; j++) {
            writer->by_id[plan->ids[j]] = i + 1;
        }
    }
}

wp_writer *
wp_writer_new(wp_plan *plan, int64_t offset_limit, wp_resolution resolution)
{
    wp_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return NULL;
    }
    writer->count = wp_plan_count(plan);
    writer->id_count = highest_id(plan);
    writer->columns = calloc(writer->count + 1, sizeof *writer->columns);
    writer->by_id = calloc(writer->id_count + 1, sizeof *writer->by_id);
    if (writer->columns == NULL || writer->by_id == NULL) {
        free(writer->columns);
        free(writer->by_id);
        free(writer);
        return NULL;
    }
    wp_plan_hold(plan);
    writer->plan = plan;
    writer->resolution = resolution;
    writer->occurrence = wp_plan_occurrence(plan);
    for (uint32_t i = 0; i < writer->count; i++) {
        column *c = &writer->columns[i];
        c->plan = wp_plan_column(plan, i);
        wp_values_init(&c->values, c->plan, offset_limit);
        wp_lists_init(&c->lists, offset_limit);
    }
    index_columns(writer);
    return writer;
}

void
wp_writer_free(wp_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    for (uint32_t i = 0; i < writer->count; i++) {
        wp_values_free(&writer->columns[i].values);
        wp_lists_free(&writer->columns[i].lists);
    }
    free(writer->columns);
    free(writer->by_id);
    wp_plan_release(writer->plan);
    free(writer);
}
