#include "services/vector_messages.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/aliases.h"
#include "wire/limits.h"

_Static_assert((int)METRIC_COSINE == (int)PB__METRIC__METRIC_COSINE &&
                   (int)METRIC_L2 == (int)PB__METRIC__METRIC_L2 &&
                   (int)METRIC_DOT == (int)PB__METRIC__METRIC_DOT,
               "metrics have the numbers of vectors.proto");
_Static_assert((int)QUANTIZATION_NONE == (int)PB__QUANTIZATION__QUANTIZATION_NONE &&
                   (int)QUANTIZATION_BF16 == (int)PB__QUANTIZATION__QUANTIZATION_BF16 &&
                   (int)QUANTIZATION_INT8 == (int)PB__QUANTIZATION__QUANTIZATION_INT8 &&
                   (int)QUANTIZATION_INT4 == (int)PB__QUANTIZATION__QUANTIZATION_INT4,
               "quantizations have the numbers of vectors.proto");
_Static_assert((int)RERANK_MEMORY == (int)PB__RERANK__RERANK_MEMORY &&
                   (int)RERANK_DISK == (int)PB__RERANK__RERANK_DISK,
               "places to rerank have the numbers of vectors.proto");
// Fields and types are in one order, which field_from_message and put_field rely on.
_Static_assert((int)PB__METADATA_FIELD__VALUE_STRING_VALUE == METADATA_STRING + 1 &&
                   (int)PB__METADATA_FIELD__VALUE_BOOL_LIST == METADATA_BOOL_LIST + 1,
               "metadata types follow the fields of vectors.proto");

void *messages_new(struct arena *arena, size_t count, size_t size)
{
    void **pointers = arena_calloc(arena, count + 1, sizeof *pointers);
    char *messages = arena_calloc(arena, count + 1, size);
    if (!pointers || !messages)
        return NULL;
    for (size_t i = 0; i < count; i++)
        pointers[i] = messages + i * size;
    return pointers;
}

static enum soma_code make_full(struct rpc_call *call, const char **name, struct soma_error *err)
{
    const char *full = namespace_join(rpc_call_arena(call), rpc_call_space(call), *name);
    if (!full)
        return error_set_no_memory(err);
    *name = full;
    return SOMA_OK;
}

enum soma_code take_collection_ref(struct rpc_call *call, const char **collection,
                                   struct soma_error *err)
{
    if (!**collection)
        return error_set(err, REASON_FIELD_REQUIRED, "collection", "no collection is named");
    if (strlen(*collection) > COLLECTION_NAME_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "collection",
                         "a collection's name has at most %d characters", COLLECTION_NAME_BYTES);
    if (strchr(*collection, '/'))
        return error_set(err, REASON_COLLECTION_NOT_FOUND, "collection", "no collection '%s'",
                         *collection);
    return make_full(call, collection, err);
}

enum soma_code take_collection_name(struct rpc_call *call, const char **name, const char *field,
                                    struct soma_error *err)
{
    if (!**name)
        return error_set(err, REASON_FIELD_REQUIRED, field, "a collection needs a name");
    if (strlen(*name) > COLLECTION_NAME_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, field,
                         "a collection's name has at most %d characters", COLLECTION_NAME_BYTES);
    if (!text_is_of(*name, "A-Za-z0-9._-") || strchr("._-", **name))
        return error_set(err, REASON_FIELD_INVALID, field,
                         "a collection's name is of A-Z a-z 0-9 . _ - and starts with a letter or"
                         " digit");
    return make_full(call, name, err);
}

enum soma_code check_record_ids(const char *const *ids, size_t count, struct soma_error *err)
{
    if (count > LIMIT_BATCH_RECORDS)
        return error_set(err, REASON_FIELD_TOO_LONG, "ids", "%zu ids; %d at most", count,
                         LIMIT_BATCH_RECORDS);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(ids[i]);
        char field[48];
        snprintf(field, sizeof field, "ids[%zu]", i);
        if (!length)
            return error_set(err, REASON_FIELD_REQUIRED, field, "an id is empty");
        if (length > LIMIT_RECORD_ID_BYTES)
            return error_set(err, REASON_FIELD_TOO_LONG, field, "an id of %zu bytes; %d at most",
                             length, LIMIT_RECORD_ID_BYTES);
    }
    return SOMA_OK;
}

