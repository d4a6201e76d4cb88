/* expert.c - expert information of the frame that is dissected now, as Wireshark's own tap tells it: the tree alone
 * does not say which protocol was being dissected, and has nothing of what was found where no line was built.
 * The epan lock is held throughout. */
#include "expert.h"

#include "cursor.h"

static GArray *collecting;   /* borrowed; NULL: nobody wants to know */

static tap_packet_status
collect(void *data, packet_info *pinfo, epan_dissect_t *edt, const void *info WSC_TAP_PARAMETER)
{
    (void)data;
    (void)pinfo;
    (void)edt;
    WSC_TAP_UNUSED;
    if (collecting != NULL) {
        const wp_expert found = {.info = info, .number = collecting->len, .rank = G_MAXUINT};
        g_array_append_val(collecting, found);
    }
    return TAP_PACKET_DONT_REDRAW;
}

/* That of packets within an ICMP error as well: the tree shows it too. */
void
wp_expert_start_locked(void)
{
    static int listener;   /* an address that nobody else has */
    GString *error = register_tap_listener("expert", &listener, NULL, TL_REQUIRES_ERROR_PACKETS, NULL, collect, NULL,
                                           NULL);
    if (error != NULL) {
        g_string_free(error, TRUE);
    }
}

void
wp_expert_collect_locked(GArray *into)
{
    collecting = into;
}

/* ---- order ---- */

static wp_expert *
nth(GArray *found, guint i)
{
    return &g_array_index(found, wp_expert, i);
}

/* For each line of the tree the first piece that it has; the others follow by `next`. */
static GHashTable *
by_line(GArray *found)
{
    GHashTable *first = g_hash_table_new(g_direct_hash, g_direct_equal);
    for (guint i = found->len; i > 0; i--) {
        wp_expert *one = nth(found, i - 1);
        one->next = GPOINTER_TO_UINT(g_hash_table_lookup(first, one->info->pitem));
        g_hash_table_insert(first, one->info->pitem, GUINT_TO_POINTER(i));
    }
    return first;
}

static int
compare(gconstpointer a_, gconstpointer b_)
{
    const wp_expert *a = a_, *b = b_;
    const guint left = a->rank == b->rank ? a->number : a->rank, right = a->rank == b->rank ? b->number : b->rank;
    return left < right ? -1 : left > right;
}

void
wp_expert_sort_locked(GArray *found, const proto_node *root)
{
    if (found->len < 2 || root == NULL) {
        return;
    }
    GHashTable *waiting = by_line(found);
    guint rank = 0;
    for (const proto_node *node = root->first_child; node != NULL; node = wp_live_walk(root, node)) {
        const field_info *fi = WSC_FINFO(node);
        if (fi == NULL || fi->hfinfo->id != proto_expert) {
            continue;
        }
        const guint here = GPOINTER_TO_UINT(g_hash_table_lookup(waiting, node->parent));
        if (here > 0) {   /* a line's own are in the order in which they were found */
            nth(found, here - 1)->rank = rank++;
            g_hash_table_insert(waiting, node->parent, GUINT_TO_POINTER(nth(found, here - 1)->next));
        }
    }
    g_hash_table_destroy(waiting);
    g_array_sort(found, compare);
}
