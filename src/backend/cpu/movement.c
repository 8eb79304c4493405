/* Operators that put elements elsewhere, in another type, or sum those that were put in several places; and the
 * products of small matrices. Copies of whole runs of memory where there are any: nothing here is worth a kernel for
 * each instruction set. */
#include "backend/cpu/cpu_int.h"

#include <string.h>

/* An element of an array in f32 or bf16. */
static float element(const void *x, int64_t i, bool is_wide)
{
    return is_wide ? ((const float *)x)[i] : bf16_to_f32(((const uint16_t *)x)[i]);
}

static void set_element(void *y, int64_t i, float value, bool is_wide)
{
    if (is_wide)
        ((float *)y)[i] = value;
    else
        ((uint16_t *)y)[i] = bf16_from_f32(value);
}

static bool is_f32(const graph_value *v)
{
    return v->type == DTYPE_F32;
}

/* --- constant, cast, reshape -------------------------------------------------------------------------------------- */
typedef struct {
    const void *x;
    void *y;
    int64_t count;
    bool is_x_f32, is_y_f32;
    int threads;
} copy_args;

static void copy(const void *args)
{
    const copy_args *a = args;
    const size_t bytes = a->is_x_f32 ? sizeof(float) : sizeof(uint16_t);
    int parts = parts_for(a->count, a->threads);
    if (a->x == a->y)
        return;
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->count, 64, parts, index);
        if (a->is_x_f32 == a->is_y_f32) {
            memcpy((char *)a->y + (size_t)mine.begin * bytes, (const char *)a->x + (size_t)mine.begin * bytes,
                   (size_t)(mine.end - mine.begin) * bytes);
            continue;
        }
        for (int64_t i = mine.begin; i < mine.end; i++)
            set_element(a->y, i, element(a->x, i, a->is_x_f32), a->is_y_f32);
    }
}

static mien_status copy_prepare(cpu_prepare *p, node_id n, const copy_args *args, int inputs)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(copy_args, y)},
                                       {FROM_INPUT, 0, offsetof(copy_args, x)}};
    copy_args full = *args;
    full.count = shape_count(&node_output(p->g, n, 0)->shape);
    full.is_y_f32 = is_f32(node_output(p->g, n, 0));
    full.threads = p->b->threads;
    return prepare_own(p, n, copy, &full, sizeof full, bindings, 1 + inputs, 0);
}

mien_status constant_prepare(cpu_prepare *p, node_id n)
{
    const constant_attr *attr = graph_node_at(p->g, n)->attr;
    return copy_prepare(p, n, &(copy_args){.x = attr->data, .is_x_f32 = true}, 0);
}

mien_status cast_prepare(cpu_prepare *p, node_id n)
{
    return copy_prepare(p, n, &(copy_args){.is_x_f32 = is_f32(node_input(p->g, n, 0))}, 1);
}

mien_status reshape_prepare(cpu_prepare *p, node_id n)
{
    return cast_prepare(p, n);
}

/* --- slice -------------------------------------------------------------------------------------------------------- */
/* rows of `whole` bytes, of which `length` from `begin` on are taken, or all that is not 0 */
typedef struct {
    const char *x;
    char *y;
    int64_t rows;
    size_t whole, begin, length;
    int threads;
} slice_args;

static void slice(const void *args)
{
    const slice_args *a = args;
    int parts = parts_for(a->rows * (int64_t)a->length / 4, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++)
            memcpy(a->y + (size_t)r * a->length, a->x + (size_t)r * a->whole + a->begin, a->length);
    }
}

static void slice_dx(const void *args)
{
    const slice_args *a = args;
    const size_t behind = a->begin + a->length;
    int parts = parts_for(a->rows * (int64_t)a->whole / 4, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++) {
            char *y = a->y + (size_t)r * a->whole;
            memset(y, 0, a->begin);
            memcpy(y + a->begin, a->x + (size_t)r * a->length, a->length);
            memset(y + behind, 0, a->whole - behind);
        }
    }
}

