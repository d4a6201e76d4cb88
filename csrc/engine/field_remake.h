/* field_remake.h - a field's value in Wireshark's own form again, after its tree is gone. The epan lock is held. */
#ifndef WISHPY_FIELD_REMAKE_H
#define WISHPY_FIELD_REMAKE_H

#include "field_value.h"
#include "ws_compat.h"

bool wp_field_has_value(const wp_field *field);

/* A field_info as the dissection made it, for wsc_make_end to release where the field has a value. False where this
 * Wireshark cannot make such a value from outside. */
bool wp_field_remake(const wp_field *field, field_info *fi, wsc_made *made);

/* The line that Wireshark's tree shows, where the dissector has not written it. */
void wp_fill_label_locked(field_info *fi, char label[WP_LABEL_SIZE]);

#endif
