/* Log loss is convex in 1 / temperature, and in the weights of a mixture: bisection and EM find the one least point. */
#include "task/calibrate.h"

#include "base/mem.h"
#include "nn/head.h"
#include "task/metric.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool counts(const calibrate_set *set, int64_t row)
{
    return !set->is_known || set->is_known[row];
}

static double probability(const calibrate_set *set, int member, int64_t row, int c)
{
    return fmax((double)set->members[member][row * set->classes + c], (double)FLT_MIN);
}

/* --- temperature -------------------------------------------------------------------------------------------------- */

/* The slope over `sharp`, 1 / temperature, of a row's log loss: the mean logit under the probabilities, less the
 * truth's. */
static double row_slope(const calibrate_set *set, int member, int64_t row, double sharp)
{
    double sum = 0, weighted = 0;
    for (int c = 0; c < set->classes; c++) {
        const double z = log(probability(set, member, row, c)), e = exp(sharp * z);
        sum += e;
        weighted += e * z;
    }
    return weighted / sum - log(probability(set, member, row, set->truth[row]));
}

static double slope(const calibrate_set *set, int member, double sharp)
{
    double sum = 0;
    for (int64_t i = 0; i < set->count; i++)
        if (counts(set, i))
            sum += row_slope(set, member, i, sharp);
    return sum;
}

float calibrate_temperature(const calibrate_set *set, int member)
{
    enum { HALVINGS = 60 };
    double low = 1 / (double)HEAD_MAX_TEMPERATURE, high = 1 / (double)HEAD_MIN_TEMPERATURE;
    bool is_any = false;
    for (int64_t i = 0; i < set->count && !is_any; i++)
        is_any = counts(set, i);
    if (!is_any)
        return 1;
    for (int i = 0; i < HALVINGS; i++) {
        const double middle = sqrt(low * high);
        if (slope(set, member, middle) <= 0)
            low = middle;
        else
            high = middle;
    }
    return fminf(fmaxf((float)(1 / sqrt(low * high)), HEAD_MIN_TEMPERATURE), HEAD_MAX_TEMPERATURE);
}

/* --- weights ------------------------------------------------------------------------------------------------------ */

/* share [member_count] += each member's part in what the mixture says of the row's truth. */
static void add_shares(double *share, const double *weights, const calibrate_set *set, int64_t row)
{
    double sum = 0;
    for (int m = 0; m < set->member_count; m++)
        sum += weights[m] * probability(set, m, row, set->truth[row]);
    for (int m = 0; m < set->member_count; m++)
        share[m] += weights[m] * probability(set, m, row, set->truth[row]) / sum;
}

mien_status calibrate_weights(double *weights, const calibrate_set *set)
{
    enum { MAX_STEPS = 2000 };
    static const double still = 1e-9;
    double *share;
    int64_t known = 0;
    TRY(mem_alloc(&share, set->member_count));
    for (int m = 0; m < set->member_count; m++)
        weights[m] = 1.0 / set->member_count;
    for (int64_t i = 0; i < set->count; i++)
        known += counts(set, i);
    double moved = known ? 1 : 0;
    for (int step = 0; step < MAX_STEPS && moved > still; step++) {
        moved = 0;
        memset(share, 0, (size_t)set->member_count * sizeof *share);
        for (int64_t i = 0; i < set->count; i++)
            if (counts(set, i))
                add_shares(share, weights, set, i);
        for (int m = 0; m < set->member_count; m++) {
            const double next = share[m] / (double)known;
            moved = fmax(moved, fabs(next - weights[m]));
            weights[m] = next;
        }
    }
    mem_free(share);
    return MIEN_OK;
}

/* --- greedy selection --------------------------------------------------------------------------------------------- */

typedef struct {
    const calibrate_set *set;
    double *sum;         /* [count, classes] of the members taken so far */
    metric_tally *tally; /* [classes] scratch */
    int taken;
} selection;

typedef struct {
    double macro_f1, loss;
} worth;

static bool is_better(worth a, worth b)
{
    return a.macro_f1 > b.macro_f1 || (a.macro_f1 == b.macro_f1 && a.loss < b.loss);
}

/* The class that the selection with `member` added names, and what it gives the truth. */
static int decide(double *of_truth, const selection *s, int member, int64_t row)
{
    const calibrate_set *set = s->set;
    int best = 0;
    double largest = -1;
    for (int c = 0; c < set->classes; c++) {
        const double p = s->sum[row * set->classes + c] + probability(set, member, row, c);
        if (p > largest) {
            largest = p;
            best = c;
        }
        if (c == set->truth[row])
            *of_truth = p / (s->taken + 1);
    }
    return best;
}

static worth with_member(selection *s, int member)
{
    const calibrate_set *set = s->set;
    worth w = {0};
    memset(s->tally, 0, (size_t)set->classes * sizeof *s->tally);
    for (int64_t i = 0; i < set->count; i++) {
        double p = 0;
        if (!counts(set, i))
            continue;
        const int truth = set->truth[i], named = decide(&p, s, member, i);
        s->tally[truth].of++;
        s->tally[named].as++;
        s->tally[truth].right += truth == named;
        w.loss -= log(p);
    }
    for (int c = 0; c < set->classes; c++)
        w.macro_f1 += metric_tally_f1(s->tally[c]) / set->classes;
    return w;
}

static void take(selection *s, int member)
{
    const calibrate_set *set = s->set;
    for (int64_t i = 0; i < set->count; i++)
        for (int c = 0; counts(set, i) && c < set->classes; c++)
            s->sum[i * set->classes + c] += probability(set, member, i, c);
    s->taken++;
}

static void select_members(double *weights, selection *s, int *times, int rounds)
{
    worth best_of_all = {-1, INFINITY};
    for (int round = 0; round < rounds; round++) {
        worth best = {-1, INFINITY};
        int chosen = 0;
        for (int m = 0; m < s->set->member_count; m++) {
            const worth w = with_member(s, m);
            if (is_better(w, best)) {
                best = w;
                chosen = m;
            }
        }
        take(s, chosen);
        times[chosen]++;
        if (!is_better(best, best_of_all))
            continue;
        best_of_all = best;
        for (int m = 0; m < s->set->member_count; m++)
            weights[m] = (double)times[m] / s->taken;
    }
}

mien_status calibrate_greedy(double *weights, const calibrate_set *set, int rounds)
{
    mien_status st;
    selection s = {.set = set};
    int *times = NULL;
    TRY_OUT(mem_zalloc(&s.sum, set->count * set->classes));
    TRY_OUT(mem_alloc(&s.tally, set->classes));
    TRY_OUT(mem_zalloc(&times, set->member_count));
    select_members(weights, &s, times, rounds);
out:
    mem_free(s.sum);
    mem_free(s.tally);
    mem_free(times);
    return st;
}
