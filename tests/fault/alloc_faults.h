// Allocations of a server that fail when a test says so. They share a page of memory, a file that
// the server finds by this variable.
#ifndef TESTS_ALLOC_FAULTS_H
#define TESTS_ALLOC_FAULTS_H

#include <stdatomic.h>

#define ALLOC_FAULTS_VARIABLE "SOMA_FAULT_ALLOCATIONS"

struct alloc_faults {
    atomic_int countdown; // the allocation that fails, from now; 0 or below: none does
    atomic_int failed;    // how many have
};

#endif
