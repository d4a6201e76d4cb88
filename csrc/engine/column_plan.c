/* column_plan.c - what a table's columns are: from field ids to Arrow types.
 *
 * Several dissectors may register one name, with different types. The column's type is then found from all of them,
 * in an order that does not matter:
 *   one type                                    that type
 *   integers (and booleans)                     the narrowest integer that holds all of them, to 64 bits
 *   floats, with or without integers to 32 bit  float64
 *   strings, addresses and identifiers          utf8
 *   anything else                               utf8, each value as Wireshark shows it
 * Fields without a value (FT_NONE, FT_PROTOCOL) count only where there are no others: then it is bool, present. */
#include "column_plan.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

#include "field_table.h"
#include "registry.h"
#include "value_text.h"
#include "ws_compat.h"

enum { NS_PER_SECOND = 1000000000, METADATA_MAX = 8 };

struct wp_plan {
    atomic_size_t references;
    wp_occurrence occurrence;
    uint32_t count, room;
    wp_column *columns;                       /* owned */
    uint32_t metadata_count;
    char *keys[METADATA_MAX], *values[METADATA_MAX];   /* owned */
};

/* ---- the type of one field ---- */

static wp_column_type
unsigned_type(ftenum_t type)
{
    switch (type) {
    case FT_CHAR:
    case FT_UINT8:
        return WP_TYPE_UINT8;
    case FT_UINT16:
        return WP_TYPE_UINT16;
    case FT_UINT24:
    case FT_UINT32:
    case FT_FRAMENUM:
        return WP_TYPE_UINT32;
    default:
        return WP_TYPE_UINT64;
    }
}

static wp_column_type
signed_type(ftenum_t type)
{
    switch (type) {
    case FT_INT8:
        return WP_TYPE_INT8;
    case FT_INT16:
        return WP_TYPE_INT16;
    case FT_INT24:
    case FT_INT32:
        return WP_TYPE_INT32;
    default:
        return WP_TYPE_INT64;
    }
}

static wp_column_type
type_of_field(const wp_field_def *def)
{
    const ftenum_t type = ((const header_field_info *)wp_field_more_of(def)->registered)->type;
    switch ((wp_kind)def->kind) {
    case WP_NONE:
    case WP_PROTOCOL:
    case WP_BOOL:
        return WP_TYPE_BOOL;
    case WP_UINT:
        return unsigned_type(type);
    case WP_INT:
        return signed_type(type);
    case WP_FLOAT:
        return type == FT_FLOAT ? WP_TYPE_FLOAT32 : WP_TYPE_FLOAT64;
    case WP_FLOAT16:   /* decimal numbers: a float32 would show 36.4 as 36.400002 */
    case WP_FLOAT32:
        return WP_TYPE_FLOAT64;
    case WP_ABSTIME:
        return WP_TYPE_TIMESTAMP;
    case WP_RELTIME:
        return WP_TYPE_DURATION;
    case WP_BYTES:
        return WP_TYPE_BINARY;
    default:
        return WP_TYPE_UTF8;
    }
}

/* ---- the type of several ---- */

static bool
is_unsigned(wp_column_type type)
{
    return type >= WP_TYPE_UINT8 && type <= WP_TYPE_UINT64;
}

static bool
is_signed(wp_column_type type)
{
    return type >= WP_TYPE_INT8 && type <= WP_TYPE_INT64;
}

static bool
is_float(wp_column_type type)
{
    return type == WP_TYPE_FLOAT32 || type == WP_TYPE_FLOAT64;
}

static bool
is_integral(wp_column_type type)
{
    return type == WP_TYPE_BOOL || is_unsigned(type) || is_signed(type);
}

/* The narrowest that holds both widths; false beyond 64 bits. */
static bool
mixed_integer(wp_column_type positive, wp_column_type either, wp_column_type *type)
{
    if (positive == WP_TYPE_UINT64) {
        return false;
    }
    *type = MAX(either, (wp_column_type)(WP_TYPE_INT8 + (positive - WP_TYPE_UINT8) + 1));
    return true;
}

