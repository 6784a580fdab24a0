#include "runner_kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"

#define KIT_BWRAP "/usr/bin/bwrap"

static struct {
    char base[PATH_MAX];
    char runner[PATH_MAX];
    const char *sandbox;
} kit = {.sandbox = "off"};

// --- the scratch directory

void kit_open(int argc, char **argv)
{
    snprintf(kit.base, sizeof kit.base, "/tmp/soma-runner-XXXXXX");
    assert_non_null(mkdtemp(kit.base));
    assert_int_equal(chmod(kit.base, 0711), 0);
    snprintf(kit.runner, sizeof kit.runner, "%.64s/soma-runner", kit.base);
    user_copy_program(SOMA_RUNNER, kit.runner);
    if (user_is_wanted(argc, argv))
        user_become(kit.base);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--sandbox") == 0)
            kit.sandbox = kit_has_namespaces() ? "namespaces" : "confined";
        else if (strcmp(argv[i], "--confined") == 0)
            kit.sandbox = "confined";
    }
}

const char *kit_sandbox(void)
{
    return kit.sandbox;
}

bool kit_has_namespaces(void)
{
    static int answer = -1;
    if (answer >= 0)
        return answer;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(KIT_UID, KIT_UID, KIT_UID))
            _exit(1);
        execl(KIT_BWRAP, "bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--",
              "/bin/true", (char *)NULL);
        _exit(1);
    }
    int wait_status;
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    answer = wait_status == 0;
    if (!answer)
        printf("# no namespaces here: jobs are confined by Landlock and seccomp alone\n");
    return answer;
}

void kit_close(void)
{
    struct soma_error err;
    if (directory_remove_all(AT_FDCWD, kit.base, NULL, &err))
        fprintf(stderr, "%s\n", err.text);
}

bool kit_is_root(void)
{
    return geteuid() == 0;
}

const char *kit_runner(void)
{
    return kit.runner;
}