/* whole: the value that is sliced */
static mien_status slice_of(cpu_prepare *p, node_id n, kernel_fn *fn, const graph_value *whole)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(slice_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(slice_args, y)}};
    const slice_attr *attr = graph_node_at(p->g, n)->attr;
    const shape *s = &whole->shape;
    slice_args args = {.rows = 1, .threads = p->b->threads};
    size_t inner = dtype_bytes(whole->type);
    for (int i = 0; i < s->rank; i++)
        if (i < attr->axis)
            args.rows *= s->dim[i];
        else if (i > attr->axis)
            inner *= (size_t)s->dim[i];
    args.whole = (size_t)s->dim[attr->axis] * inner;
    args.begin = (size_t)attr->begin * inner;
    args.length = (size_t)attr->length * inner;
    return prepare_own(p, n, fn, &args, sizeof args, bindings, 2, 0);
}

mien_status slice_prepare(cpu_prepare *p, node_id n)
{
    return slice_of(p, n, slice, node_input(p->g, n, 0));
}

mien_status slice_dx_prepare(cpu_prepare *p, node_id n)
{
    return slice_of(p, n, slice_dx, node_output(p->g, n, 0));
}

/* --- transpose ---------------------------------------------------------------------------------------------------- */
/* y's dimensions, and how many elements of x lie between two neighbours along each */
typedef struct {
    const char *x;
    char *y;
    int rank;
    int64_t dim[SHAPE_MAX_RANK], stride[SHAPE_MAX_RANK];
    size_t bytes; /* of an element */
    int threads;
} transpose_args;

/* Where row `r` of y, its last dimension, begins in x. */
static int64_t row_begin(const transpose_args *a, int64_t r)
{
    int64_t at = 0;
    for (int i = a->rank - 2; i >= 0; i--) {
        at += r % a->dim[i] * a->stride[i];
        r /= a->dim[i];
    }
    return at;
}

static void transpose_row(const transpose_args *a, int64_t r)
{
    const int64_t count = a->dim[a->rank - 1], stride = a->stride[a->rank - 1];
    const char *x = a->x + (size_t)row_begin(a, r) * a->bytes;
    char *y = a->y + (size_t)(r * count) * a->bytes;
    if (stride == 1)
        memcpy(y, x, (size_t)count * a->bytes);
    else if (a->bytes == sizeof(float))
        for (int64_t i = 0; i < count; i++)
            ((float *)y)[i] = ((const float *)x)[i * stride];
    else
        for (int64_t i = 0; i < count; i++)
            ((uint16_t *)y)[i] = ((const uint16_t *)x)[i * stride];
}

static void transpose(const void *args)
{
    const transpose_args *a = args;
    int64_t rows = 1;
    for (int i = 0; i < a->rank - 1; i++)
        rows *= a->dim[i];
    int parts = parts_for(rows * a->dim[a->rank - 1], a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(rows, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++)
            transpose_row(a, r);
    }
}

mien_status transpose_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(transpose_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(transpose_args, y)}};
    const transpose_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, 0);
    transpose_args args = {.rank = x->shape.rank, .bytes = dtype_bytes(x->type), .threads = p->b->threads};
    int64_t strides[SHAPE_MAX_RANK], stride = 1;
    for (int i = x->shape.rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= x->shape.dim[i];
    }
    for (int i = 0; i < x->shape.rank; i++) {
        args.dim[i] = x->shape.dim[attr->order[i]];
        args.stride[i] = strides[attr->order[i]];
    }
    return prepare_own(p, n, transpose, &args, sizeof args, bindings, 2, 0);
}

/* --- repeat ------------------------------------------------------------------------------------------------------- */
/* x [inner] and y [times, inner], or their gradients the other way */
typedef struct {
    const void *x;
    void *y;
    int64_t times, inner;
    bool is_wide;
    int threads;
} repeat_args;

