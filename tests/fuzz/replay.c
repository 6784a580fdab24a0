// Gives a fuzz target every file of the directories that are named: what the fuzzer once found
// stays found.
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum {
    INPUT_BYTES_MAX = 1 << 20
};

static bool replay_file(const char *path)
{
    // Of its exact size, so that a sanitizer sees a read past the end.
    FILE *file = fopen(path, "rb");
    static uint8_t buffer[INPUT_BYTES_MAX];
    if (!file)
        return false;
    size_t length = fread(buffer, 1, sizeof buffer, file);
    bool failed = ferror(file);
    fclose(file);
    uint8_t *exact = malloc(length ? length : 1);
    bool is_read = !failed && exact;
    if (is_read) {
        memcpy(exact, buffer, length);
        LLVMFuzzerTestOneInput(exact, length);
    }
    free(exact);
    return is_read;
}

static int replay_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return -1;
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) && count >= 0;) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        count = replay_file(file) ? count + 1 : -1;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        int count = replay_directory(argv[i]);
        if (count <= 0) {
            fprintf(stderr, "nothing to replay in %s\n", argv[i]);
            return 1;
        }
        printf("%d inputs of %s\n", count, argv[i]);
    }
    return 0;
}
