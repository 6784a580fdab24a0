// VectorService: collections.
#include "lib/metadata.h"
#include "lib/packing.h"
#include "lib/reading.h"

static Pb__IndexSettings *pack_index(struct packing *packing,
                                     const struct soma_index_settings *index)
{
    Pb__IndexSettings *message = pack_message(packing, &pb__index_settings__descriptor);
    if (!message)
        return NULL;
    message->quantization = (Pb__Quantization)index->quantization;
    message->m = index->m;
    message->ef_construction = index->ef_construction;
    message->ef_search = index->ef_search;
    message->rerank = (Pb__Rerank)index->rerank;
    return message;
}

void collection_create_pack(const struct soma_collection_create_request *request,
                            struct packing *packing)
{
    Pb__CreateCollectionRequest *message = packing->message;
    message->name = pack_text(packing, "name", request->name);
    message->dimension = request->dimension;
    message->metric = (Pb__Metric)request->metric;
    message->metadata = metadata_pack(packing, "metadata", request->metadata,
                                      request->metadata_count, &message->n_metadata);
    message->exist_ok = request->exist_ok;
    message->index_settings = pack_index(packing, &request->index);
}

void collection_get_pack(const struct soma_collection_request *request, struct packing *packing)
{
    Pb__GetCollectionRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
}

void collection_delete_pack(const struct soma_collection_request *request, struct packing *packing)
{
    Pb__DeleteCollectionRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
}

void collection_clear_pack(const struct soma_collection_request *request, struct packing *packing)
{
    Pb__ClearCollectionRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
}

void collection_list_pack(const struct soma_collection_list_request *request,
                          struct packing *packing)
{
    Pb__ListCollectionsRequest *message = packing->message;
    message->page_size = request->page_size;
    message->cursor = pack_text_or_none(request->cursor);
}

void collection_update_pack(const struct soma_collection_update_request *request,
                            struct packing *packing)
{
    Pb__UpdateCollectionRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    message->new_name = pack_text_or_none(request->new_name);
    message->metadata = metadata_pack(packing, "metadata", request->metadata,
                                      request->metadata_count, &message->n_metadata);
}

void collection_alias_pack(const struct soma_collection_alias_request *request,
                           struct packing *packing)
{
    Pb__SetAliasRequest *message = packing->message;
    message->alias = pack_text(packing, "alias", request->alias);
    message->collection = pack_text(packing, "collection", request->collection);
}

void collection_unalias_pack(const struct soma_collection_unalias_request *request,
                             struct packing *packing)
{
    Pb__RemoveAliasRequest *message = packing->message;
    message->alias = pack_text(packing, "alias", request->alias);
}

void collection_clone_pack(const struct soma_collection_clone_request *request,
                           struct packing *packing)
{
    Pb__CloneCollectionRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    message->new_name = pack_text(packing, "new_name", request->new_name);
}

void collection_check_pack(const struct soma_collection_check_request *request,
                           struct packing *packing)
{
    Pb__CheckCollectionRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    message->sample = request->sample;
}

// Servers of before this say nothing about it.
static void read_index(const Pb__Collection *message, struct soma_collection *collection)
{
    const Pb__IndexSettings *settings = message->index_settings;
    const Pb__IndexState *state = message->index_state;
    if (settings)
        collection->index = (struct soma_index_settings){
            .quantization = (enum soma_quantization)settings->quantization,
            .m = settings->m,
            .ef_construction = settings->ef_construction,
            .ef_search = settings->ef_search,
            .rerank = (enum soma_rerank)settings->rerank};
    if (!state)
        return;
    collection->rows_indexed = state->rows_indexed;
    collection->rows_waiting = state->rows_waiting;
    collection->rows_per_second = state->rows_per_second;
    collection->index_bytes = state->index_bytes;
    collection->index_file_sequence = state->file_sequence;
}