static void repeat(const void *args)
{
    const repeat_args *a = args;
    const size_t bytes = (size_t)a->inner * (a->is_wide ? sizeof(float) : sizeof(uint16_t));
    int parts = parts_for(a->times * a->inner, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->times, 1, parts, index);
        for (int64_t t = mine.begin; t < mine.end; t++)
            memcpy((char *)a->y + (size_t)t * bytes, a->x, bytes);
    }
}

static void repeat_dx(const void *args)
{
    const repeat_args *a = args;
    int parts = parts_for(a->times * a->inner, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->inner, 16, parts, index);
        for (int64_t i = mine.begin; i < mine.end; i++) {
            double sum = 0;
            for (int64_t t = 0; t < a->times; t++)
                sum += (double)element(a->x, t * a->inner + i, a->is_wide);
            set_element(a->y, i, (float)sum, a->is_wide);
        }
    }
}

static mien_status repeat_of(cpu_prepare *p, node_id n, kernel_fn *fn, const graph_value *whole)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(repeat_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(repeat_args, y)}};
    const repeat_args args = {.times = whole->shape.dim[0],
                              .inner = shape_count(&whole->shape) / whole->shape.dim[0],
                              .is_wide = is_f32(whole),
                              .threads = p->b->threads};
    return prepare_own(p, n, fn, &args, sizeof args, bindings, 2, 0);
}

mien_status repeat_prepare(cpu_prepare *p, node_id n)
{
    return repeat_of(p, n, repeat, node_output(p->g, n, 0));
}

mien_status repeat_dx_prepare(cpu_prepare *p, node_id n)
{
    return repeat_of(p, n, repeat_dx, node_input(p->g, n, 0));
}

/* --- matmul ------------------------------------------------------------------------------------------------------- */
/* y [m, r, c]; strides of a by row and k, of b by k and column; product m begins m times the size on */
typedef struct {
    const void *a, *b;
    void *y;
    int64_t m, r, c, k;
    int64_t a_row, a_k, b_k, b_column;
    bool is_wide;
    int threads;
} matmul_args;

/* Row `row` of all m r. */
static void matmul_row(const matmul_args *a, int64_t row)
{
    const int64_t first = row / a->r * a->r * a->k + row % a->r * a->a_row, second = row / a->r * a->k * a->c;
    for (int64_t column = 0; column < a->c; column++) {
        float sum = 0;
        for (int64_t k = 0; k < a->k; k++)
            sum += element(a->a, first + k * a->a_k, a->is_wide) *
                   element(a->b, second + k * a->b_k + column * a->b_column, a->is_wide);
        set_element(a->y, row * a->c + column, sum, a->is_wide);
    }
}

static void matmul(const void *args)
{
    const matmul_args *a = args;
    int parts = parts_for(a->m * a->r * a->c * a->k / 4, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->m * a->r, 1, parts, index);
        for (int64_t row = mine.begin; row < mine.end; row++)
            matmul_row(a, row);
    }
}

mien_status matmul_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(matmul_args, a)},
                                       {FROM_INPUT, 1, offsetof(matmul_args, b)},
                                       {FROM_OUTPUT, 0, offsetof(matmul_args, y)}};
    const matmul_attr *attr = graph_node_at(p->g, n)->attr;
    const shape *x = &node_input(p->g, n, 0)->shape, *y = &node_output(p->g, n, 0)->shape;
    matmul_args args = {.m = y->dim[0],
                        .r = y->dim[1],
                        .c = y->dim[2],
                        .k = x->dim[attr->is_a_transposed ? 1 : 2],
                        .is_wide = is_f32(node_output(p->g, n, 0)),
                        .threads = p->b->threads};
    args.a_row = attr->is_a_transposed ? 1 : args.k;
    args.a_k = attr->is_a_transposed ? args.r : 1;
    args.b_k = attr->is_b_transposed ? 1 : args.c;
    args.b_column = attr->is_b_transposed ? args.k : 1;
    return prepare_own(p, n, matmul, &args, sizeof args, bindings, 3, 0);
}
