// The server's configuration file.
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/somad.conf", fuzz_directory());
    fuzz_write(path, bytes, length);
    char *arguments[] = {(char *)"somad", (char *)"--config", path, NULL};
    struct config config;
    enum config_action action;
    struct soma_error err = {0};
    enum soma_code code = config_load(3, arguments, &config, &action, &err);
    MUST(code == SOMA_OK || err.reason[0]);
    config_fini(&config);
    return 0;
}
