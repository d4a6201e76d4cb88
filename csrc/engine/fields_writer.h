/* fields_writer.h - some fields of a kept packet as a line of text: tshark -T fields. */
#ifndef WISHPY_FIELDS_WRITER_H
#define WISHPY_FIELDS_WRITER_H

#include "packet_tree.h"
#include "text_buffer.h"

typedef enum {
    WP_PICK_NOTHING,    /* an empty place: tshark leaves it where a name is asked for again later in the line */
    WP_PICK_FIELD,      /* key: wp_field_def.same_name */
    WP_PICK_TEXT,       /* lines of text, which have no field behind them */
    WP_PICK_COLUMN,     /* key: which one; the block has its rest then */
} wp_pick_kind;

typedef struct {
    uint32_t kind;      /* wp_pick_kind */
    uint32_t key;
} wp_pick;

typedef struct {
    const wp_pick *picks;     /* borrowed */
    size_t count;
    char separator, aggregator;
    char quote;               /* '\0': none */
    char occurrence;          /* 'f'irst, 'l'ast, 'a'll */
} wp_fields_options;

/* Appends the line, without a line end. Lock held, as Wireshark may be asked how a value is written. */
wp_status wp_fields_write_locked(const wp_block *block, const wp_fields_options *options, wp_text *scratch,
                                 wp_text *out, wp_error *error);

#endif
