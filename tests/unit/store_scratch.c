#include "store_scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

static void start(struct scratch *scratch)
{
    struct soma_error err = {0};
    if (store_open(scratch->directory, 2, &scratch->store, &err) != SOMA_OK)
        fail_msg("%s", err.text);
    assert_int_equal(writer_start(scratch->store, 4096, &scratch->writer, &err), SOMA_OK);
}

static void stop(struct scratch *scratch)
{
    writer_free(scratch->writer);
    store_close(scratch->store);
}

void scratch_open(struct scratch *scratch)
{
    const char *base = getenv("TMPDIR");
    snprintf(scratch->directory, sizeof scratch->directory, "%s/soma-store-XXXXXX",
             base && strlen(base) < 40 ? base : "/tmp");
    assert_non_null(mkdtemp(scratch->directory));
    start(scratch);
}

void scratch_reopen(struct scratch *scratch)
{
    stop(scratch);
    start(scratch);
}

void scratch_close(struct scratch *scratch)
{
    stop(scratch);
    assert_int_equal(directory_remove_all(AT_FDCWD, scratch->directory, NULL, NULL), SOMA_OK);
}

struct scratch_op {
    struct write_op op;
    scratch_fn *fn;
    void *context;
};

static enum soma_code apply(struct write_op *op, struct store_txn *txn, struct soma_error *err)
{
    struct scratch_op *scratch_op = (struct scratch_op *)op;
    return scratch_op->fn(scratch_op->context, txn, err);
}

enum soma_code scratch_write(struct scratch *scratch, scratch_fn *fn, void *context,
                             struct soma_error *err)
{
    struct scratch_op op = {.op = {.apply = apply}, .fn = fn, .context = context};
    return writer_run(scratch->writer, &op.op, err);
}
