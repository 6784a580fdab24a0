/* The smallest user of libsoma: no server is there, and it is told so. Prints the version. */
#include <soma/soma.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client *client;
    struct soma_error err = {.code = SOMA_OK};
    options.server = "ipc:///nonexistent/soma";
    options.connect_timeout_ms = 50;
    if (soma_client_open(&options, &client, &err) != SOMA_OK) {
        fprintf(stderr, "open: %s\n", err.text);
        return 1;
    }
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_ping *pong = NULL;
    enum soma_code code = soma_server_ping(client, &request, NULL, &pong, &err);
    soma_free(pong);
    soma_client_close(client);
    if (code != SOMA_UNAVAILABLE) {
        fprintf(stderr, "ping: code %d, %s\n", (int)code, err.text);
        return 1;
    }
    printf("%s\n", soma_version());
    return strcmp(soma_version(), EXPECTED_VERSION) == 0 ? 0 : 1;
}
