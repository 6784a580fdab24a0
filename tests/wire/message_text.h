// A decoded message as lines of text, one for each field that is set: `spec.labels[0].key: "team"`.
#ifndef TESTS_MESSAGE_TEXT_H
#define TESTS_MESSAGE_TEXT_H

#include <protobuf-c/protobuf-c.h>

// Prints on stdout; each line begins with prefix.
void message_print(const ProtobufCMessage *message, const char *prefix);

#endif
