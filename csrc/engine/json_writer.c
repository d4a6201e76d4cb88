/* json_writer.c - a packet as JSON: wishpy's own style, and tshark's.
 *
 * The two have one shape, that of write_json_proto_node_list in Wireshark's epan/print.c: the fields of one name are
 * a group, a group of several is an array, and children stand under name + "_tree" where the name itself has a
 * value. They differ in what a value looks like. */
#include "json_writer.h"

#include <time.h>

void
wp_json_space_free(wp_json_space *space)
{
    wp_text_free(&space->out);
    wp_text_free(&space->scratch);
    wp_outline_free(&space->outline);
    wp_groups_free(&space->groups);
}

/* ---- punctuation ---- */

static void
new_line(wp_json *json)
{
    if (json->options->indent >= 0) {
        wp_text_char(json->out, '\n');
        wp_text_blanks(json->out, (size_t)json->options->indent * json->depth);
    }
}

void
wp_json_open(wp_json *json, char bracket)
{
    wp_text_char(json->out, bracket);
    json->depth++;
}

void
wp_json_close(wp_json *json, char bracket, bool empty)
{
    json->depth--;
    if (!empty) {
        new_line(json);
    }
    wp_text_char(json->out, bracket);
}

void
wp_json_next(wp_json *json, bool *first)
{
    if (!*first) {
        wp_text_char(json->out, ',');
    }
    *first = false;
    new_line(json);
}

void
wp_json_colon(wp_json *json)
{
    wp_text_char(json->out, ':');
    if (json->options->indent >= 0) {
        wp_text_char(json->out, ' ');
    }
}

void
wp_json_name(wp_json *json, const char *name, bool *first)
{
    wp_json_next(json, first);
    wp_text_char(json->out, '"');
    wp_text_put(json->out, name, strlen(name));
    wp_text_char(json->out, '"');
    wp_json_colon(json);
}

/* The same as put_any_key for what nearly every key is, in one piece. */
static inline void
put_plain_key(wp_json *json, const wp_field_def *def, const char *suffix, size_t suffix_length, bool *first)
{
    char *const place = wp_text_room(json->out, def->name_length + suffix_length + sizeof ",\"\":" - 1);
    char *at = place;
    if (at == NULL) {
        return;
    }
    *at = ',';
    at += !*first;
    *first = false;
    *at++ = '"';
    memcpy(at, def->name, def->name_length);
    at += def->name_length;
    memcpy(at, suffix, suffix_length);
    at += suffix_length;
    *at++ = '"';
    *at++ = ':';
    json->out->used += (size_t)(at - place);
}

/* A field's key; what is no field goes by its own text. */
static void
put_any_key(wp_json *json, const wp_field *field, const char *suffix, bool *first)
{
    wp_json_next(json, first);
    wp_text_char(json->out, '"');
    const size_t start = json->out->used;
    if (!field->def->text_only) {
        wp_text_put(json->out, field->def->name, field->def->name_length);
    } else if (field->label != NULL) {
        wp_text_json(json->out, field->label, strlen(field->label));
    }
    if (json->options->underscores) {
        for (size_t i = start; i < json->out->used; i++) {
            json->out->data[i] = json->out->data[i] == '.' ? '_' : json->out->data[i];
        }
    }
    wp_text_put(json->out, suffix, strlen(suffix));
    wp_text_char(json->out, '"');
    wp_json_colon(json);
}

static inline void
put_key(wp_json *json, const wp_field *field, const char *suffix, bool *first)
{
    if (json->options->indent >= 0 || json->options->underscores || field->def->text_only) {
        put_any_key(json, field, suffix, first);
    } else {
        put_plain_key(json, field->def, suffix, strlen(suffix), first);
    }
}

/* ---- values ---- */

