// Queries by text, by both, by record, in groups; cuts and offsets; facets and order: against what
// the records say.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "records_scene.h"
#include "store/records.h"

static void drop(const char *id)
{
    const struct delete_request request = {.collection = "c", .ids = &id, .count = 1};
    assert_int_equal(scene_delete(&scene, &request, NULL, NULL), SOMA_OK);
}

static struct query_request asked(void)
{
    return (struct query_request){.collection = "c",
                                  .k = 10,
                                  .max_distance = INFINITY,
                                  .min_score = -INFINITY,
                                  .fusion = {60, 1, 1},
                                  .group_size = 1,
                                  .deadline = MONO_NEVER};
}

// The ids of the first query's hits, "a b c", and why there are no more.
static const char *answer(const struct query_request *request)
{
    static char text[4096];
    struct query_answer answer;
    struct soma_error err = {0};
    arena_reset(&arena, 1 << 20);
    if (query_answer_open(scene.scratch.store, scene.vectors, request, &arena, &answer, &err)) {
        snprintf(text, sizeof text, "%s %s", err.reason, err.field);
        return text;
    }
    char *at = text;
    *at = '\0';
    for (uint32_t i = 0; i < answer.results[0].count; i++) {
        struct record_row row;
        assert_int_equal(records_read(answer.txn, answer.results[0].hits[i].num,
                                      (struct record_parts){0}, 2, &arena, &row, NULL),
                         SOMA_OK);
        at += sprintf(at, "%s%s", i ? " " : "", row.id);
    }
    if (*answer.results[0].short_reason)
        sprintf(at, " %s", answer.results[0].short_reason);
    query_answer_close(&answer);
    return text;
}

static const char *answer_text(const char *text)
{
    struct query_request request = asked();
    request.texts = &text;
    request.text_count = 1;
    return answer(&request);
}

static const char *answer_near(float x, struct query_request request)
{
    const float vector[2] = {x, 0};
    request.embeddings = vector;
    request.number_count = 2;
    return answer(&request);
}

// --- text

static void words_find_documents_the_rare_ones_first(void **state)
{
    (void)state;
    put("c", "a", 1, "the cat sat on the mat", 1, NULL);
    put("c", "b", 2, "the dog and the cat", 2, NULL);
    put("c", "c", 3, "the zebra", 3, NULL);
    put("c", "d", 4, NULL, 4, NULL);
    assert_string_equal(answer_text("zebra cat"), "c b a FEWER_MATCHES");
    assert_string_equal(answer_text("CAT"), "b a FEWER_MATCHES");
    assert_string_equal(answer_text("caf\xc3\xa9"), " FEWER_MATCHES");
    put("c", "e", 5, "Caf\xc3\x89 noir", 5, NULL);
    assert_string_equal(answer_text("cafe"), "e FEWER_MATCHES");
}

static void documents_that_change_or_go_are_found_as_they_are_now(void **state)
{
    (void)state;
    put("c", "a", 1, "old words", 1, NULL);
    put("c", "b", 2, "old things", 1, NULL);
    put("c", "a", 1, "new words", 1, NULL);
    assert_string_equal(answer_text("old"), "b FEWER_MATCHES");
    assert_string_equal(answer_text("new"), "a FEWER_MATCHES");
    put("c", "a", 1, NULL, 1, NULL);
    assert_string_equal(answer_text("words"), " FEWER_MATCHES");
    drop("b");
    assert_string_equal(answer_text("old"), " FEWER_MATCHES");
    put("c", "b", 2, "old again", 1, NULL);
    scene_clear(&scene, "c");
    assert_string_equal(answer_text("old"), " FEWER_MATCHES");
    put("c", "b", 2, "young", 1, NULL);
    scene_purge(&scene, 1);
    assert_string_equal(answer_text("old young"), "b FEWER_MATCHES");
}

static void a_collection_finds_only_its_own_documents_and_weighs_words_by_them(void **state)
{
    (void)state;
    scene_create(&scene, "other", 2, METRIC_L2);
    put("c", "a", 1, "common word", 1, NULL);
    put("c", "b", 2, "common thing", 1, NULL);
    put("c", "d", 2, "rare thing", 1, NULL);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "o%d", i);
        put("other", id, 1, "rare rare rare", 1, NULL);
    }
    // In the other collection "rare" is in every document; here it is the rarest word.
    assert_string_equal(answer_text("common rare"), "d a b FEWER_MATCHES");
}

