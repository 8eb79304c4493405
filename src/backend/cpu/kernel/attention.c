/* Attention, a sample and head at a time, a block of queries at a time: scores of a block stay in the cache, nothing of
 * tokens x tokens is written.
 *
 * All products are one tile loop over 32-bit words. A word is a float or, where the instruction set multiplies bf16
 * pairs, two bf16 neighbours along the summed dimension. The left operand is read a word at a time and broadcast, the
 * right one lies as a panel [words, columns], columns padded with zeros to whole vectors. */
#include "backend/cpu/kernel/kernel.h"
#include "backend/cpu/kernel/vec.h"

#if defined(__AVX512BF16__)
#define HAS_PAIRS true
#else
#define HAS_PAIRS false
#endif
#if defined(__AVX512F__)
enum { TILE_VECTORS = 4 };
#else
enum { TILE_VECTORS = 2 };
#endif
enum { TILE_ROWS = ATTENTION_TILE_ROWS, QUERIES = ATTENTION_QUERIES };

/* --- products ----------------------------------------------------------------------------------------------------- */
typedef struct {
    const uint32_t *at;
    int64_t by_row, by_word;
} words_view;

/* a + x y, word by word */
INLINE vf multiply_add(vf a, vu x, uint32_t y, bool is_pair)
{
#if HAS_PAIRS
    if (is_pair)
        return (vf)_mm512_dpbf16_ps((__m512)a, (__m512bh)x, (__m512bh)_mm512_set1_epi32((int)y));
#endif
    (void)is_pair;
    union {
        uint32_t u;
        float f;
    } factor = {.u = y};
    return a + vec_of_bits(x) * factor.f;
}

