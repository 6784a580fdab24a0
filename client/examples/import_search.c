// Makes a collection of the lines of a file, then finds those that are like a text:
// import_search FILE 'TEXT'. Run twice it writes nothing the second time, for nothing has changed.
// The embedding is a toy, letters hashed by threes; programs bring a model's.
#include <soma/soma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIMENSION = 256,
    LINES = 1000,
    LINE_SIZE = 256
};

static char lines[LINES][LINE_SIZE];
static float embeddings[LINES][DIMENSION];

static void check(const char *what, enum soma_code code, const struct soma_error *err)
{
    if (code == SOMA_OK)
        return;
    fprintf(stderr, "%s: %s (%s %s)\n", what, err->text, err->reason, err->field);
    exit(1);
}

static void embed(const char *text, float *out)
{
    for (size_t i = 0; i + 2 < strlen(text); i++) {
        unsigned hash = 2166136261u;
        for (size_t k = 0; k < 3; k++)
            hash = (hash ^ (unsigned char)text[i + k]) * 16777619u;
        out[hash % DIMENSION] += 1;
    }
}

static void import(struct soma_client *client, FILE *file)
{
    struct soma_collection_create_request create = SOMA_COLLECTION_CREATE_REQUEST_INIT;
    create.name = "lines";
    create.dimension = DIMENSION;
    create.exist_ok = true;
    struct soma_error err;
    check("create", soma_collection_create(client, &create, NULL, NULL, &err), &err);

    static struct soma_record records[LINES];
    static struct soma_metadata_field lengths[LINES];
    struct soma_records_write_request write = SOMA_RECORDS_WRITE_REQUEST_INIT;
    size_t count = 0;
    for (; count < LINES && fgets(lines[count], LINE_SIZE, file); count++) {
        lines[count][strcspn(lines[count], "\n")] = '\0';
        embed(lines[count], embeddings[count]);
        lengths[count] = (struct soma_metadata_field){.key = "length", .type = SOMA_VALUE_INT};
        lengths[count].value.integer = (int64_t)strlen(lines[count]);
        records[count].document = lines[count]; // without an id: one made of the content
        records[count].metadata = &lengths[count];
        records[count].metadata_count = 1;
    }
    write.collection = "lines";
    write.records = records;
    write.record_count = count;
    write.embeddings = embeddings[0];
    write.dimension = DIMENSION;
    struct soma_records_written *written;
    check("upsert", soma_records_upsert(client, &write, NULL, &written, &err), &err);
    printf("%lld new, %lld unchanged\n", (long long)written->inserted,
           (long long)written->unchanged);
    soma_free(written);
}

int main(int argc, char **argv)
{
    FILE *file = argc == 3 ? fopen(argv[1], "r") : NULL;
    if (!file)
        return fprintf(stderr, "usage: %s FILE 'TEXT'\n", argv[0]), 2;
    struct soma_client *client;
    struct soma_error err;
    check("open", soma_client_open(NULL, &client, &err), &err);
    import(client, file);

    static float wanted[DIMENSION];
    embed(argv[2], wanted);
    struct soma_records_query_request query = SOMA_RECORDS_QUERY_REQUEST_INIT;
    query.collection = "lines";
    query.embeddings = wanted;
    query.query_count = 1;
    query.dimension = DIMENSION;
    query.k = 3;
    query.where = "{\"length\": {\"$gte\": 10}}";
    struct soma_query_results *results;
    check("query", soma_records_query(client, &query, NULL, &results, &err), &err);
    for (size_t i = 0; i < results->results[0].hit_count; i++)
        printf("%.3f  %s\n", results->results[0].hits[i].distance,
               results->results[0].hits[i].record.document);
    soma_free(results);
    soma_client_close(client);
    return fclose(file) == 0 ? 0 : 1;
}