void waiting_step(struct waiting *waiting, const char *for_what)
{
    if (waiting->deadline_ms == 0)
        waiting->deadline_ms = clock_mono_now().ms + KIT_WAIT_MS;
    if (clock_mono_now().ms > waiting->deadline_ms)
        fail_msg("waited in vain for %s", for_what);
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

// --- orders

void attempt_enclose(struct attempt *attempt, const char *sandbox)
{
    fields_put_text(&attempt->order, "sandbox", sandbox);
    fields_put_text(&attempt->order, "bwrap", KIT_BWRAP);
}

struct attempt *attempt_new(void)
{
    static int count;
    struct attempt *attempt = calloc(1, sizeof *attempt);
    assert_non_null(attempt);
    attempt->link_fd = -1;
    char id[ID_SIZE];
    id_make(id);
    struct soma_error err;
    snprintf(attempt->path, sizeof attempt->path, "%.64s/jobs/%s/%d", kit.base, id, ++count);
    assert_int_equal(directory_make_all(attempt->path, 0711, &err), SOMA_OK);
    attempt->fd = open(attempt->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(attempt->fd >= 0);
    snprintf(attempt->cookie, sizeof attempt->cookie, "SOMA_TEST_COOKIE=%s", id);
    fields_writer_init(&attempt->order, 1 << 24);
    fields_put_int(&attempt->order, "version", 1);
    fields_put_text(&attempt->order, "job_id", id);
    fields_put_text(&attempt->order, "env", "PATH=/usr/bin:/bin");
    fields_put_text(&attempt->order, "env", attempt->cookie);
    fields_put_int(&attempt->order, "wall_time_ms", 60000);
    fields_put_int(&attempt->order, "output_bytes", 1048576);
    fields_put_int(&attempt->order, "kill_grace_ms", 1000);
    attempt_enclose(attempt, kit.sandbox);
    if (kit_is_root()) {
        fields_put_int(&attempt->order, "uid", KIT_UID);
        fields_put_int(&attempt->order, "gid", KIT_UID);
    }
    return attempt;
}

void attempt_order(struct attempt *attempt, const char *const *words)
{
    for (; *words; words++)
        fields_put_text(&attempt->order, "argv", *words);
}

void attempt_order_script(struct attempt *attempt, const char *script)
{
    attempt_order(attempt, (const char *const[]){"/bin/sh", "-c", script, NULL});
}

void attempt_limit(struct attempt *attempt, const char *key, int64_t value)
{
    fields_put_int(&attempt->order, key, value);
}

void attempt_write(struct attempt *attempt)
{
    struct soma_error err;
    assert_int_equal(fields_finish(&attempt->order, &err), SOMA_OK);
    assert_int_equal(file_write_atomic(attempt->fd, "order", attempt->order.bytes,
                                       attempt->order.length, 0600, &err),
                     SOMA_OK);
}

// --- running

void attempt_start(struct attempt *attempt)
{
    if (!attempt_has(attempt, "order"))
        attempt_write(attempt);
    attempt->pid = fork();
    assert_true(attempt->pid >= 0);
    if (attempt->pid == 0) {
        execl(kit.runner, "soma-runner", "--attempt", attempt->path, (char *)NULL);
        _exit(99);
    }
}

int attempt_wait(struct attempt *attempt)
{
    struct waiting waiting = {0};
    int wait_status;
    pid_t pid;
    while ((pid = waitpid(attempt->pid, &wait_status, WNOHANG)) == 0)
        waiting_step(&waiting, "the runner's end");
    assert_int_equal(pid, attempt->pid);
    attempt->pid = 0;
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -WTERMSIG(wait_status);
}

void attempt_run(struct attempt *attempt)
{
    attempt_start(attempt);
    assert_int_equal(attempt_wait(attempt), 0);
}

pid_t attempt_spawn(struct attempt *attempt, struct spawner *spawner)
{
    int pair[2];
    struct soma_error err;
    struct spawner_reply reply;
    struct waiting waiting = {0};
    attempt_write(attempt);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    // As small as it gets: the link is full after a few messages that nobody read.
    int size = 1;
    assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(spawner_spawn(spawner, 7, attempt->path, pair[1], &err), SOMA_OK);
    close(pair[1]);
    attempt->link_fd = pair[0];
    enum spawner_read_result result;
    while ((result = spawner_read(spawner, &reply)) == SPAWNER_EMPTY)
        waiting_step(&waiting, "the spawner's answer");
    assert_int_equal(result, SPAWNER_REPLY);
    assert_int_equal(reply.tag, 7);
    assert_int_equal(reply.errnum, 0);
    return reply.runner_pid;
}

void attempt_free(struct attempt *attempt)
{
    if (attempt->link_fd >= 0)
        close(attempt->link_fd);
    close(attempt->fd);
    fields_writer_fini(&attempt->order);
    free(attempt->status);
    free(attempt);
}

// --- what became of it

bool attempt_has(const struct attempt *attempt, const char *name)
{
    return faccessat(attempt->fd, name, F_OK, 0) == 0;
}

char *attempt_read(const struct attempt *attempt, const char *name)
{
    char *bytes;
    struct soma_error err;
    if (file_read_all(attempt->fd, name, 1 << 28, &bytes, NULL, NULL, &err))
        fail_msg("%s", err.text);
    return bytes;
}

bool attempt_file_is(const struct attempt *attempt, const char *name, const char *text)
{
    char *bytes = attempt_read(attempt, name);
    bool is_same = strcmp(bytes, text) == 0;
    if (!is_same)
        fprintf(stderr, "%s is '%s', not '%s'\n", name, bytes, text);
    free(bytes);
    return is_same;
}

int64_t attempt_file_size(const struct attempt *attempt, const char *name)
{
    struct stat info;
    assert_int_equal(fstatat(attempt->fd, name, &info, AT_SYMLINK_NOFOLLOW), 0);
    return info.st_size;
}

static struct field status_field(struct attempt *attempt, const char *key)
{
    struct fields_reader reader;
    struct field field;
    struct soma_error err;
    if (!attempt->status && file_read_all(attempt->fd, "status", 65536, &attempt->status,
                                          &attempt->status_length, NULL, &err))
        fail_msg("%s", err.text);
    assert_int_equal(fields_open(&reader, attempt->status, attempt->status_length, &err), SOMA_OK);
    while (fields_next(&reader, &field)) {
        if (field_is(&field, key))
            return field;
    }
    fail_msg("the status has no %s", key);
    return field;
}

int64_t attempt_number(struct attempt *attempt, const char *key)
{
    int64_t value;
    struct field field = status_field(attempt, key);
    assert_true(field_to_int(&field, &value));
    return value;
}

bool attempt_text_is(struct attempt *attempt, const char *key, const char *text)
{
    struct field field = status_field(attempt, key);
    bool is_same = field.length == strlen(text) && memcmp(field.bytes, text, field.length) == 0;
    if (!is_same)
        fprintf(stderr, "%s is '%.*s', not '%s'\n", key, (int)field.length, field.bytes, text);
    return is_same;
}

bool attempt_text_has(struct attempt *attempt, const char *key, const char *part)
{
    struct field field = status_field(attempt, key);
    bool has = memmem(field.bytes, field.length, part, strlen(part)) != NULL;
    if (!has)
        fprintf(stderr, "%s is '%.*s', without '%s'\n", key, (int)field.length, field.bytes, part);
    return has;
}

static bool carries(const char *pid, const char *cookie)
{
    static char environment[65536];
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, environment, sizeof environment);
    // A zombie's environment is empty.
    return length > 0 && memmem(environment, (size_t)length, cookie, strlen(cookie));
}

int attempt_processes(const struct attempt *attempt)
{
    int count = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    struct dirent *entry;
    while ((entry = readdir(processes)))
        count += entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
                 carries(entry->d_name, attempt->cookie);
    closedir(processes);
    return count;
}

void attempt_wait_for_processes(const struct attempt *attempt, int count)
{
    struct waiting waiting = {0};
    while (attempt_processes(attempt) != count)
        waiting_step(&waiting, "the job's processes");
}

void attempt_wait_for_text(const struct attempt *attempt, const char *name, const char *text)
{
    struct waiting waiting = {0};
    for (bool is_there = false; !is_there;) {
        waiting_step(&waiting, text);
        if (!attempt_has(attempt, name))
            continue;
        char *bytes = attempt_read(attempt, name);
        is_there = strstr(bytes, text) != NULL;
        free(bytes);
    }
}
