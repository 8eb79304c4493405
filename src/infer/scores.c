/* A file of scores may come from anywhere: every row is checked to be probabilities (or all NaN, a picture that was not
 * read) before a mean is taken over it. */
#include "infer/scores.h"

#include "base/str.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

bool scores_is_file(const char *path)
{
    return str_ends(path, ".npy");
}

/* "scores.npy: row 7", or with more than one member "scores.npy: member 2, row 7" */
static mien_status fail_row(const score_table *t, const char *path, int member, int64_t row, const char *what)
{
    char place[32] = "";
    if (t->members > 1)
        snprintf(place, sizeof place, "member %d, ", member + 1);
    return mien_fail(MIEN_ERR_FORMAT, "%s: %srow %" PRId64 ": %s", path, place, row, what);
}

static mien_status check_row(const score_table *t, const char *path, int member, int64_t picture)
{
    const float *row = t->array.values + ((size_t)member * (size_t)t->pictures + (size_t)picture) * (size_t)t->classes;
    char what[96];
    double sum = 0;
    int missing = 0;
    for (int c = 0; c < t->classes; c++) {
        missing += isnan(row[c]);
        sum += (double)row[c];
        if (row[c] < 0 || row[c] > 1.0001f) { /* a softmax may round a little above 1 */
            snprintf(what, sizeof what, "%g of class %d (wanted probabilities, 0..1)", (double)row[c], c);
            return fail_row(t, path, member, picture, what);
        }
    }
    if (missing == t->classes)
        return MIEN_OK;
    if (missing > 0)
        return fail_row(t, path, member, picture, "NaN in a part of it (wanted none, or a whole row)");
    if (fabs(sum - 1) > 1e-3) {
        snprintf(what, sizeof what, "sum %g (wanted probabilities, which sum to 1)", sum);
        return fail_row(t, path, member, picture, what);
    }
    return MIEN_OK;
}

static mien_status check(score_table *t, const char *path)
{
    const npy_array *a = &t->array;
    const int64_t *dims = a->dims + (a->rank == 3);
    int64_t members = a->rank == 3 ? a->dims[0] : 1;
    if (a->rank != 2 && a->rank != 3)
        return mien_fail(MIEN_ERR_FORMAT,
                         "%s: %d dimensions (wanted pictures x classes, or members x pictures x classes)", path,
                         a->rank);
    if (members < 1 || members > INT_MAX || dims[0] < 1 || dims[1] < 1 || dims[1] > INT_MAX)
        return mien_fail(MIEN_ERR_FORMAT,
                         "%s: scores of %" PRId64 " members, %" PRId64 " pictures, %" PRId64
                         " classes (wanted at least one of each)",
                         path, members, dims[0], dims[1]);
    t->members = (int)members;
    t->pictures = dims[0];
    t->classes = (int)dims[1];
    for (int m = 0; m < t->members; m++)
        for (int64_t i = 0; i < t->pictures; i++)
            TRY(check_row(t, path, m, i));
    return MIEN_OK;
}

mien_status scores_read(score_table *out, const char *path)
{
    score_table t = {0};
    TRY(npy_read(&t.array, path));
    mien_status st = check(&t, path);
    if (st != MIEN_OK) {
        scores_free(&t);
        return st;
    }
    *out = t;
    return MIEN_OK;
}

void scores_free(score_table *t)
{
    npy_free(&t->array);
    *t = (score_table){0};
}

const float *scores_row(const score_table *t, int member, int64_t picture)
{
    const float *row = t->array.values + ((size_t)member * (size_t)t->pictures + (size_t)picture) * (size_t)t->classes;
    return isnan(row[0]) ? NULL : row;
}

mien_status scores_write(file_writer *w, const float *const *members, int member_count, int64_t pictures, int classes)
{
    const int64_t dims[] = {member_count, pictures, classes};
    bool is_alone = member_count == 1;
    TRY(npy_write_header(w, dims + is_alone, 3 - is_alone));
    for (int m = 0; m < member_count; m++)
        TRY(file_write_bytes(w, members[m], (size_t)pictures * (size_t)classes * sizeof(float)));
    return MIEN_OK;
}
