#include "cli/display.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Characters that take two columns (Unicode 15, East Asian Width W and F, by block) or none
// (combining marks and joiners). Rows rise.
struct width_range {
    uint32_t first, last;
    unsigned columns;
};

static const struct width_range width_ranges[] = {
    {0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},   {0x064b, 0x065f, 0},
    {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},   {0x200b, 0x200d, 0},
    {0x20d0, 0x20ff, 0},   {0x231a, 0x231b, 2},   {0x2e80, 0x303e, 2},   {0x3041, 0x33ff, 2},
    {0x3400, 0x4dbf, 2},   {0x4e00, 0x9fff, 2},   {0xa000, 0xa4cf, 2},   {0xa960, 0xa97c, 2},
    {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},
    {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
    {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
};

// Characters that reorder or hide the text around them (Unicode Standard Annex 9, and the line
// separators).
static bool is_deceitful(uint32_t character)
{
    return (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069) || character == 0x200e ||
           character == 0x200f || character == 0x2028 || character == 0x2029 || character == 0xfeff;
}

static unsigned character_width(uint32_t character)
{
    for (size_t i = 0; i < sizeof width_ranges / sizeof width_ranges[0]; i++) {
        if (character >= width_ranges[i].first && character <= width_ranges[i].last)
            return width_ranges[i].columns;
    }
    return 1;
}

// Decodes one character (RFC 3629) and returns its bytes; 0 where text does not begin with one.
static size_t decode_utf8(const unsigned char *text, uint32_t *ret_character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (length == 1) {
        *ret_character = text[0];
        return 1;
    }
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    uint32_t character = text[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3fu);
    }
    if (character < smallest[length] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *ret_character = character;
    return length;
}

size_t utf8_length(const char *text)
{
    uint32_t character;
    return decode_utf8((const unsigned char *)text, &character);
}

// One character as it may be shown.
struct glyph {
    char bytes[4];
    size_t length;
    unsigned width;
};

// Reads one glyph and returns the bytes that it stood in.
static size_t glyph_read(const char *text, struct glyph *ret_glyph)
{
    uint32_t character;
    size_t length = decode_utf8((const unsigned char *)text, &character);
    *ret_glyph = (struct glyph){{'?'}, 1, 1};
    if (length == 0)
        return 1;
    if (character == ' ' || (character >= '\t' && character <= '\r')) {
        ret_glyph->bytes[0] = ' ';
        return length;
    }
    if (character < 0x20 || (character >= 0x7f && character <= 0x9f) || is_deceitful(character))
        return length;
    memcpy(ret_glyph->bytes, text, length);
    ret_glyph->length = length;
    ret_glyph->width = character_width(character);
    return length;
}

size_t display_width(const char *text)
{
    size_t width = 0;
    struct glyph glyph;
    for (size_t used; *text; text += used) {
        used = glyph_read(text, &glyph);
        width += glyph.width;
    }
    return width;
}

size_t display_clean(const char *text, size_t max_columns, char *ret_text, size_t size)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    bool is_cut = max_columns && display_width(text) > max_columns;
    size_t room = is_cut ? max_columns - 1 : SIZE_MAX;
    size_t length = 0, width = 0;
    struct glyph glyph;
    for (size_t used; *text; text += used) {
        used = glyph_read(text, &glyph);
        if (width + glyph.width > room || length + glyph.length + sizeof ellipsis > size)
            break;
        memcpy(ret_text + length, glyph.bytes, glyph.length);
        length += glyph.length;
        width += glyph.width;
    }
    if (*text && length + sizeof ellipsis <= size) {
        memcpy(ret_text + length, ellipsis, sizeof ellipsis - 1);
        length += sizeof ellipsis - 1;
        width++;
    }
    ret_text[length] = '\0';
    return width;
}

char *display_clean_new(const char *text, size_t max_columns)
{
    size_t size = strlen(text) + 8;
    char *clean = malloc(size);
    if (clean)
        display_clean(text, max_columns, clean, size);
    return clean;
}