static void no_text_is_a_query_language(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "\"",
                                        "\"\"",
                                        "'",
                                        "*",
                                        "a*",
                                        "a OR",
                                        "OR",
                                        "AND NOT a",
                                        "NEAR(a b",
                                        "(",
                                        ")",
                                        "((((a",
                                        "text : a",
                                        "{text} : a",
                                        "^a",
                                        "a + b",
                                        "-a",
                                        "a;DROP TABLE document",
                                        "%",
                                        "a\nb\tc",
                                        "\xf0\x9f\x98\x80",
                                        "a\"b\"c\"",
                                        "NEAR/3",
                                        "rowid:1",
                                        "a AND",
                                        "--",
                                        "\\",
                                        "?1",
                                        "text MATCH x"};
    put("c", "a", 1, "a plain document", 1, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *found = answer_text(texts[i]);
        if (strcmp(found, "a FEWER_MATCHES") != 0 && strcmp(found, " FEWER_MATCHES") != 0)
            fail_msg("%s: %s", texts[i], found);
    }
    uint64_t random = 17;
    for (int i = 0; i < 2000; i++) {
        static const char letters[] = "ab\"'*()+-^:{}.,NOTANDORNEAR \t\n/\\%_;|&~";
        char text[24];
        size_t length = scene_random(&random, sizeof text - 1);
        for (size_t n = 0; n < length; n++)
            text[n] = letters[scene_random(&random, sizeof letters - 1)];
        text[length] = '\0';
        const char *found = answer_text(text);
        if (!strstr(found, "FEWER_MATCHES"))
            fail_msg("%s: %s", text, found);
    }
}

static void a_text_of_very_many_words_is_cut(void **state)
{
    (void)state;
    static char text[16000];
    for (size_t i = 0; i < 1500; i++)
        snprintf(text + i * 8, 9, "w%06zu ", i);
    put("c", "a", 1, "w000003", 1, NULL);
    put("c", "b", 1, "w000700", 1, NULL);
    assert_string_equal(answer_text(text), "a FEWER_MATCHES");
}

// --- filters on documents

static const char *filtered(const char *where, const char *where_document)
{
    static char text[256];
    struct query_request request = asked();
    if (where)
        assert_int_equal(filter_compile(where, &scene.arena, &request.filter, NULL), SOMA_OK);
    if (where_document)
        assert_int_equal(document_filter_new(where_document, &request.documents, NULL), SOMA_OK);
    snprintf(text, sizeof text, "%s", answer_near(0, request));
    document_filter_free(request.documents);
    return text;
}

static void documents_are_filtered_beside_metadata(void **state)
{
    (void)state;
    put("c", "a", 1, "red fox", 1, "x");
    put("c", "b", 2, "red hat", 2, "x");
    put("c", "c", 3, NULL, 3, "x");
    put("c", "d", 4, "", 4, "y");
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "z%d", i);
        put("c", id, 100 + (float)i, "blue", 5, "z");
    }
    put("c", "e", 5, "red end", 6, "y");
    assert_string_equal(filtered(NULL, "{\"$contains\": \"red\"}"), "a b e FEWER_MATCHES");
    assert_string_equal(filtered("{\"g\": \"x\"}", "{\"$contains\": \"red\"}"),
                        "a b FEWER_MATCHES");
    assert_string_equal(filtered("{\"n\": {\"$ne\": 5}}", "{\"$not_contains\": \"red\"}"),
                        "c d FEWER_MATCHES");
    assert_string_equal(filtered("{\"g\": \"y\"}", "{\"$regex\": \"d$|^$\"}"), "d e FEWER_MATCHES");
    assert_string_equal(filtered(NULL, "{\"$contains\": \"green\"}"), " FEWER_MATCHES");
}

// --- deadlines

static void searches_by_text_and_of_documents_end_at_the_deadline(void **state)
{
    (void)state;
    enum {
        MANY = 4000
    };
    static char ids[MANY][16];
    static struct record_input inputs[MANY];
    static float vectors[MANY * 2];
    for (size_t i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        inputs[i] = (struct record_input){.id = ids[i], .document = "the same words"};
    }
    assert_int_equal(scene_write(&scene, WRITE_UPSERT, "c", inputs, MANY, vectors, NULL, NULL),
                     SOMA_OK);
    const char *text = "words same";
    struct query_request request = asked();
    request.texts = &text;
    request.text_count = 1;
    request.k = 1;
    assert_string_equal(answer(&request), "0");
    request.deadline = (struct mono_time){0};
    assert_string_equal(answer(&request), "DEADLINE_EXCEEDED ");
    // The connection is as good as before.
    request.deadline = MONO_NEVER;
    assert_string_equal(answer(&request), "0");
    assert_int_equal(document_filter_new("{\"$contains\": \"x\"}", &request.documents, NULL),
                     SOMA_OK);
    request.deadline = (struct mono_time){0};
    assert_string_equal(answer(&request), "DEADLINE_EXCEEDED ");
    document_filter_free(request.documents);
}

// --- both

