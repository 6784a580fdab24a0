// Room kept on the disk for removals: where it is full, nothing but a removal can make it emptier,
// and a removal has to be written first. A file that holds blocks and no data, given up for such
// writes and taken again when there is room.
#ifndef STORE_BALLAST_H
#define STORE_BALLAST_H

#include <stdbool.h>

enum {
    BALLAST_BYTES = 4194304,
    BALLAST_SHARE = 16 // taken only where so many times as much is free
};

struct ballast {
    int fd; // -1: none can be had here
    bool is_held;
};

// "soma.ballast" in the directory.
void ballast_open(struct ballast *ballast, const char *directory);
void ballast_close(struct ballast *ballast);

// Takes the room where it is not held and there is enough. Cheap where it is held.
void ballast_take(struct ballast *ballast);

// Gives it up; false: it was not held.
bool ballast_drop(struct ballast *ballast);

#endif
