#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t machine_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t machine_wall_ms(void)
{
    return machine_ms(CLOCK_REALTIME);
}

static int64_t machine_mono_ms(void)
{
    return machine_ms(CLOCK_BOOTTIME);
}

static const struct clock_source machine_source = {machine_wall_ms, machine_mono_ms};
static const struct clock_source *current_source = &machine_source;

void clock_use(const struct clock_source *source)
{
    current_source = source ? source : &machine_source;
}

struct wall_time clock_wall_now(void)
{
    return (struct wall_time){current_source->wall_ms()};
}

struct mono_time clock_mono_now(void)
{
    return (struct mono_time){current_source->mono_ms()};
}

int64_t clock_mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct mono_time clock_deadline_after(int64_t timeout_ms)
{
    struct mono_time deadline;
    if (__builtin_add_overflow(clock_mono_now().ms, timeout_ms, &deadline.ms))
        return MONO_NEVER;
    return deadline;
}

int64_t clock_left_ms(struct mono_time deadline)
{
    int64_t now = clock_mono_now().ms;
    return deadline.ms > now ? deadline.ms - now : 0;
}