static void ranks_by_vector_and_by_text_become_one(void **state)
{
    (void)state;
    put("c", "near", 0, "nothing of it", 1, NULL);
    put("c", "both", 1, "a fox", 1, NULL);
    put("c", "words", 9, "fox fox fox", 1, NULL);
    put("c", "far", 5, "nothing", 1, NULL);
    const char *text = "fox";
    struct query_request request = asked();
    request.texts = &text;
    request.text_count = 1;
    assert_string_equal(answer_near(0, request), "both words near far FEWER_MATCHES");
    request.fusion.text_weight = 0;
    assert_string_equal(answer_near(0, request), "near both far words FEWER_MATCHES");
    request.fusion = (struct fusion){1, 0.01, 1};
    assert_string_equal(answer_near(0, request), "words both near far FEWER_MATCHES");
    request.k = 1;
    assert_string_equal(answer_near(0, request), "words");
}

static void a_hit_says_its_rank_in_both_searches(void **state)
{
    (void)state;
    put("c", "near", 0, "nothing of it", 1, NULL);
    put("c", "both", 1, "a fox", 1, NULL);
    const float origin[2] = {0, 0};
    const char *text = "fox";
    struct query_request request = asked();
    struct query_answer got;
    request.texts = &text;
    request.text_count = 1;
    request.embeddings = origin;
    request.number_count = 2;
    assert_int_equal(
        query_answer_open(scene.scratch.store, scene.vectors, &request, &arena, &got, NULL),
        SOMA_OK);
    const struct query_hit *hits = got.results[0].hits;
    assert_int_equal(hits[0].vector_rank, 2);
    assert_int_equal(hits[0].text_rank, 1);
    assert_true(hits[0].text_score > 0);
    assert_true(fabs(hits[0].score - (1.0 / 62 + 1.0 / 61)) < 1e-12);
    assert_true(hits[0].distance == 1);
    assert_int_equal(hits[1].vector_rank, 1);
    assert_int_equal(hits[1].text_rank, 0);
    query_answer_close(&got);
}

// --- by record, cuts

static void a_record_finds_its_neighbours_but_not_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char id[2] = {(char)('a' + i), '\0'};
        put("c", id, (float)i, NULL, i, NULL);
    }
    const char *id = "b";
    struct query_request request = asked();
    request.ids = &id;
    request.id_count = 1;
    request.k = 2;
    assert_string_equal(answer(&request), "a c");
    request.k = 10;
    assert_string_equal(answer(&request), "a c d e FEWER_MATCHES");
    id = "nobody";
    assert_string_equal(answer(&request), "RECORD_NOT_FOUND ids[0]");
}

// Ranks are among the hits: the record itself, the nearest and the best of its words, has none.
static void a_record_takes_no_rank_of_its_neighbours(void **state)
{
    (void)state;
    put("c", "a", 0, "fox fox fox", 0, NULL);
    put("c", "b", 1, "fox", 1, NULL);
    put("c", "c", 2, NULL, 2, NULL);
    const char *id = "a", *text = "fox";
    struct query_request request = asked();
    struct query_answer got;
    request.ids = &id;
    request.id_count = 1;
    request.texts = &text;
    request.text_count = 1;
    assert_int_equal(
        query_answer_open(scene.scratch.store, scene.vectors, &request, &arena, &got, NULL),
        SOMA_OK);
    assert_int_equal(got.results[0].count, 2);
    const struct query_hit *hits = got.results[0].hits;
    assert_int_equal(hits[0].vector_rank, 1);
    assert_int_equal(hits[0].text_rank, 1);
    assert_true(fabs(hits[0].score - 2.0 / 61) < 1e-12);
    assert_int_equal(hits[1].vector_rank, 2);
    query_answer_close(&got);
}

static void offset_and_cuts_leave_hits_out_and_say_so(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        char id[2] = {(char)('a' + i), '\0'};
        put("c", id, (float)i, NULL, i, NULL);
    }
    struct query_request request = asked();
    request.k = 2;
    request.offset = 3;
    assert_string_equal(answer_near(0, request), "d e");
    request.offset = 5;
    assert_string_equal(answer_near(0, request), "f FEWER_MATCHES");
    request.offset = 100;
    assert_string_equal(answer_near(0, request), " FEWER_MATCHES");
    request.offset = 0;
    request.max_distance = 0.5;
    assert_string_equal(answer_near(0, request), "a MAX_DISTANCE");
    request.max_distance = INFINITY;
    request.min_score = 0.5; // 1 / (1 + distance)
    request.k = 10;
    assert_string_equal(answer_near(0, request), "a b MIN_SCORE");
}

// --- groups

