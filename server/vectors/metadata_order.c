#include "vectors/metadata_order.h"

#include <string.h>

static enum order order_of(int sign)
{
    return sign < 0 ? ORDER_LESS : sign > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

// Exact: a double holds not every int64, so the double is split into a whole part and the rest.
static enum order compare_int_with_double(int64_t integer, double real)
{
    const double limit = 9223372036854775808.0; // 2^63
    if (real >= limit)
        return ORDER_LESS;
    if (real < -limit)
        return ORDER_GREATER;
    int64_t whole = (int64_t)real;
    if (integer != whole)
        return integer < whole ? ORDER_LESS : ORDER_GREATER;
    double rest = real - (double)whole;
    return order_of((rest < 0) - (rest > 0));
}

static enum order compare_texts(const struct metadata_value *a, const struct metadata_value *b)
{
    size_t shorter = a->text_length < b->text_length ? a->text_length : b->text_length;
    int sign = memcmp(a->text, b->text, shorter);
    if (!sign)
        sign = (a->text_length > b->text_length) - (a->text_length < b->text_length);
    return order_of(sign);
}

static enum order compare_numbers(const struct metadata_value *a, const struct metadata_value *b)
{
    if (a->type == METADATA_INT && b->type == METADATA_INT)
        return order_of((a->integer > b->integer) - (a->integer < b->integer));
    if (a->type == METADATA_INT)
        return compare_int_with_double(a->integer, b->real);
    if (b->type == METADATA_INT) {
        enum order order = compare_int_with_double(b->integer, a->real);
        return order == ORDER_EQUAL ? order : order == ORDER_LESS ? ORDER_GREATER : ORDER_LESS;
    }
    return order_of((a->real > b->real) - (a->real < b->real));
}

static bool is_number(const struct metadata_value *value)
{
    return value->type == METADATA_INT || value->type == METADATA_DOUBLE;
}

enum order metadata_compare(const struct metadata_value *a, const struct metadata_value *b)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b);
    if (a->type != b->type)
        return ORDER_NONE;
    if (a->type == METADATA_STRING)
        return compare_texts(a, b);
    return a->truth == b->truth ? ORDER_EQUAL : ORDER_NONE;
}

struct metadata_value metadata_canonical(struct metadata_value value)
{
    const double limit = 9223372036854775808.0; // 2^63
    if (value.type != METADATA_DOUBLE || value.real >= limit || value.real < -limit)
        return value;
    int64_t whole = (int64_t)value.real;
    if (compare_int_with_double(whole, value.real) != ORDER_EQUAL)
        return value;
    return (struct metadata_value){.type = METADATA_INT, .integer = whole};
}

static int class_of(const struct metadata_value *value)
{
    return is_number(value) ? 0 : value->type == METADATA_STRING ? 1 : 2;
}

int metadata_sort(const struct metadata_value *a, const struct metadata_value *b)
{
    int left = class_of(a), right = class_of(b);
    if (left != right)
        return left < right ? -1 : 1;
    if (left == 2)
        return a->truth - b->truth;
    enum order order = metadata_compare(a, b);
    return order == ORDER_LESS ? -1 : order == ORDER_GREATER;
}
