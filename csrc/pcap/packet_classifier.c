/* packet_classifier.c - sorts packets into classes. See the header. */
#include "packet_classifier.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PORT_WORDS = 65536 / 64,
    FLOW_BITS = 20,          /* a million flows; a newer one takes the place of an older one in its slot */
    MAX_VLAN_TAGS = 2,
    TCP = 6,
    UDP = 17,
    TCP_SYN = 0x02
};

#define FLOWS_SIZE (sizeof(wp_flow) << FLOW_BITS)

typedef struct {
    bool is_ipv4;
    bool has_ports;          /* TCP or UDP with both ports captured */
    uint8_t protocol;
    uint16_t source_port, destination_port;
    uint32_t source, destination;   /* as they lie in the packet */
    const uint8_t *transport;
    uint32_t transport_length;
} parsed;

/* Spreads the bits of an address or a flow over the whole word (the finalizer of MurmurHash3, public domain). */
static inline uint64_t
mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

static bool
set_init(wp_address_set *self, const uint8_t *packed, size_t size)
{
    size_t count = size / 4, slots = 16;
    if (count == 0) {
        return true;
    }
    while (slots < count * 2) {
        slots *= 2;
    }
    self->slots = calloc(slots, sizeof *self->slots);
    if (self->slots == NULL) {
        return false;
    }
    self->mask = (uint32_t)(slots - 1);
    for (size_t i = 0; i < count; i++) {
        uint32_t address;
        memcpy(&address, packed + 4 * i, 4);
        if (address == 0) {
            continue;   /* 0.0.0.0 is nobody's address, and marks an empty slot */
        }
        uint32_t slot = (uint32_t)mix(address) & self->mask;
        while (self->slots[slot] != 0 && self->slots[slot] != address) {
            slot = (slot + 1) & self->mask;
        }
        self->slots[slot] = address;
    }
    return true;
}

static inline bool
set_has(const wp_address_set *self, uint32_t address)
{
    if (address == 0) {
        return false;
    }
    uint32_t slot = (uint32_t)mix(address) & self->mask;
    while (self->slots[slot] != 0) {
        if (self->slots[slot] == address) {
            return true;
        }
        slot = (slot + 1) & self->mask;
    }
    return false;
}