static void groups_come_by_their_best_hit_and_are_full(void **state)
{
    (void)state;
    static const char *const groups[] = {"x", "x", "x", "x", "x", "y", "x", "z", "y", NULL};
    for (int i = 0; i < 10; i++) {
        char id[3] = {groups[i] ? groups[i][0] : '-', (char)('0' + i), '\0'};
        put("c", id, (float)i, NULL, i, groups[i]);
    }
    struct query_request request = asked();
    request.group_by = "g";
    request.k = 2;
    request.group_size = 2;
    assert_string_equal(answer_near(0, request), "x0 x1 y5 y8");
    request.k = 3;
    assert_string_equal(answer_near(0, request), "x0 x1 y5 y8 z7");
    request.group_size = 1;
    assert_string_equal(answer_near(9, request), "y8 z7 x6");
    request.k = 4;
    assert_string_equal(answer_near(9, request), "y8 z7 x6 FEWER_MATCHES");
    request.k = 1;
    request.offset = 1;
    assert_string_equal(answer_near(9, request), "z7");
}

// The search goes deeper until it has seen every record; what it takes is of the depth, not of all
// their metadata.
static void few_groups_are_found_in_little_memory(void **state)
{
    (void)state;
    enum {
        MANY = 2000,
        TITLE_BYTES = 1000
    };
    static char ids[MANY][16], title[TITLE_BYTES];
    static struct record_input inputs[MANY];
    static struct metadata_field fields[MANY][2];
    static float vectors[MANY * 2];
    static const char *const groups[] = {"x", "y"}, *const titles[] = {title};
    memset(title, 't', sizeof title - 1);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        vectors[i * 2] = (float)i;
        fields[i][0] = (struct metadata_field){
            .key = "g", .type = METADATA_STRING, .count = 1, .values.strings = &groups[i % 2]};
        fields[i][1] = (struct metadata_field){
            .key = "title", .type = METADATA_STRING, .count = 1, .values.strings = titles};
        inputs[i] = (struct record_input){.id = ids[i], .fields = fields[i], .field_count = 2};
    }
    assert_int_equal(scene_write(&scene, WRITE_UPSERT, "c", inputs, MANY, vectors, NULL, NULL),
                     SOMA_OK);
    struct query_request request = asked();
    request.group_by = "g";
    arena_fini(&arena);
    arena_init(&arena, 512 << 10);
    assert_string_equal(answer_near(0, request), "0 1 FEWER_MATCHES");
}

// More metadata than is handed to memory: it is not listed, and filters are answered all the same.
static void much_metadata_is_deleted_in_little_memory(void **state)
{
    (void)state;
    enum {
        MANY = 600,
        TITLE_BYTES = 60000
    };
    static char title[TITLE_BYTES];
    const char *const titles[] = {title};
    memset(title, 't', sizeof title - 1);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        const int64_t n = i < MANY - 1;
        const float vector[2] = {(float)i, 0};
        snprintf(id, sizeof id, "%d", i);
        const struct metadata_field fields[] = {
            {.key = "n", .type = METADATA_INT, .count = 1, .values.ints = &n},
            {.key = "title", .type = METADATA_STRING, .count = 1, .values.strings = titles}};
        const struct record_input input = {.id = id, .fields = fields, .field_count = 2};
        assert_int_equal(scene_write(&scene, WRITE_UPSERT, "c", &input, 1, vector, NULL, NULL),
                         SOMA_OK);
    }
    assert_string_equal(filtered("{\"n\": 0}", NULL), "599 FEWER_MATCHES");
    struct delete_request request = {.collection = "c"};
    struct delete_result result;
    arena_reset(&scene.arena, 0);
    assert_int_equal(filter_compile("{\"n\": 1}", &scene.arena, &request.filter, NULL), SOMA_OK);
    assert_int_equal(scene_delete(&scene, &request, &result, NULL), SOMA_OK);
    assert_int_equal(result.deleted, MANY - 1);
    assert_true(result.changes.is_metadata_unknown);
    assert_in_range(scene.arena.held, 0, MANY * TITLE_BYTES - 1);
    assert_string_equal(filtered("{\"n\": 0}", NULL), "599 FEWER_MATCHES");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_find_documents_the_rare_ones_first),
        TEST(documents_that_change_or_go_are_found_as_they_are_now),
        TEST(a_collection_finds_only_its_own_documents_and_weighs_words_by_them),
        TEST(no_text_is_a_query_language),
        TEST(a_text_of_very_many_words_is_cut),
        TEST(documents_are_filtered_beside_metadata),
        TEST(searches_by_text_and_of_documents_end_at_the_deadline),
        TEST(ranks_by_vector_and_by_text_become_one),
        TEST(a_hit_says_its_rank_in_both_searches),
        TEST(a_record_finds_its_neighbours_but_not_itself),
        TEST(a_record_takes_no_rank_of_its_neighbours),
        TEST(offset_and_cuts_leave_hits_out_and_say_so),
        TEST(groups_come_by_their_best_hit_and_are_full),
        TEST(much_metadata_is_deleted_in_little_memory),
        TEST(few_groups_are_found_in_little_memory),
    };
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