/* What is known of all the fields of a name, whatever their order. */
typedef struct {
    bool any, same, numbers, floats, wide;
    wp_column_type first, positive, either;   /* the widest unsigned and signed; WP_TYPE_BOOL where there is none */
} type_facts;

static void
gather_type(type_facts *facts, wp_column_type type)
{
    facts->same = !facts->any ? true : facts->same && type == facts->first;
    facts->first = facts->any ? facts->first : type;
    facts->numbers = (facts->numbers || !facts->any) && (is_integral(type) || is_float(type));
    facts->any = true;
    facts->floats = facts->floats || is_float(type);
    facts->wide = facts->wide || type == WP_TYPE_UINT64 || type == WP_TYPE_INT64;
    if (is_signed(type)) {
        facts->either = MAX(facts->either, type);
    } else if (is_integral(type)) {
        facts->positive = MAX(facts->positive, type == WP_TYPE_BOOL ? WP_TYPE_UINT8 : type);
    }
}

static void
join_types(wp_column *column, const type_facts *facts)
{
    bool joined = facts->numbers;
    if (joined && facts->floats) {
        column->type = WP_TYPE_FLOAT64;
        joined = !facts->wide;
    } else if (joined && (facts->positive == WP_TYPE_BOOL || facts->either == WP_TYPE_BOOL)) {
        column->type = MAX(facts->positive, facts->either);
    } else if (joined) {
        joined = mixed_integer(facts->positive, facts->either, &column->type);
    }
    if (!joined) {
        column->type = WP_TYPE_UTF8;
        column->displayed = true;
    }
}

static void
decide_type(wp_column *column)
{
    type_facts facts = {.first = WP_TYPE_BOOL, .positive = WP_TYPE_BOOL, .either = WP_TYPE_BOOL};
    for (uint32_t i = 0; i < column->id_count; i++) {
        const wp_field_def *def = wp_field_by_id(column->ids[i]);
        if (wp_has_value(def)) {
            gather_type(&facts, type_of_field(def));
        }
    }
    column->type = facts.first;
    if (facts.any && !facts.same) {
        join_types(column, &facts);
    }
}

/* ---- encodings ---- */

static bool
all_of_kinds(const wp_column *column, uint32_t kinds)
{
    for (uint32_t i = 0; i < column->id_count; i++) {
        const wp_field_def *def = wp_field_by_id(column->ids[i]);
        if (wp_has_value(def) && !(kinds & 1u << def->kind)) {
            return false;
        }
    }
    return true;
}

static bool
any_has_value(const wp_column *column)
{
    bool any = false;
    for (uint32_t i = 0; i < column->id_count; i++) {
        any = any || wp_has_value(wp_field_by_id(column->ids[i]));
    }
    return any;
}

/* Addresses as numbers, in the order in which they are written. */
static bool
encode_as_int(wp_column *column)
{
    if (column->origin != WP_FROM_FIELD || !any_has_value(column)) {
        return false;
    }
    if (is_integral(column->type) && column->type != WP_TYPE_BOOL) {
        return true;
    }
    if (all_of_kinds(column, 1u << WP_IPV4 | 1u << WP_IPXNET)) {
        column->type = WP_TYPE_UINT32;
        return true;
    }
    if (all_of_kinds(column, 1u << WP_IPV4 | 1u << WP_IPXNET | 1u << WP_ETHER | 1u << WP_EUI64)) {
        column->type = WP_TYPE_UINT64;
        return true;
    }
    return false;
}

static bool
encode_as_bytes(wp_column *column)
{
    const uint32_t kinds = 1u << WP_IPV4 | 1u << WP_IPV6 | 1u << WP_ETHER | 1u << WP_EUI64 | 1u << WP_GUID
                         | 1u << WP_IPXNET | 1u << WP_OTHER | 1u << WP_STRING | 1u << WP_BYTES;
    if (column->origin != WP_FROM_FIELD || !any_has_value(column) || !all_of_kinds(column, kinds)) {
        return false;
    }
    column->type = WP_TYPE_BINARY;
    column->displayed = false;
    return true;
}

