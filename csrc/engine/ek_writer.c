/* ek_writer.c - a packet's layers as tshark -T ek prints them, for Elasticsearch: an object a protocol, and in it
 * all its fields side by side, named after their registered protocol (epan/print.c, proto_tree_write_node_ek). */
#include "json_writer.h"

#include "ws_compat.h"

static void
put_underscored(wp_json *json, const char *name)
{
    const size_t length = strlen(name);
    char *place = wp_text_room(json->out, length);
    if (place == NULL) {
        return;
    }
    for (size_t i = 0; i < length; i++) {
        place[i] = name[i] == '.' ? '_' : name[i];
    }
    json->out->used += length;
}

static void
put_name(wp_json *json, const wp_field *field, const char *suffix, bool *first)
{
    const wp_field_def *def = field->def;
    const char *parent = wp_field_more_of(def)->parent;
    wp_json_next(json, first);
    wp_text_char(json->out, '"');
    if (parent != NULL) {
        put_underscored(json, parent);
        wp_text_char(json->out, '_');
    }
    put_underscored(json, def->text_only ? "text" : def->name);
    wp_text_put(json->out, suffix, strlen(suffix));
    wp_text_char(json->out, '"');
    wp_json_colon(json);
}

static void
put_unusual_time(wp_text *out, const wp_value *value)
{
    char text[WSC_EK_TIME_ROOM];
    if (!wsc_ek_time(text, value->time.seconds, value->time.nanoseconds)) {
        WP_TEXT_LITERAL(out, "Not representable");
        return;
    }
    wp_text_put(out, text, strlen(text));
}

static const int64_t year_1000 = INT64_C(-30610224000);   /* before it strftime writes fewer digits */

static void
write_time(wp_json *json, const wp_value *value)
{
    const size_t before = json->out->used;
    wp_text_char(json->out, '"');
    const bool usual = value->time.nanoseconds >= 0 && value->time.nanoseconds < 1000000000
                       && value->time.seconds >= year_1000
                       && wp_time_rfc3339(json->out, value->time.seconds, value->time.nanoseconds);
    if (!usual && !json->out->failed) {
        json->out->used = before + 1;
        put_unusual_time(json->out, value);
    }
    wp_text_char(json->out, '"');
}

static void
write_value(wp_json *json, uint32_t node, const wp_field *field)
{
    wp_display display;
    (void)node;
    if (field->def->text_only && field->label != NULL) {
        wp_text_json_string(json->out, field->label, strlen(field->label));
        return;
    }
    switch ((wp_kind)field->def->kind) {
    case WP_NONE:
        WP_TEXT_LITERAL(json->out, "null");
        break;
    case WP_BOOL:
        field->value.number != 0 ? WP_TEXT_LITERAL(json->out, "true") : WP_TEXT_LITERAL(json->out, "false");
        break;
    case WP_ABSTIME:
        write_time(json, &field->value);
        break;
    default:
        wp_json_display(json, field, &display);
        wp_json_put_display(json, &display);
        break;
    }
}

static void
write_protocol(wp_json *json, uint32_t node, const wp_field *field)
{
    wp_json_open(json, '{');
    if (json->depth > WP_DEEPEST_TREE && !wp_json_failed(json)) {
        json->status = wp_fail(json->error, WP_EVALUE, "the packet's tree is too deep");
    }
    const size_t before = json->out->used;
    wp_ek_layers(json, node + 1, json->outline->nodes[node].end, field->def->same_name);
    wp_json_close(json, '}', json->out->used == before);
}

static void
write_raw(wp_json *json, uint32_t node, const wp_field *field)
{
    (void)node;
    wp_json_raw(json, field);
}

static void
write_node(wp_json *json, uint32_t node, const wp_field *field)
{
    (field->def->kind == WP_PROTOCOL ? write_protocol : write_value)(json, node, field);
}

/* The value of a field, or an array of those of its group. */
static void
write_each(wp_json *json, uint32_t node, const wp_field *head,
           void (*write)(wp_json *json, uint32_t node, const wp_field *field))
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

void
wp_ek_layers(wp_json *json, uint32_t first, uint32_t end, uint32_t parent)
{
    bool empty = true;
    if (wp_json_failed(json)) {
        return;
    }
    if (!wp_groups_link_ek(json->groups, json->outline, first, end, parent)) {
        json->status = wp_fail(json->error, WP_EVALUE, "the packet's tree is too deep");
        return;
    }
    for (uint32_t i = first; i < end && !wp_json_failed(json);) {
        wp_field field;
        wp_outline_field(json->outline, i, &field);
        if (wp_group_starts(json->outline, i)) {
            if (json->options->raw && field.length > 0 && !field.def->text_only) {
                put_name(json, &field, "_raw", &empty);
                write_each(json, i, &field, write_raw);
            }
            put_name(json, &field, "", &empty);
            write_each(json, i, &field, write_node);
        }
        i = field.def->kind == WP_PROTOCOL ? json->outline->nodes[i].end : i + 1;
    }
}
