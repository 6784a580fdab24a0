// common/wire/decode: what protobuf-c lets through and the walk does not; memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/rpc.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "soma/v1/vectors.pb-c.h"
#include "wire/decode.h"
#include "wire/limits.h"

// A literal with NULs inside, and its length.
#define BYTES(text) text, sizeof text - 1

#define SUBMIT   &pb__submit_job_request__descriptor
#define LIST     &pb__list_jobs_request__descriptor
#define UPSERT   &pb__upsert_records_request__descriptor
#define PROGRESS &pb__report_progress_request__descriptor
#define HEADER   &pb__request_header__descriptor

static void bad_bytes_are_refused_naming_the_field(void **state)
{
    (void)state;
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *bytes;
        size_t length;
        const char *reason;
        const char *field;
    } rows[] = {
        // Strings.
        {SUBMIT, BYTES("\x0a\x03\x2a\x01\xff"), "TEXT_NOT_UTF8", "spec.name"},
        {SUBMIT,
         BYTES("\x0a\x05\x2a\x03"
               "a\0b"),
         "TEXT_HAS_NUL", "spec.name"},
        {SUBMIT, BYTES("\x0a\x0d\x4a\x03\x0a\x01k\x4a\x00\x4a\x04\x0a\x02\xc0\x80"),
         "TEXT_NOT_UTF8", "spec.labels[2].key"},
        {HEADER, BYTES("\x0a\x02\xed\xa0"), "TEXT_NOT_UTF8", "method"},
        // Enums: alone, packed, and one that would be cut to a known one.
        {LIST, BYTES("\x0a\x02\x08\x63"), "ENUM_UNKNOWN", "filter.states[0]"},
        {LIST, BYTES("\x0a\x05\x0a\x03\x01\x02\x63"), "ENUM_UNKNOWN", "filter.states[2]"},
        {LIST, BYTES("\x0a\x07\x08\x81\x80\x80\x80\x10\x08"), "ENUM_UNKNOWN", "filter.states[0]"},
        // Numbers.
        {LIST, BYTES("\x10\x80\x80\x80\x80\x10"), "FIELD_OUT_OF_RANGE", "page_size"},
        {HEADER, BYTES("\x10\x80\x80\x80\x80\x10"), "FIELD_OUT_OF_RANGE", "timeout_ms"},
        {LIST, BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "MESSAGE_MALFORMED",
         "page_size"},
        {LIST, BYTES("\x10\x80"), "MESSAGE_MALFORMED", "page_size"},
        {PROGRESS, BYTES("\x11\0\0\0\0\0\0\0"), "MESSAGE_MALFORMED", "percent"},
        {UPSERT, BYTES("\x1a\x05\0\0\0\0\0"), "MESSAGE_MALFORMED", "embeddings[0]"},
        // Wire types: another one, groups, ones that do not exist, in known and unknown fields.
        {LIST, BYTES("\x12\x01\x05"), "MESSAGE_MALFORMED", "page_size"},
        {LIST, BYTES("\x13\x14"), "MESSAGE_MALFORMED", "page_size"},
        {SUBMIT, BYTES("\x08\x01"), "MESSAGE_MALFORMED", "spec"},
        {LIST, BYTES("\xfb\x07\xfc\x07"), "MESSAGE_MALFORMED", ""},
        {LIST, BYTES("\xff\x07"), "MESSAGE_MALFORMED", ""},
        // Tags: number 0, too long, beyond 29 bits.
        {LIST, BYTES("\x00\x01"), "MESSAGE_MALFORMED", ""},
        {LIST, BYTES("\x80"), "MESSAGE_MALFORMED", ""},
        {LIST, BYTES("\x80\x80\x80\x80\x80\x01\x01"), "MESSAGE_MALFORMED", ""},
        // Lengths past the end, inside and outside.
        {SUBMIT, BYTES("\x0a\x7f\x2a"), "MESSAGE_MALFORMED", "spec"},
        {SUBMIT, BYTES("\x0a\x03\x2a\x02x"), "MESSAGE_MALFORMED", "spec.name"},
        {SUBMIT, BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "MESSAGE_MALFORMED",
         "spec"},
        {SUBMIT, BYTES("\xfa\x07\x05xx"), "MESSAGE_MALFORMED", ""},
        // A message where one is expected, twice.
        {SUBMIT, BYTES("\x0a\x00\x0a\x00"), "MESSAGE_MALFORMED", "spec"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        arena_init(&arena, wire_decode_budget(rows[i].length));
        struct soma_error err = {0};
        assert_null(wire_decode(rows[i].type, rows[i].bytes, rows[i].length, &arena, &err));
        assert_string_equal(err.reason, rows[i].reason);
        assert_string_equal(err.field, rows[i].field);
        arena_fini(&arena);
    }
}