static wp_status
encode(wp_column *column, wp_encoding encoding, wp_error *error)
{
    static const char *const names[] = {"none", "dictionary", "int", "bytes"};
    bool fits = true;
    if (encoding == WP_ENCODE_DICTIONARY) {
        fits = column->dictionary = column->type == WP_TYPE_UTF8;
    } else if (encoding == WP_ENCODE_INT) {
        fits = encode_as_int(column);
    } else if (encoding == WP_ENCODE_BYTES) {
        fits = encode_as_bytes(column);
    }
    return fits ? WP_OK
                : wp_fail(error, WP_EVALUE, "column '%s' cannot be encoded as '%s': its values do not allow it",
                          column->name, names[encoding]);
}

/* ---- the plan ---- */

wp_plan *
wp_plan_new(uint32_t columns, wp_occurrence occurrence)
{
    wp_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return NULL;
    }
    plan->columns = calloc(columns == 0 ? 1 : columns, sizeof *plan->columns);
    if (plan->columns == NULL) {
        free(plan);
        return NULL;
    }
    atomic_init(&plan->references, 1);
    plan->room = columns;
    plan->occurrence = occurrence;
    return plan;
}

void
wp_plan_hold(wp_plan *plan)
{
    atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
}

void
wp_plan_release(wp_plan *plan)
{
    if (plan == NULL || atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        free(plan->columns[i].name);
        free(plan->columns[i].ids);
    }
    for (uint32_t i = 0; i < plan->metadata_count; i++) {
        free(plan->keys[i]);
        free(plan->values[i]);
    }
    free(plan->columns);
    free(plan);
}

/* The next free column, named and still without a type. It counts from now on, so that release frees it. */
static wp_column *
next_column(wp_plan *plan, const char *name, wp_column_origin origin)
{
    wp_column *column = &plan->columns[plan->count];
    char *copy = plan->count < plan->room ? strdup(name) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    *column = (wp_column){.name = copy, .origin = origin, .type = WP_TYPE_UTF8, .divisor = 1};
    plan->count++;
    return column;
}

static wp_status
no_memory(wp_error *error)
{
    return wp_fail(error, WP_EMEMORY, "out of memory");
}

wp_status
wp_plan_add_field_locked(wp_plan *plan, const char *name, const uint32_t *ids, uint32_t id_count, bool label,
                         wp_encoding encoding, wp_error *error)
{
    wp_column *column = next_column(plan, name, label ? WP_FROM_LABEL : WP_FROM_FIELD);
    if (column == NULL || (column->ids = malloc((id_count + 1) * sizeof *ids)) == NULL) {
        return no_memory(error);
    }
    memcpy(column->ids, ids, id_count * sizeof *ids);
    column->id_count = id_count;
    column->list = plan->occurrence == WP_ALL;
    if (!label) {
        decide_type(column);
    }
    return encode(column, encoding, error);
}

wp_status
wp_plan_add_path(wp_plan *plan, const char *name, wp_encoding encoding, wp_error *error)
{
    wp_column *column = next_column(plan, name, WP_FROM_PATH);
    return column == NULL ? no_memory(error) : encode(column, encoding, error);
}

wp_status
wp_plan_add_metadata(wp_plan *plan, const char *key, const char *value, wp_error *error)
{
    const uint32_t i = plan->metadata_count;
    if (i == METADATA_MAX || (plan->keys[i] = strdup(key)) == NULL) {
        return no_memory(error);
    }
    if ((plan->values[i] = strdup(value)) == NULL) {
        free(plan->keys[i]);
        return no_memory(error);
    }
    plan->metadata_count++;
    return WP_OK;
}

/* ---- Wireshark's columns ---- */

#define SUMMARY_PREFIX "_ws.col."

/* From 4.2 the columns have field names like these; before, -e takes their titles. Both are known here, on every
 * version: these names, and any title of the user's own columns. */
