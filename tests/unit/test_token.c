#include "jobs/token.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char id[] = "01m8bvg2f5vqyf52ch7z";

static void a_token_says_which_attempt_holds_it(void **state)
{
    (void)state;
    const struct token_key key = {"one key"};
    char token[TOKEN_SIZE], found[ID_SIZE];
    uint32_t attempt;
    token_make(&key, id, UINT32_MAX, token);
    assert_true(token_check(&key, token, found, &attempt));
    assert_string_equal(found, id);
    assert_int_equal(attempt, UINT32_MAX);
}

static void no_other_text_and_no_other_key_passes(void **state)
{
    (void)state;
    const struct token_key key = {"one key"}, other = {"another"};
    char token[TOKEN_SIZE], found[ID_SIZE];
    uint32_t attempt;
    token_make(&key, id, 7, token);
    assert_false(token_check(&other, token, found, &attempt));
    for (size_t i = 0; token[i]; i++) {
        char kept = token[i];
        for (int bit = 0; bit < 7; bit++) {
            token[i] = (char)(kept ^ 1 << bit);
            assert_false(token_check(&key, token, found, &attempt));
        }
        token[i] = kept;
    }
    for (size_t length = strlen(token); length-- > 0;) {
        token[length] = '\0';
        assert_false(token_check(&key, token, found, &attempt));
    }
}

static void the_key_is_made_once_and_is_for_its_owner_alone(void **state)
{
    (void)state;
    char directory[] = "/tmp/soma-token.XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct token_key first, second;
    assert_int_equal(token_key_open(directory, &first, NULL), SOMA_OK);
    assert_int_equal(token_key_open(directory, &second, NULL), SOMA_OK);
    assert_memory_equal(&first, &second, sizeof first);
    int folder = open(directory, O_RDONLY | O_DIRECTORY);
    struct stat info;
    assert_int_equal(fstatat(folder, "token.key", &info, 0), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    // A key that was cut short is no key.
    int fd = openat(folder, "token.key", O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "short", 5), 5);
    close(fd);
    struct soma_error err;
    assert_int_equal(token_key_open(directory, &first, &err), SOMA_DATA_LOSS);
    assert_int_equal(unlinkat(folder, "token.key", 0), 0);
    close(folder);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_says_which_attempt_holds_it),
        cmocka_unit_test(no_other_text_and_no_other_key_passes),
        cmocka_unit_test(the_key_is_made_once_and_is_for_its_owner_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
