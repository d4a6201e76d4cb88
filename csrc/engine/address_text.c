/* address_text.c - addresses and identifiers as Wireshark writes them. */
#include "address_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "ws_compat.h"

static const char hex[] = "0123456789abcdef";

static char *
put_hex(char *at, const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    return at;
}

static size_t
colon_hex(const uint8_t *bytes, size_t count, char *text)
{
    char *at = text;
    for (size_t i = 0; i < count; i++) {
        at = put_hex(at, bytes + i, 1);
        *at++ = ':';
    }
    return (size_t)(at - text) - 1;
}

static size_t
ipv4(uint32_t address, char *text)
{
    char *at = text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        const unsigned part = address >> shift & 0xff;
        if (part >= 100) {
            *at++ = (char)('0' + part / 100);
        }
        if (part >= 10) {
            *at++ = (char)('0' + part / 10 % 10);
        }
        *at++ = (char)('0' + part % 10);
        *at++ = '.';
    }
    return (size_t)(at - text) - 1;
}

static size_t
guid(const uint8_t *bytes, char *text)
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    char *at = text;
    for (size_t i = 0; i < sizeof groups; i++) {
        at = put_hex(at, bytes, groups[i]);
        bytes += groups[i];
        *at++ = '-';
    }
    return (size_t)(at - text) - 1;
}

size_t
wp_address_bytes(wp_kind kind, const wp_value *value, uint8_t bytes[16])
{
    const unsigned size = kind == WP_EUI64 ? 8 : 4;
    switch (kind) {
    case WP_IPV4:
    case WP_IPXNET:
    case WP_EUI64:
        for (unsigned i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(value->number >> (8 * (size - 1 - i)));
        }
        return size;
    case WP_IPV6:
    case WP_GUID:
    case WP_ETHER:
        if (value->length != (kind == WP_ETHER ? 6 : 16)) {
            return 0;
        }
        memcpy(bytes, value->bytes, value->length);
        return value->length;
    default:
        return 0;
    }
}

size_t
wp_address_text(wp_kind kind, const wp_value *value, char text[WP_ADDRESS_TEXT_SIZE])
{
    uint8_t bytes[16];
    const size_t size = kind == WP_IPV4 || kind == WP_IPXNET ? 4 : wp_address_bytes(kind, value, bytes);
    if (size == 0) {
        return 0;
    }
    switch (kind) {
    case WP_IPV4:
        return ipv4((uint32_t)value->number, text);
    case WP_IPXNET:
        return (size_t)snprintf(text, WP_ADDRESS_TEXT_SIZE, "0x%0*x", WSC_IPXNET_DIGITS, (unsigned)value->number);
    case WP_IPV6:   /* what libwsutil calls as well */
        return inet_ntop(AF_INET6, bytes, text, WP_ADDRESS_TEXT_SIZE) == NULL ? 0 : strlen(text);
    case WP_GUID:
        return guid(bytes, text);
    default:
        return colon_hex(bytes, size, text);
    }
}
