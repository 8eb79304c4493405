/* cuBLASLt as cublasLt.h documents it: matrices by columns. An algorithm is good for the problem alone that it was
 * found for, with the alignments that were said then. */
#include "backend/cuda/cublas_abi.h"
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/fakes.h"

#include <stdlib.h>
#include <string.h>

typedef enum { HANDLE = 0x1701, MATMUL, LAYOUT, PREFERENCE } object_kind;

typedef struct {
    object_kind kind;
    int type;
    int64_t rows, columns, stride;
    int32_t batch;
    int64_t batch_stride;
} layout;

typedef struct {
    object_kind kind;
    int compute;
    uint32_t turn_a, turn_b, epilogue;
    void *bias;
    int64_t bias_stride;
} matmul;

typedef struct {
    object_kind kind;
    uint64_t workspace;
    uint32_t schemes, alignment[4]; /* of a, b, c, d */
} preference;

static void *make(object_kind kind, size_t bytes)
{
    object_kind *object = calloc(1, bytes);
    if (!object)
        fake_die("no memory");
    *object = kind;
    fake_counts.live++;
    return object;
}

static void *check(const void *object, object_kind kind, const char *what)
{
    if (!object || *(const object_kind *)object != kind)
        fake_die("%s: not such an object, or one that was destroyed", what);
    return (void *)object;
}

static int destroy(void *object, object_kind kind, const char *what)
{
    fake_not_while_capturing(what);
    *(object_kind *)check(object, kind, what) = 0;
    free(object);
    fake_counts.live--;
    return LT_STATUS_SUCCESS;
}

static void set(void *dst, size_t wanted, const void *value, size_t bytes, const char *what)
{
    if (!value || bytes != wanted)
        fake_die("%s: an attribute of %zu bytes (wanted %zu)", what, bytes, wanted);
    memcpy(dst, value, bytes);
}

/* --- handles and descriptors -------------------------------------------------------------------------------------- */
static size_t get_version(void)
{
    return fake.lt_version ? (size_t)fake.lt_version : 130100;
}

static const char *get_status_string(int status)
{
    return status == LT_STATUS_NOT_SUPPORTED ? "not supported" : "failed";
}

static int create(lt_handle *out)
{
    if (fake.is_without_gpu)
        return 1; /* CUBLAS_STATUS_NOT_INITIALIZED */
    *out = make(HANDLE, sizeof(object_kind));
    return LT_STATUS_SUCCESS;
}

static int destroy_handle(lt_handle handle)
{
    return destroy(handle, HANDLE, "cublasLtDestroy");
}

static int matmul_create(lt_matmul *out, int compute, int scale)
{
    fake_not_while_capturing("cublasLtMatmulDescCreate");
    if ((compute != LT_COMPUTE_32F && compute != LT_COMPUTE_32F_FAST_TF32) || scale != LT_R_32F)
        fake_die("cublasLtMatmulDescCreate: types %d, %d", compute, scale);
    matmul *m = make(MATMUL, sizeof *m);
    m->compute = compute;
    m->epilogue = LT_EPILOGUE_DEFAULT;
    *out = m;
    return LT_STATUS_SUCCESS;
}

static int matmul_destroy(lt_matmul m)
{
    return destroy(m, MATMUL, "cublasLtMatmulDescDestroy");
}

static int matmul_set(lt_matmul object, int attribute, const void *value, size_t bytes)
{
    static const char what[] = "cublasLtMatmulDescSetAttribute";
    matmul *m = check(object, MATMUL, what);
    fake_not_while_capturing(what);
    switch (attribute) {
    case LT_MATMUL_DESC_TRANSA:
        set(&m->turn_a, sizeof m->turn_a, value, bytes, what);
        break;
    case LT_MATMUL_DESC_TRANSB:
        set(&m->turn_b, sizeof m->turn_b, value, bytes, what);
        break;
    case LT_MATMUL_DESC_EPILOGUE:
        set(&m->epilogue, sizeof m->epilogue, value, bytes, what);
        break;
    case LT_MATMUL_DESC_BIAS_POINTER:
        set(&m->bias, sizeof m->bias, value, bytes, what);
        break;
    case LT_MATMUL_DESC_BIAS_BATCH_STRIDE:
        set(&m->bias_stride, sizeof m->bias_stride, value, bytes, what);
        break;
    default:
        fake_die("%s: %d", what, attribute);
    }
    return LT_STATUS_SUCCESS;
}