static struct metadata_field field_from_message(const Pb__MetadataField *message)
{
    struct metadata_field field = {.key = message->key, .count = 1};
    field.type =
        message->value_case ? (enum metadata_type)(message->value_case - 1) : METADATA_REMOVE;
    switch (field.type) {
    case METADATA_REMOVE:
        field.count = 0;
        break;
    case METADATA_STRING:
        field.values.strings = &message->string_value;
        break;
    case METADATA_INT:
        field.values.ints = &message->int_value;
        break;
    case METADATA_DOUBLE:
        field.values.doubles = &message->double_value;
        break;
    case METADATA_BOOL:
        field.values.bools = &message->bool_value;
        break;
    case METADATA_STRING_LIST:
        field.count = message->string_list->n_values;
        field.values.strings = message->string_list->values;
        break;
    case METADATA_INT_LIST:
        field.count = message->int_list->n_values;
        field.values.ints = message->int_list->values;
        break;
    case METADATA_DOUBLE_LIST:
        field.count = message->double_list->n_values;
        field.values.doubles = message->double_list->values;
        break;
    case METADATA_BOOL_LIST:
        field.count = message->bool_list->n_values;
        field.values.bools = message->bool_list->values;
        break;
    }
    return field;
}

enum soma_code fields_from_messages(Pb__MetadataField *const *messages, size_t count,
                                    struct arena *arena, const struct metadata_field **ret_fields,
                                    struct soma_error *err)
{
    struct metadata_field *fields = arena_calloc(arena, count, sizeof *fields);
    if (!fields)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++)
        fields[i] = field_from_message(messages[i]);
    *ret_fields = fields;
    return SOMA_OK;
}

enum soma_code inputs_from_messages(Pb__Record *const *messages, size_t count, struct arena *arena,
                                    struct record_input **ret_inputs, struct soma_error *err)
{
    if (count > LIMIT_BATCH_RECORDS)
        return error_set(err, REASON_FIELD_TOO_LONG, "records", "%zu records; %d at most", count,
                         LIMIT_BATCH_RECORDS);
    struct record_input *inputs = arena_calloc(arena, count, sizeof *inputs);
    if (!inputs)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const Pb__Record *message = messages[i];
        inputs[i].id = message->id;
        if (message->document_presence_case == PB__RECORD__DOCUMENT_PRESENCE_DOCUMENT)
            inputs[i].document = message->document;
        inputs[i].field_count = message->n_metadata;
        enum soma_code code = fields_from_messages(message->metadata, message->n_metadata, arena,
                                                   &inputs[i].fields, err);
        if (code)
            return code;
    }
    *ret_inputs = inputs;
    return SOMA_OK;
}

enum soma_code filter_from_text(const char *where, struct arena *arena,
                                const struct filter **ret_filter, struct soma_error *err)
{
    *ret_filter = NULL;
    return *where ? filter_compile(where, arena, ret_filter, err) : SOMA_OK;
}

struct record_parts parts_from_message(const Pb__Include *include)
{
    if (!include)
        return (struct record_parts){.document = true, .metadata = true};
    return (struct record_parts){.document = include->document,
                                 .metadata = include->metadata,
                                 .embedding = include->embedding};
}

// --- metadata back into messages

static bool put_strings(struct metadata_item item, struct arena *arena, Pb__MetadataField *message)
{
    Pb__StringList *list = arena_alloc(arena, sizeof *list);
    if (!list)
        return false;
    pb__string_list__init(list);
    list->values = arena_calloc(arena, item.count, sizeof *list->values);
    message->string_list = list;
    struct metadata_value value;
    while (list->values && metadata_value_next(&item, &value))
        list->values[list->n_values++] = value.text;
    return list->values != NULL;
}

static bool put_ints(struct metadata_item item, struct arena *arena, Pb__MetadataField *message)
{
    Pb__IntList *list = arena_alloc(arena, sizeof *list);
    if (!list)
        return false;
    pb__int_list__init(list);
    list->values = arena_calloc(arena, item.count, sizeof *list->values);
    message->int_list = list;
    struct metadata_value value;
    while (list->values && metadata_value_next(&item, &value))
        list->values[list->n_values++] = value.integer;
    return list->values != NULL;
}

