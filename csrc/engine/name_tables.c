/* name_tables.c - the tables of names that libwireshark reads from files, kept from one epan_new to the next.
 *
 * To 4.0 epan_init reads the tables of manufacturers, well-known addresses, services and enterprises, and each epan_new
 * does it again (addr_resolv.c, host_name_lookup_reset): 24 ms, and 11 MB of memory that lives as long as the process,
 * the old ones being forgotten. So epan_init is shown no files. The old tables are freed here, through the library's own
 * getters. And the three that are large, always say the same and grow by little are not read again: their contents are
 * taken out of the maps before, epan_new finds no file to read into its new ones, and the contents are put into these.
 * What is still read is `wka`, for the few whole addresses in it: they share a table with those that sessions meet. And
 * the enterprises, whose table has no getter.
 *
 * Both needs a map's array of slots, which has no getter. It is found by the map's layout, which is tried out on maps of
 * our own before it is believed. That the files are not found needs get_datafile_path, libwsutil's, to be the one below.
 * Where either is not so, epan_new reads them, as it would.
 *
 * The epan lock is held throughout. */
#include "name_tables.h"

#include "library.h"

/* A match in the user's `ethers` leaves that file open (get_ethbyaddr), and then it is read once more in place of the next
 * one, `manuf` or `wka` (set_ethent). A search for an address that is in no file closes it: its name is its number. Whom
 * somebody met is searched for no more. */
static void
close_users_ethers(void)
{
    wmem_map_t *addresses = get_eth_hashtable();
    const bool before = gbl_resolv_flags.mac_name;
    uint8_t address[6] = {2};
    gbl_resolv_flags.mac_name = true;
    for (bool closed = false; !closed && address[4] != UINT8_MAX;) {
        address[4] += ++address[5] == 0;
        const bool met = wmem_map_lookup(addresses, address) != NULL;
        get_ether_name(address);
        hashether_t *now = wmem_map_lookup(addresses, address);
        closed = !met && strcmp(get_hash_ether_resolved_name(now), get_hash_ether_hexaddr(now)) == 0;
    }
    gbl_resolv_flags.mac_name = before;
}

#if WSC_NAMES_ARE_READ

#include <dlfcn.h>

/* ---- a map's inside ---- */

typedef struct {
    guint count;
    size_t capacity;   /* log2 of the slots */
    void **slots;      /* owned by the map, in its own allocator; NULL before the first entry */
} map_layout;

static map_layout *
layout_of(wmem_map_t *map)
{
    return (map_layout *)(void *)map;
}

static map_layout
take_contents(wmem_map_t *map)
{
    map_layout *layout = layout_of(map);
    const map_layout contents = *layout;
    layout->count = 0;
    layout->slots = NULL;
    return contents;
}

/* One entry in one slot; found from another map that its contents were moved to, and in the first no more. */
static bool
try_layout(wmem_allocator_t *pool)
{
    wmem_map_t *from = wmem_map_new(pool, g_direct_hash, g_direct_equal);
    wmem_map_t *to = wmem_map_new(pool, g_direct_hash, g_direct_equal);
    wmem_map_insert(from, GUINT_TO_POINTER(1), GUINT_TO_POINTER(2));
    const map_layout *layout = layout_of(from);
    if (layout->count != 1 || layout->capacity < 2 || layout->capacity > 16 || layout->slots == NULL
        || layout_of(to)->count != 0 || layout_of(to)->slots != NULL) {
        return false;
    }
    size_t filled = 0;
    for (size_t i = 0; i < (size_t)1 << layout->capacity; i++) {
        filled += layout->slots[i] != NULL;
    }
    if (filled != 1) {
        return false;
    }
    *layout_of(to) = take_contents(from);
    return wmem_map_size(from) == 0 && wmem_map_lookup(from, GUINT_TO_POINTER(1)) == NULL && wmem_map_size(to) == 1
        && wmem_map_lookup(to, GUINT_TO_POINTER(1)) == GUINT_TO_POINTER(2);
}

static bool
layout_holds(void)
{
    static int known;   /* 0 not tried, 1 holds, -1 does not */
    if (known == 0) {
        wmem_allocator_t *pool = wmem_allocator_new(WMEM_ALLOCATOR_SIMPLE);
        known = try_layout(pool) ? 1 : -1;
        wmem_destroy_allocator(pool);
    }
    return known == 1;
}

