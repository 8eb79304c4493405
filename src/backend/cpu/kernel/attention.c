/* Attention, a sample and head at a time, a block of queries at a time: scores of a block stay in the cache, nothing of
 * tokens x tokens is written.
 *
 * All products are one tile loop over 32-bit words. A word is a float or, where the instruction set multiplies bf16
 * pairs, two bf16 neighbours along the summed dimension. The left operand is read a word at a time and broadcast, the
 * right one lies as a panel [words, columns], columns padded with zeros to whole vectors. */
#include "backend/cpu/kernel/attention.h"
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

/* VEC_LANES words of a row from word w on, all of them inside it */
INLINE vu row_words(const head_view *m, int64_t row, int64_t w, bool is_pair, bool is_bf16)
{
    vu words;
    if (!is_pair)
        return vec_bits(vec_load(m->data, m->at + row * m->pitch + w, is_bf16));
    memcpy(&words, (const uint16_t *)m->data + m->at + row * m->pitch + 2 * w, sizeof words);
    return words;
}

/* dst [rows padded][words]: words along the columns, rows past the end 0 */
INLINE void pack_rows(uint32_t *dst, int64_t pitch, const head_view *m, int64_t padded, bool is_pair, bool is_bf16)
{
    int64_t words = is_pair ? (m->columns + 1) / 2 : m->columns, whole = is_pair ? m->columns / 2 : m->columns;
    for (int64_t r = 0; r < m->rows; r++) {
        int64_t w = 0;
        for (; w + VEC_LANES <= whole; w += VEC_LANES) {
            vu v = row_words(m, r, w, is_pair, is_bf16);
            memcpy(dst + r * pitch + w, &v, sizeof v);
        }
        for (; w < words; w++)
            dst[r * pitch + w] = row_word(m, r, w, is_pair, is_bf16);
    }
    for (int64_t r = m->rows; r < padded; r++)
        memset(dst + r * pitch, 0, (size_t)words * sizeof *dst);
}

/* Lane l of the result is lane index[l] of a and b, one after the other: each index below 2 VEC_LANES. */
INLINE vu pick(vu a, vu b, vu index)
{
#if defined(__clang__) /* has no such shuffle; it builds fuzz targets alone */
    vu picked;
    for (int l = 0; l < VEC_LANES; l++)
        picked[l] = index[l] < VEC_LANES ? a[index[l]] : b[index[l] - VEC_LANES];
    return picked;
#else
    return __builtin_shuffle(a, b, index);
#endif
}

/* Row r, lane l <-> row l, lane r: a bit of the two indices at a time. */
INLINE void turn(vu m[VEC_LANES])
{
    vu lane;
    for (int l = 0; l < VEC_LANES; l++)
        lane[l] = (uint32_t)l;
#pragma GCC unroll 4
    for (int half = 1; half < VEC_LANES; half *= 2) {
        vu is_high = (vu)((lane & half) != 0);
        vu low = (~is_high & lane) | (is_high & ((lane ^ half) + VEC_LANES));
        vu high = (~is_high & (lane | half)) | (is_high & (lane + VEC_LANES));
#pragma GCC unroll 16
        for (int r = 0; r < VEC_LANES; r++)
            if (!(r & half)) {
                vu a = m[r], b = m[r | half];
                m[r] = pick(a, b, low);
                m[r | half] = pick(a, b, high);
            }
    }
}

