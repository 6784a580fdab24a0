#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// One row for each form of a lead byte (RFC 3629, section 4): how many bytes follow, and the range
// of the first of them.
struct utf8_form {
    unsigned char lead_min, lead_max, follow_count, first_min, first_max;
};

static const struct utf8_form utf8_forms[] = {
    {0x00, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct utf8_form *form_of(unsigned char lead)
{
    for (size_t i = 0; i < sizeof utf8_forms / sizeof utf8_forms[0]; i++) {
        if (lead >= utf8_forms[i].lead_min && lead <= utf8_forms[i].lead_max)
            return &utf8_forms[i];
    }
    return NULL;
}

static bool follows(const unsigned char *at, const struct utf8_form *form)
{
    if (form->follow_count && (at[0] < form->first_min || at[0] > form->first_max))
        return false;
    for (size_t i = 1; i < form->follow_count; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

// The first byte from at on that is not ASCII, or end. Eight at a time.
static const unsigned char *skip_ascii(const unsigned char *at, const unsigned char *end)
{
    uint64_t eight;
    for (; (size_t)(end - at) >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, at, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

bool text_is_utf8(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    const unsigned char *end = at + length;
    while ((at = skip_ascii(at, end)) < end) {
        const struct utf8_form *form = form_of(*at++);
        if (!form || (size_t)(end - at) < form->follow_count || !follows(at, form))
            return false;
        at += form->follow_count;
    }
    return true;
}

void text_repair(char *text)
{
    while (*text) {
        unsigned char lead = (unsigned char)*text;
        const struct utf8_form *form = form_of(lead);
        // The NUL at the end follows nothing, so this looks no farther than that.
        bool whole = form && follows((const unsigned char *)text + 1, form);
        if (!whole)
            *text = '?';
        text += whole ? 1 + form->follow_count : 1;
    }
}

static bool is_allowed(char c, const char *allowed)
{
    for (const char *at = allowed; *at; at++) {
        if (at[1] == '-' && at[2]) {
            if (c >= at[0] && c <= at[2])
                return true;
            at += 2;
        } else if (c == *at) {
            return true;
        }
    }
    return false;
}

void text_make_word(char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~' || *text == '=')
            *text = '_';
    }
}

bool text_is_of(const char *text, const char *allowed)
{
    for (; *text; text++) {
        if (!is_allowed(*text, allowed))
            return false;
    }
    return true;
}

bool text_to_int64(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    if (!*text || strspn(text, "+-0123456789") != strlen(text))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

void text_from_bytes(char *ret_hex, const void *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++) {
        ret_hex[2 * i] = digits[at[i] >> 4];
        ret_hex[2 * i + 1] = digits[at[i] & 15];
    }
    ret_hex[2 * length] = '\0';
}
