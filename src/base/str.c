/* Text that grows by doubling, and comparisons that ignore the locale: names in files and numbers in recipes mean the
 * same on every machine. */
#include "base/str.h"

#include "base/mem.h"
#include "base/size.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the NUL after what is there. */
static mien_status make_room(str *s, size_t more)
{
    size_t wanted;
    if (!size_add(&wanted, s->length, more) || !size_add(&wanted, wanted, 1))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (text of %zu and %zu more bytes)", s->length, more);
    if (wanted <= s->capacity)
        return MIEN_OK;
    size_t capacity = s->capacity ? s->capacity : 64;
    while (capacity < wanted)
        if (!size_mul(&capacity, capacity, 2))
            capacity = wanted;
    TRY(mem_resize_bytes((void **)&s->text, s->text ? s->length + 1 : 0, capacity));
    s->capacity = capacity;
    return MIEN_OK;
}

mien_status str_append_bytes(str *s, const void *bytes, size_t count)
{
    TRY(make_room(s, count));
    if (count)
        memcpy(s->text + s->length, bytes, count);
    s->length += count;
    s->text[s->length] = '\0';
    return MIEN_OK;
}

mien_status str_append(str *s, const char *text)
{
    return str_append_bytes(s, text, strlen(text));
}

mien_status str_printf(str *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    mien_status st =
        length < 0 ? mien_fail(MIEN_ERR_INTERNAL, "cannot format '%s'", format) : make_room(s, (size_t)length);
    if (st == MIEN_OK) {
        vsnprintf(s->text + s->length, (size_t)length + 1, format, again);
        s->length += (size_t)length;
    }
    va_end(again);
    return st;
}

void str_free(str *s)
{
    mem_free(s->text);
    *s = (str){0};
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t text_length = strlen(text), suffix_length = strlen(suffix);
    return text_length >= suffix_length && strcmp(text + text_length - suffix_length, suffix) == 0;
}

/* ctype.h asks the locale; names in files must mean the same everywhere. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool str_equal_nocase(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b))
        a++, b++;
    return lower(*a) == lower(*b);
}

/* Compares the numbers that a and b begin with, of any length, and moves both behind theirs. */
static int compare_digits(const char **a, const char **b)
{
    while (**a == '0')
        ++*a;
    while (**b == '0')
        ++*b;
    size_t a_digits = 0, b_digits = 0;
    while (is_digit((*a)[a_digits]))
        a_digits++;
    while (is_digit((*b)[b_digits]))
        b_digits++;
    int order = a_digits != b_digits ? (a_digits < b_digits ? -1 : 1) : memcmp(*a, *b, a_digits);
    *a += a_digits;
    *b += b_digits;
    return order;
}

int str_compare_natural(const char *a, const char *b)
{
    const char *left = a, *right = b;
    while (*left || *right) {
        if (is_digit(*left) && is_digit(*right)) {
            int order = compare_digits(&left, &right);
            if (order != 0)
                return order;
        } else {
            if (*left != *right)
                return (unsigned char)*left < (unsigned char)*right ? -1 : 1;
            left++, right++;
        }
    }
    return strcmp(a, b); /* "01" and "1" have one value: their bytes decide, or the order would not be total */
}

bool str_to_int64(int64_t *out, const char *text)
{
    bool is_negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    if (!is_digit(*text))
        return false;
    int64_t value = 0;
    for (; is_digit(*text); text++) {
        int digit = *text - '0'; /* summed below zero, where the range is one wider */
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (*text || (!is_negative && value == INT64_MIN))
        return false;
    *out = is_negative ? value : -value;
    return true;
}

static const char *skip_digits(const char *text)
{
    while (is_digit(*text))
        text++;
    return text;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point: no hexadecimal, no inf, no nan */
static bool is_decimal(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    const char *whole_end = skip_digits(text), *end = whole_end;
    bool has_digits = whole_end > text;
    if (*end == '.') {
        end = skip_digits(whole_end + 1);
        has_digits |= end > whole_end + 1;
    }
    if (has_digits && (*end == 'e' || *end == 'E')) {
        const char *exponent = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(exponent);
        has_digits = end > exponent;
    }
    return has_digits && *end == '\0';
}

bool str_to_double(double *out, const char *text)
{
    if (!is_decimal(text))
        return false;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc keeps this one: no allocation */
    if (!c_locale)
        return false;
    double value = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool str_is_utf8(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    while (at < end) {
        size_t more = *at < 0x80                   ? 0
                      : *at >= 0xC2 && *at <= 0xDF ? 1
                      : (*at & 0xF0) == 0xE0       ? 2
                      : *at >= 0xF0 && *at <= 0xF4 ? 3
                                                   : 4;
        if (more == 4 || (size_t)(end - at) <= more)
            return false;
        if ((*at == 0xE0 && at[1] < 0xA0) || (*at == 0xED && at[1] > 0x9F) || (*at == 0xF0 && at[1] < 0x90) ||
            (*at == 0xF4 && at[1] > 0x8F))
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((at[i] & 0xC0) != 0x80)
                return false;
        at += more + 1;
    }
    return true;
}

void str_make_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}

bool str_is_utf16(const char *text, size_t length)
{
    const unsigned char *b = (const unsigned char *)text;
    if (length < 2)
        return false;
    if ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF))
        return true;
    return length >= 4 && ((!b[0] && b[1] && !b[2] && b[3]) || (b[0] && !b[1] && b[2] && !b[3]));
}

static bool is_inside_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

void str_fit(char *dst, size_t bytes, const char *text)
{
    static const char dots[] = "...";
    size_t length = strlen(text);
    if (length < bytes) {
        memcpy(dst, text, length + 1);
    } else if (bytes > 2 * sizeof(dots)) {
        size_t head = (bytes - sizeof(dots)) / 2, from = length - (bytes - sizeof(dots) - head);
        while (head > 0 && is_inside_character(text[head]))
            head--;
        while (is_inside_character(text[from]))
            from++;
        memcpy(dst, text, head);
        memcpy(dst + head, dots, sizeof(dots) - 1);
        memcpy(dst + head + sizeof(dots) - 1, text + from, length - from + 1);
    } else if (bytes > 0) {
        memcpy(dst, text, bytes - 1);
        dst[bytes - 1] = '\0';
    }
}

void str_join_words(char *dst, size_t bytes, const char *const *words, int count)
{
    size_t at = 0;
    if (bytes == 0)
        return;
    dst[0] = '\0';
    for (int i = 0; i < count; i++) {
        const char *separator = i == 0 ? "" : i == count - 1 ? " or " : ", ";
        int wanted = snprintf(dst + at, bytes - at, "%s%s", separator, words[i]);
        if (wanted < 0 || (size_t)wanted >= bytes - at) {
            snprintf(dst + at, bytes - at, "...");
            return;
        }
        at += (size_t)wanted;
    }
}
