#include "somad/enforcement.h"

#include <stdio.h>
#include <unistd.h>

static char user_detail[96];

// What soma-runner does to every job, and what it leaves open.
static struct server_enforcement rows[] = {
    {"tree_kill", true, "subreaper: every descendant is found and killed"},
    {"user", false, user_detail},
    {"environment", true, "made anew; no descriptors are inherited"},
    {"privileges", true, "no_new_privs: set-user-id programs gain nothing"},
    {"output_cap", true, "per stream; what comes after is read, dropped and counted"},
    {"wall_time", true, "TERM, grace, KILL"},
    {"filesystem", false, "a job sees what its user may see"},
    {"network", false, "a job has the machine's network"},
    {"memory", false, "not limited"},
    {"cpu_time", false, "not limited"},
    {"processes", false, "not limited"},
};

enum {
    USER_ROW = 1
};

void enforcement_tell(const char *job_user, struct server_facts *facts)
{
    bool is_root = geteuid() == 0;
    rows[USER_ROW].enforced = is_root;
    if (is_root)
        snprintf(user_detail, sizeof user_detail, "jobs run as %.60s, not as the server", job_user);
    else
        snprintf(user_detail, sizeof user_detail, "jobs run as the server's own user");
    facts->enforcement = rows;
    facts->enforcement_count = sizeof rows / sizeof rows[0];
}
