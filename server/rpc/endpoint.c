#include "rpc/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "tls/tls.h"

static enum soma_code invalid(struct soma_error *err, const char *url, const char *why)
{
    return error_set(err, REASON_CONFIG_INVALID, "listen", "cannot listen on '%s': %s", url, why);
}

static enum soma_code make_folder(const char *path, struct soma_error *err)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return SOMA_OK;
    *slash = '\0';
    return directory_make_all(folder, 0700, err);
}

static enum soma_code lock(struct endpoint *endpoint, const char *path, struct soma_error *err)
{
    char name[ENDPOINT_URL_SIZE + 8];
    snprintf(name, sizeof name, "%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", name);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        return invalid(err, endpoint->url, "another server listens there");
    }
    endpoint->lock_fd = fd;
    return SOMA_OK;
}

static enum soma_code prepare_ipc(struct endpoint *endpoint, bool is_locked_already,
                                  struct soma_error *err)
{
    const char *path = endpoint->url + strlen("ipc://");
    struct stat info;
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return invalid(err, endpoint->url, "a socket's path has at most 107 bytes");
    endpoint->is_ipc = true;
    enum soma_code code = is_locked_already ? SOMA_OK : make_folder(path, err);
    if (code == SOMA_OK && !is_locked_already)
        code = lock(endpoint, path, err);
    if (code != SOMA_OK)
        return code;
    if (lstat(path, &info) == 0 && !S_ISSOCK(info.st_mode)) {
        endpoint_close(endpoint);
        return invalid(err, endpoint->url, "the path exists and is no socket");
    }
    return SOMA_OK;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

// Whether the host of "HOST:PORT" is this machine, by its number or as "localhost": another name
// that looks like one may resolve to anything.
static bool is_loopback(const char *host)
{
    char name[INET_ADDRSTRLEN];
    size_t length = strcspn(host, ":/");
    struct in_addr address;
    if (starts_with(host, "localhost:") || starts_with(host, "[::1]:"))
        return true;
    if (length >= sizeof name)
        return false;
    memcpy(name, host, length);
    name[length] = '\0';
    return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

// Whether ":PORT" stands behind the host, and nothing or a path behind that.
static bool has_port(const char *host)
{
    const char *colon = strchr(host[0] == '[' ? host + strcspn(host, "]") : host, ':');
    char *end;
    if (!colon || colon[1] < '0' || colon[1] > '9')
        return false;
    long port = strtol(colon + 1, &end, 10);
    return port <= 65535 && (*end == '\0' || *end == '/');
}

static enum soma_code check_network(const char *url, bool leaves_host, struct soma_error *err)
{
    const char *host = strstr(url, "://") + 3;
    if (tls_is_address(url) && !tls_is_built())
        return invalid(err, url, "this somad is built without TLS");
    if (!has_port(host))
        return invalid(err, url, "a port is needed, 0 (any) to 65535");
    if (!leaves_host && !is_loopback(host))
        return invalid(err, url,
                       "only loopback addresses, as what goes further can be read on the way: "
                       "tls+tcp:// and wss:// may, and 'insecure = on' allows it");
    return SOMA_OK;
}

enum soma_code endpoint_open(const char *url, bool is_locked_already, bool leaves_host,
                             struct endpoint *ret_endpoint, struct soma_error *err)
{
    struct endpoint endpoint = {
        .lock_fd = -1, .is_ws = starts_with(url, "ws"), .is_tls = tls_is_address(url)};
    endpoint.is_network = !starts_with(url, "ipc:") && !starts_with(url, "inproc:");
    if (strlen(url) >= sizeof endpoint.url)
        return invalid(err, url, "the address is too long");
    snprintf(endpoint.url, sizeof endpoint.url, "%s", url);
    enum soma_code code = SOMA_OK;
    if (starts_with(url, "ipc:///"))
        code = prepare_ipc(&endpoint, is_locked_already, err);
    else if (starts_with(url, "tcp://") || starts_with(url, "ws://"))
        code = check_network(url, leaves_host, err);
    else if (starts_with(url, "tls+tcp://") || starts_with(url, "wss://"))
        code = check_network(url, true, err);
    else if (!starts_with(url, "inproc://"))
        code = invalid(
            err, url,
            "an address is ipc:///PATH, tcp://HOST:PORT, ws://HOST:PORT/PATH, the same with "
            "tls+tcp or wss, or inproc://NAME");
    if (code == SOMA_OK)
        *ret_endpoint = endpoint;
    return code;
}

void endpoint_close(struct endpoint *endpoint)
{
    if (endpoint->lock_fd >= 0)
        close(endpoint->lock_fd);
    endpoint->lock_fd = -1;
}
