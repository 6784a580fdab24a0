// The end of an attempt, as the server reads it: the job's user may have had a hand in it.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "fuzz.h"
#include "jobs/attempt.h"

static void check(const struct job_outcome *outcome)
{
    MUST(text_is_utf8((const uint8_t *)outcome->message, strlen(outcome->message)));
    MUST(outcome->stdout_size.kept_bytes >= 0 && outcome->stderr_size.kept_bytes >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct attempt_root root = {.fd = -1};
    static char path[PATH_MAX];
    struct soma_error err = {0};
    if (root.fd < 0) {
        MUST(attempt_root_open(&root, fuzz_directory(), &err) == SOMA_OK);
        snprintf(path, sizeof path, "%s/jobs/j", fuzz_directory());
        MUST(mkdir(path, 0700) == 0);
        strcat(path, "/1");
        MUST(mkdir(path, 0700) == 0);
        strcat(path, "/status");
    }
    fuzz_write(path, bytes, length);
    struct job_outcome outcome;
    if (attempt_read_status(&root, "j", 1, &outcome) == SOMA_OK)
        check(&outcome);
    return 0;
}
