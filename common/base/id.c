#include "base/id.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum {
    TIME_CHARACTERS = 10,
    RANDOM_CHARACTERS = 10,
    BITS = 5
};

void random_bytes(void *ret_bytes, size_t count)
{
    unsigned char *at = ret_bytes;
    while (count > 0) {
        ssize_t got = getrandom(at, count, 0);
        if (got < 0)
            continue; // EINTR only: the pointer is good and the pool is up long before a server
                      // runs
        at += got;
        count -= (size_t)got;
    }
}

static void put_base32(char *text, uint64_t value, int characters)
{
    for (int i = characters - 1; i >= 0; i--) {
        text[i] = alphabet[value & 31];
        value >>= BITS;
    }
}

void id_make(char ret_id[ID_SIZE])
{
    uint64_t noise;
    random_bytes(&noise, sizeof noise);
    put_base32(ret_id, (uint64_t)clock_wall_now().ms, TIME_CHARACTERS);
    put_base32(ret_id + TIME_CHARACTERS, noise, RANDOM_CHARACTERS);
    ret_id[ID_LENGTH] = '\0';
}

void request_id_make(uint8_t ret_id[REQUEST_ID_SIZE])
{
    enum {
        TIME_BYTES = 6
    };
    uint64_t now = (uint64_t)clock_wall_now().ms;
    for (int i = TIME_BYTES - 1; i >= 0; i--, now >>= 8)
        ret_id[i] = (uint8_t)now;
    random_bytes(ret_id + TIME_BYTES, REQUEST_ID_SIZE - TIME_BYTES);
}

bool id_is_valid(const char *text)
{
    return strlen(text) == ID_LENGTH && strspn(text, alphabet) == ID_LENGTH;
}
