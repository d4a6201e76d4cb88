/* registry.c - what Wireshark knows: fields by name, and the names nearest to a mistaken one.
 * Functions ending in _locked need the epan lock. */
#include "registry.h"

#include <string.h>

#include "field_table.h"
#include "ws_compat.h"

static header_field_info *
nth(int id)
{
    header_field_info *volatile hf = NULL;
    TRY   /* gaps in the numbering throw */
    {
        hf = proto_registrar_get_nth((guint)id);
    }
    CATCH_ALL
    {
        hf = NULL;
    }
    ENDTRY;
    return hf;
}

static size_t
add(const header_field_info *hf, uint32_t *ids, size_t count)
{
    if (count < WP_SAME_NAME_MAX && wp_field_define_locked(hf) != NULL) {
        ids[count++] = (uint32_t)hf->id;
    }
    return count;
}

size_t
wp_registry_find_locked(const char *name, uint32_t ids[WP_SAME_NAME_MAX])
{
    const header_field_info *found = proto_registrar_get_byname(name);
    size_t count = 0;
    if (found == NULL || found->id == hf_text_only) {
        return 0;
    }
    for (const header_field_info *hf = found; hf != NULL; hf = hf->same_name_next) {
        count = add(hf, ids, count);
    }
    for (int id = found->same_name_prev_id; id > 0;) {
        const header_field_info *hf = nth(id);
        if (hf == NULL) {
            break;
        }
        count = add(hf, ids, count);
        id = hf->same_name_prev_id;
    }
    return count;
}

void
wp_registry_each_locked(bool (*each)(const char *name, uint32_t id, void *data), void *data)
{
    void *protocol_cookie = NULL;
    proto_initialize_all_prefixes();
    for (int protocol = proto_get_first_protocol(&protocol_cookie); protocol != -1;
         protocol = proto_get_next_protocol(&protocol_cookie)) {
        const header_field_info *self = nth(protocol);
        if (self != NULL && !each(self->abbrev, (uint32_t)self->id, data)) {
            return;
        }
        void *field_cookie = NULL;
        for (const header_field_info *hf = proto_get_first_protocol_field(protocol, &field_cookie); hf != NULL;
             hf = proto_get_next_protocol_field(protocol, &field_cookie)) {
            if (!each(hf->abbrev, (uint32_t)hf->id, data)) {
                return;
            }
        }
    }
}

/* ---- nearest names ---- */

enum { LONGEST_COMPARED = 80 };

/* Edit distance where a swap of neighbours counts one; more than `limit` is not told apart. */
static int
distance(const char *a, int a_length, const char *b, int b_length, int limit)
{
    int rows[3][LONGEST_COMPARED + 1];
    for (int j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (int i = 1; i <= a_length; i++) {
        int *now = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        int best = now[0] = i;
        for (int j = 1; j <= b_length; j++) {
            const int same = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = MIN(MIN(before[j] + 1, now[j - 1] + 1), before[j - 1] + same);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = MIN(now[j], two_before[j - 2] + 1);
            }
            best = MIN(best, now[j]);
        }
        if (best > limit) {
            return limit + 1;
        }
    }
    return rows[a_length % 3][b_length];
}

typedef struct {
    const char *name;
    int length;
    const char *last_part;   /* behind the last dot */
    const char **nearest;
    int scores[WP_NEAREST];
    size_t count;
} search;

static void
insert(search *s, const char *name, int score)
{
    size_t at = s->count;
    while (at > 0 && s->scores[at - 1] > score) {
        at--;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->nearest[i], name) == 0) {
            return;   /* several fields may share a name */
        }
    }
    if (at >= WP_NEAREST) {
        return;
    }
    const size_t last = s->count < WP_NEAREST ? s->count++ : WP_NEAREST - 1;
    for (size_t i = last; i > at; i--) {
        s->nearest[i] = s->nearest[i - 1];
        s->scores[i] = s->scores[i - 1];
    }
    s->nearest[at] = name;
    s->scores[at] = score;
}

static bool
consider(const char *name, uint32_t id, void *search_)
{
    search *s = search_;
    (void)id;
    const int length = (int)strlen(name);
    const int limit = MAX(2, s->length / 4);
    if (length > LONGEST_COMPARED || length - s->length > limit || s->length - length > limit) {
        const char *dot = strrchr(name, '.');   /* "port" or "tcp.window" for "tcp.window_size": the same last part */
        if (s->last_part[0] != '\0' && dot != NULL && strcmp(dot + 1, s->last_part) == 0) {
            insert(s, name, limit + 1 + ABS(length - s->length));
        }
        return true;
    }
    const int score = distance(s->name, s->length, name, length, limit);
    if (score <= limit) {
        insert(s, name, score);
    }
    return true;
}

size_t
wp_registry_nearest_locked(const char *name, const char *nearest[WP_NEAREST])
{
    search s = {.name = name, .length = (int)strlen(name), .nearest = nearest};
    if (s.length == 0 || s.length > LONGEST_COMPARED) {
        return 0;
    }
    const char *dot = strrchr(name, '.');
    s.last_part = dot == NULL ? name : dot + 1;
    wp_registry_each_locked(consider, &s);
    return s.count;
}

const char *
wp_registry_type_name(uint32_t id)
{
    return ftype_name(((const header_field_info *)wp_field_more_of(wp_field_by_id(id))->registered)->type);
}

int64_t
wp_registry_text_only_locked(void)
{
    const header_field_info *hf = nth(hf_text_only);
    return hf != NULL && wp_field_define_locked(hf) != NULL ? hf_text_only : -1;
}

int
wp_registry_encapsulation(int linktype)
{
    const int encapsulation = wtap_pcap_encap_to_wtap_encap(linktype);
    return encapsulation == WTAP_ENCAP_UNKNOWN ? -1 : encapsulation;
}

/* libwiretap exports only the way from DLT to encapsulation, so it is turned round once. */
int
wp_registry_linktype(int encapsulation)
{
    enum { DLT_TOP = 400, RAW_IP = 101 };
    if (encapsulation <= 0) {
        return -1;   /* unknown, or one per packet */
    }
    if (wtap_pcap_encap_to_wtap_encap(RAW_IP) == encapsulation) {
        return RAW_IP;   /* the others (12, 14) depend on the system */
    }
    for (int dlt = 0; dlt < DLT_TOP; dlt++) {
        if (wtap_pcap_encap_to_wtap_encap(dlt) == encapsulation) {
            return dlt;
        }
    }
    return -1;
}
