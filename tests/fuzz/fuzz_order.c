// The order of an attempt, as the runner reads it.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fuzz.h"
#include "runner/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static char path[64];
    static int directory_fd = -1;
    if (directory_fd < 0)
        directory_fd = open(fuzz_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/order", fuzz_directory());
    fuzz_write(path, bytes, length);
    struct order order;
    struct soma_error err = {0};
    if (order_read(directory_fd, &order, &err) != SOMA_OK) {
        MUST(err.reason[0]);
        return 0;
    }
    MUST(order.argc > 0 && order.argv[order.argc] == NULL && order.env[order.envc] == NULL);
    order_fini(&order);
    return 0;
}
