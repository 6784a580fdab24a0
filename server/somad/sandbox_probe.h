// What stands around jobs on this machine, found by running one that does nothing.
#ifndef SOMAD_SANDBOX_PROBE_H
#define SOMAD_SANDBOX_PROBE_H

#include "config/config.h"
#include "jobs/attempt.h"
#include "jobs/sandbox.h"

enum {
    PROBE_TEXT_SIZE = 2048
};

// Reads the configuration's keys about the sandbox. CONFIG_INVALID. The texts are the
// configuration's.
enum soma_code sandbox_configure(const struct config *config, const char *data_directory,
                                 struct sandbox_settings *ret_settings, struct soma_error *err);

// Tries, by real attempts below the root, until one succeeds: namespaces, then Landlock and seccomp
// alone. Fills reach, is_complete, why and cgroups; ret_text gets the layers of a job that asks for
// all limits, lines "+name detail" and "-name detail". Blocks for as long as the attempts take, a
// few seconds at most each.
void sandbox_probe(const char *runner_path, const struct attempt_root *root,
                   const struct order_settings *order, struct sandbox_settings *settings,
                   char ret_text[PROBE_TEXT_SIZE]);

#endif