/* dst [words][rows padded]: the same, transposed */
INLINE void pack_transposed(uint32_t *dst, int64_t pitch, const head_view *m, bool is_pair, bool is_bf16)
{
    int64_t words = is_pair ? (m->columns + 1) / 2 : m->columns, whole = is_pair ? m->columns / 2 : m->columns;
    int64_t turned_rows = m->rows / VEC_LANES * VEC_LANES, turned_words = whole / VEC_LANES * VEC_LANES;
    for (int64_t w = 0; w < words; w++)
        memset(dst + w * pitch + m->rows, 0, (size_t)(pitch - m->rows) * sizeof *dst);
    for (int64_t r = 0; r < turned_rows; r += VEC_LANES)
        for (int64_t w = 0; w < turned_words; w += VEC_LANES) {
            vu block[VEC_LANES];
#pragma GCC unroll 16
            for (int l = 0; l < VEC_LANES; l++)
                block[l] = row_words(m, r + l, w, is_pair, is_bf16);
            turn(block);
#pragma GCC unroll 16
            for (int l = 0; l < VEC_LANES; l++)
                memcpy(dst + (w + l) * pitch + r, &block[l], sizeof block[l]);
        }
    for (int64_t r = 0; r < m->rows; r++)
        for (int64_t w = r < turned_rows ? turned_words : 0; w < words; w++)
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

/* p = exp(scale (score - the row's maximum)), over the scores or, as pairs, into `pairs`; 0 past the last token. Gives
 * their sum and, for backward, log_sum. */
INLINE float softmax_row(float *s, uint32_t *pairs, int64_t t, int64_t padded, float scale, float *log_sum,
                         const bool is_pair)
{
    for (int64_t j = t; j < padded; j++)
        s[j] = -INFINITY; /* p is next to 0 there, and the panel 0 */
    vf most = vec_load_f32(s), sum = {0};
    for (int64_t j = VEC_LANES; j < padded; j += VEC_LANES) {
        vf v = vec_load_f32(s + j);
        most = vec_select_greater(v, most, v, most);
    }
    float max = most[0];
    for (int l = 1; l < VEC_LANES; l++)
        max = most[l] > max ? most[l] : max;
    const float shift = max * scale;
    for (int64_t j = 0; j < padded; j += VEC_LANES) {
        vf x = vec_load_f32(s + j) * scale - shift, p = is_pair ? vec_exp_bf16(x) : vec_exp(x);
        sum += p;
        if (is_pair)
            vec_store(pairs, j, p, true);
        else
            vec_store_f32(s + j, p);
    }
    float total = vec_sum(sum);
    if (log_sum)
        *log_sum = shift + logf(total);
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
            sums[r] = softmax_row(m->scores + r * tp, m->p + r * tp, a->t, tp, a->scale, log_sum, is_pair);
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

/* p and ds of VEC_LANES tokens from score and dp */
typedef struct {
    vf p, ds;
} softmax_slope;

INLINE softmax_slope slope_at(const attention_args *a, const backward_room *m, const float *log_sum, int64_t r,
                              int64_t j, bool is_pair)
{
    int64_t at = r * attention_pad(a->t) + j;
    vf x = vec_load_f32(m->scores + at) * a->scale - log_sum[r], p = is_pair ? vec_exp_bf16(x) : vec_exp(x);
    return (softmax_slope){p, p * (vec_load_f32(m->dp + at) - m->delta[r]) * a->scale};
}

/* scores -> p, dp -> ds; rows past the end 0. What stands past the last token is not read. */
INLINE void slope_rows(const attention_args *a, const backward_room *m, const float *log_sum, int64_t rows,
                       int64_t padded)
{
    const int64_t tp = attention_pad(a->t);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < tp; j += VEC_LANES) {
            softmax_slope slope = slope_at(a, m, log_sum, r, j, false);
            vec_store_f32(m->scores + r * tp + j, slope.p);
            vec_store_f32(m->dp + r * tp + j, slope.ds);
        }
    memset(m->dp + rows * tp, 0, (size_t)((padded - rows) * tp) * sizeof(float));
}

/* Two vectors as words of pairs */
INLINE void store_pairs(uint32_t *dst, vf even, vf odd)
{
    vu words = __builtin_convertvector(vec_narrow(even), vu) | (__builtin_convertvector(vec_narrow(odd), vu) << 16);
    memcpy(dst, &words, sizeof words);
}

/* The same in pairs: p_turned and ds_turned of two rows a word, ds of two tokens a word. */
INLINE void slope_pairs(const attention_args *a, const backward_room *m, const float *log_sum, int64_t rows,
                        int64_t padded)
{
    const int64_t tp = attention_pad(a->t);
    for (int64_t r = 0; r < rows; r += 2)
        for (int64_t j = 0; j < tp; j += VEC_LANES) {
            softmax_slope even = slope_at(a, m, log_sum, r, j, true), odd = {{0}, {0}};
            if (r + 1 < rows)
                odd = slope_at(a, m, log_sum, r + 1, j, true);
            if (j + VEC_LANES > a->t) { /* an odd last token is paired with one past it */
                uint32_t inside = j < a->t ? (1u << (a->t - j)) - 1 : 0;
                even.ds = vec_keep_bits(even.ds, inside);
                odd.ds = vec_keep_bits(odd.ds, inside);
            }
            store_pairs(m->p_turned + r / 2 * tp + j, even.p, odd.p);
            store_pairs(m->ds_turned + r / 2 * tp + j, even.ds, odd.ds);
            vec_store(m->ds + r * tp, j, even.ds, true);
            vec_store(m->ds + (r + 1) * tp, j, odd.ds, true);
        }
    for (int64_t r = rows; r < padded; r++)
        memset(m->ds + r * tp, 0, (size_t)tp * sizeof *m->ds);
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
    const float *log_sum = a->log_sum + (sample * a->heads + head) * a->queries + begin;
    const uint32_t *ds = m->ds, *ds_turned = m->ds_turned, *p_turned = m->p_turned;
    if (is_pair) {
        slope_pairs(a, m, log_sum, rows, padded);
    } else {
        slope_rows(a, m, log_sum, rows, padded);
        ds = ds_turned = (const uint32_t *)(const void *)m->dp;
        p_turned = (const uint32_t *)(const void *)m->scores;
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