void
wp_json_display(wp_json *json, const wp_field *field, wp_display *display)
{
    wp_error error;
    const wp_status status =
        wp_value_display_locked(field, json->outline->resolution, WP_DISPLAY_OF_JSON, json->scratch, display, &error);
    if (status != WP_OK && !wp_json_failed(json)) {
        json->status = status;
        *json->error = error;
    }
}

void
wp_json_put_display(wp_json *json, const wp_display *display)
{
    if (display->text == NULL) {
        WP_TEXT_LITERAL(json->out, "null");
    } else if (display->plain) {
        wp_text_char(json->out, '"');
        wp_text_put(json->out, display->text, display->length);
        wp_text_char(json->out, '"');
    } else {
        wp_text_json_string(json->out, display->text, display->length);
    }
}

void
wp_json_label(wp_json *json, const wp_field *field)
{
    char label[WP_LABEL_SIZE];
    const char *text = field->label;
    if (text == NULL) {
        wp_field_label_locked(field, json->outline->resolution, label);
        text = label;
    }
    wp_text_json_string(json->out, text, strlen(text));
}

/* The bytes of a field in its data source; NULL where it has none, *whole false where they were not all captured. */
static const uint8_t *
raw_bytes(const wp_block *block, const wp_field *field, bool *whole)
{
    const wp_rest *rest = wp_block_rest(block);
    *whole = true;
    if (rest == NULL || field->source >= rest->source_count) {
        return NULL;
    }
    const wp_block_source *sources = (const void *)((const uint8_t *)block + rest->sources);
    const wp_block_source *source = &sources[field->source];
    const int64_t start = field->start < 0 ? (int64_t)source->length + field->start : field->start;
    *whole = field->length <= 0 || (start >= 0 && start + field->length <= (int64_t)source->length);
    return *whole && start >= 0 && field->length > 0 ? (const uint8_t *)block + source->bytes + start : NULL;
}

void
wp_json_raw(wp_json *json, const wp_field *field)
{
    wp_text_char(json->out, '"');
    if (wp_field_more_of(field->def)->bitmask != 0) {
        static const char upper[] = "0123456789ABCDEF";
        uint64_t number = field->value.number;
        char digits[16];
        size_t at = sizeof digits;
        if (!wp_field_more_of(field->def)->wide) {
            number &= UINT32_MAX;   /* a negative number of up to 32 bits */
        }
        do {
            digits[--at] = upper[number & 15];
            number >>= 4;
        } while (number != 0);
        wp_text_put(json->out, digits + at, sizeof digits - at);
    } else {
        bool whole;
        const uint8_t *bytes = raw_bytes(json->outline->block, field, &whole);
        if (!whole) {
            WP_TEXT_LITERAL(json->out, "field length invalid!");
        } else if (bytes != NULL) {
            wp_text_bytes(json->out, bytes, (size_t)field->length, '\0');
        }
    }
    wp_text_char(json->out, '"');
}

/* ---- groups ---- */

static void write_members(wp_json *json, uint32_t first, uint32_t end);

typedef void (*value_writer)(wp_json *json, uint32_t node, const wp_field *field);

static void
write_value(wp_json *json, uint32_t node, const wp_field *field)
{
    (void)node;
    if (json->options->style == WP_JSON_WISHPY && !wp_value_is_asked(field)) {
        wp_value_json(json->out, field);
        return;
    }
    wp_display display;
    wp_json_display(json, field, &display);
    if (display.text == NULL && json->options->style == WP_JSON_WISHPY) {
        WP_TEXT_LITERAL(json->out, "\"\"");   /* as a kept copy has it */
    } else {
        wp_json_put_display(json, &display);
    }
}

static void
write_nothing(wp_json *json, uint32_t node, const wp_field *field)
{
    (void)node;
    if (json->options->style == WP_JSON_WISHPY) {
        WP_TEXT_LITERAL(json->out, "null");
    } else if (field->def->kind == WP_PROTOCOL) {
        wp_json_label(json, field);
    } else {
        WP_TEXT_LITERAL(json->out, "\"\"");
    }
}

