/* record_bytes.c - what libwiretap keeps of a record beside its bytes, as bytes, and back.
 * Written and read by the same machine. Nothing in them is trusted: lengths are checked, and libwiretap itself refuses an
 * option that a block can't have, or that is of another type. */
#include "record_bytes.h"

#include "ws_compat.h"

/* ---- options ---- */

typedef enum {
    NUMBER_8 = 1,
    NUMBER_32,
    NUMBER_64,
    SIGNED_8,
    SIGNED_32,
    SIGNED_64,
    TEXT,
    BYTES,
    IPV4,
    IPV6,
    FILTER_TEXT,
    FILTER_PROGRAM,
    VERDICT_BYTES,
    VERDICT_TC,
    VERDICT_XDP,
    CUSTOM,   /* a number, that of the enterprise, comes first */
} option_kind;

typedef struct {
    uint16_t code, kind;
    uint32_t size;   /* of the bytes behind this */
} option_head;

static void
append_option(wp_text *out, unsigned code, option_kind kind, const void *bytes, size_t size)
{
    const option_head head = {.code = (uint16_t)code, .kind = (uint16_t)kind, .size = (uint32_t)size};
    wp_text_put(out, (const char *)&head, sizeof head);
    wp_text_put(out, bytes, size);
}

void
wp_option_append_text(wp_text *out, uint16_t code, const char *text)
{
    append_option(out, code, TEXT, text, strlen(text));
}

void
wp_option_append_filter(wp_text *out, uint16_t code, const char *text)
{
    append_option(out, code, FILTER_TEXT, text, strlen(text));
}

void
wp_option_append_number(wp_text *out, uint16_t code, uint8_t number)
{
    append_option(out, code, NUMBER_8, &number, sizeof number);
}

#if WSC_TYPED_OPTIONS
static void
append_filter(wp_text *out, unsigned code, const if_filter_opt_t *filter)
{
    if (filter->type == if_filter_pcap) {
        append_option(out, code, FILTER_TEXT, filter->data.filter_str, strlen(filter->data.filter_str));
    } else if (filter->type == if_filter_bpf) {
        append_option(out, code, FILTER_PROGRAM, filter->data.bpf_prog.bpf_prog,
                      filter->data.bpf_prog.bpf_prog_len * sizeof(wtap_bpf_insn_t));
    }
}

static void
append_verdict(wp_text *out, unsigned code, const packet_verdict_opt_t *verdict)
{
    switch (verdict->type) {
    case packet_verdict_hardware:
        append_option(out, code, VERDICT_BYTES, verdict->data.verdict_bytes->data, verdict->data.verdict_bytes->len);
        break;
    case packet_verdict_linux_ebpf_tc:
        append_option(out, code, VERDICT_TC, &verdict->data.verdict_linux_ebpf_tc, 8);
        break;
    case packet_verdict_linux_ebpf_xdp:
        append_option(out, code, VERDICT_XDP, &verdict->data.verdict_linux_ebpf_xdp, 8);
        break;
    }
}
#endif

#if WSC_CUSTOM_OPTIONS
/* Netflix's have a type of their own between the number and the data. */
static void
append_custom(wp_text *out, unsigned code, const custom_opt_t *custom)
{
    const bool nflx = custom->pen == PEN_NFLX;
    const char *data = nflx ? custom->data.nflx_data.custom_data : custom->data.generic_data.custom_data;
    const size_t size = nflx ? custom->data.nflx_data.custom_data_len : custom->data.generic_data.custom_data_len;
    const option_head head = {(uint16_t)code, CUSTOM, (uint32_t)(size + (nflx ? 8 : 4))};
    wp_text_put(out, (const char *)&head, sizeof head);
    wp_text_put(out, (const char *)&custom->pen, 4);
    if (nflx) {
        wp_text_put(out, (const char *)&custom->data.nflx_data.type, 4);
    }
    wp_text_put(out, data, size);
}
#endif

