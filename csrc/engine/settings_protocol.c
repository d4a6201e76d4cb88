/* settings_protocol.c - one protocol or heuristic dissector switched on or off. The epan lock is held. */
#include "settings_parts.h"

static void
put_back_protocol(const wp_undo *self)
{
    proto_set_decoding((int)self->number, self->text != NULL);
}

static void
put_back_heuristic(const wp_undo *self)
{
    ((heur_dtbl_entry_t *)self->object)->enabled = self->number != 0;
}

static wp_status
set_heuristic(heur_dtbl_entry_t *heuristic, bool enable, GArray *list)
{
    const wp_undo undo = {.run = put_back_heuristic, .object = heuristic, .number = heuristic->enabled ? 1 : 0};
    wp_undo_later(list, &undo);
    heuristic->enabled = enable;
    return WP_OK;
}

wp_status
wp_set_protocol(const wp_setting *setting, GArray *list, wp_wrong *wrong, wp_error *error)
{
    const bool enable = setting->kind == WP_SET_ENABLE;
    const int id = proto_get_id_by_filter_name(setting->name);
    if (id < 0) {
        heur_dtbl_entry_t *heuristic = find_heur_dissector_by_unique_short_name(setting->name);
        if (heuristic != NULL) {
            return set_heuristic(heuristic, enable, list);
        }
        *wrong = WP_WRONG_PROTOCOL;
        return wp_fail(error, WP_EVALUE, "%s: no protocol or heuristic dissector is called '%.200s'",
                       enable ? "enable" : "disable", setting->name);
    }
    protocol_t *protocol = find_protocol_by_id(id);
    if (proto_is_pino(protocol) || !proto_can_toggle_protocol(id)) {
        return wp_fail(error, WP_EVALUE, "%s: '%.200s' is always on", enable ? "enable" : "disable", setting->name);
    }
    const wp_undo undo = {
        .run = put_back_protocol,
        .number = (uint32_t)id,
        .text = proto_is_protocol_enabled(protocol) ? g_strdup("on") : NULL,
    };
    wp_undo_later(list, &undo);
    proto_set_decoding(id, enable);
    return WP_OK;
}
