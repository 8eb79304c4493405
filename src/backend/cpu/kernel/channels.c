/* What meets every pixel of a sample with one number a channel: squeeze-excite's scale and its gradients, the global
 * mean and its gradient, and bias gradients. */
#include "backend/cpu/kernel/channels.h"
#include "backend/cpu/kernel/columns.h"

/* --- scale -------------------------------------------------------------------------------------------------------- */
/* y = x s for elements [begin, end) of sample i; begin is a multiple of the wide row */
INLINE void scale_sample(const scale_args *a, int64_t i, part mine, float *wide_s, int64_t wide, bool is_bf16)
{
    for (int64_t ch = 0; ch < a->c; ch++)
        wide_s[ch] = scalar_load(a->s, i * a->c + ch, is_bf16);
    columns_spread(wide_s + a->c, wide_s, a->c, wide - a->c);
    int64_t base = i * a->hw * a->c;
    for (int64_t at = mine.begin; at < mine.end; at += wide) {
        int64_t end = mine.end - at < wide ? mine.end - at : wide, j = 0;
        for (; j + VEC_LANES <= end; j += VEC_LANES)
            vec_store(a->y, base + at + j, vec_load(a->x, base + at + j, is_bf16) * vec_load_f32(wide_s + j), is_bf16);
        for (; j < end; j++)
            scalar_store(a->y, base + at + j, scalar_load(a->x, base + at + j, is_bf16) * wide_s[j], is_bf16);
    }
}

/* Parts divide the wide rows of all samples, a few of which may be short (the last of each sample). */
void KERNEL(scale)(const void *args)
{
    const scale_args *a = args;
    int64_t wide = wide_count(a->c), sample = a->hw * a->c, rows = (sample + wide - 1) / wide;
    int parts = parts_for(a->n * sample, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n * rows, 1, parts, index);
        while (mine.begin < mine.end) {
            int64_t i = mine.begin / rows, first = mine.begin - i * rows, count = rows - first;
            if (count > mine.end - mine.begin)
                count = mine.end - mine.begin;
            int64_t end = (first + count) * wide;
            part span = {first * wide, end < sample ? end : sample};
            if (a->is_bf16)
                scale_sample(a, i, span, a->scratch + index * wide, wide, true);
            else
                scale_sample(a, i, span, a->scratch + index * wide, wide, false);
            mine.begin += count;
        }
    }
}

/* --- sums over a sample's pixels ---------------------------------------------------------------------------------- */
/* sum [wide] = column sums of x (times y, where given) over one sample from element `base`; of `columns` alone, which
 * are whole vectors */
INLINE void sample_sums(float *restrict sum, const void *x, const void *y, int64_t base, int64_t count, int64_t wide,
                        part columns, bool is_product, bool is_bf16)
{
    memset(sum + columns.begin, 0, (size_t)(columns.end - columns.begin) * sizeof *sum);
    int64_t at = 0;
    for (; at + 4 * wide <= count; at += 4 * wide)
        for (int64_t j = columns.begin; j < columns.end; j += VEC_LANES) {
            vf s = vec_load_f32(sum + j);
            for (int r = 0; r < 4; r++) {
                vf v = vec_load(x, base + at + r * wide + j, is_bf16);
                s += is_product ? v * vec_load(y, base + at + r * wide + j, is_bf16) : v;
            }
            vec_store_f32(sum + j, s);
        }
    for (; at < count; at += wide)
        for (int64_t j = columns.begin; j < columns.end && at + j < count; j++) {
            float v = scalar_load(x, base + at + j, is_bf16);
            sum[j] += is_product ? v * scalar_load(y, base + at + j, is_bf16) : v;
        }
}

/* dst [c] of sample i = factor times its folded sums; of `channels` alone */
INLINE void sums_store(void *dst, int64_t i, const float *sum, int64_t c, int64_t wide, part channels, float factor,
                       bool is_bf16)
{
    for (int64_t ch = channels.begin; ch < channels.end; ch++) {
        float total = 0;
        for (int64_t j = ch; j < wide; j += c)
            total += sum[j];
        scalar_store(dst, i * c + ch, total * factor, is_bf16);
    }
}

