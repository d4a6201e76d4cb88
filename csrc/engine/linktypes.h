/* linktypes.h - libpcap's link-layer types by name. No lock needed. */
#ifndef WISHPY_LINKTYPES_H
#define WISHPY_LINKTYPES_H

/* The DLT number of "EN10MB" or "DLT_EN10MB", in any case of letters; -1 for a name that libpcap has not. */
int wp_linktype_by_name(const char *name);

/* Name by name, NULL behind the last. */
const char *wp_linktype_nth(int index);

#endif
