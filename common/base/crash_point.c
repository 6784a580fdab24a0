#include "base/crash_point.h"

void crash_point(enum crash_point point)
{
    (void)point;
}