static const struct {
    const char *name;
    int format;
} summaries[] = {
    {"_ws.col.destination", COL_DEF_DST}, {"_ws.col.info", COL_INFO}, {"_ws.col.length", COL_PACKET_LENGTH},
    {"_ws.col.number", COL_NUMBER}, {"_ws.col.protocol", COL_PROTOCOL}, {"_ws.col.source", COL_DEF_SRC},
    {"_ws.col.time", COL_CLS_TIME},
    {"_ws.col.def_dst", COL_DEF_DST}, {"_ws.col.packet_length", COL_PACKET_LENGTH}, {"_ws.col.def_src", COL_DEF_SRC},
    {"_ws.col.cls_time", COL_CLS_TIME},
};
enum { SUMMARY_LISTED = 7 };   /* the others are second names */

const char *const *
wp_summary_names(void)
{
    static const char *names[SUMMARY_LISTED + 1];
    for (size_t i = 0; i < SUMMARY_LISTED; i++) {
        names[i] = summaries[i].name;
    }
    return names;
}

bool
wp_is_summary_name(const char *name)
{
    return strncmp(name, SUMMARY_PREFIX, strlen(SUMMARY_PREFIX)) == 0;
}

int
wp_summary_find_locked(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(summaries); i++) {
        for (int at = 0; strcasecmp(summaries[i].name, name) == 0 && at < (int)prefs.num_cols; at++) {
            if (get_column_format(at) == summaries[i].format) {
                return at;
            }
        }
    }
    for (int at = 0; at < (int)prefs.num_cols; at++) {
        const char *title = get_column_title(at);
        if (title != NULL && strcasecmp(title, name + strlen(SUMMARY_PREFIX)) == 0) {
            return at;
        }
    }
    return -1;
}

wp_status
wp_plan_add_summary_locked(wp_plan *plan, const char *name, wp_encoding encoding, wp_error *error)
{
    if (wp_summary_find_locked(name) < 0) {
        return wp_fail(error, WP_EFIELD, "Wireshark has no column '%s': it has number, time, source, destination, "
                       "protocol, length and info", name);
    }
    wp_column *column = next_column(plan, name, WP_FROM_SUMMARY);
    if (column == NULL) {
        return no_memory(error);
    }
    return encode(column, encoding, error);
}

/* ---- what others ask ---- */

uint32_t
wp_plan_count(const wp_plan *plan)
{
    return plan->count;
}

const wp_column *
wp_plan_column(const wp_plan *plan, uint32_t i)
{
    return &plan->columns[i];
}

wp_occurrence
wp_plan_occurrence(const wp_plan *plan)
{
    return plan->occurrence;
}

static bool
any_from(const wp_plan *plan, wp_column_origin origin)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->columns[i].origin == origin) {
            return true;
        }
    }
    return false;
}

bool
wp_plan_needs_labels(const wp_plan *plan)
{
    return any_from(plan, WP_FROM_LABEL);
}

bool
wp_plan_needs_summary(const wp_plan *plan)
{
    return any_from(plan, WP_FROM_SUMMARY);
}

/* ---- the schema ---- */

static char
unit_letter(int64_t divisor)
{
    return divisor == 1 ? 'n' : divisor == 1000 ? 'u' : divisor == 1000000 ? 'm' : 's';
}

void
wp_column_format(const wp_column *column, char format[WP_FORMAT_SIZE])
{
    static const char *const formats[] = {
        [WP_TYPE_BOOL] = "b", [WP_TYPE_UINT8] = "C", [WP_TYPE_UINT16] = "S", [WP_TYPE_UINT32] = "I",
        [WP_TYPE_UINT64] = "L", [WP_TYPE_INT8] = "c", [WP_TYPE_INT16] = "s", [WP_TYPE_INT32] = "i",
        [WP_TYPE_INT64] = "l", [WP_TYPE_FLOAT32] = "f", [WP_TYPE_FLOAT64] = "g", [WP_TYPE_UTF8] = "u",
        [WP_TYPE_BINARY] = "z", [WP_TYPE_TIMESTAMP] = "ts%c:UTC", [WP_TYPE_DURATION] = "tD%c",
    };
    if (column->type == WP_TYPE_TIMESTAMP) {
        snprintf(format, WP_FORMAT_SIZE, "ts%c:UTC", unit_letter(column->divisor));
    } else if (column->type == WP_TYPE_DURATION) {
        snprintf(format, WP_FORMAT_SIZE, "tD%c", unit_letter(column->divisor));
    } else {
        snprintf(format, WP_FORMAT_SIZE, "%s", formats[column->type]);
    }
}

