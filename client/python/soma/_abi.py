"""libsoma's interface as ctypes sees it. Made by client/package/python_abi.py from the public headers."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any

Raw = bytes  # some fields are called bytes


class soma_code(IntEnum):
    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class soma_error(ctypes.Structure):
    code: int
    retry_after_ms: int
    reason: Raw
    field: Raw
    text: Raw
    _fields_ = [
        ("code", ctypes.c_int),
        ("retry_after_ms", ctypes.c_uint32),
        ("reason", ctypes.c_char * 40),
        ("field", ctypes.c_char * 128),
        ("text", ctypes.c_char * 320),
    ]


class soma_client_options(ctypes.Structure):
    struct_size: int
    server: Raw | None
    token: Raw | None
    program: Raw | None
    timeout_ms: int
    max_in_flight: int
    connect_timeout_ms: int
    namespace_name: Raw | None
    ca_file: Raw | None
    certificate_file: Raw | None
    key_file: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("server", ctypes.c_char_p),
        ("token", ctypes.c_char_p),
        ("program", ctypes.c_char_p),
        ("timeout_ms", ctypes.c_int64),
        ("max_in_flight", ctypes.c_uint32),
        ("connect_timeout_ms", ctypes.c_int64),
        ("namespace_name", ctypes.c_char_p),
        ("ca_file", ctypes.c_char_p),
        ("certificate_file", ctypes.c_char_p),
        ("key_file", ctypes.c_char_p),
    ]


class soma_call_options(ctypes.Structure):
    struct_size: int
    timeout_ms: int
    max_attempts: int
    retry_first_ms: int
    retry_max_ms: int
    request_id: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("timeout_ms", ctypes.c_int64),
        ("max_attempts", ctypes.c_uint32),
        ("retry_first_ms", ctypes.c_uint32),
        ("retry_max_ms", ctypes.c_uint32),
        ("request_id", ctypes.c_char_p),
    ]


class soma_metric(IntEnum):
    COSINE = 1
    L2 = 2
    DOT = 3


class soma_value_type(IntEnum):
    NONE = 0
    STRING = 1
    INT = 2
    DOUBLE = 3
    BOOL = 4
    STRING_LIST = 5
    INT_LIST = 6
    DOUBLE_LIST = 7
    BOOL_LIST = 8


class soma_metadata_field_value(ctypes.Union):
    string: Raw | None
    integer: int
    number: float
    boolean: bool
    strings: Any
    integers: Any
    numbers: Any
    booleans: Any
    _fields_ = [
        ("string", ctypes.c_char_p),
        ("integer", ctypes.c_int64),
        ("number", ctypes.c_double),
        ("boolean", ctypes.c_bool),
        ("strings", ctypes.POINTER(ctypes.c_char_p)),
        ("integers", ctypes.POINTER(ctypes.c_int64)),
        ("numbers", ctypes.POINTER(ctypes.c_double)),
        ("booleans", ctypes.POINTER(ctypes.c_bool)),
    ]


class soma_metadata_field(ctypes.Structure):
    key: Raw | None
    type: int
    list_count: int
    value: soma_metadata_field_value
    _fields_ = [
        ("key", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("list_count", ctypes.c_size_t),
        ("value", soma_metadata_field_value),
    ]


class soma_quantization(IntEnum):
    NONE = 1
    BF16 = 2
    INT8 = 3
    INT4 = 4


class soma_rerank(IntEnum):
    MEMORY = 1
    DISK = 2


class soma_index_settings(ctypes.Structure):
    quantization: int
    m: int
    ef_construction: int
    ef_search: int
    rerank: int
    _fields_ = [
        ("quantization", ctypes.c_int),
        ("m", ctypes.c_uint32),
        ("ef_construction", ctypes.c_uint32),
        ("ef_search", ctypes.c_uint32),
        ("rerank", ctypes.c_int),
    ]


class soma_collection(ctypes.Structure):
    name: Raw | None
    uid: Raw | None
    dimension: int
    metric: int
    metadata: Any
    metadata_count: int
    created_ms: int
    sequence: int
    record_count: int
    memory_bytes: int
    index_kind: Raw | None
    index: soma_index_settings
    rows_indexed: int
    rows_waiting: int
    rows_per_second: float
    index_bytes: int
    index_file_sequence: int
    aliases: Any
    alias_count: int
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("uid", ctypes.c_char_p),
        ("dimension", ctypes.c_uint32),
        ("metric", ctypes.c_int),
        ("metadata", ctypes.POINTER(soma_metadata_field)),
        ("metadata_count", ctypes.c_size_t),
        ("created_ms", ctypes.c_int64),
        ("sequence", ctypes.c_int64),
        ("record_count", ctypes.c_int64),
        ("memory_bytes", ctypes.c_int64),
        ("index_kind", ctypes.c_char_p),
        ("index", soma_index_settings),
        ("rows_indexed", ctypes.c_int64),
        ("rows_waiting", ctypes.c_int64),
        ("rows_per_second", ctypes.c_double),
        ("index_bytes", ctypes.c_int64),
        ("index_file_sequence", ctypes.c_int64),
        ("aliases", ctypes.POINTER(ctypes.c_char_p)),
        ("alias_count", ctypes.c_size_t),
    ]


class soma_collection_create_request(ctypes.Structure):
    struct_size: int
    name: Raw | None
    dimension: int
    metric: int
    metadata: Any
    metadata_count: int
    exist_ok: bool
    index: soma_index_settings
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("dimension", ctypes.c_uint32),
        ("metric", ctypes.c_int),
        ("metadata", ctypes.POINTER(soma_metadata_field)),
        ("metadata_count", ctypes.c_size_t),
        ("exist_ok", ctypes.c_bool),
        ("index", soma_index_settings),
    ]


class soma_collection_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
    ]


class soma_collection_list_request(ctypes.Structure):
    struct_size: int
    page_size: int
    cursor: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("page_size", ctypes.c_uint32),
        ("cursor", ctypes.c_char_p),
    ]


class soma_collection_list(ctypes.Structure):
    collections: Any
    collection_count: int
    next_cursor: Raw | None
    _fields_ = [
        ("collections", ctypes.POINTER(soma_collection)),
        ("collection_count", ctypes.c_size_t),
        ("next_cursor", ctypes.c_char_p),
    ]


class soma_collection_update_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    new_name: Raw | None
    metadata: Any
    metadata_count: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("new_name", ctypes.c_char_p),
        ("metadata", ctypes.POINTER(soma_metadata_field)),
        ("metadata_count", ctypes.c_size_t),
    ]


class soma_collection_alias_request(ctypes.Structure):
    struct_size: int
    alias: Raw | None
    collection: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("alias", ctypes.c_char_p),
        ("collection", ctypes.c_char_p),
    ]


class soma_collection_unalias_request(ctypes.Structure):
    struct_size: int
    alias: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("alias", ctypes.c_char_p),
    ]


class soma_collection_unaliased(ctypes.Structure):
    was_alias: bool
    _fields_ = [
        ("was_alias", ctypes.c_bool),
    ]


class soma_collection_clone_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    new_name: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("new_name", ctypes.c_char_p),
    ]


class soma_collection_check_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    sample: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("sample", ctypes.c_uint32),
    ]


class soma_check_finding(ctypes.Structure):
    kind: Raw | None
    message: Raw | None
    count: int
    ids: Any
    id_count: int
    _fields_ = [
        ("kind", ctypes.c_char_p),
        ("message", ctypes.c_char_p),
        ("count", ctypes.c_int64),
        ("ids", ctypes.POINTER(ctypes.c_char_p)),
        ("id_count", ctypes.c_size_t),
    ]


class soma_collection_check(ctypes.Structure):
    findings: Any
    finding_count: int
    sequence: int
    records: int
    rows: int
    rows_indexed: int
    index_kind: Raw | None
    sampled: int
    recall: float
    recall_min: float
    _fields_ = [
        ("findings", ctypes.POINTER(soma_check_finding)),
        ("finding_count", ctypes.c_size_t),
        ("sequence", ctypes.c_int64),
        ("records", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("rows_indexed", ctypes.c_int64),
        ("index_kind", ctypes.c_char_p),
        ("sampled", ctypes.c_uint32),
        ("recall", ctypes.c_double),
        ("recall_min", ctypes.c_double),
    ]


class soma_snapshot_read_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    after_place: int
    since_sequence: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("after_place", ctypes.c_int64),
        ("since_sequence", ctypes.c_int64),
    ]


class soma_snapshot_page(ctypes.Structure):
    bytes: int | None
    length: int
    collection_uid: Raw | None
    sequence: int
    record_count: int
    page_records: int
    last_place: int
    is_last: bool
    _fields_ = [
        ("bytes", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("collection_uid", ctypes.c_char_p),
        ("sequence", ctypes.c_int64),
        ("record_count", ctypes.c_int64),
        ("page_records", ctypes.c_size_t),
        ("last_place", ctypes.c_int64),
        ("is_last", ctypes.c_bool),
    ]


class soma_snapshot_restore_request(ctypes.Structure):
    struct_size: int
    uid: Raw | None
    bytes: int | None
    length: int
    finish_name: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("uid", ctypes.c_char_p),
        ("bytes", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("finish_name", ctypes.c_char_p),
    ]


class soma_snapshot_restored(ctypes.Structure):
    uid: Raw | None
    record_count: int
    is_finished: bool
    _fields_ = [
        ("uid", ctypes.c_char_p),
        ("record_count", ctypes.c_int64),
        ("is_finished", ctypes.c_bool),
    ]


class soma_records_deleted(ctypes.Structure):
    matched: int
    deleted: int
    missing: int
    sequence: int
    _fields_ = [
        ("matched", ctypes.c_int64),
        ("deleted", ctypes.c_int64),
        ("missing", ctypes.c_int64),
        ("sequence", ctypes.c_int64),
    ]


class soma_job_state(IntEnum):
    QUEUED = 1
    RUNNING = 2
    SUCCEEDED = 3
    FAILED = 4
    CANCELLED = 5
    TIMED_OUT = 6
    LOST = 7


class soma_job_reason(IntEnum):
    NONE = 0
    EXITED = 1
    SIGNALED = 2
    WALL_TIMEOUT = 3
    CANCELLED = 4
    LOST = 5
    START_FAILED = 6
    CPU_LIMIT = 7
    MEMORY_LIMIT = 8
    DISK_LIMIT = 9
    OUTPUT_LIMIT = 10
    EXPIRED = 11
    DEPENDENCY = 12


class soma_job_wait(IntEnum):
    NONE = 0
    PLACE = 1
    TIME = 2
    BACKOFF = 3
    AFTER = 4
    QUEUE_PAUSED = 5
    QUEUE_LIMIT = 6


class soma_after_policy(IntEnum):
    DEFAULT = 0
    CANCEL = 1
    FAIL = 2
    RUN = 3


class soma_ping_request(ctypes.Structure):
    struct_size: int
    payload: int | None
    payload_length: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("payload", ctypes.c_void_p),
        ("payload_length", ctypes.c_size_t),
    ]


class soma_ping(ctypes.Structure):
    payload: int | None
    payload_length: int
    server_time_ms: int
    _fields_ = [
        ("payload", ctypes.c_void_p),
        ("payload_length", ctypes.c_size_t),
        ("server_time_ms", ctypes.c_int64),
    ]


class soma_empty_request(ctypes.Structure):
    struct_size: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
    ]


class soma_named_value(ctypes.Structure):
    name: Raw | None
    value: int
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("value", ctypes.c_int64),
    ]


class soma_enforcement(ctypes.Structure):
    name: Raw | None
    enforced: bool
    detail: Raw | None
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("enforced", ctypes.c_bool),
        ("detail", ctypes.c_char_p),
    ]


class soma_language(ctypes.Structure):
    name: Raw | None
    interpreter: Raw | None
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("interpreter", ctypes.c_char_p),
    ]


class soma_server_info(ctypes.Structure):
    version: Raw | None
    frame_version: int
    boot_id: Raw | None
    started_ms: int
    pid: int
    limits: Any
    limit_count: int
    enforcement: Any
    enforcement_count: int
    languages: Any
    language_count: int
    listeners: Any
    listener_count: int
    kernels: Raw | None
    libraries: Any
    library_count: int
    sandbox: Raw | None
    job_network: bool
    _fields_ = [
        ("version", ctypes.c_char_p),
        ("frame_version", ctypes.c_uint32),
        ("boot_id", ctypes.c_char_p),
        ("started_ms", ctypes.c_int64),
        ("pid", ctypes.c_uint32),
        ("limits", ctypes.POINTER(soma_named_value)),
        ("limit_count", ctypes.c_size_t),
        ("enforcement", ctypes.POINTER(soma_enforcement)),
        ("enforcement_count", ctypes.c_size_t),
        ("languages", ctypes.POINTER(soma_language)),
        ("language_count", ctypes.c_size_t),
        ("listeners", ctypes.POINTER(ctypes.c_char_p)),
        ("listener_count", ctypes.c_size_t),
        ("kernels", ctypes.c_char_p),
        ("libraries", ctypes.POINTER(ctypes.c_char_p)),
        ("library_count", ctypes.c_size_t),
        ("sandbox", ctypes.c_char_p),
        ("job_network", ctypes.c_bool),
    ]


class soma_server_stats(ctypes.Structure):
    stats: Any
    stat_count: int
    _fields_ = [
        ("stats", ctypes.POINTER(soma_named_value)),
        ("stat_count", ctypes.c_size_t),
    ]


class soma_server_check_request(ctypes.Structure):
    struct_size: int
    step: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("step", ctypes.c_char_p),
    ]


class soma_server_finding(ctypes.Structure):
    what: Raw | None
    message: Raw | None
    _fields_ = [
        ("what", ctypes.c_char_p),
        ("message", ctypes.c_char_p),
    ]


class soma_server_check(ctypes.Structure):
    findings: Any
    finding_count: int
    found: int
    next_step: Raw | None
    _fields_ = [
        ("findings", ctypes.POINTER(soma_server_finding)),
        ("finding_count", ctypes.c_size_t),
        ("found", ctypes.c_int64),
        ("next_step", ctypes.c_char_p),
    ]


class soma_stream(IntEnum):
    STDOUT = 1
    STDERR = 2


class soma_pair(ctypes.Structure):
    key: Raw | None
    value: Raw | None
    _fields_ = [
        ("key", ctypes.c_char_p),
        ("value", ctypes.c_char_p),
    ]


class soma_job_file(ctypes.Structure):
    path: Raw | None
    executable: bool
    content: int | None
    content_length: int
    upload_id: Raw | None
    size_bytes: int
    _fields_ = [
        ("path", ctypes.c_char_p),
        ("executable", ctypes.c_bool),
        ("content", ctypes.c_void_p),
        ("content_length", ctypes.c_size_t),
        ("upload_id", ctypes.c_char_p),
        ("size_bytes", ctypes.c_int64),
    ]


class soma_sandbox(IntEnum):
    SERVER = 0
    REQUIRED = 1
    BEST_EFFORT = 2


class soma_job_spec(ctypes.Structure):
    struct_size: int
    language: Raw | None
    source: int | None
    source_length: int
    arguments: Any
    argument_count: int
    stdin_bytes: int | None
    stdin_length: int
    environment: Any
    environment_count: int
    name: Raw | None
    queue: Raw | None
    priority: int
    not_before_ms: int
    labels: Any
    label_count: int
    wall_time_ms: int
    output_bytes: int
    kill_grace_ms: int
    idempotent: bool
    keep_ms: int
    files: Any
    file_count: int
    interactive: bool
    detached: bool
    artifacts: Any
    artifact_count: int
    artifact_bytes: int
    delay_ms: int
    start_deadline_ms: int
    start_within_ms: int
    retry_attempts: int
    backoff_ms: int
    backoff_factor: float
    backoff_max_ms: int
    retry_reasons: Any
    retry_reason_count: int
    after: Any
    after_count: int
    after_policy: int
    dedupe_key: Raw | None
    cpu_time_ms: int
    memory_bytes: int
    processes: int
    disk_bytes: int
    file_bytes: int
    open_files: int
    tmp_bytes: int
    end_at_output_limit: bool
    network: bool
    sandbox: int
    output_tail_bytes: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("language", ctypes.c_char_p),
        ("source", ctypes.c_void_p),
        ("source_length", ctypes.c_size_t),
        ("arguments", ctypes.POINTER(ctypes.c_char_p)),
        ("argument_count", ctypes.c_size_t),
        ("stdin_bytes", ctypes.c_void_p),
        ("stdin_length", ctypes.c_size_t),
        ("environment", ctypes.POINTER(soma_pair)),
        ("environment_count", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("queue", ctypes.c_char_p),
        ("priority", ctypes.c_int32),
        ("not_before_ms", ctypes.c_int64),
        ("labels", ctypes.POINTER(soma_pair)),
        ("label_count", ctypes.c_size_t),
        ("wall_time_ms", ctypes.c_int64),
        ("output_bytes", ctypes.c_int64),
        ("kill_grace_ms", ctypes.c_int64),
        ("idempotent", ctypes.c_bool),
        ("keep_ms", ctypes.c_int64),
        ("files", ctypes.POINTER(soma_job_file)),
        ("file_count", ctypes.c_size_t),
        ("interactive", ctypes.c_bool),
        ("detached", ctypes.c_bool),
        ("artifacts", ctypes.POINTER(ctypes.c_char_p)),
        ("artifact_count", ctypes.c_size_t),
        ("artifact_bytes", ctypes.c_int64),
        ("delay_ms", ctypes.c_int64),
        ("start_deadline_ms", ctypes.c_int64),
        ("start_within_ms", ctypes.c_int64),
        ("retry_attempts", ctypes.c_uint32),
        ("backoff_ms", ctypes.c_int64),
        ("backoff_factor", ctypes.c_double),
        ("backoff_max_ms", ctypes.c_int64),
        ("retry_reasons", ctypes.POINTER(ctypes.c_int)),
        ("retry_reason_count", ctypes.c_size_t),
        ("after", ctypes.POINTER(ctypes.c_char_p)),
        ("after_count", ctypes.c_size_t),
        ("after_policy", ctypes.c_int),
        ("dedupe_key", ctypes.c_char_p),
        ("cpu_time_ms", ctypes.c_int64),
        ("memory_bytes", ctypes.c_int64),
        ("processes", ctypes.c_int64),
        ("disk_bytes", ctypes.c_int64),
        ("file_bytes", ctypes.c_int64),
        ("open_files", ctypes.c_int64),
        ("tmp_bytes", ctypes.c_int64),
        ("end_at_output_limit", ctypes.c_bool),
        ("network", ctypes.c_bool),
        ("sandbox", ctypes.c_int),
        ("output_tail_bytes", ctypes.c_int64),
    ]


class soma_job_progress(ctypes.Structure):
    percent: float
    message: Raw | None
    reported_ms: int
    _fields_ = [
        ("percent", ctypes.c_double),
        ("message", ctypes.c_char_p),
        ("reported_ms", ctypes.c_int64),
    ]


class soma_output_size(ctypes.Structure):
    kept_bytes: int
    dropped_bytes: int
    _fields_ = [
        ("kept_bytes", ctypes.c_int64),
        ("dropped_bytes", ctypes.c_int64),
    ]


class soma_job_attempt(ctypes.Structure):
    attempt: int
    reason: int
    exit_code: int
    signal_number: int
    message: Raw | None
    started_ms: int
    finished_ms: int
    _fields_ = [
        ("attempt", ctypes.c_uint32),
        ("reason", ctypes.c_int),
        ("exit_code", ctypes.c_int),
        ("signal_number", ctypes.c_int),
        ("message", ctypes.c_char_p),
        ("started_ms", ctypes.c_int64),
        ("finished_ms", ctypes.c_int64),
    ]


class soma_job(ctypes.Structure):
    id: Raw | None
    parent_id: Raw | None
    spec: soma_job_spec
    state: int
    reason: int
    exit_code: int
    signal_number: int
    message: Raw | None
    revision: int
    created_ms: int
    started_ms: int
    finished_ms: int
    cancel_requested_ms: int
    attempt: int
    runner_pid: int
    progress: soma_job_progress
    wall_used_ms: int
    user_used_ms: int
    system_used_ms: int
    peak_memory_bytes: int
    stdout_size: soma_output_size
    stderr_size: soma_output_size
    artifact_count: int
    artifact_bytes: int
    artifacts_left_out: int
    wait: int
    next_attempt_ms: int
    waiting_for: Any
    waiting_count: int
    attempts: Any
    attempt_count: int
    is_existing: bool
    differs: bool
    disk_bytes: int
    memory_bytes: int
    processes: int
    asked_count: int
    killed_count: int
    isolation: Any
    isolation_count: int
    _fields_ = [
        ("id", ctypes.c_char_p),
        ("parent_id", ctypes.c_char_p),
        ("spec", soma_job_spec),
        ("state", ctypes.c_int),
        ("reason", ctypes.c_int),
        ("exit_code", ctypes.c_int),
        ("signal_number", ctypes.c_int),
        ("message", ctypes.c_char_p),
        ("revision", ctypes.c_int64),
        ("created_ms", ctypes.c_int64),
        ("started_ms", ctypes.c_int64),
        ("finished_ms", ctypes.c_int64),
        ("cancel_requested_ms", ctypes.c_int64),
        ("attempt", ctypes.c_uint32),
        ("runner_pid", ctypes.c_int64),
        ("progress", soma_job_progress),
        ("wall_used_ms", ctypes.c_int64),
        ("user_used_ms", ctypes.c_int64),
        ("system_used_ms", ctypes.c_int64),
        ("peak_memory_bytes", ctypes.c_int64),
        ("stdout_size", soma_output_size),
        ("stderr_size", soma_output_size),
        ("artifact_count", ctypes.c_uint32),
        ("artifact_bytes", ctypes.c_int64),
        ("artifacts_left_out", ctypes.c_int64),
        ("wait", ctypes.c_int),
        ("next_attempt_ms", ctypes.c_int64),
        ("waiting_for", ctypes.POINTER(ctypes.c_char_p)),
        ("waiting_count", ctypes.c_size_t),
        ("attempts", ctypes.POINTER(soma_job_attempt)),
        ("attempt_count", ctypes.c_size_t),
        ("is_existing", ctypes.c_bool),
        ("differs", ctypes.c_bool),
        ("disk_bytes", ctypes.c_int64),
        ("memory_bytes", ctypes.c_int64),
        ("processes", ctypes.c_int64),
        ("asked_count", ctypes.c_int64),
        ("killed_count", ctypes.c_int64),
        ("isolation", ctypes.POINTER(soma_enforcement)),
        ("isolation_count", ctypes.c_size_t),
    ]


class soma_job_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
    ]


class soma_job_removed(ctypes.Structure):
    removed_count: int
    freed_bytes: int
    more: bool
    _fields_ = [
        ("removed_count", ctypes.c_uint32),
        ("freed_bytes", ctypes.c_int64),
        ("more", ctypes.c_bool),
    ]


class soma_job_filter(ctypes.Structure):
    states: Any
    state_count: int
    queue: Raw | None
    labels: Any
    label_count: int
    parent_id: Raw | None
    _fields_ = [
        ("states", ctypes.POINTER(ctypes.c_int)),
        ("state_count", ctypes.c_size_t),
        ("queue", ctypes.c_char_p),
        ("labels", ctypes.POINTER(soma_pair)),
        ("label_count", ctypes.c_size_t),
        ("parent_id", ctypes.c_char_p),
    ]


class soma_job_list_request(ctypes.Structure):
    struct_size: int
    filter: soma_job_filter
    page_size: int
    cursor: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("filter", soma_job_filter),
        ("page_size", ctypes.c_uint32),
        ("cursor", ctypes.c_char_p),
    ]


class soma_job_list(ctypes.Structure):
    jobs: Any
    job_count: int
    next_cursor: Raw | None
    revision: int
    _fields_ = [
        ("jobs", ctypes.POINTER(soma_job)),
        ("job_count", ctypes.c_size_t),
        ("next_cursor", ctypes.c_char_p),
        ("revision", ctypes.c_int64),
    ]


class soma_job_wait_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    after_revision: int
    wait_ms: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("after_revision", ctypes.c_int64),
        ("wait_ms", ctypes.c_uint32),
    ]


class soma_job_read_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    attempt: int
    stdout_offset: int
    stderr_offset: int
    max_bytes: int
    wait_ms: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("attempt", ctypes.c_uint32),
        ("stdout_offset", ctypes.c_int64),
        ("stderr_offset", ctypes.c_int64),
        ("max_bytes", ctypes.c_uint32),
        ("wait_ms", ctypes.c_uint32),
    ]


class soma_job_chunk(ctypes.Structure):
    data: int | None
    length: int
    offset: int
    end: bool
    size: soma_output_size
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("offset", ctypes.c_int64),
        ("end", ctypes.c_bool),
        ("size", soma_output_size),
    ]


class soma_job_output(ctypes.Structure):
    stdout_chunk: soma_job_chunk
    stderr_chunk: soma_job_chunk
    attempt: int
    _fields_ = [
        ("stdout_chunk", soma_job_chunk),
        ("stderr_chunk", soma_job_chunk),
        ("attempt", ctypes.c_uint32),
    ]


class soma_job_watch_request(ctypes.Structure):
    struct_size: int
    since_revision: int
    filter: soma_job_filter
    page_size: int
    wait_ms: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("since_revision", ctypes.c_int64),
        ("filter", soma_job_filter),
        ("page_size", ctypes.c_uint32),
        ("wait_ms", ctypes.c_uint32),
    ]


class soma_job_changes(ctypes.Structure):
    jobs: Any
    job_count: int
    removed_ids: Any
    removed_count: int
    revision: int
    history_lost: bool
    _fields_ = [
        ("jobs", ctypes.POINTER(soma_job)),
        ("job_count", ctypes.c_size_t),
        ("removed_ids", ctypes.POINTER(ctypes.c_char_p)),
        ("removed_count", ctypes.c_size_t),
        ("revision", ctypes.c_int64),
        ("history_lost", ctypes.c_bool),
    ]


class soma_job_cancel_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    note: Raw | None
    force: bool
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("note", ctypes.c_char_p),
        ("force", ctypes.c_bool),
    ]


class soma_job_prune_request(ctypes.Structure):
    struct_size: int
    filter: soma_job_filter
    older_than_ms: int
    dry_run: bool
    max_jobs: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("filter", soma_job_filter),
        ("older_than_ms", ctypes.c_int64),
        ("dry_run", ctypes.c_bool),
        ("max_jobs", ctypes.c_uint32),
    ]


class soma_job_report_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    percent: float
    message: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("percent", ctypes.c_double),
        ("message", ctypes.c_char_p),
    ]


class soma_job_reported(ctypes.Structure):
    cancel_requested: bool
    _fields_ = [
        ("cancel_requested", ctypes.c_bool),
    ]


class soma_job_follow_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    stdout_offset: int
    stderr_offset: int
    user: int | None
    on_output: int | None
    on_change: int | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("stdout_offset", ctypes.c_int64),
        ("stderr_offset", ctypes.c_int64),
        ("user", ctypes.c_void_p),
        ("on_output", ctypes.c_void_p),
        ("on_change", ctypes.c_void_p),
    ]


class soma_job_upload_request(ctypes.Structure):
    struct_size: int
    upload_id: Raw | None
    offset: int
    data: int | None
    length: int
    end: bool
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("upload_id", ctypes.c_char_p),
        ("offset", ctypes.c_int64),
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("end", ctypes.c_bool),
    ]


class soma_job_upload(ctypes.Structure):
    upload_id: Raw | None
    size_bytes: int
    _fields_ = [
        ("upload_id", ctypes.c_char_p),
        ("size_bytes", ctypes.c_int64),
    ]


class soma_job_log_position(ctypes.Structure):
    record: int
    taken_bytes: int
    stdout_offset: int
    stderr_offset: int
    time_ms: int
    _fields_ = [
        ("record", ctypes.c_int64),
        ("taken_bytes", ctypes.c_int64),
        ("stdout_offset", ctypes.c_int64),
        ("stderr_offset", ctypes.c_int64),
        ("time_ms", ctypes.c_int64),
    ]


class soma_job_log_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    attempt: int
    position: Any
    tail_lines: int
    since_ms: int
    stream: int
    max_bytes: int
    wait_ms: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("attempt", ctypes.c_uint32),
        ("position", ctypes.POINTER(soma_job_log_position)),
        ("tail_lines", ctypes.c_int64),
        ("since_ms", ctypes.c_int64),
        ("stream", ctypes.c_int),
        ("max_bytes", ctypes.c_uint32),
        ("wait_ms", ctypes.c_uint32),
    ]


class soma_job_log_piece(ctypes.Structure):
    stream: int
    offset: int
    data: int | None
    length: int
    time_ms: int
    _fields_ = [
        ("stream", ctypes.c_int),
        ("offset", ctypes.c_int64),
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("time_ms", ctypes.c_int64),
    ]


class soma_job_log(ctypes.Structure):
    pieces: Any
    piece_count: int
    position: soma_job_log_position
    attempt: int
    end: bool
    _fields_ = [
        ("pieces", ctypes.POINTER(soma_job_log_piece)),
        ("piece_count", ctypes.c_size_t),
        ("position", soma_job_log_position),
        ("attempt", ctypes.c_uint32),
        ("end", ctypes.c_bool),
    ]


class soma_job_input_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    attempt: int
    offset: int
    data: int | None
    length: int
    end: bool
    wait_ms: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("attempt", ctypes.c_uint32),
        ("offset", ctypes.c_int64),
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("end", ctypes.c_bool),
        ("wait_ms", ctypes.c_uint32),
    ]


class soma_job_input(ctypes.Structure):
    size_bytes: int
    attempt: int
    closed: bool
    _fields_ = [
        ("size_bytes", ctypes.c_int64),
        ("attempt", ctypes.c_uint32),
        ("closed", ctypes.c_bool),
    ]


class soma_job_artifacts_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    attempt: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("attempt", ctypes.c_uint32),
    ]


class soma_job_artifact(ctypes.Structure):
    path: Raw | None
    size_bytes: int
    executable: bool
    _fields_ = [
        ("path", ctypes.c_char_p),
        ("size_bytes", ctypes.c_int64),
        ("executable", ctypes.c_bool),
    ]


class soma_job_artifacts(ctypes.Structure):
    artifacts: Any
    artifact_count: int
    attempt: int
    end: bool
    _fields_ = [
        ("artifacts", ctypes.POINTER(soma_job_artifact)),
        ("artifact_count", ctypes.c_size_t),
        ("attempt", ctypes.c_uint32),
        ("end", ctypes.c_bool),
    ]


class soma_job_artifact_read_request(ctypes.Structure):
    struct_size: int
    job_id: Raw | None
    attempt: int
    path: Raw | None
    offset: int
    max_bytes: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("job_id", ctypes.c_char_p),
        ("attempt", ctypes.c_uint32),
        ("path", ctypes.c_char_p),
        ("offset", ctypes.c_int64),
        ("max_bytes", ctypes.c_uint32),
    ]


class soma_job_artifact_piece(ctypes.Structure):
    data: int | None
    length: int
    size_bytes: int
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("size_bytes", ctypes.c_int64),
    ]


class soma_queue(ctypes.Structure):
    name: Raw | None
    is_paused: bool
    max_running: int
    keep_ms: int
    keep_jobs: int
    keep_bytes: int
    queued_jobs: int
    running_jobs: int
    finished_jobs: int
    output_bytes: int
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("is_paused", ctypes.c_bool),
        ("max_running", ctypes.c_uint32),
        ("keep_ms", ctypes.c_int64),
        ("keep_jobs", ctypes.c_int64),
        ("keep_bytes", ctypes.c_int64),
        ("queued_jobs", ctypes.c_int64),
        ("running_jobs", ctypes.c_int64),
        ("finished_jobs", ctypes.c_int64),
        ("output_bytes", ctypes.c_int64),
    ]


class soma_queue_list_request(ctypes.Structure):
    struct_size: int
    page_size: int
    cursor: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("page_size", ctypes.c_uint32),
        ("cursor", ctypes.c_char_p),
    ]


class soma_queue_list(ctypes.Structure):
    queues: Any
    queue_count: int
    next_cursor: Raw | None
    _fields_ = [
        ("queues", ctypes.POINTER(soma_queue)),
        ("queue_count", ctypes.c_size_t),
        ("next_cursor", ctypes.c_char_p),
    ]


class soma_queue_request(ctypes.Structure):
    struct_size: int
    queue: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("queue", ctypes.c_char_p),
    ]


class soma_queue_update_request(ctypes.Structure):
    struct_size: int
    queue: Raw | None
    is_paused: Any
    max_running: Any
    keep_ms: Any
    keep_jobs: Any
    keep_bytes: Any
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("queue", ctypes.c_char_p),
        ("is_paused", ctypes.POINTER(ctypes.c_bool)),
        ("max_running", ctypes.POINTER(ctypes.c_uint32)),
        ("keep_ms", ctypes.POINTER(ctypes.c_int64)),
        ("keep_jobs", ctypes.POINTER(ctypes.c_int64)),
        ("keep_bytes", ctypes.POINTER(ctypes.c_int64)),
    ]


class soma_record(ctypes.Structure):
    id: Raw | None
    document: Raw | None
    metadata: Any
    metadata_count: int
    _fields_ = [
        ("id", ctypes.c_char_p),
        ("document", ctypes.c_char_p),
        ("metadata", ctypes.POINTER(soma_metadata_field)),
        ("metadata_count", ctypes.c_size_t),
    ]


class soma_records_write_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    records: Any
    record_count: int
    embeddings: int | None
    dimension: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("records", ctypes.POINTER(soma_record)),
        ("record_count", ctypes.c_size_t),
        ("embeddings", ctypes.c_void_p),
        ("dimension", ctypes.c_uint32),
    ]


class soma_record_error(ctypes.Structure):
    index: int
    id: Raw | None
    code: int
    reason: Raw | None
    message: Raw | None
    _fields_ = [
        ("index", ctypes.c_size_t),
        ("id", ctypes.c_char_p),
        ("code", ctypes.c_int),
        ("reason", ctypes.c_char_p),
        ("message", ctypes.c_char_p),
    ]


class soma_records_written(ctypes.Structure):
    inserted: int
    updated: int
    unchanged: int
    skipped: int
    failed: int
    errors: Any
    error_count: int
    sequence: int
    ids: Any
    id_count: int
    _fields_ = [
        ("inserted", ctypes.c_int64),
        ("updated", ctypes.c_int64),
        ("unchanged", ctypes.c_int64),
        ("skipped", ctypes.c_int64),
        ("failed", ctypes.c_int64),
        ("errors", ctypes.POINTER(soma_record_error)),
        ("error_count", ctypes.c_size_t),
        ("sequence", ctypes.c_int64),
        ("ids", ctypes.POINTER(ctypes.c_char_p)),
        ("id_count", ctypes.c_size_t),
    ]


class soma_include(ctypes.Structure):
    document: bool
    metadata: bool
    embedding: bool
    _fields_ = [
        ("document", ctypes.c_bool),
        ("metadata", ctypes.c_bool),
        ("embedding", ctypes.c_bool),
    ]


class soma_records_get_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    ids: Any
    id_count: int
    include: Any
    min_sequence: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("ids", ctypes.POINTER(ctypes.c_char_p)),
        ("id_count", ctypes.c_size_t),
        ("include", ctypes.POINTER(soma_include)),
        ("min_sequence", ctypes.c_int64),
    ]


class soma_records(ctypes.Structure):
    records: Any
    record_count: int
    embeddings: int | None
    dimension: int
    missing_ids: Any
    missing_count: int
    sequence: int
    next_cursor: Raw | None
    _fields_ = [
        ("records", ctypes.POINTER(soma_record)),
        ("record_count", ctypes.c_size_t),
        ("embeddings", ctypes.c_void_p),
        ("dimension", ctypes.c_uint32),
        ("missing_ids", ctypes.POINTER(ctypes.c_char_p)),
        ("missing_count", ctypes.c_size_t),
        ("sequence", ctypes.c_int64),
        ("next_cursor", ctypes.c_char_p),
    ]


class soma_records_scan_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    where: Raw | None
    page_size: int
    cursor: Raw | None
    include: Any
    min_sequence: int
    where_document: Raw | None
    order_by: Raw | None
    descending: bool
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("where", ctypes.c_char_p),
        ("page_size", ctypes.c_uint32),
        ("cursor", ctypes.c_char_p),
        ("include", ctypes.POINTER(soma_include)),
        ("min_sequence", ctypes.c_int64),
        ("where_document", ctypes.c_char_p),
        ("order_by", ctypes.c_char_p),
        ("descending", ctypes.c_bool),
    ]


class soma_records_delete_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    ids: Any
    id_count: int
    where: Raw | None
    dry_run: bool
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("ids", ctypes.POINTER(ctypes.c_char_p)),
        ("id_count", ctypes.c_size_t),
        ("where", ctypes.c_char_p),
        ("dry_run", ctypes.c_bool),
    ]


class soma_records_count_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    where: Raw | None
    min_sequence: int
    where_document: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("where", ctypes.c_char_p),
        ("min_sequence", ctypes.c_int64),
        ("where_document", ctypes.c_char_p),
    ]


class soma_records_count(ctypes.Structure):
    count: int
    sequence: int
    _fields_ = [
        ("count", ctypes.c_int64),
        ("sequence", ctypes.c_int64),
    ]


class soma_records_facet_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    key: Raw | None
    where: Raw | None
    where_document: Raw | None
    limit: int
    min_sequence: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("key", ctypes.c_char_p),
        ("where", ctypes.c_char_p),
        ("where_document", ctypes.c_char_p),
        ("limit", ctypes.c_uint32),
        ("min_sequence", ctypes.c_int64),
    ]


class soma_facet_count(ctypes.Structure):
    value: soma_metadata_field
    count: int
    _fields_ = [
        ("value", soma_metadata_field),
        ("count", ctypes.c_int64),
    ]


class soma_records_facets(ctypes.Structure):
    counts: Any
    count_count: int
    value_count: int
    matched: int
    without: int
    sequence: int
    _fields_ = [
        ("counts", ctypes.POINTER(soma_facet_count)),
        ("count_count", ctypes.c_size_t),
        ("value_count", ctypes.c_int64),
        ("matched", ctypes.c_int64),
        ("without", ctypes.c_int64),
        ("sequence", ctypes.c_int64),
    ]


class soma_fusion(ctypes.Structure):
    k: float
    vector_weight: float
    text_weight: float
    _fields_ = [
        ("k", ctypes.c_double),
        ("vector_weight", ctypes.c_double),
        ("text_weight", ctypes.c_double),
    ]


class soma_records_query_request(ctypes.Structure):
    struct_size: int
    collection: Raw | None
    embeddings: int | None
    query_count: int
    dimension: int
    k: int
    where: Raw | None
    include: Any
    max_distance: Any
    min_sequence: int
    where_document: Raw | None
    ids: Any
    texts: Any
    offset: int
    min_score: Any
    fusion: Any
    group_by: Raw | None
    group_size: int
    explain: bool
    ef: int
    exact: bool
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("collection", ctypes.c_char_p),
        ("embeddings", ctypes.c_void_p),
        ("query_count", ctypes.c_size_t),
        ("dimension", ctypes.c_uint32),
        ("k", ctypes.c_uint32),
        ("where", ctypes.c_char_p),
        ("include", ctypes.POINTER(soma_include)),
        ("max_distance", ctypes.POINTER(ctypes.c_double)),
        ("min_sequence", ctypes.c_int64),
        ("where_document", ctypes.c_char_p),
        ("ids", ctypes.POINTER(ctypes.c_char_p)),
        ("texts", ctypes.POINTER(ctypes.c_char_p)),
        ("offset", ctypes.c_uint32),
        ("min_score", ctypes.POINTER(ctypes.c_double)),
        ("fusion", ctypes.POINTER(soma_fusion)),
        ("group_by", ctypes.c_char_p),
        ("group_size", ctypes.c_uint32),
        ("explain", ctypes.c_bool),
        ("ef", ctypes.c_uint32),
        ("exact", ctypes.c_bool),
    ]


class soma_hit(ctypes.Structure):
    distance: float
    score: float
    record: soma_record
    embedding: int | None
    vector_rank: int
    text_rank: int
    text_score: float
    group: Any
    _fields_ = [
        ("distance", ctypes.c_double),
        ("score", ctypes.c_double),
        ("record", soma_record),
        ("embedding", ctypes.c_void_p),
        ("vector_rank", ctypes.c_uint32),
        ("text_rank", ctypes.c_uint32),
        ("text_score", ctypes.c_double),
        ("group", ctypes.POINTER(soma_metadata_field)),
    ]


class soma_query_result(ctypes.Structure):
    hits: Any
    hit_count: int
    short_reason: Raw | None
    _fields_ = [
        ("hits", ctypes.POINTER(soma_hit)),
        ("hit_count", ctypes.c_size_t),
        ("short_reason", ctypes.c_char_p),
    ]


class soma_query_explain(ctypes.Structure):
    records: int
    filter_source: Raw | None
    estimated_matches: int
    matches: int
    text_matches: int
    candidates: int
    rounds: int
    open_us: int
    filter_us: int
    vector_us: int
    text_us: int
    rank_us: int
    read_us: int
    _fields_ = [
        ("records", ctypes.c_int64),
        ("filter_source", ctypes.c_char_p),
        ("estimated_matches", ctypes.c_int64),
        ("matches", ctypes.c_int64),
        ("text_matches", ctypes.c_int64),
        ("candidates", ctypes.c_int64),
        ("rounds", ctypes.c_uint32),
        ("open_us", ctypes.c_int64),
        ("filter_us", ctypes.c_int64),
        ("vector_us", ctypes.c_int64),
        ("text_us", ctypes.c_int64),
        ("rank_us", ctypes.c_int64),
        ("read_us", ctypes.c_int64),
    ]


class soma_query_results(ctypes.Structure):
    results: Any
    result_count: int
    plan: Raw | None
    sequence: int
    explain: Any
    dimension: int
    _fields_ = [
        ("results", ctypes.POINTER(soma_query_result)),
        ("result_count", ctypes.c_size_t),
        ("plan", ctypes.c_char_p),
        ("sequence", ctypes.c_int64),
        ("explain", ctypes.POINTER(soma_query_explain)),
        ("dimension", ctypes.c_uint32),
    ]


class soma_scope(IntEnum):
    READ = 1
    SUBMIT = 2
    WRITE_VECTORS = 3
    ADMIN = 4


class soma_token(ctypes.Structure):
    name: Raw | None
    scopes: Any
    scope_count: int
    created_ms: int
    expires_ms: int
    last_used_ms: int
    namespace_name: Raw | None
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("scopes", ctypes.POINTER(ctypes.c_int)),
        ("scope_count", ctypes.c_size_t),
        ("created_ms", ctypes.c_int64),
        ("expires_ms", ctypes.c_int64),
        ("last_used_ms", ctypes.c_int64),
        ("namespace_name", ctypes.c_char_p),
    ]


class soma_token_create_request(ctypes.Structure):
    struct_size: int
    name: Raw | None
    secret: Raw | None
    scopes: Any
    scope_count: int
    expires_after_ms: int
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("secret", ctypes.c_char_p),
        ("scopes", ctypes.POINTER(ctypes.c_int)),
        ("scope_count", ctypes.c_size_t),
        ("expires_after_ms", ctypes.c_int64),
    ]


class soma_token_list(ctypes.Structure):
    tokens: Any
    token_count: int
    _fields_ = [
        ("tokens", ctypes.POINTER(soma_token)),
        ("token_count", ctypes.c_size_t),
    ]


class soma_token_request(ctypes.Structure):
    struct_size: int
    name: Raw | None
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
    ]


CONSTANTS = {
    "SOMA_REASON_SIZE": 40,
    "SOMA_FIELD_SIZE": 128,
    "SOMA_TEXT_SIZE": 320,
    "SOMA_REQUEST_ID_BYTES": 16,
    "SOMA_SECRET_SIZE": 72,
}

# Of each method: what it takes and what it gives.
METHODS: dict[str, tuple[Any, Any]] = {
    "collection_create": (soma_collection_create_request, soma_collection),
    "collection_get": (soma_collection_request, soma_collection),
    "collection_list": (soma_collection_list_request, soma_collection_list),
    "collection_update": (soma_collection_update_request, soma_collection),
    "collection_alias": (soma_collection_alias_request, soma_collection),
    "collection_unalias": (soma_collection_unalias_request, soma_collection_unaliased),
    "collection_clone": (soma_collection_clone_request, soma_collection),
    "collection_check": (soma_collection_check_request, soma_collection_check),
    "snapshot_read": (soma_snapshot_read_request, soma_snapshot_page),
    "snapshot_restore": (soma_snapshot_restore_request, soma_snapshot_restored),
    "collection_delete": (soma_collection_request, soma_records_deleted),
    "collection_clear": (soma_collection_request, soma_records_deleted),
    "server_ping": (soma_ping_request, soma_ping),
    "server_info": (soma_empty_request, soma_server_info),
    "server_stats": (soma_empty_request, soma_server_stats),
    "server_check": (soma_server_check_request, soma_server_check),
    "job_submit": (soma_job_spec, soma_job),
    "job_get": (soma_job_request, soma_job),
    "job_retry": (soma_job_request, soma_job),
    "job_delete": (soma_job_request, soma_job_removed),
    "job_list": (soma_job_list_request, soma_job_list),
    "job_wait": (soma_job_wait_request, soma_job),
    "job_read": (soma_job_read_request, soma_job_output),
    "job_watch": (soma_job_watch_request, soma_job_changes),
    "job_cancel": (soma_job_cancel_request, soma_job),
    "job_prune": (soma_job_prune_request, soma_job_removed),
    "job_report": (soma_job_report_request, soma_job_reported),
    "job_upload": (soma_job_upload_request, soma_job_upload),
    "job_log": (soma_job_log_request, soma_job_log),
    "job_input": (soma_job_input_request, soma_job_input),
    "job_artifacts": (soma_job_artifacts_request, soma_job_artifacts),
    "job_artifact_read": (soma_job_artifact_read_request, soma_job_artifact_piece),
    "queue_list": (soma_queue_list_request, soma_queue_list),
    "queue_get": (soma_queue_request, soma_queue),
    "queue_update": (soma_queue_update_request, soma_queue),
    "records_upsert": (soma_records_write_request, soma_records_written),
    "records_insert": (soma_records_write_request, soma_records_written),
    "records_update": (soma_records_write_request, soma_records_written),
    "records_get": (soma_records_get_request, soma_records),
    "records_scan": (soma_records_scan_request, soma_records),
    "records_delete": (soma_records_delete_request, soma_records_deleted),
    "records_count": (soma_records_count_request, soma_records_count),
    "records_facet": (soma_records_facet_request, soma_records_facets),
    "records_query": (soma_records_query_request, soma_query_results),
    "token_create": (soma_token_create_request, soma_token),
    "token_list": (soma_empty_request, soma_token_list),
    "token_revoke": (soma_token_request, soma_token),
}
