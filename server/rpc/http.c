#include "rpc/http.h"

#include <arpa/inet.h>
#include <nng/nng.h>
#include <nng/supplemental/http/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum {
    PAGES_MAX = 8
};

// What a handler of nng gets.
struct served {
    struct http_server *server;
    const struct http_page *page;
};

struct http_server {
    nng_http_server *nng;
    nng_url *url;
    bool is_started;
    struct workers *workers;
    void *user;
    struct served served[PAGES_MAX];
    char address[HTTP_ADDRESS_SIZE];
};

// A request on its way through a worker.
struct request {
    const struct served *served;
    nng_aio *aio;
};

static enum soma_code refuse(struct soma_error *err, const char *address, const char *why)
{
    return error_set(err, REASON_CONFIG_INVALID, "http", "cannot serve http on '%.80s': %s",
                     address, why);
}

static int fill(nng_http_res *response, const struct http_page *page,
                const struct http_answer *answer)
{
    int result = nng_http_res_set_status(response, (uint16_t)answer->status);
    if (result == 0)
        result = nng_http_res_set_header(response, "Content-Type", page->content_type);
    if (result == 0)
        result = nng_http_res_set_header(response, "Cache-Control", "no-store");
    if (result == 0)
        result = nng_http_res_copy_data(response, answer->text, answer->length);
    return result;
}

static void send_answer(const struct served *served, nng_aio *aio, struct http_answer *answer)
{
    static char nothing[] = "busy\n";
    nng_http_res *response = NULL;
    struct http_answer busy = {HTTP_UNAVAILABLE, nothing, sizeof nothing - 1};
    int result = nng_http_res_alloc(&response);
    if (result == 0)
        result = fill(response, served->page, answer->text ? answer : &busy);
    free(answer->text);
    if (result == 0)
        nng_aio_set_output(aio, 0, response);
    else if (response)
        nng_http_res_free(response);
    nng_aio_finish(aio, result);
}

static void answer_now(const struct served *served, nng_aio *aio)
{
    struct http_answer answer = {.status = HTTP_UNAVAILABLE};
    served->page->answer(served->server->user, &answer);
    send_answer(served, aio, &answer);
}

static void answer_on_worker(void *argument)
{
    struct request request = *(struct request *)argument;
    free(argument);
    answer_now(request.served, request.aio);
}

static void serve(nng_aio *aio)
{
    const struct served *served = nng_http_handler_get_data(nng_aio_get_input(aio, 1));
    if (!served->page->is_slow) {
        answer_now(served, aio);
        return;
    }
    struct request *request = malloc(sizeof *request);
    if (request) {
        *request = (struct request){served, aio};
        if (workers_try(served->server->workers, answer_on_worker, request))
            return;
    }
    free(request);
    struct http_answer none = {.status = HTTP_UNAVAILABLE};
    send_answer(served, aio, &none);
}

static int add_page(struct http_server *server, struct served *served)
{
    nng_http_handler *handler;
    int result = nng_http_handler_alloc(&handler, served->page->path, serve);
    if (result != 0)
        return result;
    result = nng_http_handler_set_method(handler, "GET");
    if (result == 0)
        result = nng_http_handler_collect_body(handler, true, 0);
    if (result == 0)
        result = nng_http_handler_set_data(handler, served, NULL);
    if (result == 0)
        result = nng_http_server_add_handler(server->nng, handler);
    if (result != 0)
        nng_http_handler_free(handler);
    return result;
}

// Whether it is HOST:PORT, a host in brackets where it has colons.
static bool is_address(const char *address)
{
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (!colon || colon == address || strlen(address) >= HTTP_ADDRESS_SIZE - 8 ||
        !text_is_of(address, "a-zA-Z0-9.:[]-") || !text_to_int64(colon + 1, 0, 65535, &port))
        return false;
    return memchr(address, ':', (size_t)(colon - address)) == NULL ||
           (address[0] == '[' && colon[-1] == ']');
}

static void learn_address(struct http_server *server, const char *address)
{
    nng_sockaddr bound;
    int host_length = (int)(strrchr(address, ':') - address);
    unsigned port = 0;
    if (nng_http_server_get_addr(server->nng, &bound) == 0)
        port = ntohs(bound.s_family == NNG_AF_INET6 ? bound.s_in6.sa_port : bound.s_in.sa_port);
    snprintf(server->address, sizeof server->address, "%.*s:%u", host_length, address, port);
}

static int start(struct http_server *server, const char *address, const struct http_page *pages,
                 void *user)
{
    char url[HTTP_ADDRESS_SIZE + 8];
    snprintf(url, sizeof url, "http://%s", address);
    server->user = user;
    int result = nng_url_parse(&server->url, url);
    if (result == 0)
        result = nng_http_server_hold(&server->nng, server->url);
    for (size_t i = 0; result == 0 && i < PAGES_MAX && pages[i].path; i++) {
        server->served[i] = (struct served){server, &pages[i]};
        result = add_page(server, &server->served[i]);
    }
    if (result == 0)
        result = nng_http_server_start(server->nng);
    server->is_started = result == 0;
    return result;
}

enum soma_code http_open(const char *address, const struct http_page *pages, void *user,
                         struct workers *workers, struct http_server **ret_server,
                         struct soma_error *err)
{
    if (!is_address(address))
        return refuse(err, address, "an address is HOST:PORT, as 127.0.0.1:9464");
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set_no_memory(err);
    server->workers = workers;
    int result = start(server, address, pages, user);
    if (result != 0) {
        http_close(server);
        return refuse(err, address, nng_strerror(result));
    }
    learn_address(server, address);
    *ret_server = server;
    return SOMA_OK;
}

const char *http_address(const struct http_server *server)
{
    return server->address;
}

void http_close(struct http_server *server)
{
    if (!server)
        return;
    if (server->is_started)
        nng_http_server_stop(server->nng);
    if (server->nng)
        nng_http_server_release(server->nng);
    if (server->url)
        nng_url_free(server->url);
    free(server);
}
