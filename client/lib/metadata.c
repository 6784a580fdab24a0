#include "lib/metadata.h"

#include <stdio.h>

#include "lib/packing.h"
#include "lib/reading.h"

static void pack_strings(struct packing *packing, const char *place,
                         const struct soma_metadata_field *field, Pb__MetadataField *message)
{
    Pb__StringList *list = pack_message(packing, &pb__string_list__descriptor);
    if (!list)
        return;
    list->values = pack_texts(packing, place, field->value.strings, field->list_count);
    list->n_values = list->values ? field->list_count : 0;
    message->string_list = list;
    message->value_case = PB__METADATA_FIELD__VALUE_STRING_LIST;
}

static void pack_ints(struct packing *packing, const char *place,
                      const struct soma_metadata_field *field, Pb__MetadataField *message)
{
    Pb__IntList *list = pack_message(packing, &pb__int_list__descriptor);
    if (!list)
        return;
    if (pack_has(packing, place, field->value.integers, field->list_count)) {
        list->values = (int64_t *)(uintptr_t)field->value.integers;
        list->n_values = field->list_count;
    }
    message->int_list = list;
    message->value_case = PB__METADATA_FIELD__VALUE_INT_LIST;
}

static void pack_doubles(struct packing *packing, const char *place,
                         const struct soma_metadata_field *field, Pb__MetadataField *message)
{
    Pb__DoubleList *list = pack_message(packing, &pb__double_list__descriptor);
    if (!list)
        return;
    if (pack_has(packing, place, field->value.numbers, field->list_count)) {
        list->values = (double *)(uintptr_t)field->value.numbers;
        list->n_values = field->list_count;
    }
    message->double_list = list;
    message->value_case = PB__METADATA_FIELD__VALUE_DOUBLE_LIST;
}

static void pack_bools(struct packing *packing, const char *place,
                       const struct soma_metadata_field *field, Pb__MetadataField *message)
{
    Pb__BoolList *list = pack_message(packing, &pb__bool_list__descriptor);
    if (!list)
        return;
    if (pack_has(packing, place, field->value.booleans, field->list_count)) {
        list->values = pack_array(packing, field->list_count, sizeof *list->values);
        list->n_values = list->values ? field->list_count : 0;
    }
    for (size_t i = 0; i < list->n_values; i++)
        list->values[i] = field->value.booleans[i];
    message->bool_list = list;
    message->value_case = PB__METADATA_FIELD__VALUE_BOOL_LIST;
}

static void pack_field(struct packing *packing, const char *place,
                       const struct soma_metadata_field *field, Pb__MetadataField *message)
{
    message->key = pack_text(packing, place, field->key);
    switch (field->type) {
    case SOMA_VALUE_NONE:
        return;
    case SOMA_VALUE_STRING:
        message->value_case = PB__METADATA_FIELD__VALUE_STRING_VALUE;
        message->string_value = pack_text(packing, place, field->value.string);
        return;
    case SOMA_VALUE_INT:
        message->value_case = PB__METADATA_FIELD__VALUE_INT_VALUE;
        message->int_value = field->value.integer;
        return;
    case SOMA_VALUE_DOUBLE:
        message->value_case = PB__METADATA_FIELD__VALUE_DOUBLE_VALUE;
        message->double_value = field->value.number;
        return;
    case SOMA_VALUE_BOOL:
        message->value_case = PB__METADATA_FIELD__VALUE_BOOL_VALUE;
        message->bool_value = field->value.boolean;
        return;
    case SOMA_VALUE_STRING_LIST:
        pack_strings(packing, place, field, message);
        return;
    case SOMA_VALUE_INT_LIST:
        pack_ints(packing, place, field, message);
        return;
    case SOMA_VALUE_DOUBLE_LIST:
        pack_doubles(packing, place, field, message);
        return;
    case SOMA_VALUE_BOOL_LIST:
        pack_bools(packing, place, field, message);
        return;
    }
    if (packing->code == SOMA_OK)
        packing->code =
            error_set(packing->err, REASON_ENUM_UNKNOWN, place, "no type %d", (int)field->type);
}