static void good_messages_arrive_whole(void **state)
{
    (void)state;
    Pb__Label label = PB__LABEL__INIT;
    label.key = "team";
    label.value = "\xc3\xa4";
    Pb__Label *labels[] = {&label};
    Pb__SourceCode code = PB__SOURCE_CODE__INIT;
    code.language = "python";
    code.source = (ProtobufCBinaryData){3, (uint8_t *)"\0\xff\n"};
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    spec.program_case = PB__JOB_SPEC__PROGRAM_CODE;
    spec.code = &code;
    spec.priority = -7;
    spec.labels = labels;
    spec.n_labels = 1;
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = &spec;
    uint8_t bytes[256];
    size_t length = pb__submit_job_request__pack(&request, bytes);

    struct arena arena;
    arena_init(&arena, wire_decode_budget(length));
    Pb__SubmitJobRequest *got =
        (Pb__SubmitJobRequest *)wire_decode(SUBMIT, bytes, length, &arena, NULL);
    assert_non_null(got);
    memset(bytes, 0xaa, sizeof bytes);
    assert_int_equal(got->spec->program_case, PB__JOB_SPEC__PROGRAM_CODE);
    assert_memory_equal(got->spec->code->source.data, "\0\xff\n", 3);
    assert_int_equal(got->spec->priority, -7);
    assert_string_equal(got->spec->labels[0]->value, "\xc3\xa4");
    assert_non_null(wire_decode(SUBMIT, NULL, 0, &arena, NULL));
    arena_fini(&arena);
}

static void unknown_fields_are_allowed_and_forgotten(void **state)
{
    (void)state;
    static const char bytes[] = "\x0a\x07\x2a\x01x\xfa\x07\x01y\xf8\x07\x05";
    struct arena arena;
    arena_init(&arena, wire_decode_budget(sizeof bytes - 1));
    Pb__SubmitJobRequest *got =
        (Pb__SubmitJobRequest *)wire_decode(SUBMIT, bytes, sizeof bytes - 1, &arena, NULL);
    assert_non_null(got);
    assert_string_equal(got->spec->name, "x");
    assert_int_equal(got->base.n_unknown_fields, 0);
    assert_int_equal(got->spec->base.n_unknown_fields, 0);
    arena_fini(&arena);
}

// Decodes count times the bytes in one message and gives the reason, "" where it went well.
static void reason_of_repeated(const ProtobufCMessageDescriptor *type, const char *bytes,
                               size_t length, size_t count, char *ret_reason)
{
    char *all = malloc(length * count);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * length, bytes, length);
    struct arena arena;
    arena_init(&arena, wire_decode_budget(length * count));
    struct soma_error err = {0};
    wire_decode(type, all, length * count, &arena, &err);
    assert_true(arena.held <= arena.budget);
    strcpy(ret_reason, err.reason);
    arena_fini(&arena);
    free(all);
}

static void a_megabyte_of_tiny_fields_is_too_large(void **state)
{
    (void)state;
    char reason[SOMA_REASON_SIZE];
    reason_of_repeated(UPSERT, BYTES("\x12\x00"), 1 << 19, reason);
    assert_string_equal(reason, "MESSAGE_TOO_LARGE");
    reason_of_repeated(UPSERT, BYTES("\x78\x00"), 1 << 19, reason);
    assert_string_equal(reason, "MESSAGE_TOO_LARGE");
    // A single sub-message given again and again would be merged again and again.
    reason_of_repeated(SUBMIT, BYTES("\x0a\x02\x4a\x00"), 1 << 18, reason);
    assert_string_equal(reason, "MESSAGE_MALFORMED");
}

// An upsert of count records with fields small metadata fields each, packed into *ret_bytes.
static size_t pack_batch(size_t count, size_t fields, size_t dimension, bool tiny,
                         uint8_t **ret_bytes)
{
    Pb__MetadataField *field = calloc(fields, sizeof *field);
    Pb__MetadataField **field_list = calloc(fields, sizeof *field_list);
    for (size_t i = 0; i < fields; i++) {
        pb__metadata_field__init(&field[i]);
        field[i].key = tiny ? "k" : "lang";
        field[i].value_case =
            tiny ? PB__METADATA_FIELD__VALUE_INT_VALUE : PB__METADATA_FIELD__VALUE_STRING_VALUE;
        if (tiny)
            field[i].int_value = 1;
        else
            field[i].string_value = "en";
        field_list[i] = &field[i];
    }
    Pb__Record record = PB__RECORD__INIT;
    record.id = count > 1000 && fields == 0 ? "" : "record-0000001";
    record.metadata = field_list;
    record.n_metadata = fields;
    Pb__Record **records = calloc(count, sizeof *records);
    for (size_t i = 0; i < count; i++)
        records[i] = &record;
    Pb__UpsertRecordsRequest request = PB__UPSERT_RECORDS_REQUEST__INIT;
    request.collection = "c";
    request.records = records;
    request.n_records = count;
    request.n_embeddings = count * dimension;
    request.embeddings = calloc(request.n_embeddings, sizeof(float));
    size_t length = pb__upsert_records_request__get_packed_size(&request);
    *ret_bytes = malloc(length);
    pb__upsert_records_request__pack(&request, *ret_bytes);
    free(request.embeddings);
    free(records);
    free(field_list);
    free(field);
    return length;
}

