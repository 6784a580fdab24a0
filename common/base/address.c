#include "base/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IPC            "ipc://"
#define MACHINE_SERVER IPC "/run/soma/somad.sock"

static bool print(char *ret_text, size_t size, const char *before, const char *folder,
                  const char *after)
{
    int length = snprintf(ret_text, size, "%s%s%s", before, folder, after);
    return length >= 0 && (size_t)length < size;
}

// A variable that names an absolute path; the XDG specification wants others ignored.
static const char *folder_of(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] == '/' ? value : NULL;
}

bool address_default_data(char *ret_path, size_t size)
{
    if (geteuid() == 0)
        return print(ret_path, size, "", "/var/lib/soma", "");
    const char *folder = folder_of("XDG_DATA_HOME");
    if (folder)
        return print(ret_path, size, "", folder, "/soma");
    folder = folder_of("HOME");
    return folder && print(ret_path, size, "", folder, "/.local/share/soma");
}

bool address_default_server(char *ret_url, size_t size)
{
    if (geteuid() == 0)
        return print(ret_url, size, "", MACHINE_SERVER, "");
    const char *folder = folder_of("XDG_RUNTIME_DIR");
    if (folder)
        return print(ret_url, size, IPC, folder, "/soma/somad.sock");
    char data[256];
    return address_default_data(data, sizeof data) &&
           print(ret_url, size, IPC, data, "/somad.sock");
}

bool address_find_server(char *ret_url, size_t size)
{
    const char *machine = MACHINE_SERVER;
    bool is_known = address_default_server(ret_url, size);
    if (is_known && access(ret_url + strlen(IPC), F_OK) == 0)
        return true;
    if (access(machine + strlen(IPC), R_OK | W_OK) == 0)
        return print(ret_url, size, "", machine, "");
    return is_known;
}
