// From the caller's structs to messages. What is missing sticks as FIELD_REQUIRED in the packing;
// whether values are allowed is the server's to say.
#ifndef LIB_PACKING_H
#define LIB_PACKING_H

#include "lib/method.h"

// A struct that the caller filled; its first member is struct_size. *ret_known is given, or where
// an older program's struct ends before known_size a copy in room, of known_size bytes, whose newer
// fields are zero. A newer program's struct must be zero behind known_size. name is NULL, or goes
// before the field of an error.
enum soma_code struct_take(const void *given, size_t known_size, const char *name, void *room,
                           const void **ret_known, struct soma_error *err);

// Zeroed; NULL where packing has failed or fails here, also where count is 0.
void *pack_array(struct packing *packing, size_t count, size_t size);
// An initialised message; NULL as above.
void *pack_message(struct packing *packing, const ProtobufCMessageDescriptor *type);
// count initialised messages that hang in an array of pointers; NULL as above.
void *pack_messages(struct packing *packing, const ProtobufCMessageDescriptor *type, size_t count);

// text, which must not be NULL; "" where it is.
const char *pack_text(struct packing *packing, const char *field, const char *text);
// text, or "" for NULL.
const char *pack_text_or_none(const char *text);
// count texts, none NULL.
const char **pack_texts(struct packing *packing, const char *field, const char *const *texts,
                        size_t count);
ProtobufCBinaryData pack_bytes(struct packing *packing, const char *field, const void *bytes,
                               size_t length);
// Whether an array is there when its count says so; FIELD_REQUIRED where not.
bool pack_has(struct packing *packing, const char *field, const void *array, size_t count);

void pack_required(struct packing *packing, const char *field);

#endif