static void honest_batches_fit_into_the_budget(void **state)
{
    (void)state;
    static const struct {
        size_t count, fields, dimension;
        bool tiny;
    } rows[] = {{10000, 20, 128, false}, {10000, 3, 8, false}, {10000, 0, 1, false},
                {2000, 4, 1000, false},  {1, 1, 4096, false},  {3000, 256, 1, true},
                {10000, 60, 8, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *bytes;
        size_t length =
            pack_batch(rows[i].count, rows[i].fields, rows[i].dimension, rows[i].tiny, &bytes);
        assert_true(length <= (size_t)LIMIT_FRAME_BYTES);
        struct arena arena;
        arena_init(&arena, wire_decode_budget(length));
        struct soma_error err = {0};
        Pb__UpsertRecordsRequest *got =
            (Pb__UpsertRecordsRequest *)wire_decode(UPSERT, bytes, length, &arena, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(got->n_records, rows[i].count);
        assert_int_equal(got->n_embeddings, rows[i].count * rows[i].dimension);
        arena_fini(&arena);
        free(bytes);
    }
}

// message Nest { Nest nest = 1; }: what our protos must never have.
static const ProtobufCMessageDescriptor nest_type;
static const ProtobufCFieldDescriptor nest_fields[] = {{
    .name = "nest",
    .id = 1,
    .label = PROTOBUF_C_LABEL_NONE,
    .type = PROTOBUF_C_TYPE_MESSAGE,
    .offset = sizeof(ProtobufCMessage),
    .descriptor = &nest_type,
}};
static const unsigned nest_names[] = {0};
static const ProtobufCIntRange nest_ranges[] = {{1, 0}, {0, 1}};
static const ProtobufCMessageDescriptor nest_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Nest",
    .short_name = "Nest",
    .c_name = "Nest",
    .sizeof_message = sizeof(ProtobufCMessage) + sizeof(void *),
    .n_fields = 1,
    .fields = nest_fields,
    .fields_sorted_by_name = nest_names,
    .n_field_ranges = 1,
    .field_ranges = nest_ranges,
};

static void nesting_has_an_end(void **state)
{
    (void)state;
    // The innermost is empty; each step out puts tag and length in front.
    uint8_t bytes[64];
    struct arena arena;
    struct soma_error err;
    arena_init(&arena, 1 << 20);
    for (size_t depth = 1; depth <= 17; depth++) {
        size_t length = 2 * (depth - 1);
        for (size_t i = 0; i < depth - 1; i++) {
            bytes[2 * i] = 0x0a;
            bytes[2 * i + 1] = (uint8_t)(length - 2 * i - 2);
        }
        err = (struct soma_error){0};
        ProtobufCMessage *got = wire_decode(&nest_type, bytes, length, &arena, &err);
        assert_string_equal(err.reason, depth <= 16 ? "" : "MESSAGE_MALFORMED");
        assert_int_equal(got != NULL, depth <= 16);
    }
    arena_fini(&arena);
}

// xorshift64 (Marsaglia 2003): the same bytes in every run.
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static void what_the_walk_accepts_protobuf_accepts(void **state)
{
    (void)state;
    uint8_t *base;
    size_t base_length = pack_batch(3, 2, 4, false, &base);
    uint8_t bytes[512];
    assert_true(base_length <= sizeof bytes);
    uint64_t seed = 88172645463325252u;
    size_t accepted = 0, refused = 0;
    for (int round = 0; round < 200000; round++) {
        memcpy(bytes, base, base_length);
        for (uint64_t n = 1 + next_random(&seed) % 4; n > 0; n--)
            bytes[next_random(&seed) % base_length] = (uint8_t)next_random(&seed);
        struct arena arena;
        arena_init(&arena, 1 << 20);
        struct soma_error err = {0};
        if (wire_decode(UPSERT, bytes, base_length, &arena, &err)) {
            accepted++;
        } else {
            refused++;
            assert_string_not_equal(err.reason, "OUT_OF_MEMORY");
        }
        arena_fini(&arena);
    }
    assert_true(accepted > 1000 && refused > 1000);
    free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_bytes_are_refused_naming_the_field),
        cmocka_unit_test(good_messages_arrive_whole),
        cmocka_unit_test(unknown_fields_are_allowed_and_forgotten),
        cmocka_unit_test(a_megabyte_of_tiny_fields_is_too_large),
        cmocka_unit_test(honest_batches_fit_into_the_budget),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(what_the_walk_accepts_protobuf_accepts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
