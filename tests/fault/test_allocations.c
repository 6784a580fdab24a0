// Every allocation of the server fails in turn while it works on each method: the answer is
// success, or that memory is short, or none (there was no memory for that either); the same request
// is answered afterwards; and in the end the data directory is sound. Under AddressSanitizer: and
// nothing leaks.
//
//     test_allocations [--soak] [--seed N]
//
// The short form takes some allocations of each method, the soak all of them.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <soma/soma.h>

#include "alloc_faults.h"
#include "base/file.h"
#include "base/id.h"
#include "dice.h"
#include "method_calls.h"
#include "somad_kit.h"

enum {
    ALLOCATIONS_MAX = 5000,
    SHORT_STRIDE = 3, // the short form's longest step from one allocation to the next
    ONCE_MS = 300,    // for an answer that may never come
    PATIENCE_MS = 20000
};

static struct {
    struct somad somad;
    struct soma_client *client;
    struct alloc_faults *faults;
    struct dice dice;
    uint64_t seed;
    bool is_soak;
    unsigned failed;
    unsigned unanswered;
} scene;

static void share_page(void)
{
    char path[KIT_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/faults", scene.somad.directory);
    FD_CLEANUP int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, sizeof *scene.faults), 0);
    void *page = mmap(NULL, sizeof *scene.faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    scene.faults = page;
    setenv(ALLOC_FAULTS_VARIABLE, path, 1);
}

static int set_up(void **state)
{
    (void)state;
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    dice_init(&scene.dice, scene.seed, 1);
    somad_prepare(&scene.somad);
    share_page();
    somad_start(&scene.somad);
    unsetenv(ALLOC_FAULTS_VARIABLE);
    options.server = scene.somad.ipc;
    options.timeout_ms = PATIENCE_MS;
    assert_int_equal(soma_client_open(&options, &scene.client, NULL), SOMA_OK);
    method_calls_open(scene.client);
    return 0;
}

// Of a call whose allocation failed.
static bool is_clean(enum soma_code code, const struct soma_error *err)
{
    if (code == SOMA_OK)
        return true;
    if (code == SOMA_RESOURCE_EXHAUSTED)
        return strcmp(err->reason, "OUT_OF_MEMORY") == 0;
    bool is_unanswered = code == SOMA_DEADLINE_EXCEEDED || code == SOMA_UNAVAILABLE ||
                         strcmp(err->reason, "CONNECTION_LOST") == 0;
    scene.unanswered += is_unanswered;
    return is_unanswered;
}

static bool server_lives(void)
{
    int status;
    return waitpid(scene.somad.pid, &status, WNOHANG) == 0;
}

// False: the method is over before that allocation.
static bool try_call(const struct method_call *call, int allocation)
{
    struct soma_error err = {0};
    uint8_t request_id[SOMA_REQUEST_ID_BYTES];
    struct soma_call_options once = {.struct_size = sizeof once,
                                     .max_attempts = 1,
                                     .timeout_ms = ONCE_MS,
                                     .request_id = request_id};
    struct soma_call_options again = {.struct_size = sizeof again, .request_id = request_id};
    request_id_make(request_id);
    if (call->prepare)
        call->prepare();
    atomic_store(&scene.faults->failed, 0);
    atomic_store(&scene.faults->countdown, allocation);
    enum soma_code code = call->run(&once, &err);
    atomic_store(&scene.faults->countdown, 0);
    bool has_failed = atomic_load(&scene.faults->failed) > 0;
    if (!server_lives())
        fail_msg("%s: the server died at allocation %d", call->name, allocation);
    // A machine may be slow; then the answer comes below.
    if (code != SOMA_DEADLINE_EXCEEDED && (has_failed ? !is_clean(code, &err) : code != SOMA_OK))
        fail_msg("%s, allocation %d: %s %s", call->name, allocation, err.reason, err.text);
    // The same request: what it changed, if it did, is not changed again.
    if (call->run(&again, &err) != SOMA_OK)
        fail_msg("%s, after allocation %d: %s %s", call->name, allocation, err.reason, err.text);
    scene.failed += has_failed;
    return has_failed || code == SOMA_DEADLINE_EXCEEDED;
}

static void whichever_allocation_fails_a_method_says_so_and_changes_all_or_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < method_call_count; i++) {
        int allocation = 1;
        while (allocation < ALLOCATIONS_MAX && try_call(&method_calls[i], allocation))
            allocation += scene.is_soak ? 1 : 1 + (int)dice_below(&scene.dice, SHORT_STRIDE);
        assert_in_range(allocation, 2, ALLOCATIONS_MAX - 1);
    }
    print_message("%u allocations of %zu methods failed, %u calls without an answer, seed %llu\n",
                  scene.failed, method_call_count, scene.unanswered,
                  (unsigned long long)scene.seed);
}

// Submits with one request id, however often they were answered, made one job each.
static void the_server_ends_well_and_leaves_sound_data(void **state)
{
    (void)state;
    char data[KIT_PATH_SIZE + 16];
    method_calls_close();
    soma_client_close(scene.client);
    assert_int_equal(somad_end(&scene.somad, SIGTERM), 0);
    snprintf(data, sizeof data, "%s/data", scene.somad.directory);
    const char *const arguments[] = {"--data", data, "--check", NULL};
    assert_int_equal(somad_refused(&scene.somad, arguments), 0);
}

static int tear_down(void **state)
{
    (void)state;
    somad_remove(&scene.somad);
    munmap(scene.faults, sizeof *scene.faults);
    return 0;
}

#define METHOD(...) +1
enum {
    METHODS = 0
#include "lib/methods.def"
};
#undef METHOD

static void every_method_is_called(void **state)
{
    (void)state;
    assert_int_equal(method_call_count, METHODS);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_is_called),
        cmocka_unit_test(whichever_allocation_fails_a_method_says_so_and_changes_all_or_nothing),
        cmocka_unit_test(the_server_ends_well_and_leaves_sound_data),
    };
    scene.seed = (uint64_t)time(NULL);
    somad_kit_open(argc, argv);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0)
            scene.is_soak = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            scene.seed = strtoull(argv[++i], NULL, 10);
    }
    return cmocka_run_group_tests_name("allocations", tests, set_up, tear_down);
}