bool
wp_classifier_init(wp_classifier *self, int profile, const uint8_t *addresses, size_t size, uint32_t flow_cutoff)
{
    memset(self, 0, sizeof *self);
    self->profile = profile;
    self->flow_cutoff = flow_cutoff;
    self->http_ports = calloc(PORT_WORDS, sizeof *self->http_ports);
    self->tls_ports = calloc(PORT_WORDS, sizeof *self->tls_ports);
    if (self->http_ports == NULL || self->tls_ports == NULL || !set_init(&self->addresses, addresses, size)) {
        return false;
    }
    if (flow_cutoff > 0) {
        /* Not malloc: 16 MiB that come and go would leave holes in its heap. */
        void *flows = mmap(NULL, FLOWS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        self->flows = flows == MAP_FAILED ? NULL : flows;
        if (self->flows != NULL) {
            madvise(flows, FLOWS_SIZE, MADV_HUGEPAGE);   /* 8 page faults, not 4,096: a third of a short file's time */
        }
        return self->flows != NULL;
    }
    return true;
}

void
wp_classifier_fini(wp_classifier *self)
{
    free(self->http_ports);
    free(self->tls_ports);
    free(self->addresses.slots);
    if (self->flows != NULL) {
        munmap(self->flows, FLOWS_SIZE);
    }
    memset(self, 0, sizeof *self);
}

static inline uint16_t
be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* Where the IPv4 header begins: at the offset given, or behind VLAN tags there. length when there is none. */
static inline uint32_t
find_ipv4(const uint8_t *data, uint32_t length, uint32_t offset)
{
    for (int tags = 0; length >= offset + 20; tags++, offset += 4) {
        if (data[offset] >> 4 == 4) {
            return offset;
        }
        if (tags == MAX_VLAN_TAGS || offset < 2) {
            break;
        }
        uint16_t type = be16(data + offset - 2);
        if (type != 0x8100 && type != 0x88a8) {
            break;
        }
    }
    return length;
}

static inline void
parse(const wp_classifier *self, const uint8_t *data, uint32_t length, parsed *packet)
{
    uint32_t at = find_ipv4(data, length, self->ip_offset);
    packet->is_ipv4 = at < length;
    packet->has_ports = false;
    if (!packet->is_ipv4) {
        return;
    }
    packet->protocol = data[at + 9];
    memcpy(&packet->source, data + at + 12, 4);
    memcpy(&packet->destination, data + at + 16, 4);
    uint32_t header = (data[at] & 0x0fu) * 4;
    if (header < 20 || (packet->protocol != TCP && packet->protocol != UDP) || length < at + header + 4) {
        return;
    }
    packet->has_ports = true;
    packet->transport = data + at + header;
    packet->transport_length = length - at - header;
    packet->source_port = be16(packet->transport);
    packet->destination_port = be16(packet->transport + 2);
}

/* Whether this is one of the first packets of its flow, which is counted on. The two directions are two flows. */
static bool
is_flow_head(wp_classifier *self, const parsed *packet)
{
    uint64_t addresses = (uint64_t)packet->source << 32 | packet->destination;
    uint64_t rest = (uint64_t)packet->source_port << 32 | (uint64_t)packet->destination_port << 16 | packet->protocol;
    uint64_t key = mix(mix(addresses) ^ rest);
    key += key == 0;
    wp_flow *flow = &self->flows[key >> (64 - FLOW_BITS)];
    if (flow->key != key) {
        flow->key = key;
        flow->count = 0;
    }
    if (flow->count >= self->flow_cutoff) {
        return false;
    }
    flow->count++;
    return true;
}

static inline bool
touches_set(const wp_classifier *self, const parsed *packet)
{
    return self->addresses.slots != NULL
           && (set_has(&self->addresses, packet->source) || set_has(&self->addresses, packet->destination));
}

static inline bool
touches_port(const uint64_t *ports, const parsed *packet)
{
    uint16_t a = packet->source_port, b = packet->destination_port;
    return (ports[a >> 6] >> (a & 63) & 1) || (ports[b >> 6] >> (b & 63) & 1);
}

static int
classify_general(wp_classifier *self, const parsed *packet)
{
    if (!packet->is_ipv4) {
        return WP_GENERAL_OTHER;
    }
    if (touches_set(self, packet)) {
        return WP_GENERAL_SET_MATCH;
    }
    if (self->flows != NULL && packet->has_ports && is_flow_head(self, packet)) {
        return WP_GENERAL_FLOW_HEAD;
    }
    return WP_GENERAL_OTHER;
}

/* DNS, a connection attempt or HTTP, by ports and TCP header; OTHER for the rest. */
static int
classify_transport(const wp_classifier *self, const parsed *packet)
{
    if (packet->source_port == self->dns_port || packet->destination_port == self->dns_port) {
        return WP_SECURITY_DNS;
    }
    if (packet->protocol == TCP && packet->transport_length >= 14) {
        if (packet->transport[13] == TCP_SYN) {
            return WP_SECURITY_SYN;
        }
        uint32_t header = (uint32_t)(packet->transport[12] >> 4) * 4;
        bool has_payload = header >= 20 && packet->transport_length > header;
        if (has_payload && touches_port(self->http_ports, packet)) {
            return WP_SECURITY_HTTP;
        }
    }
    return WP_SECURITY_OTHER;
}

static int
classify_security(wp_classifier *self, const parsed *packet)
{
    if (!packet->is_ipv4) {
        return WP_SECURITY_OTHER;
    }
    int class = packet->has_ports ? classify_transport(self, packet) : WP_SECURITY_OTHER;
    if (class != WP_SECURITY_OTHER) {
        return class;
    }
    if (touches_set(self, packet)) {
        return WP_SECURITY_ADDRESS;
    }
    if (self->flows != NULL && packet->has_ports && touches_port(self->tls_ports, packet)
        && is_flow_head(self, packet)) {
        return WP_SECURITY_HANDSHAKE;
    }
    return WP_SECURITY_OTHER;
}

int
wp_classify(wp_classifier *self, const uint8_t *data, uint32_t length)
{
    if (self->profile == WP_GENERAL && self->flows == NULL && self->addresses.slots == NULL) {
        return WP_GENERAL_OTHER;   /* nothing to look for */
    }
    parsed packet = {0};
    parse(self, data, length, &packet);
    return self->profile == WP_SECURITY ? classify_security(self, &packet) : classify_general(self, &packet);
}
