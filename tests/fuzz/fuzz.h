// One target of the fuzzer: any bytes in, nothing may crash, leak or hang.
//
// `./dev fuzz` links a target with libFuzzer; in all other builds replay.c gives it the files of
// corpus/NAME, as a plain test.
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// Gives 0; libFuzzer knows it by this name.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

// What must hold, in every build.
#define MUST(condition) ((condition) ? (void)0 : abort())

// A scratch directory for targets that read files; made once, removed at the exit.
const char *fuzz_directory(void);

// Makes the file, in a directory that is there, hold the bytes.
void fuzz_write(const char *path, const uint8_t *bytes, size_t length);

#endif
