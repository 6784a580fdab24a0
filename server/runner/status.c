#include "runner/status.h"

#include "base/fields.h"
#include "base/file.h"

enum {
    STATUS_BYTES_MAX = 8192,
    STATUS_MODE = 0600
};

static const char *const reason_words[] = {
    [END_EXITED] = "exited",
    [END_SIGNALED] = "signaled",
    [END_WALL_TIMEOUT] = "wall_timeout",
    [END_CANCELLED] = "cancelled",
    [END_START_FAILED] = "start_failed",
    [END_CPU_LIMIT] = "cpu_limit",
    [END_MEMORY_LIMIT] = "memory_limit",
    [END_DISK_LIMIT] = "disk_limit",
    [END_OUTPUT_LIMIT] = "output_limit",
};

enum soma_code status_write(int directory_fd, int reserved_fd, const struct status *status,
                            bool is_synced, struct soma_error *err)
{
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"exit_code", status->exit_code},
        {"signal", status->signal},
        {"started_unix_ms", status->started_unix_ms},
        {"finished_unix_ms", status->finished_unix_ms},
        {"wall_ms", status->wall_ms},
        {"user_ms", status->user_ms},
        {"system_ms", status->system_ms},
        {"peak_bytes", status->peak_bytes},
        {"disk_bytes", status->disk_bytes},
        {"stdout_kept", status->stdout_kept},
        {"stdout_dropped", status->stdout_dropped},
        {"stderr_kept", status->stderr_kept},
        {"stderr_dropped", status->stderr_dropped},
        {"artifact_count", status->artifact_count},
        {"artifact_bytes", status->artifact_bytes},
        {"artifact_left_out", status->artifact_left_out},
        {"asked_count", status->asked_count},
        {"killed_count", status->killed_count},
    };
    struct fields_writer writer;
    fields_writer_init(&writer, STATUS_BYTES_MAX);
    fields_put_int(&writer, "version", 1);
    fields_put_text(&writer, "reason", reason_words[status->reason]);
    fields_put_text(&writer, "message", status->message);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        fields_put_int(&writer, numbers[i].key, numbers[i].value);
    if (status->progress)
        fields_put_text(&writer, "progress", status->progress);
    if (status->isolation[0])
        fields_put_text(&writer, "isolation", status->isolation);
    enum soma_code code = fields_finish(&writer, err);
    bool is_written = !code && reserved_fd >= 0 &&
                      !file_write_reserved(directory_fd, "status", reserved_fd, writer.bytes,
                                           writer.length, is_synced, err);
    if (!code && !is_written)
        code = file_write_atomic(directory_fd, "status", writer.bytes, writer.length, STATUS_MODE,
                                 err);
    fields_writer_fini(&writer);
    return code;
}