static WSC_OPTION_RESULT
append_each(wtap_block_t block, guint code, wtap_opttype_e type, wtap_optval_t *value, void *out)
{
    (void)block;
    switch (type) {
    case WTAP_OPTTYPE_UINT8:
        append_option(out, code, NUMBER_8, &value->uint8val, 1);
        break;
    case WTAP_OPTTYPE_UINT64:
        append_option(out, code, NUMBER_64, &value->uint64val, 8);
        break;
    case WTAP_OPTTYPE_STRING:
        append_option(out, code, TEXT, value->stringval, strlen(value->stringval));
        break;
    case WTAP_OPTTYPE_IPv4:
        append_option(out, code, IPV4, &value->ipv4val, 4);
        break;
    case WTAP_OPTTYPE_IPv6:
        append_option(out, code, IPV6, &value->ipv6val, 16);
        break;
#if WSC_TYPED_OPTIONS
    case WTAP_OPTTYPE_UINT32:
        append_option(out, code, NUMBER_32, &value->uint32val, 4);
        break;
    case WTAP_OPTTYPE_INT8:
        append_option(out, code, SIGNED_8, &value->int8val, 1);
        break;
    case WTAP_OPTTYPE_INT32:
        append_option(out, code, SIGNED_32, &value->int32val, 4);
        break;
    case WTAP_OPTTYPE_INT64:
        append_option(out, code, SIGNED_64, &value->int64val, 8);
        break;
    case WTAP_OPTTYPE_BYTES:
        append_option(out, code, BYTES, g_bytes_get_data(value->byteval, NULL), g_bytes_get_size(value->byteval));
        break;
    case WTAP_OPTTYPE_IF_FILTER:
        append_filter(out, code, &value->if_filterval);
        break;
    case WTAP_OPTTYPE_PACKET_VERDICT:
        append_verdict(out, code, &value->packet_verdictval);
        break;
#endif
#if WSC_CUSTOM_OPTIONS
    case WTAP_OPTTYPE_CUSTOM:
        append_custom(out, code, &value->custom_opt);
        break;
#endif
    default:
        break;
    }
    WSC_NEXT_OPTION;
}

void
wp_options_append(wp_text *out, void *block)
{
    if (block != NULL) {
        wtap_block_foreach_option(block, append_each, out);
    }
}

#if WSC_TYPED_OPTIONS
static void
add_filter(wtap_block_t block, const option_head *head, const uint8_t *bytes)
{
    if_filter_opt_t filter = {.type = if_filter_pcap};
    if (head->kind == FILTER_TEXT) {
        filter.data.filter_str = g_strndup((const char *)bytes, head->size);
    } else {
        filter.type = if_filter_bpf;
        filter.data.bpf_prog.bpf_prog_len = head->size / (guint)sizeof(wtap_bpf_insn_t);
        filter.data.bpf_prog.bpf_prog = g_malloc(head->size + 1);
        memcpy(filter.data.bpf_prog.bpf_prog, bytes, head->size);
    }
    wtap_block_add_if_filter_option(block, head->code, &filter);   /* copies it */
    g_free(head->kind == FILTER_TEXT ? (void *)filter.data.filter_str : (void *)filter.data.bpf_prog.bpf_prog);
}

static void
add_verdict(wtap_block_t block, const option_head *head, const uint8_t *bytes)
{
    packet_verdict_opt_t verdict = {.type = packet_verdict_hardware};
    if (head->kind == VERDICT_BYTES) {
        verdict.data.verdict_bytes = g_byte_array_append(g_byte_array_new(), bytes, head->size);
    } else if (head->size == 8) {
        verdict.type = head->kind == VERDICT_TC ? packet_verdict_linux_ebpf_tc : packet_verdict_linux_ebpf_xdp;
        memcpy(&verdict.data.verdict_linux_ebpf_tc, bytes, 8);
    } else {
        return;
    }
    wtap_block_add_packet_verdict_option(block, head->code, &verdict);   /* copies it */
    if (head->kind == VERDICT_BYTES) {
        g_byte_array_unref(verdict.data.verdict_bytes);
    }
}

static void
add_number(wtap_block_t block, const option_head *head, const uint8_t *bytes)
{
    static const uint8_t sizes[] = {[NUMBER_8] = 1, [NUMBER_32] = 4, [NUMBER_64] = 8,
                                    [SIGNED_8] = 1, [SIGNED_32] = 4, [SIGNED_64] = 8};
    wtap_optval_t value;
    if (head->size != sizes[head->kind]) {
        return;
    }
    memcpy(&value, bytes, head->size);
    switch ((option_kind)head->kind) {
    case NUMBER_8:
        wtap_block_add_uint8_option(block, head->code, value.uint8val);
        break;
    case NUMBER_32:
        wtap_block_add_uint32_option(block, head->code, value.uint32val);
        break;
    case NUMBER_64:
        wtap_block_add_uint64_option(block, head->code, value.uint64val);
        break;
    case SIGNED_8:
        wtap_block_add_int8_option(block, head->code, value.int8val);
        break;
    case SIGNED_32:
        wtap_block_add_int32_option(block, head->code, value.int32val);
        break;
    default:
        wtap_block_add_int64_option(block, head->code, value.int64val);
        break;
    }
}
#else
static void
add_number(wtap_block_t block, const option_head *head, const uint8_t *bytes)
{
    uint64_t number = 0;
    if (head->kind == NUMBER_8 && head->size == 1) {
        wtap_block_add_uint8_option(block, head->code, *bytes);
    } else if (head->kind == NUMBER_64 && head->size == 8) {
        memcpy(&number, bytes, 8);
        wtap_block_add_uint64_option(block, head->code, number);
    }
}
#endif

