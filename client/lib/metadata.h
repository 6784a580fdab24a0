// Metadata in both directions.
#ifndef LIB_METADATA_H
#define LIB_METADATA_H

#include <soma/v1/vectors.pb-c.h>

#include "lib/method.h"

// fields of count entries; *ret_count is 0 and the result NULL where packing fails. field names
// them in errors.
Pb__MetadataField **metadata_pack(struct packing *packing, const char *field,
                                  const struct soma_metadata_field *fields, size_t count,
                                  size_t *ret_count);

const struct soma_metadata_field *metadata_read(struct reading *reading,
                                                Pb__MetadataField *const *fields, size_t count);

#endif