static bool put_doubles(struct metadata_item item, struct arena *arena, Pb__MetadataField *message)
{
    Pb__DoubleList *list = arena_alloc(arena, sizeof *list);
    if (!list)
        return false;
    pb__double_list__init(list);
    list->values = arena_calloc(arena, item.count, sizeof *list->values);
    message->double_list = list;
    struct metadata_value value;
    while (list->values && metadata_value_next(&item, &value))
        list->values[list->n_values++] = value.real;
    return list->values != NULL;
}

static bool put_bools(struct metadata_item item, struct arena *arena, Pb__MetadataField *message)
{
    Pb__BoolList *list = arena_alloc(arena, sizeof *list);
    if (!list)
        return false;
    pb__bool_list__init(list);
    list->values = arena_calloc(arena, item.count, sizeof *list->values);
    message->bool_list = list;
    struct metadata_value value;
    while (list->values && metadata_value_next(&item, &value))
        list->values[list->n_values++] = value.truth;
    return list->values != NULL;
}

static bool put_list(struct metadata_item item, struct arena *arena, Pb__MetadataField *message)
{
    if (item.type == METADATA_STRING_LIST)
        return put_strings(item, arena, message);
    if (item.type == METADATA_INT_LIST)
        return put_ints(item, arena, message);
    if (item.type == METADATA_DOUBLE_LIST)
        return put_doubles(item, arena, message);
    return put_bools(item, arena, message);
}

static bool put_field(struct metadata_item item, struct arena *arena, Pb__MetadataField *message)
{
    pb__metadata_field__init(message);
    message->key = item.key;
    message->value_case = (Pb__MetadataField__ValueCase)(item.type + 1);
    if (metadata_type_is_list(item.type))
        return put_list(item, arena, message);
    struct metadata_value value;
    if (!metadata_value_next(&item, &value)) {
        message->value_case = PB__METADATA_FIELD__VALUE__NOT_SET;
        return true;
    }
    if (value.type == METADATA_STRING)
        message->string_value = value.text;
    else if (value.type == METADATA_INT)
        message->int_value = value.integer;
    else if (value.type == METADATA_DOUBLE)
        message->double_value = value.real;
    else
        message->bool_value = value.truth;
    return true;
}

// Keys and texts stay where they are, in the encoded bytes.
static enum soma_code messages_from_metadata(struct metadata metadata, struct arena *arena,
                                             size_t *ret_count, Pb__MetadataField ***ret_messages,
                                             struct soma_error *err)
{
    struct metadata_item item;
    size_t count = 0;
    for (struct metadata rest = metadata; metadata_next(&rest, &item);)
        count++;
    Pb__MetadataField **messages = messages_new(arena, count, sizeof(Pb__MetadataField));
    if (!messages)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count && metadata_next(&metadata, &item); i++) {
        if (!put_field(item, arena, messages[i]))
            return error_set_no_memory(err);
    }
    *ret_count = count;
    *ret_messages = messages;
    return SOMA_OK;
}

static bool put_index(Pb__Collection *message, const struct collection_row *row,
                      struct vectors *vectors, struct arena *arena)
{
    struct index_state state;
    Pb__IndexSettings *settings = arena_alloc(arena, sizeof *settings);
    Pb__IndexState *shown = arena_alloc(arena, sizeof *shown);
    if (!settings || !shown)
        return false;
    vectors_index_state(vectors, row->uid, &state);
    pb__index_settings__init(settings);
    settings->quantization = (Pb__Quantization)row->index.quantization;
    settings->m = row->index.m;
    settings->ef_construction = row->index.ef_construction;
    settings->ef_search = row->index.ef_search;
    settings->rerank = (Pb__Rerank)row->index.rerank;
    pb__index_state__init(shown);
    shown->rows_indexed = state.rows_indexed;
    shown->rows_waiting = state.rows_waiting;
    shown->rows_per_second = state.rows_per_second;
    shown->index_bytes = state.bytes;
    shown->file_sequence = state.file_sequence;
    message->index_kind = state.kind;
    message->index_settings = settings;
    message->index_state = shown;
    return true;
}