static void
write_tree(wp_json *json, uint32_t node, const wp_field *field)
{
    if (wp_has_children(json, node)) {
        write_members(json, node + 1, json->outline->nodes[node].end);
    } else {
        write_nothing(json, node, field);
    }
}

/* What -x adds: [bytes, offset, length, bit mask, number of the type]. */
static void
write_raw(wp_json *json, uint32_t node, const wp_field *field)
{
    bool first = true;
    (void)node;
    wp_json_open(json, '[');
    wp_json_next(json, &first);
    wp_json_raw(json, field);
    wp_json_next(json, &first);
    wp_text_signed(json->out, field->start);
    wp_json_next(json, &first);
    wp_text_signed(json->out, field->length);
    wp_json_next(json, &first);
    wp_text_unsigned(json->out, wp_field_more_of(field->def)->bitmask);
    wp_json_next(json, &first);
    wp_text_unsigned(json->out, wp_field_more_of(field->def)->type_number);
    wp_json_close(json, ']', false);
}

/* One value, or an array of those of the whole group. */
static void
write_each(wp_json *json, uint32_t node, const wp_field *head, value_writer write)
{
    uint32_t next = wp_group_next(json->outline, node);
    if (next == 0) {
        write(json, node, head);
        return;
    }
    bool first = true;
    wp_json_open(json, '[');
    wp_json_next(json, &first);
    write(json, node, head);
    for (; next != 0 && !wp_json_failed(json); next = wp_group_next(json->outline, next)) {
        wp_field field;
        wp_outline_field(json->outline, next, &field);
        wp_json_next(json, &first);
        write(json, next, &field);
    }
    wp_json_close(json, ']', false);
}

static bool
any_has_children(const wp_json *json, uint32_t node)
{
    do {
        if (wp_has_children(json, node)) {
            return true;
        }
        node = wp_group_next(json->outline, node);
    } while (node != 0);
    return false;
}

static bool
is_printed(wp_json *json, const wp_field *field)
{
    if (!wp_has_value(field->def)) {
        return false;
    }
    if (json->options->style == WP_JSON_WISHPY || field->def->format != WP_FORMAT_ASK) {
        return true;
    }
    wp_display display;
    wp_json_display(json, field, &display);
    return display.text != NULL;
}

static void
write_group(wp_json *json, uint32_t node, bool *first)
{
    wp_field head;
    wp_outline_field(json->outline, node, &head);
    const bool has_value = is_printed(json, &head), nested = any_has_children(json, node);
    if (json->options->raw && head.length > 0 && !head.def->text_only) {
        put_key(json, &head, "_raw", first);
        write_each(json, node, &head, write_raw);
    }
    if (has_value) {
        put_key(json, &head, "", first);
        write_each(json, node, &head, write_value);
    }
    if (nested) {
        put_key(json, &head, has_value ? "_tree" : "", first);
        write_each(json, node, &head, write_tree);
    } else if (!has_value) {
        put_key(json, &head, "", first);
        write_each(json, node, &head, write_nothing);
    }
}

static void
write_members(wp_json *json, uint32_t first, uint32_t end)
{
    bool empty = true;
    wp_json_open(json, '{');
    if (json->depth > WP_DEEPEST_TREE && !wp_json_failed(json)) {
        json->status = wp_fail(json->error, WP_EVALUE, "the packet's tree is too deep");
    }
    if (!wp_json_failed(json)) {
        wp_groups_link_siblings(json->groups, json->outline, first, end);
    }
    for (uint32_t i = first; i < end && !wp_json_failed(json); i = json->outline->nodes[i].end) {
        if (wp_group_starts(json->outline, i)) {
            write_group(json, i, &empty);
        }
    }
    wp_json_close(json, '}', empty);
}

/* ---- tshark's frame around it ---- */