/* ---- what a session adds ---- */

/* A manufacturer without a name: each one that was asked for and is not in the file. */
static void
note_nameless(gpointer key, gpointer value, gpointer keys)
{
    if (*get_hash_manuf_resolved_name(value) == '\0') {
        g_ptr_array_add(keys, key);
    }
}

static void
drop_nameless(wmem_map_t *map, void *key)
{
    wmem_free(wmem_epan_scope(), wmem_map_remove(map, key));
}

/* A service whose number stands for its name with a protocol that the file says nothing of. */
static void
note_numeric(gpointer key, gpointer value, gpointer keys)
{
    if (((const serv_port_t *)value)->numeric != NULL) {
        g_ptr_array_add(keys, key);
    }
}

static void
drop_numeric(wmem_map_t *map, void *key)
{
    serv_port_t *service = wmem_map_lookup(map, key);
    wmem_free(wmem_epan_scope(), service->numeric);
    service->numeric = NULL;
    if (service->udp_name == NULL && service->tcp_name == NULL && service->sctp_name == NULL
        && service->dccp_name == NULL) {
        wmem_free(wmem_epan_scope(), wmem_map_remove(map, key));
    }
}

static void
free_service_names(void *service_)
{
    serv_port_t *service = service_;
    gchar *const names[] = {service->udp_name, service->tcp_name, service->sctp_name, service->dccp_name,
                            service->numeric};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        wmem_free(wmem_epan_scope(), names[i]);
    }
}

/* ---- the tables ---- */

typedef struct {
    wmem_map_t *(*map)(void);
    bool owns_keys;                    /* else they are numbers, or lie in the value */
    void (*free_parts)(void *value);   /* or NULL */
    GHFunc note_added;                 /* adds the key of an entry that a session added or changed to a GPtrArray, or NULL */
    void (*drop_added)(wmem_map_t *map, void *key);
} name_table;

enum { KEPT = 3 };   /* the first ones */

static const name_table tables[] = {
    {get_manuf_hashtable, false, NULL, note_nameless, drop_nameless},
    {get_serv_port_hashtable, false, free_service_names, note_numeric, drop_numeric},
    {get_wka_hashtable, true, NULL, NULL, NULL},   /* sessions only read it */
    {get_eth_hashtable, false, NULL, NULL, NULL},
    {get_vlan_hash_table, false, NULL, NULL, NULL},
    {get_ipxnet_hash_table, false, NULL, NULL, NULL},
    {get_ipv4_hash_table, false, NULL, NULL, NULL},
    {get_ipv6_hash_table, true, NULL, NULL, NULL},
};

static void
empty_table(const name_table *table)
{
    wmem_map_t *map = table->map();
    wmem_list_t *keys = wmem_map_get_keys(NULL, map);
    for (wmem_list_frame_t *at = wmem_list_head(keys); at != NULL; at = wmem_list_frame_next(at)) {
        void *key = wmem_list_frame_data(at);
        void *value = wmem_map_remove(map, key);
        if (table->free_parts != NULL && value != NULL) {
            table->free_parts(value);
        }
        wmem_free(wmem_epan_scope(), value);
        if (table->owns_keys) {
            wmem_free(wmem_epan_scope(), key);
        }
    }
    wmem_destroy_list(keys);
    if (layout_holds()) {
        wmem_free(wmem_epan_scope(), take_contents(map).slots);
    }
}

/* epan_new puts new maps in their places, next thing it does. */
static void
forget_tables(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        wmem_map_t *map = tables[i].map();
        if (map != NULL) {
            empty_table(&tables[i]);
        }
        if (map != NULL && layout_holds()) {
            wmem_free(wmem_epan_scope(), map);
        }
    }
}

/* ---- what is kept ---- */

static struct {
    bool users;                 /* the tables were read with the user's own files beside */
    bool whole;                 /* the tables hold what the files say that every session reads, and what sessions added */
    bool only_ranges;           /* `manuf` had no whole addresses, which would be in a table that is not kept */
    map_layout as_read[KEPT];   /* how large they were then */
} kept;

/* The files that libwireshark shall not find now, up to a NULL. */
static const char *const none[] = {NULL}, *const large[] = {"manuf", "services", NULL},
                  *const all[] = {"manuf", "services", "wka", "enterprises.tsv", NULL};