/* One value's schema: the column itself, or the item of its list. */
static wp_status
item_schema(const wp_column *column, const char *name, const wp_metadata *metadata, uint32_t metadata_count,
            struct ArrowSchema *out)
{
    char format[WP_FORMAT_SIZE];
    wp_column_format(column, format);
    wp_status status = wp_schema_make(out, column->dictionary ? "i" : format, name, ARROW_FLAG_NULLABLE, metadata,
                                      metadata_count, 0);
    if (status == WP_OK && column->dictionary) {
        status = wp_schema_add_dictionary(out, format);
    }
    return status;
}

/* Fields that share the name may differ: all their types, without repetition; the title of the first. */
static uint32_t
describe_column(const wp_column *column, wp_metadata metadata[3], char types[256])
{
    types[0] = '\0';
    metadata[0] = (wp_metadata){"wireshark.filter", column->name};
    if (column->id_count == 0) {
        return column->origin == WP_FROM_SUMMARY ? 1 : 0;
    }
    for (uint32_t i = 0; i < column->id_count; i++) {
        const char *type = wp_registry_type_name(column->ids[i]);
        const size_t used = strlen(types);
        if (strstr(types, type) == NULL && used + strlen(type) + 2 < 256) {
            snprintf(types + used, 256 - used, "%s%s", used > 0 ? " " : "", type);
        }
    }
    metadata[1] = (wp_metadata){"wireshark.type", types};
    metadata[2] = (wp_metadata){"wireshark.title", wp_field_title(wp_field_by_id(column->ids[0]))};
    return 3;
}

static wp_status
column_schema(const wp_column *column, struct ArrowSchema *out)
{
    wp_metadata metadata[3];
    char types[256];
    const uint32_t count = describe_column(column, metadata, types);
    if (!column->list) {
        return item_schema(column, column->name, metadata, count, out);
    }
    wp_status status = wp_schema_make(out, "+l", column->name, ARROW_FLAG_NULLABLE, metadata, count, 1);
    return status == WP_OK ? item_schema(column, "item", NULL, 0, out->children[0]) : status;
}

wp_status
wp_plan_schema(const wp_plan *plan, struct ArrowSchema *out)
{
    wp_metadata metadata[METADATA_MAX];
    for (uint32_t i = 0; i < plan->metadata_count; i++) {
        metadata[i] = (wp_metadata){plan->keys[i], plan->values[i]};
    }
    wp_status status = wp_schema_make(out, "+s", "", 0, metadata, plan->metadata_count, plan->count);
    if (status != WP_OK) {
        return status;
    }
    for (uint32_t i = 0; status == WP_OK && i < plan->count; i++) {
        status = column_schema(&plan->columns[i], out->children[i]);
    }
    if (status != WP_OK) {
        out->release(out);
    }
    return status;
}

/* ---- what a consumer asks for ---- */

static int64_t
divisor_of(char unit)
{
    return unit == 's' ? NS_PER_SECOND : unit == 'm' ? 1000000 : unit == 'u' ? 1000 : unit == 'n' ? 1 : 0;
}

static void
adapt_time(wp_column *column, const char *format)
{
    const char *prefix = column->type == WP_TYPE_TIMESTAMP ? "ts" : "tD";
    const char *end = column->type == WP_TYPE_TIMESTAMP ? ":UTC" : "";
    if (strncmp(format, prefix, 2) == 0 && divisor_of(format[2]) != 0 && strcmp(format + 3, end) == 0) {
        column->divisor = divisor_of(format[2]);
    }
}

