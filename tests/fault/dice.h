// Chance that can be had again: one seed, printed at the start, decides all choices of a run. What
// the machine's scheduler makes of them is its own.
#ifndef TESTS_DICE_H
#define TESTS_DICE_H

#include <stdint.h>

struct dice {
    uint64_t state;
};

// Streams of one seed are independent of each other.
void dice_init(struct dice *dice, uint64_t seed, uint64_t stream);
// 0 to below - 1.
uint32_t dice_below(struct dice *dice, uint32_t below);

#endif