static int layout_create(lt_layout *out, int type, uint64_t rows, uint64_t columns, int64_t stride)
{
    fake_not_while_capturing("cublasLtMatrixLayoutCreate");
    if ((type != LT_R_32F && type != LT_R_16BF) || rows < 1 || columns < 1 || stride < (int64_t)rows)
        fake_die("cublasLtMatrixLayoutCreate: type %d, %d rows of a stride of %d", type, (int)rows, (int)stride);
    layout *l = make(LAYOUT, sizeof *l);
    *l = (layout){LAYOUT, type, (int64_t)rows, (int64_t)columns, stride, 1, 0};
    *out = l;
    return LT_STATUS_SUCCESS;
}

static int layout_destroy(lt_layout l)
{
    return destroy(l, LAYOUT, "cublasLtMatrixLayoutDestroy");
}

static int layout_set(lt_layout object, int attribute, const void *value, size_t bytes)
{
    static const char what[] = "cublasLtMatrixLayoutSetAttribute";
    layout *l = check(object, LAYOUT, what);
    fake_not_while_capturing(what);
    if (attribute == LT_MATRIX_LAYOUT_BATCH_COUNT)
        set(&l->batch, sizeof l->batch, value, bytes, what);
    else if (attribute == LT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)
        set(&l->batch_stride, sizeof l->batch_stride, value, bytes, what);
    else
        fake_die("%s: %d", what, attribute);
    return LT_STATUS_SUCCESS;
}

static int preference_create(lt_preference *out)
{
    fake_not_while_capturing("cublasLtMatmulPreferenceCreate");
    preference *p = make(PREFERENCE, sizeof *p);
    p->schemes = 7;
    for (int i = 0; i < 4; i++)
        p->alignment[i] = 256;
    *out = p;
    return LT_STATUS_SUCCESS;
}

static int preference_destroy(lt_preference p)
{
    return destroy(p, PREFERENCE, "cublasLtMatmulPreferenceDestroy");
}