void
wp_json_index(wp_json *json, bool *first)
{
    char day[32] = "XXXX-XX-XX";
    const time_t when = (time_t)json->outline->frame->seconds;
    struct tm local;
    if (localtime_r(&when, &local) != NULL) {
        strftime(day, sizeof day, "%Y-%m-%d", &local);
    }
    wp_json_name(json, "_index", first);
    WP_TEXT_LITERAL(json->out, "\"packets-");
    wp_text_put(json->out, day, strlen(day));
    WP_TEXT_LITERAL(json->out, "\"");
    wp_json_name(json, "_type", first);
    WP_TEXT_LITERAL(json->out, "\"doc\"");
}

static void
write_tshark(wp_json *json)
{
    bool first = true;
    wp_json_open(json, '{');
    wp_json_index(json, &first);
    wp_json_name(json, "_score", &first);
    WP_TEXT_LITERAL(json->out, "null");
    wp_json_name(json, "_source", &first);
    bool inner = true;
    wp_json_open(json, '{');
    wp_json_name(json, "layers", &inner);
    write_members(json, 0, json->outline->count);
    wp_json_close(json, '}', false);
    wp_json_close(json, '}', false);
}

static void
write_ek(wp_json *json)
{
    const wp_frame *frame = json->outline->frame;
    bool first = true;
    wp_json_open(json, '{');
    wp_json_name(json, "timestamp", &first);
    wp_text_char(json->out, '"');
    wp_text_unsigned(json->out, frame->has_time ? (uint64_t)frame->seconds : 0);
    /* sic: tshark carries nothing over, and a damaged frame's milliseconds may be many or negative */
    char milliseconds[16];
    snprintf(milliseconds, sizeof milliseconds, "%03d", frame->has_time ? frame->nanoseconds / 1000000 : 0);
    wp_text_put(json->out, milliseconds, strlen(milliseconds));
    wp_text_char(json->out, '"');
    wp_json_name(json, "layers", &first);
    wp_json_open(json, '{');
    const size_t before = json->out->used;
    wp_ek_layers(json, 0, json->outline->count, UINT32_MAX);
    wp_json_close(json, '}', json->out->used == before);
    wp_json_close(json, '}', false);
}

/* ---- the whole ---- */

static wp_status
begin(wp_json *json, wp_json_space *space, const wp_json_options *options, wp_error *error)
{
    *json = (wp_json){
        .outline = &space->outline,
        .options = options,
        .out = &space->out,
        .scratch = &space->scratch,
        .groups = &space->groups,
        .error = error,
    };
    return wp_groups_prepare(&space->groups, space->outline.count) ? WP_OK
                                                                   : wp_fail(error, WP_EMEMORY, "out of memory");
}

static wp_status
finish(const wp_json *json)
{
    if (json->status == WP_OK && json->out->failed) {
        return wp_fail(json->error, WP_EMEMORY, "out of memory");
    }
    return json->status;
}

wp_status
wp_json_write(wp_json_space *space, const wp_json_options *options, wp_error *error)
{
    wp_json json;
    wp_status status = begin(&json, space, options, error);
    if (status != WP_OK) {
        return status;
    }
    switch (options->style) {
    case WP_JSON_WISHPY:
        write_members(&json, 0, json.outline->count);
        break;
    case WP_JSON_TSHARK:
        write_tshark(&json);
        break;
    case WP_JSON_EK:
        write_ek(&json);
        break;
    }
    return finish(&json);
}

wp_status
wp_json_write_ek_index(wp_json_space *space, wp_error *error)
{
    const wp_json_options options = {.style = WP_JSON_EK, .indent = -1};
    wp_json json;
    wp_status status = begin(&json, space, &options, error);
    if (status != WP_OK) {
        return status;
    }
    bool first = true, inner = true;
    wp_json_open(&json, '{');
    wp_json_name(&json, "index", &first);
    wp_json_open(&json, '{');
    wp_json_index(&json, &inner);
    wp_json_close(&json, '}', false);
    wp_json_close(&json, '}', false);
    return finish(&json);
}
