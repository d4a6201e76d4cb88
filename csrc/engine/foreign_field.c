/* foreign_field.c - the fields of another process: described there, found again or made here.
 * Functions ending in _locked need the epan lock and must not need the GIL. */
#include "foreign_field.h"

#include <stdlib.h>
#include <string.h>

#include "field_table.h"
#include "registry.h"
#include "ws_compat.h"

uint8_t *
wp_field_describe(const wp_field_def *def, uint32_t *size)
{
    const header_field_info *hf = wp_field_more_of(def)->registered;
    const wp_field_description head = {
        .bitmask = hf->bitmask,
        .id = def->id,
        .text_only = def->text_only,
        .type = (int32_t)hf->type,
        .display = hf->display,
    };
    const size_t name = strlen(def->name) + 1, title = strlen(hf->name) + 1;
    uint8_t *bytes = malloc(sizeof head + name + title);
    if (bytes != NULL) {
        memcpy(bytes, &head, sizeof head);
        memcpy(bytes + sizeof head, def->name, name);
        memcpy(bytes + sizeof head + name, hf->name, title);
        *size = (uint32_t)(sizeof head + name + title);
    }
    return bytes;
}

/* ---- here ---- */

/* Fields that only other processes have get ids from the end of the table. A worker gone wild shall not fill it. */
enum { MADE_MOST = 65536 };
static header_field_info *made_fields[MADE_MOST];   /* owned, for good; guarded by the epan lock */
static uint32_t made_count;

static bool
is_same(const header_field_info *hf, const wp_field_description *head, const char *title)
{
    return (int32_t)hf->type == head->type && hf->bitmask == head->bitmask && strcmp(hf->name, title) == 0;
}

/* Several dissectors may register one name: the one with the same id and title, or the same title, or type. */
static int64_t
find(const wp_field_description *head, const char *name, const char *title)
{
    uint32_t ids[WP_SAME_NAME_MAX];
    const size_t count = wp_registry_find_locked(name, ids);
    int64_t best = -1;
    int best_rank = 0;
    for (size_t i = 0; i < count; i++) {
        const header_field_info *hf = wp_field_more_of(wp_field_by_id(ids[i]))->registered;
        const int rank = (int32_t)hf->type != head->type ? 0
                         : !is_same(hf, head, title)     ? 1
                         : ids[i] != head->id            ? 2
                                                         : 3;
        if (rank > best_rank) {
            best = ids[i];
            best_rank = rank;
        }
    }
    return best;
}

static int64_t
find_made(const wp_field_description *head, const char *name, const char *title)
{
    for (uint32_t i = 0; i < made_count; i++) {
        if (strcmp(made_fields[i]->abbrev, name) == 0 && is_same(made_fields[i], head, title)) {
            return made_fields[i]->id;
        }
    }
    return -1;
}

/* How a number is shown without the strings or functions that the other process has for it. */
static int
plain_display(const wp_field_description *head)
{
    const int base = head->display & FIELD_DISPLAY_E_MASK;
    return base == BASE_CUSTOM ? BASE_DEC : base;
}

static int64_t
make(const wp_field_description *head, const char *name, const char *title)
{
    header_field_info *hf = made_count < MADE_MOST ? calloc(1, sizeof *hf) : NULL;
    char *own_name = strdup(name), *own_title = strdup(title);
    if (hf == NULL || own_name == NULL || own_title == NULL) {
        goto failed;
    }
    hf->name = own_title;
    hf->abbrev = own_name;
    hf->type = (enum ftenum)head->type;
    hf->display = plain_display(head);
    hf->bitmask = head->bitmask;
    hf->id = (int)(WP_FIELD_CHUNK * WP_FIELD_CHUNKS - 1 - made_count);
    hf->parent = -1;
    hf->same_name_prev_id = -1;
    if (wp_field_define_locked(hf) == NULL) {
        goto failed;
    }
    made_fields[made_count++] = hf;
    return hf->id;

failed:
    free(hf);
    free(own_name);
    free(own_title);
    return -1;
}

int64_t
wp_field_adopt_locked(const uint8_t *bytes, uint32_t size, bool *made)
{
    wp_field_description head;
    *made = false;
    if (size < sizeof head + 2 || bytes[size - 1] != '\0') {
        return -1;
    }
    memcpy(&head, bytes, sizeof head);
    const char *name = (const char *)bytes + sizeof head;
    const char *title = name + strlen(name) + 1;
    if (title >= (const char *)bytes + size || head.type < 0 || head.type >= FT_NUM_TYPES) {
        return -1;
    }
    if (head.text_only) {
        return wp_registry_text_only_locked();
    }
    int64_t id = find(&head, name, title);
    if (id < 0) {
        id = find_made(&head, name, title);
    }
    if (id < 0) {
        id = make(&head, name, title);
        *made = id >= 0;
    }
    return id;
}
