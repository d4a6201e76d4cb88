/* json_writer.h - a packet as JSON, straight from its tree or from its kept copy. */
#ifndef WISHPY_JSON_WRITER_H
#define WISHPY_JSON_WRITER_H

#include "packet_tree.h"
#include "sibling_groups.h"
#include "text_buffer.h"
#include "value_text.h"

typedef enum {
    WP_JSON_WISHPY,     /* native values; needs no lock */
    WP_JSON_TSHARK,     /* an element of tshark -T json --no-duplicate-keys; lock held */
    WP_JSON_EK,         /* the document line of tshark -T ek; lock held */
} wp_json_style;

typedef struct {
    wp_json_style style;
    int indent;         /* blanks a level; negative: all on one line */
    bool raw;           /* with what tshark -x adds; of a kept copy that has its rest */
    bool underscores;   /* for the dots in the keys */
} wp_json_options;

/* Where packets are written, with memory that is used again for the next one. All zero is a new one. */
typedef struct {
    wp_text out;
    wp_text scratch;
    wp_outline outline;                /* of the packet to be written */
    wp_groups groups;
} wp_json_space;

void wp_json_space_free(wp_json_space *space);

/* Appends the packet of space->outline to space->out. */
wp_status wp_json_write(wp_json_space *space, const wp_json_options *options, wp_error *error);
/* Appends the line that stands before the document in tshark -T ek: where Elasticsearch is to put it. */
wp_status wp_json_write_ek_index(wp_json_space *space, wp_error *error);

/* ---- for json_writer.c and ek_writer.c ---- */

typedef struct {
    const wp_outline *outline;         /* borrowed, as all here */
    const wp_json_options *options;
    wp_text *out, *scratch;
    wp_groups *groups;
    unsigned depth;
    wp_status status;                  /* the first thing that went wrong; then nothing more is written */
    wp_error *error;
} wp_json;

void wp_json_open(wp_json *json, char bracket);
void wp_json_close(wp_json *json, char bracket, bool empty);
/* A comma where it is not the first, and a new line where there are lines. */
void wp_json_next(wp_json *json, bool *first);
/* The name of a member, as it is, and a colon. */
void wp_json_name(wp_json *json, const char *name, bool *first);
void wp_json_colon(wp_json *json);
/* {"_index": "packets-2020-01-01" and "_type": "doc", the two first members of tshark's elements. */
void wp_json_index(wp_json *json, bool *first);
void wp_json_display(wp_json *json, const wp_field *field, wp_display *display);
void wp_json_put_display(wp_json *json, const wp_display *display);
/* The line that Wireshark's tree shows, as a string. */
void wp_json_label(wp_json *json, const wp_field *field);
/* The field's bytes, or its value without the bits around it, as tshark -x has them. */
void wp_json_raw(wp_json *json, const wp_field *field);
void wp_ek_layers(wp_json *json, uint32_t first, uint32_t end, uint32_t parent);

static inline bool
wp_json_failed(const wp_json *json)
{
    return json->status != WP_OK;
}

static inline bool
wp_has_children(const wp_json *json, uint32_t node)
{
    return json->outline->nodes[node].end > node + 1;
}

#endif
