// The first entry of an archive: what it is, and who made it. A file of fields (base/fields.h).
#ifndef UPKEEP_MANIFEST_H
#define UPKEEP_MANIFEST_H

#define MANIFEST_NAME "soma-backup"
#define DATABASE_NAME "soma.db"
#define JOBS_NAME     "jobs"
#define BOOT_NAME     "boot"

enum {
    MANIFEST_VERSION = 1,
    MANIFEST_BYTES_MAX = 4096,
    BLOCK_BYTES = 65536
};

#endif
