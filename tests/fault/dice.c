#include "dice.h"

// SplitMix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
static uint64_t next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void dice_init(struct dice *dice, uint64_t seed, uint64_t stream)
{
    dice->state = seed;
    dice->state = next(dice) + stream;
}

uint32_t dice_below(struct dice *dice, uint32_t below)
{
    return (uint32_t)(next(dice) >> 32) % below;
}
