// The methods that count records: all that match, or by the values of a key.
#include <string.h>

#include "services/validate.h"
#include "services/vector_messages.h"
#include "services/vector_private.h"
#include "vectors/selection.h"
#include "wire/limits.h"

enum {
    FACETS_DEFAULT = 10
};

enum soma_code vector_select(struct vector_service *service, struct rpc_call *call,
                             const struct selected *wanted, struct selection *ret_selection,
                             struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    struct selection_request request = {.collection = wanted->collection,
                                        .min_sequence = wanted->min_sequence,
                                        .deadline = rpc_call_deadline(call)};
    enum soma_code code = take_collection_ref(call, &request.collection, err);
    if (!code)
        code = filter_from_text(wanted->where, arena, &request.filter, err);
    if (!code && *wanted->where_document)
        code = document_filter_new(wanted->where_document, &request.documents, err);
    if (!code)
        code = selection_open(service->rooms.store, service->rooms.vectors, &request, arena,
                              ret_selection, err);
    document_filter_free(request.documents);
    return code;
}

enum soma_code vector_count_records(struct vector_service *service, struct rpc_call *call,
                                    const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__CountRecordsRequest *request = (const Pb__CountRecordsRequest *)message;
    const struct selected wanted = {request->collection, request->where, request->where_document,
                                    request->min_sequence};
    struct selection selection;
    enum soma_code code = vector_select(service, call, &wanted, &selection, err);
    if (code)
        return code;
    Pb__CountRecordsResponse response = PB__COUNT_RECORDS_RESPONSE__INIT;
    response.count = selection_count(&selection);
    response.sequence = selection.row.sequence;
    selection_close(&selection);
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}

// --- facets

static void value_to_message(const char *key, const struct metadata_value *value,
                             Pb__MetadataField *message)
{
    pb__metadata_field__init(message);
    message->key = key;
    message->value_case = (Pb__MetadataField__ValueCase)(value->type + 1);
    if (value->type == METADATA_STRING)
        message->string_value = value->text;
    else if (value->type == METADATA_INT)
        message->int_value = value->integer;
    else if (value->type == METADATA_DOUBLE)
        message->double_value = value->real;
    else
        message->bool_value = value->truth;
}

static enum soma_code facets_to_messages(const char *key, const struct facets *facets,
                                         struct arena *arena, Pb__FacetRecordsResponse *response,
                                         struct soma_error *err)
{
    Pb__MetadataField *fields = arena_calloc(arena, facets->count + 1, sizeof *fields);
    response->counts = messages_new(arena, facets->count, sizeof(Pb__FacetCount));
    if (!fields || !response->counts)
        return error_set_no_memory(err);
    response->n_counts = facets->count;
    size_t bytes = 0;
    for (size_t i = 0; i < facets->count; i++) {
        value_to_message(key, &facets->top[i].value, &fields[i]);
        pb__facet_count__init(response->counts[i]);
        response->counts[i]->value = &fields[i];
        response->counts[i]->count = facets->top[i].count;
        bytes += protobuf_c_message_get_packed_size(&response->counts[i]->base);
    }
    if (bytes > LIMIT_FRAME_BYTES / 2)
        return error_set(err, REASON_MESSAGE_TOO_LARGE, "limit",
                         "the values do not fit in a frame: ask for fewer");
    return SOMA_OK;
}

static enum soma_code check_facets(const Pb__FacetRecordsRequest *request, struct soma_error *err)
{
    if (!*request->key)
        return error_set(err, REASON_FIELD_REQUIRED, "key", "no metadata key is named");
    if (request->limit > LIMIT_FACET_VALUES)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "limit", "%u values; %d at most",
                         request->limit, LIMIT_FACET_VALUES);
    return check_length(strlen(request->key), LIMIT_METADATA_KEY_BYTES, "key", err);
}

enum soma_code vector_facet_records(struct vector_service *service, struct rpc_call *call,
                                    const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__FacetRecordsRequest *request = (const Pb__FacetRecordsRequest *)message;
    const struct selected wanted = {request->collection, request->where, request->where_document,
                                    request->min_sequence};
    struct arena *arena = rpc_call_arena(call);
    struct selection selection;
    struct facets facets;
    enum soma_code code = check_facets(request, err);
    if (!code)
        code = vector_select(service, call, &wanted, &selection, err);
    if (code)
        return code;
    Pb__FacetRecordsResponse response = PB__FACET_RECORDS_RESPONSE__INIT;
    response.matched = selection_count(&selection);
    response.sequence = selection.row.sequence;
    code =
        selection_facets(&selection, request->key, request->limit ? request->limit : FACETS_DEFAULT,
                         rpc_call_deadline(call), arena, &facets, err);
    selection_close(&selection);
    if (!code)
        code = facets_to_messages(request->key, &facets, arena, &response, err);
    if (code)
        return code;
    response.value_count = (int64_t)facets.value_count;
    response.without = facets.without;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}
