/* registry_facts.h - what is registered in libwireshark, one thing at a time. Lock held; all texts are borrowed until
 * `each` returns, which stops the listing by returning false. */
#ifndef WISHPY_REGISTRY_FACTS_H
#define WISHPY_REGISTRY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t id;
    const char *name, *title, *type, *base, *description, *protocol;   /* description: NULL for none */
} wp_field_facts;

typedef struct {
    const char *name, *title, *short_name;
    bool enabled;
} wp_protocol_facts;

typedef struct {
    const char *name, *title, *type, *standard, *value, *description;
} wp_preference_facts;

typedef struct {
    int64_t value;
    const char *text;
} wp_string_facts;

void wp_registry_fields_locked(bool (*each)(const wp_field_facts *facts, void *data), void *data);
void wp_registry_protocols_locked(bool (*each)(const wp_protocol_facts *facts, void *data), void *data);
void wp_registry_preferences_locked(bool (*each)(const wp_preference_facts *facts, void *data), void *data);
void wp_registry_strings_locked(uint32_t id, bool (*each)(const wp_string_facts *facts, void *data), void *data);

#endif
