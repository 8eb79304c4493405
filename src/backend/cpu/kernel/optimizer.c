/* The update of every trainable parameter, in the arithmetic of torch.optim.Adam, AdamW and SGD. Before it, one pass
 * over the gradients: their norm says whether all are finite, because a sum of squares in double overflows for no
 * float.
 */
#include "backend/cpu/kernel/optimizer.h"
#include "backend/cpu/kernel/vec.h"

/* Numbers of one step, worked out in double as PyTorch does. */
typedef struct {
    float lr, decay, keep; /* decay: weight decay added to the gradient; keep: what AdamW leaves of a value */
    float beta1, beta2, rest1, rest2;
    float step_size, root, eps; /* step_size = lr / (1 - beta1^t); root = 1 / sqrt(1 - beta2^t) */
    float momentum;
    bool is_first;
} step_numbers;

static step_numbers numbers_make(const optimizer_attr *attr, const step_params *step)
{
    double t = step->step, lr = (double)step->lr;
    step_numbers n = {.lr = step->lr,
                      .decay = attr->weight_decay,
                      .keep = 1,
                      .beta1 = attr->beta1,
                      .beta2 = attr->beta2,
                      .eps = attr->eps,
                      .momentum = attr->momentum,
                      .is_first = step->step <= 1};
    n.rest1 = (float)(1 - (double)attr->beta1);
    n.rest2 = (float)(1 - (double)attr->beta2);
    n.step_size = (float)(lr / (1 - pow((double)attr->beta1, t)));
    n.root = (float)(1 / sqrt(1 - pow((double)attr->beta2, t)));
    if (attr->kind == OPTIMIZER_ADAMW) {
        n.keep = (float)(1 - lr * (double)attr->weight_decay);
        n.decay = 0;
    }
    return n;
}

/* Element i.. of the arenas. State of SGD without momentum is not touched. */
INLINE void adam_vec(const optimizer_args *a, const step_numbers *n, int64_t i, int lanes)
{
    vf value = vec_load_upto(a->values, i, lanes, false) * n->keep;
    vf grad = vec_load_upto(a->grads, i, lanes, false) + value * n->decay;
    vf mean = vec_load_upto(a->state1, i, lanes, false), square = vec_load_upto(a->state2, i, lanes, false);
    mean = mean * n->beta1 + grad * n->rest1;
    square = square * n->beta2 + grad * grad * n->rest2;
    value -= n->step_size * mean / (vec_sqrt(square) * n->root + n->eps);
    vec_store_upto(a->values, i, lanes, value, false);
    vec_store_upto(a->state1, i, lanes, mean, false);
    vec_store_upto(a->state2, i, lanes, square, false);
}

INLINE void sgd_vec(const optimizer_args *a, const step_numbers *n, int64_t i, int lanes)
{
    vf value = vec_load_upto(a->values, i, lanes, false);
    vf grad = vec_load_upto(a->grads, i, lanes, false) + value * n->decay;
    if (n->momentum != 0) { /* the first buffer is the gradient itself */
        if (!n->is_first)
            grad += vec_load_upto(a->state1, i, lanes, false) * n->momentum;
        vec_store_upto(a->state1, i, lanes, grad, false);
    }
    vec_store_upto(a->values, i, lanes, value - grad * n->lr, false);
}

/* Sum of squares of elements [begin, end): eight doubles a lane group would do; plain doubles in blocks are enough. */
static double squares(const float *grads, int64_t begin, int64_t end)
{
    double total = 0;
    int64_t i = begin;
    for (; i + 8 <= end; i += 8) {
        double lane[8];
        for (int l = 0; l < 8; l++)
            lane[l] = (double)grads[i + l] * (double)grads[i + l];
        total += ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
    }
    for (; i < end; i++)
        total += (double)grads[i] * (double)grads[i];
    return total;
}

/* Each range is divided among the parts by itself: ranges are few and long. */
static void parts_run(const optimizer_args *a, const step_numbers *n)
{
#pragma omp parallel for num_threads(a->threads) schedule(static)
    for (int index = 0; index < a->threads; index++) {
        double sum = 0;
        for (int r = 0; r < a->attr.range_count; r++) {
            int64_t first = (int64_t)a->attr.ranges[r].offset;
            part mine = part_of((int64_t)a->attr.ranges[r].count, 64, a->threads, index);
            if (!n) {
                sum += squares(a->grads, first + mine.begin, first + mine.end);
                continue;
            }
            for (int64_t i = mine.begin; i < mine.end; i += VEC_LANES) {
                int lanes = mine.end - i < VEC_LANES ? (int)(mine.end - i) : VEC_LANES;
                if (a->attr.kind == OPTIMIZER_SGD)
                    sgd_vec(a, n, first + i, lanes);
                else
                    adam_vec(a, n, first + i, lanes);
            }
        }
        if (!n)
            a->scratch[index] = sum;
    }
}

void KERNEL(optimizer)(const void *args)
{
    const optimizer_args *a = args;
    step_params *step = a->step;
    parts_run(a, NULL);
    double norm = 0;
    for (int index = 0; index < a->threads; index++)
        norm += a->scratch[index];
    step->gradient_norm = (float)sqrt(norm);
    step->is_nonfinite = !isfinite(norm) || (a->loss && !isfinite(*a->loss));
    if (step->is_nonfinite)
        return;
    step_numbers n = numbers_make(&a->attr, step);
    parts_run(a, &n);
}
