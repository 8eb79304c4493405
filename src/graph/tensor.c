/* What every room asks of a shape. Its bytes are multiplied with a check, an element as eight of them whatever its
 * type, so that a shape is good or bad for all types. */
#include "graph/tensor.h"

#include "base/size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t bytes;
} types[DTYPE_COUNT] = {
    [DTYPE_F32] = {"f32", 4}, [DTYPE_BF16] = {"bf16", 2}, [DTYPE_U8] = {"u8", 1},
    [DTYPE_I32] = {"i32", 4}, [DTYPE_I64] = {"i64", 8},
};

size_t dtype_bytes(dtype t)
{
    return types[t].bytes;
}

const char *dtype_name(dtype t)
{
    return types[t].name;
}

shape shape_of(int rank, ...)
{
    assert(rank >= 0 && rank <= SHAPE_MAX_RANK);
    shape s = {.rank = rank};
    va_list dims;
    va_start(dims, rank);
    for (int i = 0; i < rank; i++)
        s.dim[i] = va_arg(dims, int64_t);
    va_end(dims);
    return s;
}

int64_t shape_count(const shape *s)
{
    int64_t count = 1;
    for (int i = 0; i < s->rank; i++)
        count *= s->dim[i];
    return count;
}

bool shape_equal(const shape *a, const shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

char *shape_print(char *dst, size_t bytes, const shape *s)
{
    size_t used = 0;
    int wrote = snprintf(dst, bytes, "[");
    for (int i = 0; i < s->rank && wrote >= 0; i++) {
        used += (size_t)wrote;
        if (used >= bytes)
            return dst;
        wrote = snprintf(dst + used, bytes - used, i ? ", %" PRId64 : "%" PRId64, s->dim[i]);
    }
    used += (size_t)wrote;
    if (used < bytes)
        snprintf(dst + used, bytes - used, "]");
    return dst;
}

mien_status shape_check(const shape *s)
{
    char text[SHAPE_TEXT_BYTES];
    if (s->rank < 0 || s->rank > SHAPE_MAX_RANK)
        return mien_fail(MIEN_ERR_SHAPE, "%d dimensions (wanted 0 to %d)", s->rank, SHAPE_MAX_RANK);
    size_t bytes = 8;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 1)
            return mien_fail(MIEN_ERR_SHAPE, "dimension %d of %s is empty (wanted at least 1)", i,
                             shape_print(text, sizeof text, s));
        if (!size_mul(&bytes, bytes, (size_t)s->dim[i]) || bytes > PTRDIFF_MAX)
            return mien_fail(MIEN_ERR_SHAPE, "%s is too large", shape_print(text, sizeof text, s));
    }
    return MIEN_OK;
}
