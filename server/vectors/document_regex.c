#define PCRE2_CODE_UNIT_WIDTH 8
#include "vectors/document_regex.h"

#include <pcre2.h>
#include <stdlib.h>

enum {
    STEPS_MAX = 100000, // from one place
    DEPTH_MAX = 10000,
    HEAP_KIB_MAX = 2048,
    NESTING_MAX = 100,           // of parentheses
    PLACES_BETWEEN_CLOCKS = 512, // where a match may begin
    STACK_START = 32 << 10,      // of compiled patterns
    STACK_MAX = 512 << 10
};

struct document_regex {
    pcre2_code *code;
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack; // NULL: interpreted
};

static pcre2_code *compile(const char *pattern, size_t length, int *ret_number, size_t *ret_offset)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return NULL;
    pcre2_set_parens_nest_limit(context, NESTING_MAX);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, length,
                                     PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
                                     ret_number, ret_offset, context);
    pcre2_compile_context_free(context);
    return code;
}

static bool prepare(struct document_regex *regex)
{
    regex->context = pcre2_match_context_create(NULL);
    regex->data = pcre2_match_data_create(1, NULL);
    if (!regex->context || !regex->data)
        return false;
    pcre2_set_match_limit(regex->context, STEPS_MAX);
    pcre2_set_depth_limit(regex->context, DEPTH_MAX);
    pcre2_set_heap_limit(regex->context, HEAP_KIB_MAX);
    if (pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0)
        regex->stack = pcre2_jit_stack_create(STACK_START, STACK_MAX, NULL);
    if (regex->stack)
        pcre2_jit_stack_assign(regex->context, NULL, regex->stack);
    return true;
}

enum soma_code document_regex_new(const char *pattern, size_t length, const char *path,
                                  struct document_regex **ret_regex, struct soma_error *err)
{
    int number = PCRE2_ERROR_NOMEMORY;
    size_t offset = 0;
    struct document_regex *regex = calloc(1, sizeof *regex);
    if (!regex)
        return error_set_no_memory(err);
    regex->code = compile(pattern, length, &number, &offset);
    if (regex->code && prepare(regex)) {
        *ret_regex = regex;
        return SOMA_OK;
    }
    bool is_invalid = !regex->code && number != PCRE2_ERROR_NOMEMORY;
    document_regex_free(regex);
    if (!is_invalid)
        return error_set_no_memory(err);
    char text[160];
    pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof text);
    return error_set(err, REASON_FILTER_INVALID, "where_document", "%s: at character %zu: %s", path,
                     offset, text);
}

void document_regex_free(struct document_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->context);
    pcre2_match_data_free(regex->data);
    if (regex->stack)
        pcre2_jit_stack_free(regex->stack);
    free(regex);
}

// Of the matcher's failures, those that the expression is to blame for.
static enum soma_code failure(int number, struct soma_error *err)
{
    switch (number) {
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_JIT_STACKLIMIT:
    case PCRE2_ERROR_RECURSELOOP:
        return error_set(err, REASON_FILTER_TOO_COSTLY, "where_document",
                         "the regular expression takes too many steps on a document; make it more"
                         " definite");
    case PCRE2_ERROR_NOMEMORY:
        return error_set_no_memory(err);
    default:
        return error_set(err, REASON_INTERNAL, "where_document",
                         "the regular expression fails (%d)", number);
    }
}

static bool is_inside_character(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

// PCRE2 bounds the steps from each place alone; so few places at once, and the clock in between.
enum soma_code document_regex_matches(struct document_regex *regex, const char *text, size_t length,
                                      struct mono_time deadline, bool *ret_matches,
                                      struct soma_error *err)
{
    for (size_t from = 0;;) {
        size_t last = from + PLACES_BETWEEN_CLOCKS;
        while (last < length && is_inside_character(text[last]))
            last++;
        pcre2_set_offset_limit(regex->context, last);
        int number = pcre2_match(regex->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK,
                                 regex->data, regex->context);
        if (number < 0 && number != PCRE2_ERROR_NOMATCH)
            return failure(number, err);
        *ret_matches = number >= 0;
        if (*ret_matches || last >= length)
            return SOMA_OK;
        if (clock_left_ms(deadline) == 0)
            return error_set(err, REASON_DEADLINE_EXCEEDED, "where_document",
                             "the deadline passed while documents were looked through");
        from = last;
    }
}
