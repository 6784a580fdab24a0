// A server that kills itself where a test says so. They share a page of memory, a file that the
// server finds by this variable.
#ifndef TESTS_CRASH_FAULTS_H
#define TESTS_CRASH_FAULTS_H

#include <stdatomic.h>

#define CRASH_FAULTS_VARIABLE "SOMA_FAULT_CRASH"

struct crash_faults {
    atomic_int point;     // of base/crash_points.def
    atomic_int countdown; // the passing of it that is the last, from now; 0 or below: none is
};

#endif
