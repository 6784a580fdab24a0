#include "somad/enforcement.h"

#include <string.h>

enum {
    ROWS_MAX = 32
};

static struct server_enforcement rows[ROWS_MAX];

void enforcement_tell(char *lines, struct server_facts *facts)
{
    size_t count = 0;
    for (char *line; lines && *lines && count < ROWS_MAX;) {
        line = strsep(&lines, "\n");
        char *detail = strchr(line, ' ');
        if (!detail)
            continue;
        *detail = '\0';
        rows[count++] = (struct server_enforcement){line + 1, line[0] == '+', detail + 1};
    }
    facts->enforcement = rows;
    facts->enforcement_count = count;
}
