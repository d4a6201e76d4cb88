/* origin.c - what a capture says beside its packets: a list of items that only grows, and how it follows a file. */
#include "origin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "record_bytes.h"
#include "ws_compat.h"

struct wp_origin {
    atomic_uint holders;
    pthread_mutex_t mutex;     /* guards the list; an item is never changed */
    wp_origin_item **items;    /* owned */
    uint32_t count, room;
};

wp_origin *
wp_origin_new(void)
{
    wp_origin *origin = calloc(1, sizeof *origin);
    if (origin != NULL) {
        atomic_init(&origin->holders, 1);
        pthread_mutex_init(&origin->mutex, NULL);
    }
    return origin;
}

wp_origin *
wp_origin_hold(wp_origin *origin)
{
    atomic_fetch_add(&origin->holders, 1);
    return origin;
}

void
wp_origin_release(wp_origin *origin)
{
    if (origin == NULL || atomic_fetch_sub(&origin->holders, 1) != 1) {
        return;
    }
    for (uint32_t i = 0; i < origin->count; i++) {
        free(origin->items[i]);
    }
    free(origin->items);
    pthread_mutex_destroy(&origin->mutex);
    free(origin);
}

uint32_t
wp_origin_count(wp_origin *origin)
{
    pthread_mutex_lock(&origin->mutex);
    const uint32_t count = origin->count;
    pthread_mutex_unlock(&origin->mutex);
    return count;
}

const wp_origin_item *
wp_origin_item_at(wp_origin *origin, uint32_t i)
{
    pthread_mutex_lock(&origin->mutex);
    const wp_origin_item *item = origin->items[i];
    pthread_mutex_unlock(&origin->mutex);
    return item;
}

static bool
put_item(wp_origin *origin, wp_origin_item *item)
{
    if (origin->count == origin->room) {
        const uint32_t room = origin->room == 0 ? 4 : origin->room * 2;
        wp_origin_item **items = realloc(origin->items, room * sizeof *items);
        if (items == NULL) {
            return false;
        }
        origin->items = items;
        origin->room = room;
    }
    origin->items[origin->count++] = item;
    return true;
}

bool
wp_origin_add(wp_origin *origin, uint32_t kind, const void *bytes, size_t size)
{
    static const size_t least[] = {
        [WP_ORIGIN_SECTION] = 0, [WP_ORIGIN_INTERFACE] = sizeof(wp_interface), [WP_ORIGIN_SECRETS] = sizeof(uint32_t),
    };
    if (kind < WP_ORIGIN_SECTION || kind > WP_ORIGIN_SECRETS || size < least[kind] || size > UINT32_MAX / 2) {
        return false;
    }
    wp_origin_item *item = malloc(sizeof *item + size);
    if (item == NULL) {
        return false;
    }
    *item = (wp_origin_item){.kind = kind, .size = (uint32_t)size};
    if (size > 0) {
        memcpy(item->bytes, bytes, size);
    }
    pthread_mutex_lock(&origin->mutex);
    const bool added = put_item(origin, item);
    pthread_mutex_unlock(&origin->mutex);
    if (!added) {
        free(item);
    }
    return added;
}

/* ---- what a file says ---- */

static uint64_t
power_of_ten(int exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0) {
        power *= 10;
    }
    return power;
}

void
wp_interface_append(wp_text *out, int encapsulation, int precision, uint32_t snaplen, const char *name,
                    const char *filter)
{
    const int digits = wsc_decimal_precision(precision);
    const wp_interface head = {
        .units = power_of_ten(digits),
        .encapsulation = encapsulation,
        .precision = digits,
        .snaplen = snaplen,
    };
    wp_text_put(out, (const char *)&head, sizeof head);
    if (name != NULL) {
        wp_option_append_text(out, OPT_IDB_NAME, name);
    }
    if (filter != NULL) {
        wp_option_append_filter(out, OPT_IDB_FILTER, filter);
    }
    if (digits != WTAP_TSPREC_USEC) {   /* pcapng's default */
        wp_option_append_number(out, OPT_IDB_TSRESOL, (uint8_t)digits);
    }
}

static void
add_interface(wp_origin *origin, wtap_block_t block)
{
    const wtapng_if_descr_mandatory_t *known = wtap_block_get_mandatory_data(block);
    const wp_interface head = {
        .units = known->time_units_per_second,
        .encapsulation = known->wtap_encap,
        .precision = known->tsprecision,
        .snaplen = known->snap_len,
    };
    wp_text bytes = {0};
    wp_text_put(&bytes, (const char *)&head, sizeof head);
    wp_options_append(&bytes, block);
    if (!bytes.failed) {
        wp_origin_add(origin, WP_ORIGIN_INTERFACE, bytes.data, bytes.used);
    }
    wp_text_free(&bytes);
}

static void
add_secrets(wp_origin *origin, wtap_block_t block)
{
    const wtapng_dsb_mandatory_t *known = wtap_block_get_mandatory_data(block);
    wp_text bytes = {0};
    wp_text_put(&bytes, (const char *)&known->secrets_type, sizeof known->secrets_type);
    wp_text_put(&bytes, (const char *)known->secrets_data, known->secrets_len);
    if (!bytes.failed) {
        wp_origin_add(origin, WP_ORIGIN_SECRETS, bytes.data, bytes.used);
    }
    wp_text_free(&bytes);
}

void
wp_origin_open_file(wp_origin_file *file, wp_origin *origin, void *wtap_)
{
    wtap *opened = wtap_;
    wp_text bytes = {0};
    wp_options_append(&bytes, wtap_file_get_shb(opened, 0));
    if (bytes.used > 0 && !bytes.failed) {
        wp_origin_add(origin, WP_ORIGIN_SECTION, bytes.data, bytes.used);
    }
    wp_text_free(&bytes);
    wtap_dump_params params = WTAP_DUMP_PARAMS_INIT;   /* the public way to the file's own arrays, which it shares */
    wtap_dump_params_init_no_idbs(&params, opened);
    file->interfaces = params.idb_inf->interface_data;
    file->secrets = params.dsbs_growing;
    g_free(params.idb_inf);
    params.idb_inf = NULL;
    wtap_dump_params_cleanup(&params);
    wp_origin_follow(file, origin);
}

void
wp_origin_follow(wp_origin_file *file, wp_origin *origin)
{
    const GArray *interfaces = file->interfaces, *secrets = file->secrets;
    while (interfaces != NULL && file->interfaces_seen < interfaces->len) {
        add_interface(origin, g_array_index(interfaces, wtap_block_t, file->interfaces_seen++));
    }
    while (secrets != NULL && file->secrets_seen < secrets->len) {
        add_secrets(origin, g_array_index(secrets, wtap_block_t, file->secrets_seen++));
    }
}