static void
add_address(wtap_block_t block, const option_head *head, const uint8_t *bytes)
{
    guint32 ipv4;
    ws_in6_addr ipv6;
    if (head->kind == IPV4 && head->size == sizeof ipv4) {
        memcpy(&ipv4, bytes, sizeof ipv4);
        wtap_block_add_ipv4_option(block, head->code, ipv4);
    } else if (head->kind == IPV6 && head->size == sizeof ipv6) {
        memcpy(&ipv6, bytes, sizeof ipv6);
        wtap_block_add_ipv6_option(block, head->code, &ipv6);
    }
}

#if WSC_CUSTOM_OPTIONS
static void
add_custom(wtap_block_t block, const option_head *head, const uint8_t *bytes)
{
    guint32 enterprise, type;
    if (head->size < 4) {
        return;
    }
    memcpy(&enterprise, bytes, 4);
    if (enterprise != PEN_NFLX) {
        wtap_block_add_custom_option(block, head->code, enterprise, (const char *)bytes + 4, head->size - 4);
    } else if (head->size >= 8) {
        memcpy(&type, bytes + 4, 4);
        wtap_block_add_nflx_custom_option(block, type, (const char *)bytes + 8, head->size - 8);
    }
}
#endif

static void
add_option(wtap_block_t block, const option_head *head, const uint8_t *bytes)
{
    switch ((option_kind)head->kind) {
    case NUMBER_8:
    case NUMBER_32:
    case NUMBER_64:
    case SIGNED_8:
    case SIGNED_32:
    case SIGNED_64:
        add_number(block, head, bytes);
        break;
    case TEXT:
        wtap_block_add_string_option(block, head->code, (const char *)bytes, head->size);
        break;
    case IPV4:
    case IPV6:
        add_address(block, head, bytes);
        break;
#if WSC_TYPED_OPTIONS
    case BYTES:
        wtap_block_add_bytes_option(block, head->code, bytes, head->size);
        break;
    case FILTER_TEXT:
    case FILTER_PROGRAM:
        add_filter(block, head, bytes);
        break;
    case VERDICT_BYTES:
    case VERDICT_TC:
    case VERDICT_XDP:
        add_verdict(block, head, bytes);
        break;
#endif
#if WSC_CUSTOM_OPTIONS
    case CUSTOM:
        add_custom(block, head, bytes);
        break;
#endif
    default:
        break;
    }
}

void
wp_options_add(void *block, const uint8_t *bytes, size_t size)
{
    option_head head;
    while (block != NULL && size >= sizeof head) {
        memcpy(&head, bytes, sizeof head);
        bytes += sizeof head;
        size -= sizeof head;
        if (head.size > size) {
            return;
        }
        add_option(block, &head, bytes);
        bytes += head.size;
        size -= head.size;
    }
}

/* ---- records ---- */

/* Of which libwireshark: another release may lay its structures out anew. */
#define LAYOUT ((uint32_t)(WSC_VERSION << 16 | sizeof ((wtap_rec *)0)->rec_header))

typedef struct {
    uint32_t layout, head_size;   /* then the head, then the options */
} record_head;

/* Where the head lies that is kept of a record of this type, and its size. */
static size_t
find_head(wtap_rec *rec, int encap, uint8_t **head)
{
    if (rec->rec_type == REC_TYPE_PACKET) {
        *head = (uint8_t *)&rec->rec_header.packet_header.pseudo_header;
        return wsc_encap_has_header(encap) ? sizeof rec->rec_header.packet_header.pseudo_header : 0;
    }
    *head = (uint8_t *)&rec->rec_header;
    return wsc_special_head_size(rec->rec_type);
}

void
wp_record_bytes_append(wp_text *out, const void *record_, void *block)
{
    wtap_rec *rec = &((wsc_record *)record_)->rec;
    const size_t before = out->used;
    uint8_t *bytes;
    const size_t head_size = find_head(rec, rec->rec_header.packet_header.pkt_encap, &bytes);
    const record_head head = {.layout = LAYOUT, .head_size = (uint32_t)head_size};
    wp_text_put(out, (const char *)&head, sizeof head);
    wp_text_put(out, (const char *)bytes, head_size);
    wp_options_append(out, block);
    if (!out->failed && out->used == before + sizeof head) {
        out->used = before;
    }
}

void
wp_record_bytes_apply(void *record_, const uint8_t *bytes, size_t size)
{
    wsc_record *record = record_;
    record_head head = {0};
    uint8_t *place;
    const size_t expected = find_head(&record->rec, record->rec.rec_header.packet_header.pkt_encap, &place);
    if (size >= sizeof head) {
        memcpy(&head, bytes, sizeof head);
    }
    if (size < sizeof head || head.head_size > size - sizeof head) {
        return;
    }
    bytes += sizeof head;
    size -= sizeof head;
    if (head.layout == LAYOUT && head.head_size == expected) {
        memcpy(place, bytes, expected);
    }
    wtap_block_t block = wsc_packet_block_new();
    wp_options_add(block, bytes + head.head_size, size - head.head_size);
    wsc_record_set_block(record, block);
}