static int preference_set(lt_preference object, int attribute, const void *value, size_t bytes)
{
    static const char what[] = "cublasLtMatmulPreferenceSetAttribute";
    preference *p = check(object, PREFERENCE, what);
    fake_not_while_capturing(what);
    if (attribute == LT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        set(&p->workspace, sizeof p->workspace, value, bytes, what);
    else if (attribute == LT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
        set(&p->schemes, sizeof p->schemes, value, bytes, what);
    else if (attribute >= LT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES && attribute <= LT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)
        set(&p->alignment[attribute - LT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], sizeof p->alignment[0], value, bytes,
            what);
    else
        fake_die("%s: %d", what, attribute);
    return LT_STATUS_SUCCESS;
}

/* --- products ----------------------------------------------------------------------------------------------------- */
/* Everything that a product is told. */
typedef struct {
    matmul m;
    layout a, b, d;
} problem;

static problem problem_of(const matmul *m, const layout *a, const layout *b, const layout *c, const layout *d,
                          const char *what)
{
    problem p;
    p.m = *(const matmul *)check(m, MATMUL, what);
    p.a = *(const layout *)check(a, LAYOUT, what);
    p.b = *(const layout *)check(b, LAYOUT, what);
    p.d = *(const layout *)check(d, LAYOUT, what);
    const int64_t rows = p.m.turn_a ? a->columns : a->rows, depth = p.m.turn_a ? a->rows : a->columns;
    const int64_t columns = p.m.turn_b ? b->rows : b->columns, b_depth = p.m.turn_b ? b->columns : b->rows;
    if (c != d)
        fake_die("%s: c is not d", what);
    if (depth != b_depth || rows != d->rows || columns != d->columns)
        fake_die("%s: %d x %d and %d x %d make no %d x %d", what, (int)rows, (int)depth, (int)b_depth, (int)columns,
                 (int)d->rows, (int)d->columns);
    if (a->batch != d->batch || b->batch != d->batch)
        fake_die("%s: batches of %d, %d and %d", what, a->batch, b->batch, d->batch);
    if (a->type != b->type || (d->type != a->type && d->type != LT_R_32F))
        fake_die("%s: types %d, %d and %d", what, a->type, b->type, d->type);
    return p;
}

static uint64_t mix(uint64_t hash, int64_t value)
{
    return (hash ^ (uint64_t)value) * 1099511628211u;
}

static uint64_t mix_layout(uint64_t hash, const layout *l)
{
    return mix(mix(mix(mix(mix(mix(hash, l->type), l->rows), l->columns), l->stride), l->batch), l->batch_stride);
}

static uint64_t problem_hash(const problem *p)
{
    uint64_t hash = mix(mix(14695981039346656037u, p->m.compute), p->m.epilogue);
    hash = mix(mix(mix(hash, p->m.turn_a), p->m.turn_b), p->m.bias_stride);
    return mix_layout(mix_layout(mix_layout(hash, &p->a), &p->b), &p->d);
}

enum { WORKSPACE = 3000 };

static int get_heuristic(lt_handle handle, lt_matmul m, lt_layout a, lt_layout b, lt_layout c, lt_layout d,
                         lt_preference preferred, int wanted, lt_result *results, int *found)
{
    static const char what[] = "cublasLtMatmulAlgoGetHeuristic";
    check(handle, HANDLE, what);
    fake_not_while_capturing(what);
    const problem p = problem_of(m, a, b, c, d, what);
    const preference *limits = check(preferred, PREFERENCE, what);
    const bool has_epilogue = p.m.epilogue != LT_EPILOGUE_DEFAULT;
    *found = 0;
    if (wanted < 1 || (has_epilogue && !p.m.bias))
        fake_die("%s: %d algorithms wanted, bias at %p", what, wanted, p.m.bias);
    if (limits->schemes & ~(uint32_t)LT_REDUCTION_SCHEME_COMPUTE_TYPE)
        fake_die("%s: reduction schemes %u", what, limits->schemes);
    if (fake.refuses_products || (fake.refuses_epilogues && has_epilogue))
        return LT_STATUS_NOT_SUPPORTED;
    results[0] = (lt_result){.state = LT_STATUS_SUCCESS, .waves = 1};
    results[0].workspace_bytes = limits->workspace >= WORKSPACE ? WORKSPACE : 0;
    results[0].algorithm.data[0] = problem_hash(&p);
    for (int i = 0; i < 4; i++)
        results[0].algorithm.data[1 + i] = limits->alignment[i];
    results[0].algorithm.data[5] = results[0].workspace_bytes;
    *found = 1;
    return LT_STATUS_SUCCESS;
}

typedef struct {
    problem p;
    const void *a, *b;
    void *d, *workspace;
    size_t workspace_bytes;
} product;

/* dst [columns, rows]: a matrix of rows x columns as it is taken, f64, column after column. */
static void gather(double *dst, const layout *l, const void *at, bool is_turned, int64_t batch)
{
    const int64_t rows = is_turned ? l->columns : l->rows, columns = is_turned ? l->rows : l->columns;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++) {
            const int64_t row = is_turned ? k : i, column = is_turned ? i : k;
            dst[k * rows + i] = fake_load(at, batch * l->batch_stride + column * l->stride + row, l->type == LT_R_16BF);
        }
}

static double *doubles(int64_t count)
{
    double *values = malloc((size_t)count * sizeof *values);
    if (!values)
        fake_die("no memory for a product");
    return values;
}

/* d [rows, columns] = a b + bias, a column at a time; a, b and the column are f64 on the way. */
static void compute(const void *args)
{
    const product *c = args;
    const problem *p = &c->p;
    const bool is_half = p->d.type == LT_R_16BF, has_bias = p->m.epilogue == LT_EPILOGUE_BIAS;
    const int64_t depth = p->m.turn_a ? p->a.rows : p->a.columns, rows = p->d.rows, columns = p->d.columns;
    double *a = doubles(depth * rows), *b = doubles(columns * depth), *sums = doubles(rows);
    memset(c->workspace, 0xa5, c->workspace_bytes);
    for (int64_t n = 0; n < p->d.batch; n++) {
        gather(a, &p->a, c->a, p->m.turn_a, n); /* [depth, rows] */
        gather(b, &p->b, c->b, p->m.turn_b, n); /* [columns, depth] */
        for (int64_t j = 0; j < columns; j++) {
            for (int64_t i = 0; i < rows; i++)
                sums[i] = has_bias ? fake_load(p->m.bias, n * p->m.bias_stride + i, is_half) : 0;
            for (int64_t k = 0; k < depth; k++)
                for (int64_t i = 0; i < rows; i++)
                    sums[i] += a[k * rows + i] * b[j * depth + k];
            for (int64_t i = 0; i < rows; i++)
                fake_store(c->d, n * p->d.batch_stride + j * p->d.stride + i, sums[i], is_half);
        }
    }
    for (int64_t j = 0; p->m.epilogue == LT_EPILOGUE_BGRADB && j < columns; j++) {
        double sum = 0;
        for (int64_t k = 0; k < depth; k++)
            sum += b[j * depth + k];
        fake_store(p->m.bias, j, sum, is_half);
    }
    free(a);
    free(b);
    free(sums);
}

static int run(lt_handle handle, lt_matmul m, const void *alpha, const void *a, lt_layout a_layout, const void *b,
               lt_layout b_layout, const void *beta, const void *c, lt_layout c_layout, void *d, lt_layout d_layout,
               const lt_algorithm *algorithm, void *workspace, size_t workspace_bytes, const void *stream)
{
    static const char what[] = "cublasLtMatmul";
    check(handle, HANDLE, what);
    const product call = {
        problem_of(m, a_layout, b_layout, c_layout, d_layout, what), a, b, d, workspace, workspace_bytes};
    const void *addresses[] = {a, b, c, d};
    if (*(const float *)alpha != 1 || *(const float *)beta != 0)
        fake_die("%s: alpha %g, beta %g", what, (double)*(const float *)alpha, (double)*(const float *)beta);
    if (algorithm->data[0] != problem_hash(&call.p))
        fake_die("%s: the algorithm of another problem", what);
    for (int i = 0; i < 4; i++)
        if (!addresses[i] || (uintptr_t)addresses[i] % algorithm->data[1 + i])
            fake_die("%s: operand %d at %p (wanted %d bytes aligned)", what, i, addresses[i],
                     (int)algorithm->data[1 + i]);
    if (workspace_bytes < algorithm->data[5] || (uintptr_t)workspace % 256)
        fake_die("%s: %zu bytes of workspace at %p (wanted %d)", what, workspace_bytes, workspace,
                 (int)algorithm->data[5]);
    if (call.p.m.epilogue == LT_EPILOGUE_BGRADB && call.p.d.batch != 1)
        fake_die("%s: a bias's gradient of a batch", what);
    if (call.p.m.epilogue != LT_EPILOGUE_DEFAULT && (uintptr_t)call.p.m.bias < 4096)
        fake_die("%s: bias at %p", what, call.p.m.bias);
    fake_counts.products++;
    fake_counts.epilogues += call.p.m.epilogue != LT_EPILOGUE_DEFAULT;
    fake_counts.tf32_products += call.p.m.compute == LT_COMPUTE_32F_FAST_TF32;
    emulated_call(stream, compute, &call, sizeof call);
    return LT_STATUS_SUCCESS;
}

#define ROW(name, function)                                                                                            \
    {                                                                                                                  \
        name, (void (*)(void))function                                                                                 \
    }
const fake_symbol fake_lt_symbols[] = {ROW("cublasLtGetVersion", get_version),
                                       ROW("cublasLtGetStatusString", get_status_string),
                                       ROW("cublasLtCreate", create),
                                       ROW("cublasLtDestroy", destroy_handle),
                                       ROW("cublasLtMatmulDescCreate", matmul_create),
                                       ROW("cublasLtMatmulDescDestroy", matmul_destroy),
                                       ROW("cublasLtMatmulDescSetAttribute", matmul_set),
                                       ROW("cublasLtMatrixLayoutCreate", layout_create),
                                       ROW("cublasLtMatrixLayoutDestroy", layout_destroy),
                                       ROW("cublasLtMatrixLayoutSetAttribute", layout_set),
                                       ROW("cublasLtMatmulPreferenceCreate", preference_create),
                                       ROW("cublasLtMatmulPreferenceDestroy", preference_destroy),
                                       ROW("cublasLtMatmulPreferenceSetAttribute", preference_set),
                                       ROW("cublasLtMatmulAlgoGetHeuristic", get_heuristic),
                                       ROW("cublasLtMatmul", run),
                                       {0}};
