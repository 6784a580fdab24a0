// How a collection is indexed; stored with it.
#ifndef VECTORS_INDEX_SETTINGS_H
#define VECTORS_INDEX_SETTINGS_H

#include <stdint.h>

// The numbers of vectors.proto.
enum quantization {
    QUANTIZATION_NONE = 1, // float32
    QUANTIZATION_BF16 = 2,
    QUANTIZATION_INT8 = 3,
    QUANTIZATION_INT4 = 4
};

// Where the embeddings are that the nearest are compared by; the numbers of vectors.proto.
enum rerank {
    RERANK_MEMORY = 1,
    RERANK_DISK = 2 // in mapped files, which the kernel may take out of memory
};

enum {
    INDEX_M_MIN = 4,
    INDEX_M_MAX = 64,
    INDEX_M_DEFAULT = 16,
    INDEX_EF_CONSTRUCTION_MIN = 8,
    INDEX_EF_CONSTRUCTION_MAX = 1000,
    INDEX_EF_CONSTRUCTION_DEFAULT = 200,
    INDEX_EF_SEARCH_DEFAULT = 64,
    INDEX_FLAT_ROWS_DEFAULT = 4096
};

struct index_settings {
    enum quantization quantization;
    uint32_t m;               // links of a new node on a level
    uint32_t ef_construction; // candidates that are looked at for them
    uint32_t ef_search;       // candidates of a search that does not say
    uint32_t flat_rows;       // below so many rows there is no graph
    enum rerank rerank;
};

// Puts the defaults in place of zeros.
void index_settings_complete(struct index_settings *settings);

#endif