void KERNEL(scale_ds)(const void *args)
{
    const scale_args *a = args;
    int64_t wide = wide_count(a->c), sample = a->hw * a->c;
    int parts = parts_for(a->n * sample, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n, 1, parts, index);
        float *sum = a->scratch + index * wide;
        for (int64_t i = mine.begin; i < mine.end; i++) {
            if (a->is_bf16)
                sample_sums(sum, a->x, a->y, i * sample, sample, wide, (part){0, wide}, true, true);
            else
                sample_sums(sum, a->x, a->y, i * sample, sample, wide, (part){0, wide}, true, false);
            sums_store(a->s, i, sum, a->c, wide, (part){0, a->c}, 1, a->is_bf16);
        }
    }
}

/* Parts divide the channels of all samples, in whole vectors, or whole samples where rows are wide ones of several
 * pixels: a channel's sum is the same whoever adds it. */
void KERNEL(global_mean)(const void *args)
{
    const global_mean_args *a = args;
    int64_t wide = wide_count(a->c), sample = a->hw * a->c;
    int parts = parts_for(a->n * sample, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n * a->c, wide == a->c ? VEC_LANES : a->c, parts, index);
        float *sum = a->scratch + index * wide;
        while (mine.begin < mine.end) {
            int64_t i = mine.begin / a->c, first = mine.begin - i * a->c, count = a->c - first;
            if (count > mine.end - mine.begin)
                count = mine.end - mine.begin;
            part channels = {first, first + count}, columns = wide == a->c ? channels : (part){0, wide};
            if (a->is_bf16)
                sample_sums(sum, a->x, NULL, i * sample, sample, wide, columns, false, true);
            else
                sample_sums(sum, a->x, NULL, i * sample, sample, wide, columns, false, false);
            sums_store(a->y, i, sum, a->c, wide, channels, 1 / (float)a->hw, a->is_bf16);
            mine.begin += count;
        }
    }
}

void KERNEL(global_mean_dx)(const void *args)
{
    const global_mean_args *a = args;
    int64_t wide = wide_count(a->c), sample = a->hw * a->c;
    int parts = parts_for(a->n * sample, a->threads);
    bool is_bf16 = a->is_bf16;
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n, 1, parts, index);
        float *share = a->scratch + index * wide;
        for (int64_t i = mine.begin; i < mine.end; i++) {
            for (int64_t ch = 0; ch < a->c; ch++)
                share[ch] = scalar_load(a->y, i * a->c + ch, is_bf16) / (float)a->hw;
            columns_spread(share + a->c, share, a->c, wide - a->c);
            for (int64_t at = 0; at < sample; at += wide) {
                int64_t end = sample - at < wide ? sample - at : wide, j = 0;
                for (; j + VEC_LANES <= end; j += VEC_LANES)
                    vec_store(a->x, i * sample + at + j, vec_load_f32(share + j), is_bf16);
                for (; j < end; j++)
                    scalar_store(a->x, i * sample + at + j, share[j], is_bf16);
            }
        }
    }
}

/* --- bias gradient ------------------------------------------------------------------------------------------------ */
INLINE void bias_part(const bias_gradient_args *a, double *sums, float *chunk, int64_t wide, part mine, bool is_bf16)
{
    int64_t grain = chunk_rows(wide) * wide;
    memset(sums, 0, (size_t)wide * sizeof *sums);
    for (int64_t at = mine.begin; at < mine.end; at += grain) {
        int64_t count = mine.end - at < grain ? mine.end - at : grain;
        sample_sums(chunk, a->dy, NULL, at, count, wide, (part){0, wide}, false, is_bf16);
        columns_flush(sums, chunk, wide);
    }
}

void KERNEL(bias_gradient)(const void *args)
{
    const bias_gradient_args *a = args;
    int64_t wide = wide_count(a->c), count = a->rows * a->c;
    int parts = parts_for(count, a->threads);
    float *chunks = (float *)(a->scratch + a->threads * wide);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(count, wide, parts, index);
        if (a->is_bf16)
            bias_part(a, a->scratch + index * wide, chunks + index * wide, wide, mine, true);
        else
            bias_part(a, a->scratch + index * wide, chunks + index * wide, wide, mine, false);
    }
    for (int64_t ch = 0; ch < a->c; ch++)
        a->dbias[ch] = (float)columns_fold(a->scratch, parts, wide, wide, a->c, ch);
}
