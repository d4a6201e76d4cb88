/* name_tables.h - epan's start and a new state of it, without what reading the tables of names more than once would cost. */
#ifndef WISHPY_NAME_TABLES_H
#define WISHPY_NAME_TABLES_H

#include "ws_compat.h"

/* epan_init, with no callbacks. Lock held; once. */
bool wp_epan_init_locked(bool plugins);

/* epan_new. A name that a session before has met or made is not known to the new one. Lock held; no other epan lives. */
epan_t *wp_epan_new_locked(struct packet_provider_data *provider, const struct packet_provider_funcs *functions);

/* Before Wireshark writes a text with a name in it, where no session may have been before: for packets of other processes.
 * Lock held. */
void wp_name_tables_need_locked(void);

#endif
