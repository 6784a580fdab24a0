// Tests of the real programs as an ordinary user, where root runs them with --as-user.
#ifndef TESTS_USER_KIT_H
#define TESTS_USER_KIT_H

#include <stdbool.h>

enum {
    KIT_UID = 12345 // also who jobs run as where root tests the runner
};

// Whether the arguments say so, and there is something to change.
bool user_is_wanted(int argc, char **argv);
// Makes an executable copy: the build may lie where the other user cannot go.
void user_copy_program(const char *from, const char *to);
// Gives the directory to KIT_UID and becomes that user, for ever.
void user_become(const char *directory);

#endif
