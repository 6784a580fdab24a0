// CheckCollection: on a worker.
#include "services/vector_messages.h"
#include "services/vector_private.h"
#include "vectors/check.h"
#include "wire/limits.h"

static enum soma_code findings_to_messages(struct check_report *report, struct arena *arena,
                                           Pb__CheckCollectionResponse *response,
                                           struct soma_error *err)
{
    response->findings = messages_new(arena, report->finding_count, sizeof(Pb__CheckFinding));
    if (!response->findings)
        return error_set_no_memory(err);
    for (size_t i = 0; i < report->finding_count; i++) {
        Pb__CheckFinding *message = response->findings[i];
        pb__check_finding__init(message);
        message->kind = report->findings[i].kind;
        message->message = report->findings[i].text;
        message->count = report->findings[i].count;
        message->ids = report->findings[i].ids;
        message->n_ids = report->findings[i].id_count;
    }
    response->n_findings = report->finding_count;
    return SOMA_OK;
}

enum soma_code vector_check_collection(struct vector_service *service, struct rpc_call *call,
                                       const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__CheckCollectionRequest *request = (const Pb__CheckCollectionRequest *)message;
    struct check_request wanted = {.collection = request->collection,
                                   .sample =
                                       request->sample ? request->sample : CHECK_SAMPLE_DEFAULT,
                                   .deadline = rpc_call_deadline(call)};
    struct check_report report;
    Pb__CheckCollectionResponse response = PB__CHECK_COLLECTION_RESPONSE__INIT;
    enum soma_code code = take_collection_ref(call, &wanted.collection, err);
    if (!code && request->sample > LIMIT_CHECK_SAMPLE)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "sample", "a sample has at most %d rows",
                         LIMIT_CHECK_SAMPLE);
    if (!code)
        code = collection_check(service->rooms.store, service->rooms.vectors, &wanted,
                                rpc_call_arena(call), &report, err);
    if (!code)
        code = findings_to_messages(&report, rpc_call_arena(call), &response, err);
    if (code)
        return code;
    response.sequence = report.sequence;
    response.records = report.records;
    response.rows = report.rows;
    response.rows_indexed = report.rows_indexed;
    response.index_kind = report.index_kind;
    response.sampled = report.sampled;
    response.recall = report.recall;
    response.recall_min = report.recall_min;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}
