#include "runner/seccomp_filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum when {
    ALWAYS,
    UNNESTED
};

static const struct denial {
    enum when when;
    int number; // negative: not on this architecture
    int errnum;
} denials[] = {
#define DENY(when, name, errnum) {when, SCMP_SYS(name), errnum},
#include "runner/syscalls.def"
#undef DENY
};

// CLONE_NEWTIME lies in the byte of the exit signal, where clone has no such flag.
static const unsigned long namespace_flags[] = {CLONE_NEWNS,    CLONE_NEWUTS, CLONE_NEWIPC,
                                                CLONE_NEWUSER,  CLONE_NEWPID, CLONE_NEWNET,
                                                CLONE_NEWCGROUP};

enum {
    PUSH_INPUT = 0x5412, // TIOCSTI: types into a terminal
    CONSOLE = 0x541c     // TIOCLINUX
};

static int add_denials(scmp_filter_ctx filter, const struct seccomp_wish *wish)
{
    for (size_t i = 0; i < sizeof denials / sizeof denials[0]; i++) {
        const struct denial *denial = &denials[i];
        if (denial->number < 0 || (denial->when == UNNESTED && wish->is_nested))
            continue;
        int result =
            seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)denial->errnum), denial->number, 0);
        if (result)
            return result;
    }
    return 0;
}

static int add_namespaces(scmp_filter_ctx filter)
{
    int result = 0;
    for (size_t i = 0; !result && i < sizeof namespace_flags / sizeof namespace_flags[0]; i++) {
        unsigned long flag = namespace_flags[i];
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
    }
    return result;
}

static int add_terminals(scmp_filter_ctx filter)
{
    static const unsigned requests[] = {PUSH_INPUT, CONSOLE};
    int result = 0;
    // The kernel looks at the lower half alone.
    for (size_t i = 0; !result && i < sizeof requests / sizeof requests[0]; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, requests[i]));
    return result;
}

static int add_sockets(scmp_filter_ctx filter, const struct seccomp_wish *wish)
{
    if (wish->has_network)
        return 0;
    const uint32_t refused = SCMP_ACT_ERRNO(EACCES);
    if (!wish->has_unix)
        return seccomp_rule_add(filter, refused, SCMP_SYS(socket), 0);
    return seccomp_rule_add(filter, refused, SCMP_SYS(socket), 1,
                            SCMP_A0_32(SCMP_CMP_NE, AF_UNIX, 0));
}

int seccomp_filter_apply(const struct seccomp_wish *wish)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return ENOMEM;
    // Calls in another convention (32 bit on a 64-bit machine) have other numbers.
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (!result)
        result = add_denials(filter, wish);
    if (!result)
        result = add_namespaces(filter);
    if (!result)
        result = add_terminals(filter);
    if (!result)
        result = add_sockets(filter, wish);
    if (!result)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return -result;
}