/* Wider only: a value must never stop fitting because of what a consumer asked for. */
static void
adapt_integer(wp_column *column, const char *format)
{
    static const char letters[] = "CSILcsil";   /* in the order of the types */
    const char *at = strlen(format) == 1 ? strchr(letters, format[0]) : NULL;
    if (at == NULL) {
        return;
    }
    const wp_column_type wanted = (wp_column_type)(WP_TYPE_UINT8 + (at - letters));
    const bool fits = is_unsigned(column->type) && is_signed(wanted)
                          ? wanted - WP_TYPE_INT8 > column->type - WP_TYPE_UINT8
                          : is_unsigned(column->type) == is_unsigned(wanted) && wanted > column->type;
    if (fits) {
        column->type = wanted;
    }
}

static void
adapt_value(wp_column *column, const struct ArrowSchema *wanted)
{
    if (column->type == WP_TYPE_UTF8) {
        if (strcmp(wanted->format, "u") == 0 && wanted->dictionary == NULL) {
            column->dictionary = false;
        } else if (wanted->dictionary != NULL && strcmp(wanted->dictionary->format, "u") == 0) {
            column->dictionary = true;
        }
    } else if (column->type == WP_TYPE_TIMESTAMP || column->type == WP_TYPE_DURATION) {
        adapt_time(column, wanted->format);
    } else if (is_unsigned(column->type) || is_signed(column->type)) {
        adapt_integer(column, wanted->format);
    }
}

static wp_status
adapt_column(wp_column *column, const struct ArrowSchema *wanted, wp_error *error)
{
    if (wanted->name != NULL && strcmp(wanted->name, column->name) != 0) {
        return wp_fail(error, WP_EVALUE, "the requested schema has '%.200s' where the table has '%.200s'",
                       wanted->name, column->name);
    }
    if (!column->list) {
        adapt_value(column, wanted);
    } else if (strcmp(wanted->format, "+l") == 0 && wanted->n_children == 1) {
        adapt_value(column, wanted->children[0]);
    }
    return WP_OK;
}

static wp_status
copy_columns(const wp_plan *from, wp_plan *to, wp_error *error)
{
    wp_status status = WP_OK;
    for (uint32_t i = 0; status == WP_OK && i < from->count; i++) {
        const wp_column *column = &from->columns[i];
        wp_column *copy = next_column(to, column->name, column->origin);
        if (copy == NULL) {
            return no_memory(error);
        }
        char *name = copy->name;
        *copy = *column;
        copy->name = name;
        copy->ids = NULL;
        if (column->ids != NULL) {
            copy->ids = malloc((column->id_count + 1) * sizeof *copy->ids);
            if (copy->ids == NULL) {
                return no_memory(error);
            }
            memcpy(copy->ids, column->ids, column->id_count * sizeof *copy->ids);
        }
    }
    for (uint32_t i = 0; status == WP_OK && i < from->metadata_count; i++) {
        status = wp_plan_add_metadata(to, from->keys[i], from->values[i], error);
    }
    return status;
}

wp_status
wp_plan_adapt(const wp_plan *plan, const struct ArrowSchema *wanted, wp_plan **adapted, wp_error *error)
{
    *adapted = NULL;
    if (strcmp(wanted->format, "+s") != 0 || wanted->n_children != plan->count) {
        return wp_fail(error, WP_EVALUE, "the requested schema has %lld columns, the table has %u",
                       (long long)wanted->n_children, plan->count);
    }
    wp_plan *made = wp_plan_new(plan->count, plan->occurrence);
    wp_status status = made == NULL ? no_memory(error) : copy_columns(plan, made, error);
    for (uint32_t i = 0; status == WP_OK && i < plan->count; i++) {
        status = adapt_column(&made->columns[i], wanted->children[i], error);
    }
    if (status != WP_OK) {
        wp_plan_release(made);
        made = NULL;
    }
    *adapted = made;
    return status;
}
