// The two clocks, as two types so that they are never mixed, behind one seam for tests.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

// Milliseconds since 1970-01-01 UTC; may jump. What is stored and shown.
struct wall_time {
    int64_t ms;
};

// Milliseconds of CLOCK_BOOTTIME; never jumps, counts while the machine sleeps. What deadlines are
// made of.
struct mono_time {
    int64_t ms;
};

struct wall_time clock_wall_now(void);
struct mono_time clock_mono_now(void);

// Microseconds of the same clock as clock_mono_now; for measuring how long something took.
int64_t clock_mono_us(void);

// now + timeout_ms, saturating.
struct mono_time clock_deadline_after(int64_t timeout_ms);

// What is left until the deadline, milliseconds, never below 0.
int64_t clock_left_ms(struct mono_time deadline);

// A deadline that never comes.
#define MONO_NEVER ((struct mono_time){INT64_MAX})

// Tests put their own clocks here; NULL: the machine's. Not to be changed while other threads read
// them.
struct clock_source {
    int64_t (*wall_ms)(void);
    int64_t (*mono_ms)(void);
};
void clock_use(const struct clock_source *source);

#endif