enum soma_code index_from_message(const Pb__IndexSettings *message,
                                  struct index_settings *ret_settings, struct soma_error *err)
{
    const struct index_settings wanted = {
        .quantization = message ? (enum quantization)message->quantization : 0,
        .m = message ? message->m : 0,
        .ef_construction = message ? message->ef_construction : 0,
        .ef_search = message ? message->ef_search : 0,
        .rerank = message ? (enum rerank)message->rerank : 0};
    if (wanted.m && (wanted.m < INDEX_M_MIN || wanted.m > INDEX_M_MAX))
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "index_settings.m",
                         "m is %d to %d, not %u", INDEX_M_MIN, INDEX_M_MAX, wanted.m);
    if (wanted.ef_construction && (wanted.ef_construction < INDEX_EF_CONSTRUCTION_MIN ||
                                   wanted.ef_construction > INDEX_EF_CONSTRUCTION_MAX))
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "index_settings.ef_construction",
                         "ef_construction is %d to %d, not %u", INDEX_EF_CONSTRUCTION_MIN,
                         INDEX_EF_CONSTRUCTION_MAX, wanted.ef_construction);
    if (wanted.ef_search > LIMIT_QUERY_EF)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "index_settings.ef_search",
                         "ef_search is at most %d", LIMIT_QUERY_EF);
    *ret_settings = wanted;
    index_settings_complete(ret_settings);
    return SOMA_OK;
}

enum soma_code collection_from_values(const struct collection_values *values, struct arena *arena,
                                      struct collection_row *ret_row, struct soma_error *err)
{
    const struct metadata_field *fields = NULL;
    struct collection_row row = {.dimension = values->dimension,
                                 .metric = values->metric ? (int)values->metric : METRIC_COSINE,
                                 .created_unix_ms = clock_wall_now().ms};
    if (!row.dimension || row.dimension > LIMIT_DIMENSION)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "dimension",
                         "a dimension is 1 to %d, not %u", LIMIT_DIMENSION, row.dimension);
    enum soma_code code = index_from_message(values->index_settings, &row.index, err);
    if (!code)
        code = fields_from_messages(values->metadata, values->n_metadata, arena, &fields, err);
    if (!code)
        code = metadata_encode(fields, values->n_metadata, false, arena, &row.metadata, err);
    if (!code)
        *ret_row = row;
    return code;
}

enum soma_code message_from_item(struct metadata_item item, struct arena *arena,
                                 Pb__MetadataField **ret_message, struct soma_error *err)
{
    *ret_message = arena_alloc(arena, sizeof **ret_message);
    if (!*ret_message || !put_field(item, arena, *ret_message))
        return error_set_no_memory(err);
    return SOMA_OK;
}

enum soma_code message_from_collection(const struct collection_row *row, struct store_txn *txn,
                                       struct vectors *vectors, struct arena *arena,
                                       Pb__Collection **ret_message, struct soma_error *err)
{
    Pb__Collection *message = arena_alloc(arena, sizeof *message);
    if (!message)
        return error_set_no_memory(err);
    pb__collection__init(message);
    message->name = arena_string(arena, namespace_plain(row->name));
    message->uid = arena_string(arena, row->uid);
    if (!message->name || !message->uid)
        return error_set_no_memory(err);
    message->dimension = row->dimension;
    message->metric = (Pb__Metric)row->metric;
    message->created_unix_ms = row->created_unix_ms;
    message->sequence = row->sequence;
    message->record_count = row->record_count;
    message->memory_bytes = vectors_memory_bytes(vectors, row->uid);
    enum soma_code code =
        aliases_list(txn, row->uid, arena, &message->aliases, &message->n_aliases, err);
    for (size_t i = 0; !code && i < message->n_aliases; i++)
        message->aliases[i] = namespace_plain(message->aliases[i]);
    if (code)
        return code;
    if (!put_index(message, row, vectors, arena))
        return error_set_no_memory(err);
    *ret_message = message;
    return messages_from_metadata(row->metadata, arena, &message->n_metadata, &message->metadata,
                                  err);
}

enum soma_code message_from_record(const struct record_row *row, struct arena *arena,
                                   Pb__Record **ret_message, struct soma_error *err)
{
    Pb__Record *message = arena_alloc(arena, sizeof *message);
    if (!message)
        return error_set_no_memory(err);
    pb__record__init(message);
    message->id = row->id;
    if (row->document) {
        message->document_presence_case = PB__RECORD__DOCUMENT_PRESENCE_DOCUMENT;
        message->document = row->document;
    }
    *ret_message = message;
    return messages_from_metadata(row->metadata, arena, &message->n_metadata, &message->metadata,
                                  err);
}
