// The first entry of an archive: what it is, and who made it. A file of fields (base/fields.h).
// Since version 2 an empty last one says that nothing is missing before it: a tar archive that was
// cut between two entries looks like a whole one.
#ifndef UPKEEP_MANIFEST_H
#define UPKEEP_MANIFEST_H

#define MANIFEST_NAME "soma-backup"
#define END_NAME      "end"
#define DATABASE_NAME "soma.db"
#define JOBS_NAME     "jobs"
#define UPLOADS_NAME  "uploads" // in jobs
#define BOOT_NAME     "boot"

enum {
    MANIFEST_VERSION = 2, // 1: without an end
    MANIFEST_VERSION_FIRST = 1,
    MANIFEST_VERSION_WITH_END = 2,
    MANIFEST_BYTES_MAX = 4096,
    BLOCK_BYTES = 65536
};

#endif
