#include "somad/listeners.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

// Some of the configuration's addresses, and which ones they are.
struct selection {
    const char *urls[LISTENER_URLS_MAX];
    size_t places[LISTENER_URLS_MAX];
    size_t count;
};

static bool is_local(const char *url)
{
    return strncmp(url, "ipc://", strlen("ipc://")) == 0 ||
           strncmp(url, "inproc://", strlen("inproc://")) == 0;
}

static void add(struct selection *selection, const char *url, size_t place)
{
    selection->places[selection->count] = place;
    selection->urls[selection->count++] = url;
}

static enum soma_code open_some(struct listeners *listeners, const struct selection *selection,
                                struct listener_options options, struct dispatcher *dispatcher,
                                struct parking *parking, struct listener **ret_listener,
                                struct soma_error *err)
{
    if (selection->count == 0)
        return SOMA_OK;
    options.urls = selection->urls;
    options.url_count = selection->count;
    enum soma_code code = listener_open(&options, dispatcher, parking, ret_listener, err);
    for (size_t i = 0; i < selection->count && code == SOMA_OK; i++)
        listeners->urls[selection->places[i]] = listener_url(*ret_listener, i);
    return code;
}

static void join_addresses(struct listeners *listeners, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(listeners->addresses + used, sizeof listeners->addresses - used,
                                 "%s%s", i ? " " : "", listeners->urls[i]);
}

static enum soma_code read_insecure(const struct config *config, bool *ret_insecure,
                                    struct soma_error *err)
{
    *ret_insecure = strcmp(config->insecure, "on") == 0;
    if (*ret_insecure || strcmp(config->insecure, "off") == 0)
        return SOMA_OK;
    return error_set(err, REASON_CONFIG_INVALID, "insecure", "'%.60s' is neither on nor off",
                     config->insecure);
}

static struct tls_files tls_files_of(const struct config *config)
{
    return (struct tls_files){.ca = config->tls_client_ca,
                              .certificate = config->tls_certificate,
                              .key = config->tls_key};
}

enum soma_code listeners_reload(struct listeners *listeners, const struct config *config,
                                struct soma_error *err)
{
    const struct tls_files files = tls_files_of(config);
    struct listener *const all[] = {listeners->owner, listeners->network};
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < 2 && code == SOMA_OK; i++) {
        if (all[i])
            code = listener_reload(all[i], &files, err);
    }
    return code;
}

enum soma_code listeners_open(struct listeners *listeners, const struct config *config,
                              struct dispatcher *dispatcher, struct parking *parking,
                              struct soma_error *err)
{
    struct selection owner = {.count = 0}, network = {.count = 0};
    bool is_insecure;
    enum soma_code code = read_insecure(config, &is_insecure, err);
    if (code == SOMA_OK && (config->listen.count == 0 || config->listen.count > LISTENER_URLS_MAX))
        code = error_set(err, REASON_CONFIG_INVALID, "listen", "between 1 and %d addresses",
                         LISTENER_URLS_MAX);
    if (code != SOMA_OK)
        return code;
    for (size_t i = 0; i < config->listen.count; i++) {
        const char *url = config->listen.items[i];
        bool is_open = is_local(url) || is_insecure;
        if (is_open && !is_local(url))
            log_warning("INSECURE", "whoever reaches %s may call everything, run code included",
                        url);
        add(is_open ? &owner : &network, url, i);
    }
    const struct tls_files files = tls_files_of(config);
    const struct listener_options open = {
        .ipc_mode = (mode_t)config->socket_mode, .leaves_host = is_insecure, .tls = &files};
    const struct listener_options asking = {.asks_who = true, .tls = &files};
    code = open_some(listeners, &owner, open, dispatcher, parking, &listeners->owner, err);
    if (code == SOMA_OK)
        code =
            open_some(listeners, &network, asking, dispatcher, parking, &listeners->network, err);
    if (code == SOMA_OK)
        join_addresses(listeners, config->listen.count);
    return code;
}

enum soma_code listeners_open_door(struct listeners *listeners, const struct door *door,
                                   const struct order_settings *order,
                                   struct dispatcher *dispatcher, struct parking *parking,
                                   struct soma_error *err)
{
    const char *urls[] = {door->url};
    const struct listener_options options = {
        .urls = urls,
        .url_count = 1,
        .ipc_mode = 0600,
        .asks_who = true,
        .is_locked_already = true,
    };
    if (!order->door)
        return SOMA_OK;
    enum soma_code code = listener_open(&options, dispatcher, parking, &listeners->jobs, err);
    if (code == SOMA_OK && order->changes_user)
        code = door_give_to(door, order->uid, order->gid, err);
    return code;
}

void listeners_close(struct listeners *listeners, int64_t wait_ms)
{
    listener_close(listeners->jobs, wait_ms);
    listener_close(listeners->network, wait_ms);
    listener_close(listeners->owner, wait_ms);
}
