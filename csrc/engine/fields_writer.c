/* fields_writer.c - some fields of a kept packet as a line of text, as write_specified_fields and get_node_field_value
 * in Wireshark's epan/print.c have it. Functions ending in _locked need the epan lock and must not need the GIL. */
#include "fields_writer.h"

#include "value_text.h"
#include "ws_compat.h"

typedef struct {
    const wp_block *block;               /* borrowed, as all here */
    const wp_fields_options *options;
    wp_text *scratch, *out;
    wp_error *error;
    wp_status status;
    size_t before;                       /* where the value of this place begins in out */
    bool found;
} line;

/* Characters that would break the line are written as C does. */
static char
letter_of(char c)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (WSC_FIELDS_ARE_CSV && (c == '\a' || c == '\v' || c == '\\')) {
        return c == '\a' ? 'a' : c == '\v' ? 'v' : '\\';
    }
    return (uint8_t)c < sizeof letters ? letters[(uint8_t)c] : '\0';
}

static void
put_escaped(const line *l, const char *text, size_t length)
{
    const char quote = WSC_FIELDS_ARE_CSV ? l->options->quote : '\0';
    for (size_t i = 0; i < length; i++) {
        const char letter = letter_of(text[i]);
        if (letter != '\0') {
            wp_text_char(l->out, '\\');
        } else if (quote != '\0' && text[i] == quote) {
            wp_text_char(l->out, quote);
        } else if (WSC_FIELDS_ARE_CSV && quote == '\0' && text[i] == l->options->separator) {
            wp_text_char(l->out, '\\');
        }
        wp_text_char(l->out, letter != '\0' ? letter : text[i]);
    }
}

/* What has been joined for one place. */
static void
escape_joined(line *l)
{
    wp_text *out = l->out;
    if (out->failed) {
        return;
    }
    wp_text_reset(l->scratch);
    wp_text_put(l->scratch, out->data + l->before, out->used - l->before);
    out->failed = out->failed || l->scratch->failed;
    out->used = l->before;
    if (!out->failed) {
        put_escaped(l, l->scratch->data, l->scratch->used);
    }
}

/* What the value of an occurrence stands behind. */
static void
begin_value(line *l)
{
    if (!l->found) {
        l->found = true;
        if (l->options->quote != '\0') {
            wp_text_char(l->out, l->options->quote);
        }
        l->before = l->out->used;
    } else if (l->options->occurrence == 'l') {
        l->out->used = l->out->failed ? l->out->used : l->before;
    } else {
        wp_text_char(l->out, l->options->aggregator);
    }
}

static void
put_value(line *l, const char *text, size_t length)
{
    begin_value(l);
    WSC_FIELDS_ARE_CSV ? wp_text_put(l->out, text, length) : put_escaped(l, text, length);
}

/* The bytes of what has no value of its own; none where they lie in no data source. */
static void
put_hex(line *l, const wp_field *field)
{
    const wp_rest *rest = wp_block_rest(l->block);
    if (rest == NULL || field->source >= rest->source_count) {
        return;
    }
    const wp_block_source *sources = (const void *)((const uint8_t *)l->block + rest->sources);
    const wp_block_source *source = &sources[field->source];
    const int64_t start = field->start < 0 ? (int64_t)source->length + field->start : field->start;
    begin_value(l);
    if (field->length > 0 && (start < 0 || start + field->length > (int64_t)source->length)) {
        WP_TEXT_LITERAL(l->out, "field length invalid!");
    } else if (field->length > 0) {
        wp_text_bytes(l->out, (const uint8_t *)l->block + source->bytes + start, (size_t)field->length, '\0');
    }
}

static void
put_bytes(line *l, const wp_field *field)
{
    const wp_field_more *more = wp_field_more_of(field->def);
    begin_value(l);
    if (field->value.length == 0) {
        more->allow_zero ? WP_TEXT_LITERAL(l->out, "<none>") : WP_TEXT_LITERAL(l->out, "<MISSING>");
    } else {
        wp_text_bytes(l->out, field->value.bytes, field->value.length, more->fields_separator);
    }
}

static void
put_display(line *l, const wp_field *field)
{
    wp_display display;
    wp_error error;
    const wp_status status =
        wp_value_display_locked(field, l->block->resolution, WP_DISPLAY_OF_FIELDS, l->scratch, &display, &error);
    if (status != WP_OK) {
        l->status = status;
        *l->error = error;
    } else if (display.text == NULL) {
        put_hex(l, field);
    } else {
        put_value(l, display.text, display.length);
    }
}

static void
put_field(line *l, const wp_field *field)
{
    const wp_field_def *def = field->def;
    if (def->text_only) {
        field->label != NULL ? put_value(l, field->label, strlen(field->label)) : put_hex(l, field);
        return;
    }
    switch ((wp_kind)def->kind) {
    case WP_PROTOCOL:
        if (strcmp(def->name, "data") == 0) {   /* uninterpreted data */
            put_hex(l, field);
        } else {
            const char *text = field->label != NULL ? field->label : def->name;
            put_value(l, text, strlen(text));
        }
        break;
    case WP_NONE:
        put_value(l, "1", 1);   /* it is there */
        break;
    case WP_BYTES:
        put_bytes(l, field);
        break;
    default:
        put_display(l, field);
        break;
    }
}

static void
put_fields(line *l, const wp_pick *pick)
{
    const wp_node *nodes = wp_block_nodes(l->block);
    for (uint32_t i = 0; i < l->block->node_count && l->status == WP_OK; i++) {
        const wp_field_def *def = wp_field_by_id(nodes[i].field);
        const bool wanted = pick->kind == WP_PICK_TEXT
                                ? def->text_only
                                : !def->text_only && def->same_name == pick->key;
        if (wanted && !(l->found && l->options->occurrence == 'f')) {
            wp_field field;
            wp_block_field(l->block, i, &field);
            put_field(l, &field);
        }
    }
}

static void
put_column(line *l, const wp_pick *pick)
{
    const wp_rest *rest = wp_block_rest(l->block);
    if (rest != NULL && pick->key < rest->column_count) {
        const wp_block_column *columns = (const void *)((const uint8_t *)l->block + rest->columns);
        const char *text = wp_block_text(l->block, columns[pick->key].text);
        if (text != NULL) {
            put_value(l, text, strlen(text));
        }
    }
}

wp_status
wp_fields_write_locked(const wp_block *block, const wp_fields_options *options, wp_text *scratch, wp_text *out,
                       wp_error *error)
{
    line l = {.block = block, .options = options, .scratch = scratch, .out = out, .error = error};
    for (size_t i = 0; i < options->count && l.status == WP_OK; i++) {
        const wp_pick *pick = &options->picks[i];
        l.found = false;
        if (i > 0) {
            wp_text_char(out, options->separator);
        }
        if (pick->kind == WP_PICK_COLUMN) {
            put_column(&l, pick);
        } else if (pick->kind != WP_PICK_NOTHING) {
            put_fields(&l, pick);
        }
        if (l.found && WSC_FIELDS_ARE_CSV) {
            escape_joined(&l);
        }
        if (l.found && options->quote != '\0') {
            wp_text_char(out, options->quote);
        }
    }
    return l.status == WP_OK && out->failed ? wp_fail(error, WP_EMEMORY, "out of memory") : l.status;
}
