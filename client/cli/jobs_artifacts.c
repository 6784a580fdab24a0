// artifacts.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/values.h"

enum {
    PIECE_BYTES = 1 << 20,
    NAME_SIZE = 256,
};

// Where files are fetched to.
struct fetching {
    struct cli *cli;
    const char *job_id;
    uint32_t attempt;
    int directory_fd;
};

static int cannot_write(const struct fetching *fetching, const char *path)
{
    return report_failure(fetching->cli, STATUS_FAILED, NULL, "cannot write %s: %s", path,
                          strerror(errno));
}

// Goes down the path, making what is missing, without following links. The library has seen to it
// that the path is a plain one. Negative: errno. *ret_name is the file's own name.
static int open_parent(int directory_fd, const char *path, const char **ret_name)
{
    int fd = fcntl(directory_fd, F_DUPFD_CLOEXEC, 0);
    const char *slash;
    for (; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
        mkdirat(fd, name, 0777);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        int failure = errno;
        close(fd);
        fd = next;
        errno = failure;
    }
    *ret_name = path;
    return fd;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

// An empty piece before the end would come for ever.
static int came_short(const struct fetching *fetching, const char *path, int64_t got, int64_t size)
{
    return report_failure(fetching->cli, STATUS_FAILED, NULL,
                          "cannot fetch %s: the server sent %" PRId64 " of its %" PRId64
                          " bytes and no more",
                          path, got, size);
}

static int fetch_bytes(const struct fetching *fetching, const struct soma_job_artifact *artifact,
                       int fd)
{
    struct soma_job_artifact_read_request request = SOMA_JOB_ARTIFACT_READ_REQUEST_INIT;
    request.job_id = fetching->job_id;
    request.attempt = fetching->attempt;
    request.path = artifact->path;
    request.max_bytes = PIECE_BYTES;
    bool has_more = true;
    while (has_more) {
        struct soma_job_artifact_piece *piece;
        struct soma_error err;
        if (soma_job_artifact_read(fetching->cli->client, &request, NULL, &piece, &err) != SOMA_OK)
            return report_error(fetching->cli, &err, "cannot fetch %s", artifact->path);
        bool written = write_all(fd, piece->data, piece->length);
        request.offset += (int64_t)piece->length;
        int64_t size_bytes = piece->size_bytes;
        has_more = request.offset < size_bytes;
        bool is_short = has_more && piece->length == 0;
        soma_free(piece);
        if (!written)
            return cannot_write(fetching, artifact->path);
        if (is_short)
            return came_short(fetching, artifact->path, request.offset, size_bytes);
    }
    return STATUS_OK;
}

static int fetch(const struct fetching *fetching, const struct soma_job_artifact *artifact)
{
    const char *name;
    int parent_fd = open_parent(fetching->directory_fd, artifact->path, &name);
    if (parent_fd < 0)
        return cannot_write(fetching, artifact->path);
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(parent_fd, name, flags, artifact->executable ? 0777 : 0666);
    int status =
        fd < 0 ? cannot_write(fetching, artifact->path) : fetch_bytes(fetching, artifact, fd);
    if (fd >= 0 && close(fd) && status == STATUS_OK)
        status = cannot_write(fetching, artifact->path);
    // Half a file looks like a whole one.
    if (fd >= 0 && status != STATUS_OK)
        unlinkat(parent_fd, name, 0);
    close(parent_fd);
    return status;
}

// --- which ones

// Without names after the id: all.
static bool is_wanted(const struct options *options, const char *path)
{
    for (size_t i = 1; i < options->operand_count; i++) {
        if (strcmp(options->operands[i], path) == 0)
            return true;
    }
    return options->operand_count == 1;
}

static int check_wanted(const struct cli *cli, const struct options *options,
                        const struct soma_job_artifacts *list)
{
    for (size_t i = 1; i < options->operand_count; i++) {
        size_t j = 0;
        while (j < list->artifact_count &&
               strcmp(list->artifacts[j].path, options->operands[i]) != 0)
            j++;
        if (j == list->artifact_count)
            return report_failure(cli, STATUS_NOT_FOUND, "'soma artifacts --list ID' lists them",
                                  "job %s kept no artifact %s", options->operands[0],
                                  options->operands[i]);
    }
    return STATUS_OK;
}

static void print_rows(struct cli *cli, const struct options *options,
                       const struct soma_job_artifacts *list)
{
    static const struct table_column columns[] = {{"SIZE", 0, true}, {"PATH", 0, false}};
    char size[UNITS_TEXT_SIZE];
    struct table table;
    table_init(&table, columns, 2);
    for (size_t i = 0; i < list->artifact_count; i++) {
        const struct soma_job_artifact *artifact = &list->artifacts[i];
        if (!is_wanted(options, artifact->path))
            continue;
        if (cli->quiet)
            puts(artifact->path);
        else if (table_add(&table, format_size(size, artifact->size_bytes)))
            table_add(&table, artifact->path);
    }
    if (!cli->quiet)
        table_print(&table, cli);
    table_fini(&table);
}

static void print_json(struct cli *cli, const struct options *options,
                       const struct soma_job_artifacts *list)
{
    struct json_out out;
    list_begin(&out, cli);
    for (size_t i = 0; i < list->artifact_count; i++) {
        const struct soma_job_artifact *artifact = &list->artifacts[i];
        if (!is_wanted(options, artifact->path))
            continue;
        out_begin(&out, '{');
        out_text_at(&out, "path", artifact->path);
        out_int_at(&out, "size_bytes", artifact->size_bytes);
        out_bool_at(&out, "executable", artifact->executable);
        out_end(&out, '}');
        list_item_end(&out, cli);
    }
    list_end(&out, cli, STATUS_OK);
}

static int fetch_all(struct fetching *fetching, const struct options *options,
                     const struct soma_job_artifacts *list)
{
    const char *directory = options_value(options, "directory");
    if (directory)
        mkdir(directory, 0777); // where it is missing; what hinders it, open says
    fetching->directory_fd = open(directory ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fetching->directory_fd < 0)
        return report_failure(fetching->cli, STATUS_FAILED, NULL, "cannot open %s: %s",
                              directory ? directory : ".", strerror(errno));
    int status = STATUS_OK;
    for (size_t i = 0; i < list->artifact_count && status == STATUS_OK; i++) {
        if (is_wanted(options, list->artifacts[i].path))
            status = fetch(fetching, &list->artifacts[i]);
    }
    close(fetching->directory_fd);
    return status;
}

static int run_artifacts(struct cli *cli, const struct options *options)
{
    struct soma_job_artifacts_request request = SOMA_JOB_ARTIFACTS_REQUEST_INIT;
    struct soma_job_artifacts *list;
    struct soma_error err;
    int64_t attempt = 0;
    int status = value_integer(cli, options, "attempt", 1, UINT32_MAX, &attempt);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.job_id = options->operands[0];
    request.attempt = (uint32_t)attempt;
    if (soma_job_artifacts(cli->client, &request, NULL, &list, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot list the artifacts of job %s", request.job_id);
    struct fetching fetching = {cli, request.job_id, list->attempt, -1};
    status = check_wanted(cli, options, list);
    if (status == STATUS_OK && !list->end)
        status = report_failure(cli, STATUS_STILL_RUNNING, "'soma wait ID' waits for the end",
                                "job %s has not ended: its artifacts are kept at the end",
                                request.job_id);
    if (status == STATUS_OK && !options_has(options, "list"))
        status = fetch_all(&fetching, options, list);
    if (status == STATUS_OK && cli->format == FORMAT_TABLE)
        print_rows(cli, options, list);
    else if (status == STATUS_OK)
        print_json(cli, options, list);
    soma_free(list);
    return status;
}

static const struct option artifacts_options[] = {
    {"directory", 'C', "DIR",
     "write into this directory, made where it is missing; otherwise the current one", false},
    {"list", 0, NULL, "only list them", false},
    {"attempt", 0, "N", "of this attempt, from 1; otherwise the latest", false},
    {0},
};

const struct command job_artifact_commands[] = {
    {
        .name = "artifacts",
        .synopsis = "[OPTIONS] ID [PATH…]",
        .summary = "Fetch the files that a job left (--artifact of run and submit)",
        .examples = "soma artifacts --list $id\n"
                    "soma artifacts -C results $id\n"
                    "soma artifacts $id out/plot.png\n",
        .details = "Files that are there already are overwritten; links are not followed.\n",
        .options = artifacts_options,
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_artifacts,
    },
    {0},
};
