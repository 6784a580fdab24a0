// Places at which a test ends the process, as a kill or a power cut might
// (tests/fault/test_points.c). In the programs that are installed nothing happens there.
#ifndef BASE_CRASH_POINT_H
#define BASE_CRASH_POINT_H

enum crash_point {
#define CRASH_POINT(NAME, TEXT) CRASH_##NAME,
#include "base/crash_points.def"
#undef CRASH_POINT
    CRASH_POINTS
};

// From any thread. The test's own somad has another one in its place.
void crash_point(enum crash_point point);

#endif