/* c (+)= a b for TILE_ROWS x vectors */
INLINE void tile(float *c, int64_t c_pitch, words_view a, const uint32_t *b, int64_t b_pitch, int64_t words,
                 const int vectors, const bool is_sum, const bool is_pair)
{
    vf acc[TILE_ROWS][TILE_VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < TILE_ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            acc[r][v] = is_sum ? vec_load_f32(c + r * c_pitch + v * VEC_LANES) : vec_set(0);
    for (int64_t w = 0; w < words; w++) {
        vu column[TILE_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            memcpy(&column[v], b + w * b_pitch + v * VEC_LANES, sizeof column[v]);
#pragma GCC unroll 6
        for (int r = 0; r < TILE_ROWS; r++) {
            uint32_t factor = a.at[r * a.by_row + w * a.by_word];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                acc[r][v] = multiply_add(acc[r][v], column[v], factor, is_pair);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < TILE_ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            vec_store_f32(c + r * c_pitch + v * VEC_LANES, acc[r][v]);
}

/* All rows of one panel of columns. */
INLINE void tiles(float *c, int64_t c_pitch, words_view a, const uint32_t *b, int64_t b_pitch, int64_t rows,
                  int64_t words, const int vectors, const bool is_sum, const bool is_pair)
{
    for (int64_t r = 0; r < rows; r += TILE_ROWS) {
        words_view here = {a.at + r * a.by_row, a.by_row, a.by_word};
        tile(c + r * c_pitch, c_pitch, here, b, b_pitch, words, vectors, is_sum, is_pair);
    }
}

/* c [rows, columns] (+)= a [rows, words] b [words, columns]; rows a multiple of TILE_ROWS, columns of vectors. Panels
 * of columns are as even as can be: four and four and four and one vectors would leave the last one waiting. */
INLINE void product(float *c, int64_t c_pitch, words_view a, const uint32_t *b, int64_t b_pitch, int64_t rows,
                    int64_t columns, int64_t words, const bool is_sum, const bool is_pair)
{
    int64_t all = columns / VEC_LANES, panels = (all + TILE_VECTORS - 1) / TILE_VECTORS;
    for (int64_t p = 0; p < panels; p++) {
        int64_t begin = all * p / panels, count = all * (p + 1) / panels - begin;
        float *to = c + begin * VEC_LANES;
        const uint32_t *from = b + begin * VEC_LANES;
        switch (count) {
        case 4:
            tiles(to, c_pitch, a, from, b_pitch, rows, words, TILE_VECTORS, is_sum, is_pair);
            break;
        case 3:
            tiles(to, c_pitch, a, from, b_pitch, rows, words, TILE_VECTORS - 1, is_sum, is_pair);
            break;
        case 2:
            tiles(to, c_pitch, a, from, b_pitch, rows, words, 2, is_sum, is_pair);
            break;
        default:
            tiles(to, c_pitch, a, from, b_pitch, rows, words, 1, is_sum, is_pair);
        }
    }
}

/* --- operands ----------------------------------------------------------------------------------------------------- */
/* A matrix of one head inside a wider tensor: row r begins at element `at + r pitch` of `data`. */
typedef struct {
    const void *data;
    int64_t at, pitch, rows, columns;
} head_view;

INLINE uint32_t float_bits(float x)
{
    union {
        float f;
        uint32_t u;
    } b = {.f = x};
    return b.u;
}

/* Word w of a row: element w, or elements 2 w and 2 w + 1 (0 past the end). */
INLINE uint32_t row_word(const head_view *m, int64_t row, int64_t w, bool is_pair, bool is_bf16)
{
    int64_t at = m->at + row * m->pitch;
    if (!is_pair)
        return float_bits(scalar_load(m->data, at + w, is_bf16));
    const uint16_t *half = (const uint16_t *)m->data + at + 2 * w;
    return half[0] | (2 * w + 1 < m->columns ? (uint32_t)half[1] << 16 : 0);
}

/* dst [rows padded][words]: words along the columns, rows past the end 0 */
INLINE void pack_rows(uint32_t *dst, int64_t pitch, const head_view *m, int64_t padded, bool is_pair, bool is_bf16)
{
    int64_t words = is_pair ? (m->columns + 1) / 2 : m->columns;
    for (int64_t r = 0; r < m->rows; r++)
        for (int64_t w = 0; w < words; w++)
            dst[r * pitch + w] = row_word(m, r, w, is_pair, is_bf16);
    for (int64_t r = m->rows; r < padded; r++)
        memset(dst + r * pitch, 0, (size_t)words * sizeof *dst);
}

/* dst [words][rows padded]: the same, transposed */
INLINE void pack_transposed(uint32_t *dst, int64_t pitch, const head_view *m, bool is_pair, bool is_bf16)
{
    int64_t words = is_pair ? (m->columns + 1) / 2 : m->columns;
    for (int64_t w = 0; w < words; w++)
        for (int64_t r = m->rows; r < pitch; r++)
            dst[w * pitch + r] = 0;
    for (int64_t r = 0; r < m->rows; r++)
        for (int64_t w = 0; w < words; w++)
            dst[w * pitch + r] = row_word(m, r, w, is_pair, is_bf16);
}

/* dst [words][columns padded]: words along the rows, rows and columns past the end 0 */
INLINE void pack_panel(uint32_t *dst, int64_t pitch, const head_view *m, bool is_pair, bool is_bf16)
{
    int64_t words = is_pair ? (m->rows + 1) / 2 : m->rows;
    for (int64_t w = 0; w < words; w++) {
        uint32_t *to = dst + w * pitch;
        for (int64_t c = m->columns; c < pitch; c++)
            to[c] = 0;
        if (!is_pair) {
            for (int64_t c = 0; c < m->columns; c++)
                to[c] = float_bits(scalar_load(m->data, m->at + w * m->pitch + c, is_bf16));
            continue;
        }
        const uint16_t *even = (const uint16_t *)m->data + m->at + 2 * w * m->pitch, *odd = even + m->pitch;
        if (2 * w + 1 < m->rows)
            for (int64_t c = 0; c < m->columns; c++)
                to[c] = even[c] | (uint32_t)odd[c] << 16;
        else
            for (int64_t c = 0; c < m->columns; c++)
                to[c] = even[c];
    }
}

/* Rows of a head's result, f32, to their place in a wider tensor. */
INLINE void store_rows(void *data, int64_t at, int64_t pitch, const float *src, int64_t src_pitch, int64_t rows,
                       int64_t columns, bool is_bf16)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c += VEC_LANES) {
            int n = columns - c < VEC_LANES ? (int)(columns - c) : VEC_LANES;
            vec_store_upto(data, at + r * pitch + c, n, vec_load_f32(src + r * src_pitch + c), is_bf16);
        }
}

/* Two rows of f32 as words of pairs, `odd` NULL: zeros. */
INLINE void interleave(uint32_t *dst, const float *even, const float *odd, int64_t count)
{
    for (int64_t j = 0; j < count; j += VEC_LANES) {
        vu low = __builtin_convertvector(vec_narrow(vec_load_f32(even + j)), vu);
        vu high = odd ? __builtin_convertvector(vec_narrow(vec_load_f32(odd + j)), vu) << 16 : (vu){0};
        vu words = low | high;
        memcpy(dst + j, &words, sizeof words);
    }
}

/* A row of f32 as bf16, so that neighbours are pairs. */
INLINE void narrow_row(uint32_t *dst, const float *src, int64_t count)
{
    for (int64_t j = 0; j < count; j += VEC_LANES)
        vec_store(dst, j, vec_load_f32(src + j), true);
}

/* --- forward ------------------------------------------------------------------------------------------------------ */
/* What one part works in; sizes in words, see attention_scratch_bytes. */
typedef struct {
    uint32_t *q, *k, *v, *p;
    float *scores, *out;
} forward_room;

INLINE head_view qkv_view(const attention_args *a, int64_t sample, int64_t head, int which)
{
    return (head_view){a->qkv, sample * a->t * 3 * a->d + which * a->d + head * a->c, 3 * a->d, a->t, a->c};
}

/* scores -> exp(scale (score - the row's maximum)), 0 past the last token; gives their sum and, for backward, log_sum.
 */
INLINE float softmax_row(float *s, int64_t t, int64_t padded, float scale, float *log_sum)
{
    for (int64_t j = t; j < padded; j++)
        s[j] = -INFINITY;
    vf most = vec_load_f32(s), sum = {0};
    for (int64_t j = VEC_LANES; j < padded; j += VEC_LANES) {
        vf v = vec_load_f32(s + j);
        most = vec_select_greater(v, most, v, most);
    }
    float max = most[0];
    for (int l = 1; l < VEC_LANES; l++)
        max = most[l] > max ? most[l] : max;
    for (int64_t j = 0; j < padded; j += VEC_LANES)
        vec_store_f32(s + j, vec_exp((vec_load_f32(s + j) - max) * scale));
    for (int64_t j = t; j < padded; j++)
        s[j] = 0;
    for (int64_t j = 0; j < padded; j += VEC_LANES)
        sum += vec_load_f32(s + j);
    float total = vec_sum(sum);
    if (log_sum)
        *log_sum = max * scale + logf(total);
    return total;
}

INLINE void attend(const attention_args *a, const forward_room *m, int64_t sample, int64_t head, const bool is_pair,
                   const bool is_bf16)
{
    const int64_t tp = attention_pad(a->t), cp = attention_pad(a->c), t_words = is_pair ? (a->t + 1) / 2 : a->t,
                  c_words = is_pair ? (a->c + 1) / 2 : a->c;
    const head_view k = qkv_view(a, sample, head, 1), v = qkv_view(a, sample, head, 2);
    pack_transposed(m->k, tp, &k, is_pair, is_bf16);
    pack_panel(m->v, cp, &v, is_pair, is_bf16);
    for (int64_t begin = 0; begin < a->queries; begin += QUERIES) {
        const int64_t rows = a->queries - begin < QUERIES ? a->queries - begin : QUERIES;
        const int64_t padded = (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
        head_view q = qkv_view(a, sample, head, 0);
        q.at += begin * q.pitch;
        q.rows = rows;
        pack_rows(m->q, cp, &q, padded, is_pair, is_bf16);
        product(m->scores, tp, (words_view){m->q, cp, 1}, m->k, tp, padded, tp, c_words, false, is_pair);
        float sums[QUERIES];
        for (int64_t r = 0; r < padded; r++) {
            float *log_sum =
                a->log_sum && r < rows ? a->log_sum + (sample * a->heads + head) * a->queries + begin + r : NULL;
            sums[r] = softmax_row(m->scores + r * tp, a->t, tp, a->scale, log_sum);
            if (is_pair)
                narrow_row(m->p + r * tp, m->scores + r * tp, tp);
        }
        const uint32_t *p = is_pair ? m->p : (const uint32_t *)(const void *)m->scores;
        product(m->out, cp, (words_view){p, tp, 1}, m->v, cp, padded, cp, t_words, false, is_pair);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < cp; i += VEC_LANES)
                vec_store_f32(m->out + r * cp + i, vec_load_f32(m->out + r * cp + i) * (1 / sums[r]));
        store_rows(a->y, (sample * a->queries + begin) * a->d + head * a->c, a->d, m->out, cp, rows, a->c, is_bf16);
    }
}

/* Parts take whole heads. */
INLINE int attention_parts(const attention_args *a)
{
    int parts = parts_for(a->n * a->queries * a->t * a->d, a->threads);
    return a->n * a->heads < parts ? (int)(a->n * a->heads) : parts;
}

void KERNEL(attention)(const void *args)
{
    const attention_args *a = args;
    const int64_t tp = attention_pad(a->t), cp = attention_pad(a->c);
    const int parts = attention_parts(a);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        uint32_t *at = a->scratch + index * attention_scratch_words(a->t, a->c);
        forward_room m = {.q = at};
        m.k = m.q + QUERIES * cp;
        m.v = m.k + cp * tp;
        m.p = m.v + tp * cp;
        m.scores = (float *)(m.p + QUERIES * tp);
        m.out = m.scores + QUERIES * tp;
        part mine = part_of(a->n * a->heads, 1, parts, index);
        for (int64_t i = mine.begin; i < mine.end; i++)
            if (a->is_bf16)
                attend(a, &m, i / a->heads, i % a->heads, HAS_PAIRS, true);
            else
                attend(a, &m, i / a->heads, i % a->heads, false, false);
    }
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
typedef struct {
    uint32_t *k, *k_turned, *v_turned;         /* [t words, c], [c words, t] */
    uint32_t *q, *q_panel, *dy, *dy_panel;     /* of a block of queries */
    uint32_t *p_turned, *ds, *ds_turned;       /* where they are pairs */
    float *scores, *dp, *dq, *dk, *dv, *delta; /* scores become p, dp becomes ds */
} backward_room;

/* delta[r] = <dy, y> of a row of this head */
INLINE void row_deltas(float *delta, const head_view *dy, const head_view *y, bool is_bf16)
{
    for (int64_t r = 0; r < dy->rows; r++) {
        vf sum = {0};
        for (int64_t c = 0; c < dy->columns; c += VEC_LANES) {
            int n = dy->columns - c < VEC_LANES ? (int)(dy->columns - c) : VEC_LANES;
            sum += vec_load_upto(dy->data, dy->at + r * dy->pitch + c, n, is_bf16) *
                   vec_load_upto(y->data, y->at + r * y->pitch + c, n, is_bf16);
        }
        delta[r] = vec_sum(sum);
    }
}

/* scores -> p, dp -> ds; rows and tokens past the end 0 */
INLINE void softmax_dx_rows(const attention_args *a, const backward_room *m, const float *log_sum, int64_t rows,
                            int64_t padded)
{
    const int64_t tp = attention_pad(a->t);
    for (int64_t r = 0; r < rows; r++) {
        float *s = m->scores + r * tp, *d = m->dp + r * tp;
        for (int64_t j = 0; j < tp; j += VEC_LANES) {
            vf p = vec_exp(vec_load_f32(s + j) * a->scale - log_sum[r]);
            vec_store_f32(s + j, p);
            vec_store_f32(d + j, p * (vec_load_f32(d + j) - m->delta[r]) * a->scale);
        }
        for (int64_t j = a->t; j < tp; j++)
            s[j] = d[j] = 0;
    }
    memset(m->scores + rows * tp, 0, (size_t)((padded - rows) * tp) * sizeof(float));
    memset(m->dp + rows * tp, 0, (size_t)((padded - rows) * tp) * sizeof(float));
}

/* A block of queries: its dq, and what it adds to dk and dv. */
INLINE void attend_dx_block(const attention_args *a, const backward_room *m, int64_t sample, int64_t head,
                            int64_t begin, const bool is_pair, const bool is_bf16)
{
    const int64_t tp = attention_pad(a->t), cp = attention_pad(a->c), t_words = is_pair ? (a->t + 1) / 2 : a->t,
                  c_words = is_pair ? (a->c + 1) / 2 : a->c;
    const int64_t rows = a->queries - begin < QUERIES ? a->queries - begin : QUERIES,
                  row_words = is_pair ? (rows + 1) / 2 : rows, padded = (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS,
                  turned_rows = (a->t + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
    head_view q = qkv_view(a, sample, head, 0);
    q.at += begin * q.pitch;
    q.rows = rows;
    const head_view y = {a->y, (sample * a->queries + begin) * a->d + head * a->c, a->d, rows, a->c};
    const head_view dy = {a->dy, y.at, y.pitch, y.rows, y.columns};
    pack_rows(m->q, cp, &q, padded, is_pair, is_bf16);
    pack_panel(m->q_panel, cp, &q, is_pair, is_bf16);
    pack_rows(m->dy, cp, &dy, padded, is_pair, is_bf16);
    pack_panel(m->dy_panel, cp, &dy, is_pair, is_bf16);
    row_deltas(m->delta, &dy, &y, is_bf16);
    product(m->scores, tp, (words_view){m->q, cp, 1}, m->k_turned, tp, padded, tp, c_words, false, is_pair);
    product(m->dp, tp, (words_view){m->dy, cp, 1}, m->v_turned, tp, padded, tp, c_words, false, is_pair);
    softmax_dx_rows(a, m, a->log_sum + (sample * a->heads + head) * a->queries + begin, rows, padded);
    const uint32_t *ds = (const uint32_t *)(const void *)m->dp, *ds_turned = ds,
                   *p_turned = (const uint32_t *)(const void *)m->scores;
    if (is_pair) {
        for (int64_t r = 0; r < padded; r++)
            narrow_row(m->ds + r * tp, m->dp + r * tp, tp);
        for (int64_t w = 0; w < row_words; w++) {
            bool is_whole = 2 * w + 1 < rows;
            interleave(m->p_turned + w * tp, m->scores + 2 * w * tp, is_whole ? m->scores + (2 * w + 1) * tp : NULL,
                       tp);
            interleave(m->ds_turned + w * tp, m->dp + 2 * w * tp, is_whole ? m->dp + (2 * w + 1) * tp : NULL, tp);
        }
        ds = m->ds;
        ds_turned = m->ds_turned;
        p_turned = m->p_turned;
    }
    product(m->dq, cp, (words_view){ds, tp, 1}, m->k, cp, padded, cp, t_words, false, is_pair);
    product(m->dv, cp, (words_view){p_turned, 1, tp}, m->dy_panel, cp, turned_rows, cp, row_words, true, is_pair);
    product(m->dk, cp, (words_view){ds_turned, 1, tp}, m->q_panel, cp, turned_rows, cp, row_words, true, is_pair);
    store_rows(a->dqkv, q.at, q.pitch, m->dq, cp, rows, a->c, is_bf16);
}

INLINE void attend_dx(const attention_args *a, const backward_room *m, int64_t sample, int64_t head, const bool is_pair,
                      const bool is_bf16)
{
    const int64_t tp = attention_pad(a->t), cp = attention_pad(a->c);
    const head_view q = qkv_view(a, sample, head, 0), k = qkv_view(a, sample, head, 1),
                    v = qkv_view(a, sample, head, 2);
    pack_panel(m->k, cp, &k, is_pair, is_bf16);
    pack_transposed(m->k_turned, tp, &k, is_pair, is_bf16);
    pack_transposed(m->v_turned, tp, &v, is_pair, is_bf16);
    memset(m->dk, 0, (size_t)((tp + TILE_ROWS) * cp) * sizeof(float));
    memset(m->dv, 0, (size_t)((tp + TILE_ROWS) * cp) * sizeof(float));
    for (int64_t begin = 0; begin < a->queries; begin += QUERIES)
        attend_dx_block(a, m, sample, head, begin, is_pair, is_bf16);
    store_rows(a->dqkv, k.at, k.pitch, m->dk, cp, a->t, a->c, is_bf16);
    store_rows(a->dqkv, v.at, v.pitch, m->dv, cp, a->t, a->c, is_bf16);
    for (int64_t r = a->queries; r < a->t; r++) /* tokens that did not ask */
        memset((char *)a->dqkv + (size_t)(q.at + r * q.pitch) * (is_bf16 ? 2 : 4), 0, (size_t)a->c * (is_bf16 ? 2 : 4));
}

void KERNEL(attention_dx)(const void *args)
{
    const attention_args *a = args;
    const int64_t tp = attention_pad(a->t), cp = attention_pad(a->c);
    const int parts = attention_parts(a);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        uint32_t *at = a->scratch + index * attention_dx_scratch_words(a->t, a->c);
        backward_room m = {.k = at};
        m.k_turned = m.k + tp * cp;
        m.v_turned = m.k_turned + cp * tp;
        m.q = m.v_turned + cp * tp;
        m.q_panel = m.q + QUERIES * cp;
        m.dy = m.q_panel + QUERIES * cp;
        m.dy_panel = m.dy + QUERIES * cp;
        m.p_turned = m.dy_panel + QUERIES * cp;
        m.ds = m.p_turned + QUERIES * tp;
        m.ds_turned = m.ds + QUERIES * tp;
        m.scores = (float *)(m.ds_turned + QUERIES * tp);
        m.dp = m.scores + QUERIES * tp;
        m.dq = m.dp + QUERIES * tp;
        m.dk = m.dq + QUERIES * cp;
        m.dv = m.dk + (tp + TILE_ROWS) * cp;
        m.delta = m.dv + (tp + TILE_ROWS) * cp;
        part mine = part_of(a->n * a->heads, 1, parts, index);
        for (int64_t i = mine.begin; i < mine.end; i++)
            if (a->is_bf16)
                attend_dx(a, &m, i / a->heads, i % a->heads, HAS_PAIRS, true);
            else
                attend_dx(a, &m, i / a->heads, i % a->heads, false, false);
    }
}
