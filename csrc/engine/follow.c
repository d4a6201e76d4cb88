/* follow.c - the streams that a frame belongs to: each of Wireshark's registered followers is asked.
 * The epan lock is held throughout. */
#include "follow.h"

#include <epan/follow.h>

/* A registered follower. */
typedef struct {
    const char *name;                      /* borrowed for good */
    wsc_follow_packet_func of_packet;
    int protocol;
    guint named_by;
} follower;

static GArray *followers;   /* of follower; made once, for good */

/* No member says it, but the filter for a stream does: what is no part of it does not count. */
static guint
named_by(follow_index_filter_func filter)
{
    char *one = filter(1, 1), *other = filter(1, 2);
    const guint result = one == NULL || other == NULL ? WP_FOLLOW_FILTER
                       : strcmp(one, other) == 0      ? WP_FOLLOW_STREAM
                                                      : WP_FOLLOW_SUB_STREAM;
    g_free(one);
    g_free(other);
    return result;
}

static wsc_bool
add_follower(const void *key, void *registered, void *data)
{
    (void)key;
    (void)data;
    const int protocol = get_follow_proto_id(registered);
    const follower one = {
        .name = proto_get_protocol_filter_name(protocol),
        .of_packet = get_follow_conv_func(registered),
        .protocol = protocol,
        .named_by = named_by(get_follow_index_func(registered)),
    };
    g_array_append_val(followers, one);
    return FALSE;
}

static bool
has_layer(const epan_dissect_t *edt, int protocol)
{
    wmem_list_frame_t *layer = edt->pi.layers == NULL ? NULL : wmem_list_head(edt->pi.layers);
    while (layer != NULL && GPOINTER_TO_INT(wmem_list_frame_data(layer)) != protocol) {
        layer = wmem_list_frame_next(layer);
    }
    return layer != NULL;
}

void
wp_follow_find_locked(GArray *found, epan_dissect_t *edt, bool now)
{
    if (followers == NULL) {
        followers = g_array_new(FALSE, FALSE, sizeof(follower));
        follow_iterate_followers(add_follower, NULL);
    }
    for (guint i = 0; i < followers->len; i++) {
        const follower *one = &g_array_index(followers, follower, i);
        if ((one->named_by == WP_FOLLOW_SUB_STREAM) != now || !has_layer(edt, one->protocol)) {
            continue;
        }
        wp_follow stream = {.name = one->name, .named_by = one->named_by};
        stream.filter = wsc_follow_packet(one->of_packet, edt, &stream.stream, &stream.sub_stream);
        if (stream.filter == NULL) {
            continue;
        }
        if (one->named_by != WP_FOLLOW_FILTER) {
            g_free(stream.filter);
            stream.filter = NULL;
        }
        g_array_append_val(found, stream);
    }
}

void
wp_follow_cut(GArray *found, guint count)
{
    for (guint i = count; i < found->len; i++) {
        g_free(g_array_index(found, wp_follow, i).filter);
    }
    g_array_set_size(found, count);
}