static const char *const *held_back = none;

static bool
is_held_back(const char *name)
{
    const char *const *at = held_back;
    while (*at != NULL && strcmp(*at, name) != 0) {
        at++;
    }
    return *at != NULL;
}

/* libwireshark asks for each file before it reads it: `manuf` and then `wka`, `services` before or after the two, and the
 * enterprises at last. */
static void
note_reading(const char *name)
{
    if (strcmp(name, "wka") == 0) {
        kept.only_ranges = get_eth_hashtable() != NULL && wmem_map_size(get_eth_hashtable()) == 0;
    } else if (strcmp(name, "enterprises.tsv") == 0 && layout_holds()) {
        kept.whole = kept.only_ranges && !kept.users;
        for (size_t i = 0; i < KEPT; i++) {
            kept.as_read[i] = *layout_of(tables[i].map());
        }
    }
}

/* Takes the place of libwsutil's: libwireshark looks for this name in whom it was loaded for before it looks in the
 * libraries that it names. The one symbol that _epan gives to the world beside its init function. */
char *
get_datafile_path(const char *name)
{
    if (is_held_back(name)) {
        return g_strdup("");   /* no file has this name */
    }
    if (held_back == none) {
        note_reading(name);
    }
    char *(*libwsutils)(const char *) = (char *(*)(const char *))dlsym(RTLD_NEXT, "get_datafile_path");
    return libwsutils == NULL ? g_build_filename(get_datafile_dir(), name, NULL) : libwsutils(name);
}

/* A table as it was read; false where it has grown too large for that, or anything is not as expected. */
static bool
restore_table(const name_table *table, const map_layout *as_read)
{
    wmem_map_t *map = table->map();
    const map_layout *now = layout_of(map);
    if (now->capacity == as_read->capacity && now->count != as_read->count && table->note_added != NULL) {
        GPtrArray *keys = g_ptr_array_new();
        wmem_map_foreach(map, table->note_added, keys);
        for (guint i = 0; i < keys->len; i++) {
            table->drop_added(map, g_ptr_array_index(keys, i));
        }
        g_ptr_array_free(keys, TRUE);
    }
    return now->capacity == as_read->capacity && now->count == as_read->count;
}

static bool
can_keep(void)
{
    bool can = true;
    for (size_t i = 0; can && i < KEPT; i++) {
        can = restore_table(&tables[i], &kept.as_read[i]);
    }
    return can;
}

/* What epan_new has read of these tables all the same (from `wka`) is in them already. */
static void
put_back(const map_layout contents[KEPT])
{
    for (size_t i = 0; i < KEPT; i++) {
        empty_table(&tables[i]);
        *layout_of(tables[i].map()) = contents[i];
    }
}

bool
wp_epan_init_locked(bool plugins)
{
    held_back = all;
    const bool started = epan_init(NULL, NULL, plugins);
    held_back = none;
    return started;
}

static bool made_ready;   /* there was an epan_new, which has read the tables */

epan_t *
wp_epan_new_locked(struct packet_provider_data *provider, const struct packet_provider_funcs *functions)
{
    map_layout contents[KEPT];
    made_ready = true;
    if (kept.users) {
        close_users_ethers();
    }
    kept.users = wp_library_is_personal();
    const bool keep = kept.whole && !kept.users && can_keep();
    for (size_t i = 0; keep && i < KEPT; i++) {
        contents[i] = take_contents(tables[i].map());
    }
    forget_tables();
    kept.whole = keep;
    held_back = keep ? large : none;
    epan_t *epan = epan_new(provider, functions);
    held_back = none;
    if (keep) {
        put_back(contents);
    }
    return epan;
}

void
wp_name_tables_need_locked(void)
{
    static const struct packet_provider_funcs nothing;
    if (!made_ready) {
        epan_free(wp_epan_new_locked(NULL, &nothing));
    }
}

#else

void
wp_name_tables_need_locked(void)
{
}

bool
wp_epan_init_locked(bool plugins)
{
    return epan_init(NULL, NULL, plugins);
}

epan_t *
wp_epan_new_locked(struct packet_provider_data *provider, const struct packet_provider_funcs *functions)
{
    static bool users;   /* the last one had the user's own files beside */
    if (users) {
        close_users_ethers();
    }
    users = wp_library_is_personal();
    return epan_new(provider, functions);
}

#endif