Pb__MetadataField **metadata_pack(struct packing *packing, const char *field,
                                  const struct soma_metadata_field *fields, size_t count,
                                  size_t *ret_count)
{
    *ret_count = 0;
    if (!pack_has(packing, field, fields, count))
        return NULL;
    Pb__MetadataField **messages = pack_messages(packing, &pb__metadata_field__descriptor, count);
    for (size_t i = 0; messages && i < count; i++) {
        char place[SOMA_FIELD_SIZE];
        snprintf(place, sizeof place, "%s[%zu]", field, i);
        pack_field(packing, place, &fields[i], messages[i]);
    }
    if (messages)
        *ret_count = count;
    return messages;
}

static void read_bools(struct reading *reading, const Pb__BoolList *list,
                       struct soma_metadata_field *field)
{
    bool *values = read_array(reading, list->n_values, sizeof *values);
    for (size_t i = 0; values && i < list->n_values; i++)
        values[i] = list->values[i] != 0;
    field->value.booleans = values;
    field->list_count = list->n_values;
}

static void read_list(struct reading *reading, const Pb__MetadataField *message,
                      struct soma_metadata_field *field)
{
    if (field->type == SOMA_VALUE_STRING_LIST) {
        field->value.strings = message->string_list->values;
        field->list_count = message->string_list->n_values;
    } else if (field->type == SOMA_VALUE_INT_LIST) {
        field->value.integers = message->int_list->values;
        field->list_count = message->int_list->n_values;
    } else if (field->type == SOMA_VALUE_DOUBLE_LIST) {
        field->value.numbers = message->double_list->values;
        field->list_count = message->double_list->n_values;
    } else {
        read_bools(reading, message->bool_list, field);
    }
}

static enum soma_value_type type_of(const Pb__MetadataField *message)
{
    switch (message->value_case) {
    case PB__METADATA_FIELD__VALUE_STRING_VALUE:
        return SOMA_VALUE_STRING;
    case PB__METADATA_FIELD__VALUE_INT_VALUE:
        return SOMA_VALUE_INT;
    case PB__METADATA_FIELD__VALUE_DOUBLE_VALUE:
        return SOMA_VALUE_DOUBLE;
    case PB__METADATA_FIELD__VALUE_BOOL_VALUE:
        return SOMA_VALUE_BOOL;
    case PB__METADATA_FIELD__VALUE_STRING_LIST:
        return SOMA_VALUE_STRING_LIST;
    case PB__METADATA_FIELD__VALUE_INT_LIST:
        return SOMA_VALUE_INT_LIST;
    case PB__METADATA_FIELD__VALUE_DOUBLE_LIST:
        return SOMA_VALUE_DOUBLE_LIST;
    case PB__METADATA_FIELD__VALUE_BOOL_LIST:
        return SOMA_VALUE_BOOL_LIST;
    default: // not set, or the enumerator that protoc-c adds for its size
        return SOMA_VALUE_NONE;
    }
}

static void read_field(struct reading *reading, const Pb__MetadataField *message,
                       struct soma_metadata_field *field)
{
    field->key = message->key;
    field->type = type_of(message);
    if (field->type == SOMA_VALUE_STRING)
        field->value.string = message->string_value;
    else if (field->type == SOMA_VALUE_INT)
        field->value.integer = message->int_value;
    else if (field->type == SOMA_VALUE_DOUBLE)
        field->value.number = message->double_value;
    else if (field->type == SOMA_VALUE_BOOL)
        field->value.boolean = message->bool_value != 0;
    else if (field->type != SOMA_VALUE_NONE)
        read_list(reading, message, field);
}

const struct soma_metadata_field *metadata_read(struct reading *reading,
                                                Pb__MetadataField *const *fields, size_t count)
{
    struct soma_metadata_field *rows = read_array(reading, count, sizeof *rows);
    for (size_t i = 0; rows && i < count; i++)
        read_field(reading, fields[i], &rows[i]);
    return rows;
}
