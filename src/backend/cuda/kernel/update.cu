/* Gradients summed and parameters moved: plain kernels, a block a chunk of the arenas. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/update.h"

KERNEL(total, total_args)
{
    double sum = 0;
    for (int i = 0; i < a.count; i++)
        sum += (double)a.weights[i] * (double)*a.x[i];
    *a.y = (float)sum;
}

KERNEL(accumulate, accumulate_args)
{
    const bool is_finite = isfinite(*a.loss);
    for (int64_t c = blockIdx.x; c < a.chunk_count; c += gridDim.x) {
        const int64_t begin = (int64_t)a.chunks[c].offset, end = begin + (int64_t)a.chunks[c].count;
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
            const float sum = a.is_first ? a.grads[i] : a.sums[i] + a.grads[i];
            a.sums[i] = is_finite || c > 0 || i > begin ? sum : NAN;
        }
    }
}

/* --- optimizer ---------------------------------------------------------------------------------------------------- */
/* A sum of squares in double overflows for no float: the norm says whether all are finite. */
TEAM_KERNEL(optimizer_squares, optimizer_args)
{
    for (int64_t c = blockIdx.x; c < a.chunk_count; c += gridDim.x) {
        const int64_t begin = (int64_t)a.chunks[c].offset, end = begin + (int64_t)a.chunks[c].count;
        double sum = 0;
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x)
            sum += (double)a.grads[i] * (double)a.grads[i];
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            a.squares[c] = sum;
    }
}

DEVICE step_numbers numbers_of(const optimizer_args *a)
{
    const double t = (double)a->step->step, lr = (double)a->step->lr;
    step_numbers n;
    n.lr = a->step->lr;
    n.decay = a->kind == OPTIMIZER_ADAMW ? 0 : a->weight_decay;
    n.keep = a->kind == OPTIMIZER_ADAMW ? (float)(1 - lr * (double)a->weight_decay) : 1;
    n.rest1 = (float)(1 - (double)a->beta1);
    n.rest2 = (float)(1 - (double)a->beta2);
    n.step_size = (float)(lr / (1 - pow((double)a->beta1, t)));
    n.root = (float)(1 / sqrt(1 - pow((double)a->beta2, t)));
    n.is_first = a->step->step <= 1;
    return n;
}

TEAM_KERNEL(optimizer_begin, optimizer_args)
{
    double sum = 0;
    for (int64_t c = threadIdx.x; c < a.chunk_count; c += blockDim.x)
        sum += a.squares[c];
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        a.step->gradient_norm = (float)sqrt(sum);
        a.step->is_nonfinite = !isfinite(sum) || !isfinite(*a.loss);
        *a.numbers = numbers_of(&a);
    }
}

DEVICE void adam_element(const optimizer_args *a, const step_numbers *n, int64_t i)
{
    const float value = a->values[i] * n->keep, grad = a->grads[i] + value * n->decay;
    const float mean = a->state1[i] * a->beta1 + grad * n->rest1;
    const float square = a->state2[i] * a->beta2 + grad * grad * n->rest2;
    a->values[i] = value - n->step_size * mean / (sqrtf(square) * n->root + a->eps);
    a->state1[i] = mean;
    a->state2[i] = square;
}

DEVICE void sgd_element(const optimizer_args *a, const step_numbers *n, int64_t i)
{
    float grad = a->grads[i] + a->values[i] * n->decay;
    if (a->momentum != 0) { /* the first buffer is the gradient itself */
        if (!n->is_first)
            grad += a->state1[i] * a->momentum;
        a->state1[i] = grad;
    }
    a->values[i] -= grad * n->lr;
}

KERNEL(optimizer, optimizer_args)
{
    if (a.step->is_nonfinite)
        return;
    const step_numbers n = *a.numbers;
    for (int64_t c = blockIdx.x; c < a.chunk_count; c += gridDim.x) {
        const int64_t begin = (int64_t)a.chunks[c].offset, end = begin + (int64_t)a.chunks[c].count;
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x)
            if (a.kind == OPTIMIZER_SGD)
                sgd_element(&a, &n, i);
            else
                adam_element(&a, &n, i);
    }
}
