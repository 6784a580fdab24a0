#include "runner/title.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static struct {
    char *start;
    size_t size;
} room;

void title_init(int argc, char **argv, char **environment)
{
    // Linux lays all these strings down one behind the other.
    char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
    for (; *environment && *environment == end; environment++)
        end += strlen(end) + 1;
    room.start = argv[0];
    room.size = (size_t)(end - argv[0]);
}

void title_set(const char *text)
{
    if (!room.start)
        return;
    memset(room.start, 0, room.size);
    snprintf(room.start, room.size, "soma-runner %s", text);
}
