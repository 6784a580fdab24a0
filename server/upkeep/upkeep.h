// What an operator does with a data directory, besides running a server on it: look whether it is
// sound, copy it, bring a copy back. somad --check, --backup and --restore.
#ifndef UPKEEP_UPKEEP_H
#define UPKEEP_UPKEEP_H

#include <stdint.h>

#include "base/error.h"

// Prints a line on stdout for each thing that is wrong, in the database, in the collections beside
// it or in the directories of jobs, and how many there were. What is kept is not changed (files
// that can be made again may be). No server runs on the directory. CONFIG_INVALID where its schema
// is an older one.
enum soma_code upkeep_check(const char *data_directory, int64_t *ret_found, struct soma_error *err);

// Writes all that a data directory cannot be without into a tar archive (pax), which must not be
// there yet; "-" is stdout. Until it is whole its name ends in ".partial". DATA_DIRECTORY_IN_USE
// where another backup is being made of it. A server may be running: the database is copied as it
// is at one moment, then the uploads that jobs wait for and the files that they left. Not in it:
// work directories, indexes, which are built again, and the key of running jobs' tokens.
enum soma_code upkeep_backup(const char *data_directory, const char *file, struct soma_error *err);

// Makes a data directory, which must not be there yet or be empty, from an archive; "-" is stdin.
// All of it, or nothing: soma.db is the last to come, and what a restore left that was cut short is
// removed by the next one. What ran at the time of the backup is found LOST by the next server.
// DATA_DAMAGED where the archive is no backup, is cut short or holds what none can;
// SCHEMA_TOO_NEW.
enum soma_code upkeep_restore(const char *data_directory, const char *file, struct soma_error *err);

#endif