static void read_collection(struct reading *reading, const Pb__Collection *message,
                            struct soma_collection *collection)
{
    if (!message) {
        read_invalid(reading, "lacks the collection");
        return;
    }
    collection->name = message->name;
    collection->uid = message->uid;
    collection->dimension = message->dimension;
    collection->metric = (enum soma_metric)message->metric;
    collection->metadata = metadata_read(reading, message->metadata, message->n_metadata);
    collection->metadata_count = message->n_metadata;
    collection->created_ms = message->created_unix_ms;
    collection->sequence = message->sequence;
    collection->record_count = message->record_count;
    collection->memory_bytes = message->memory_bytes;
    collection->index_kind = message->index_kind;
    read_index(message, collection);
    collection->aliases = (const char *const *)message->aliases;
    collection->alias_count = message->n_aliases;
}

void collection_alias_read(struct reading *reading, struct soma_collection *result)
{
    const Pb__SetAliasResponse *message = reading->replies->message;
    read_collection(reading, message->collection, result);
}

void collection_unalias_read(struct reading *reading, struct soma_collection_unaliased *result)
{
    (void)reading;
    result->was_alias = true;
}

void collection_clone_read(struct reading *reading, struct soma_collection *result)
{
    const Pb__CloneCollectionResponse *message = reading->replies->message;
    read_collection(reading, message->collection, result);
}

void collection_create_read(struct reading *reading, struct soma_collection *result)
{
    const Pb__CreateCollectionResponse *message = reading->replies->message;
    read_collection(reading, message->collection, result);
}

void collection_get_read(struct reading *reading, struct soma_collection *result)
{
    const Pb__GetCollectionResponse *message = reading->replies->message;
    read_collection(reading, message->collection, result);
}

void collection_update_read(struct reading *reading, struct soma_collection *result)
{
    const Pb__UpdateCollectionResponse *message = reading->replies->message;
    read_collection(reading, message->collection, result);
}

void collection_list_read(struct reading *reading, struct soma_collection_list *result)
{
    const Pb__ListCollectionsResponse *message = reading->replies->message;
    struct soma_collection *rows = read_array(reading, message->n_collections, sizeof *rows);
    for (size_t i = 0; rows && i < message->n_collections; i++)
        read_collection(reading, message->collections[i], &rows[i]);
    result->collections = rows;
    result->collection_count = message->n_collections;
    result->next_cursor = read_text_or_null(message->next_cursor);
}

void collection_delete_read(struct reading *reading, struct soma_records_deleted *result)
{
    const Pb__DeleteCollectionResponse *message = reading->replies->message;
    result->matched = message->deleted_records;
    result->deleted = message->deleted_records;
}

void collection_clear_read(struct reading *reading, struct soma_records_deleted *result)
{
    const Pb__ClearCollectionResponse *message = reading->replies->message;
    result->matched = message->deleted_records;
    result->deleted = message->deleted_records;
    result->sequence = message->sequence;
}

void collection_check_read(struct reading *reading, struct soma_collection_check *result)
{
    const Pb__CheckCollectionResponse *message = reading->replies->message;
    struct soma_check_finding *rows = read_array(reading, message->n_findings, sizeof *rows);
    for (size_t i = 0; rows && i < message->n_findings; i++) {
        const Pb__CheckFinding *finding = message->findings[i];
        rows[i] = (struct soma_check_finding){.kind = finding->kind,
                                              .message = finding->message,
                                              .count = finding->count,
                                              .ids = (const char *const *)finding->ids,
                                              .id_count = finding->n_ids};
    }
    result->findings = rows;
    result->finding_count = message->n_findings;
    result->sequence = message->sequence;
    result->records = message->records;
    result->rows = message->rows;
    result->rows_indexed = message->rows_indexed;
    result->index_kind = message->index_kind;
    result->sampled = message->sampled;
    result->recall = message->recall;
    result->recall_min = message->recall_min;
}
