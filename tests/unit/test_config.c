// server/config: where values come from, and what wrong ones get.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

static struct config config;
static struct soma_error err;
static char file[64];

// Loads with these flags, NULL-terminated, after the program's name.
static enum soma_code load(const char *const *flags)
{
    char *argv[16] = {(char *)"somad"};
    int argc = 1;
    for (; *flags; flags++)
        argv[argc++] = (char *)*flags;
    enum config_action action;
    config_fini(&config);
    memset(&err, 0, sizeof err);
    return config_load(argc, argv, &config, &action, &err);
}
#define LOAD(...) load((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void write_file(const char *text)
{
    strcpy(file, "/tmp/soma-config-XXXXXX");
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    setenv("SOMA_CONFIG", file, 1);
}

static int clean(void **state)
{
    (void)state;
    unsetenv("SOMA_CONFIG");
    unsetenv("SOMA_MAX_RUNNING");
    unsetenv("SOMA_LISTEN");
    if (file[0])
        unlink(file);
    file[0] = '\0';
    config_fini(&config);
    return 0;
}

static void defaults_stand_where_nothing_is_said(void **state)
{
    (void)state;
    assert_int_equal(LOAD("--data", "/x"), SOMA_OK);
    assert_int_equal(config.socket_mode, 0600);
    assert_int_equal(config.memory_budget, (int64_t)4 << 30);
    assert_string_equal(config.job_user, "nobody");
    assert_int_equal(config.listen.count, 1);
    assert_memory_equal(config.listen.items[0], "ipc://", 6);
}

static void a_flag_beats_the_environment_that_beats_the_file(void **state)
{
    (void)state;
    write_file("max-running = 3\nworkers = 5\njob-user = alice\n");
    assert_int_equal(LOAD("--data=/x"), SOMA_OK);
    assert_int_equal(config.max_running, 3);
    setenv("SOMA_MAX_RUNNING", "7", 1);
    assert_int_equal(LOAD("--data=/x"), SOMA_OK);
    assert_int_equal(config.max_running, 7);
    assert_int_equal(LOAD("--data=/x", "--max-running=9"), SOMA_OK);
    assert_int_equal(config.max_running, 9);
    assert_int_equal(config.workers, 5);
    assert_string_equal(config.job_user, "alice");
}

static void lists_add_up_in_one_place_and_replace_weaker_ones(void **state)
{
    (void)state;
    setenv("SOMA_LISTEN", "ipc:///a ; ipc:///b", 1);
    assert_int_equal(LOAD("--data=/x"), SOMA_OK);
    assert_int_equal(config.listen.count, 2);
    assert_string_equal(config.listen.items[0], "ipc:///a");
    assert_string_equal(config.listen.items[1], "ipc:///b");
    assert_int_equal(
        LOAD("--data=/x", "--listen", "ipc:///c", "--listen", "ipc:///d", "--listen=ipc:///e"),
        SOMA_OK);
    assert_int_equal(config.listen.count, 3);
    assert_string_equal(config.listen.items[2], "ipc:///e");
}

static void a_list_in_the_file_is_one_as_in_the_environment(void **state)
{
    (void)state;
    write_file("listen = ipc:///a ; ipc:///b\t;ipc:///c;ipc:///d ;\n"
               "; listen = ipc:///no ; ipc:///no\n"
               "  ipc:///e ; ipc:///f\n"
               "workers = 5 ; five\n"
               "read-path = ; /x\n");
    assert_int_equal(LOAD("--data=/x"), SOMA_OK);
    assert_int_equal(config.listen.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(config.listen.items[i][strlen("ipc:///")], 'a' + i);
    assert_int_equal(config.workers, 5);
    assert_int_equal(config.read_path.count, 1);
    assert_string_equal(config.read_path.items[0], "/x");
}

static void sizes_have_units(void **state)
{
    (void)state;
    assert_int_equal(LOAD("--data=/x", "--memory-budget=64M", "--max-kept", "3000000"), SOMA_OK);
    assert_int_equal(config.memory_budget, 64 << 20);
    assert_int_equal(config.max_kept, 3000000);
}

static void a_wrong_value_names_key_place_and_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *field, *says;
    } rows[] = {
        {"--max-running=x", "max-running", "whole number"},
        {"--max-running=-1", "max-running", "between 0 and 10000"},
        {"--socket-mode=9", "socket-mode", "octal"},
        {"--socket-mode=1777", "socket-mode", "between"},
        {"--log-level=loud", "log-level", "error, warning, info, debug"},
        {"--memory-budget=lots", "memory-budget", "bytes"},
        {"--memory-budget=99999999999T", "memory-budget", "bytes"},
        {"--max-runing=4", "max-runing", "max-running"},
        {"--frobnicate", "frobnicate", "no key"},
        {"extra", "extra", "no flag"},
        {"--workers", "--workers", "needs a value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(LOAD(rows[i].flag), SOMA_INVALID_ARGUMENT);
        assert_string_equal(err.reason, "CONFIG_INVALID");
        assert_string_equal(err.field, rows[i].field);
        assert_non_null(strstr(err.text, rows[i].says));
    }
}

static void an_error_in_the_file_names_its_line(void **state)
{
    (void)state;
    write_file("# first\nworkers = 5\n\nmax-running = many\n");
    assert_int_equal(LOAD("--data=/x"), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "max-running");
    assert_non_null(strstr(err.text, file));
    assert_non_null(strstr(err.text, "line 4"));
    clean(NULL);
    write_file("listne = ipc:///a\n");
    assert_int_equal(LOAD("--data=/x"), SOMA_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "is 'listen' meant?"));
    clean(NULL);
    setenv("SOMA_CONFIG", "/nowhere/at/all", 1);
    assert_int_equal(LOAD("--data=/x"), SOMA_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

static void what_is_printed_names_every_key(void **state)
{
    (void)state;
    static void (*const prints[])(FILE *) = {config_print_help, config_print_example,
                                             config_print_man};
    static const char *const names[] = {
#define KEY(name, field, kind, type, initial, min, max, argument, meaning) name,
#include "config/keys.def"
#undef KEY
    };
    for (size_t i = 0; i < sizeof prints / sizeof prints[0]; i++) {
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        prints[i](out);
        fclose(out);
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            assert_non_null(strstr(text, names[k]));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(defaults_stand_where_nothing_is_said, clean),
        cmocka_unit_test_teardown(a_flag_beats_the_environment_that_beats_the_file, clean),
        cmocka_unit_test_teardown(lists_add_up_in_one_place_and_replace_weaker_ones, clean),
        cmocka_unit_test_teardown(a_list_in_the_file_is_one_as_in_the_environment, clean),
        cmocka_unit_test_teardown(sizes_have_units, clean),
        cmocka_unit_test_teardown(a_wrong_value_names_key_place_and_what_is_allowed, clean),
        cmocka_unit_test_teardown(an_error_in_the_file_names_its_line, clean),
        cmocka_unit_test_teardown(what_is_printed_names_every_key, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
