/* follow.c - the streams that a frame belongs to: as Wireshark's registered followers number them.
 * The epan lock is held throughout. */
#include "follow.h"

#include <epan/follow.h>

/* A registered follower. */
typedef struct {
    const char *name;                      /* borrowed for good */
    wsc_follow_packet_func of_packet;      /* asked where a filter alone names the streams; see below */
    int protocol;
    guint named_by;
    int fields[2];                         /* with the numbers: "tcp.stream", "http2.streamid" */
} follower;

static GArray *followers;   /* of follower; made once, for good */

/* The field of "tcp.stream eq 1"; -1 where the text says something else. */
static int
field_of_term(const char *term)
{
    char **words = g_strsplit(g_strstrip((char *)term), " ", 0);
    const int field = words[0] == NULL ? -1 : proto_registrar_get_id_byname(words[0]);
    g_strfreev(words);
    return field;
}

/* No member says how many numbers there are, nor which field has them, but the filter for a stream does. */
static void
learn_numbers(follower *one, follow_index_filter_func filter)
{
    char *text = filter(1, 2);
    char **terms = text == NULL ? NULL : g_strsplit(text, " and ", 0);
    one->named_by = terms == NULL ? WP_FOLLOW_FILTER : MIN(g_strv_length(terms), WP_FOLLOW_SUB_STREAM);
    for (guint i = 0; i < one->named_by; i++) {
        one->fields[i] = field_of_term(terms[i]);
    }
    g_strfreev(terms);
    g_free(text);
}

static wsc_bool
add_follower(const void *key, void *registered, void *data)
{
    (void)key;
    (void)data;
    const int protocol = get_follow_proto_id(registered);
    follower one = {
        .name = proto_get_protocol_filter_name(protocol),
        .of_packet = get_follow_conv_func(registered),
        .protocol = protocol,
    };
    learn_numbers(&one, get_follow_index_func(registered));
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

/* The number in the first such field, or the last, which is the innermost layer's; false where there is none. */
static bool
number_of(const epan_dissect_t *edt, int field, bool last, guint *number)
{
    GPtrArray *found = field < 0 || edt->tree == NULL ? NULL : proto_find_finfo(edt->tree, field);
    const bool any = found != NULL && found->len > 0;
    if (any) {
        field_info *fi = g_ptr_array_index(found, last ? found->len - 1 : 0);
        *number = fi->hfinfo->type == FT_UINT64 ? (guint)wsc_value_uint64(fi) : (guint)wsc_value_uint(fi);
    }
    if (found != NULL) {
        g_ptr_array_free(found, TRUE);
    }
    return any;
}

/* The numbers are taken from the tree. The follower's own function would look for the conversation of what the dissectors
 * left in the packet_info, and begin one where it finds none: then all further streams would be numbered otherwise. */
static bool
find_stream(const follower *one, epan_dissect_t *edt, wp_follow *stream)
{
    if (one->named_by == WP_FOLLOW_FILTER) {
        stream->filter = wsc_follow_packet(one->of_packet, edt, &stream->stream, &stream->sub_stream);
        return stream->filter != NULL;
    }
    return number_of(edt, one->fields[0], true, &stream->stream)
        && (one->named_by != WP_FOLLOW_SUB_STREAM || number_of(edt, one->fields[1], false, &stream->sub_stream));
}

void
wp_follow_find_locked(GArray *found, epan_dissect_t *edt)
{
    if (followers == NULL) {
        followers = g_array_new(FALSE, FALSE, sizeof(follower));
        follow_iterate_followers(add_follower, NULL);
    }
    for (guint i = 0; i < followers->len; i++) {
        const follower *one = &g_array_index(followers, follower, i);
        wp_follow stream = {.name = one->name, .named_by = one->named_by};
        if (has_layer(edt, one->protocol) && find_stream(one, edt, &stream)) {
            g_array_append_val(found, stream);
        }
    }
}

void
wp_follow_free(GArray *found)
{
    for (guint i = 0; i < found->len; i++) {
        g_free(g_array_index(found, wp_follow, i).filter);
    }
    g_array_free(found, TRUE);
}
