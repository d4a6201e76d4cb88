/* packet_classifier.h - sorts packets into classes, for loop_filtered() and loop_to_buffer(). No Python.
 *
 * Two profiles, with pcapy-ng's classes and rules: the general one knows the beginnings of flows and a set of
 * addresses; the security one knows DNS, HTTP, handshakes and connection attempts. Both know IPv4 alone. */
#ifndef WISHPY_PACKET_CLASSIFIER_H
#define WISHPY_PACKET_CLASSIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WP_GENERAL = 0, WP_SECURITY = 1 };
enum { WP_GENERAL_OTHER, WP_GENERAL_FLOW_HEAD, WP_GENERAL_SET_MATCH, WP_GENERAL_CLASSES };
enum {
    WP_SECURITY_DNS,
    WP_SECURITY_HTTP,
    WP_SECURITY_OTHER,
    WP_SECURITY_ADDRESS,
    WP_SECURITY_HANDSHAKE,
    WP_SECURITY_SYN,
    WP_SECURITY_CLASSES
};

typedef struct {
    uint32_t *slots;         /* owned; 0 is an empty one; NULL for no set */
    uint32_t mask;
} wp_address_set;

typedef struct {
    uint64_t key;            /* 0 is a free slot */
    uint32_t count;
} wp_flow;

typedef struct {
    int profile;
    uint32_t ip_offset;      /* where the IPv4 header begins, but for VLAN tags */
    uint32_t flow_cutoff;    /* packets of a flow that are its head; 0 for none */
    uint16_t dns_port;
    uint64_t *http_ports;    /* owned bitmap of 65536 */
    uint64_t *tls_ports;     /* owned bitmap of 65536 */
    wp_address_set addresses;
    wp_flow *flows;          /* owned, mapped; NULL without flow_cutoff */
} wp_classifier;

/* addresses: packed IPv4 addresses in network order; only its whole fours count. Ports are set afterwards with
 * wp_port_add. False without memory; wp_classifier_fini is due in any case. */
bool wp_classifier_init(wp_classifier *self, int profile, const uint8_t *addresses, size_t size, uint32_t flow_cutoff);
void wp_classifier_fini(wp_classifier *self);

static inline void
wp_port_add(uint64_t *ports, uint16_t port)
{
    ports[port >> 6] |= UINT64_C(1) << (port & 63);
}

/* The packet's class: an index from 0 into the profile's classes. */
int wp_classify(wp_classifier *self, const uint8_t *data, uint32_t length);

/* How many classes the profile has, and what is added to an index to make the number that programs see. */
static inline int
wp_classifier_classes(int profile)
{
    return profile == WP_SECURITY ? WP_SECURITY_CLASSES : WP_GENERAL_CLASSES;
}

static inline int
wp_classifier_base(int profile)
{
    return profile == WP_SECURITY ? 100 : 0;
}

#endif
