/* Members are finished in different calls, so what they said is read back from their folders. */
#include "train/run_ensemble.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/csv.h"
#include "format/ensemble_file.h"
#include "task/calibrate.h"
#include "task/metric.h"
#include "train/run.h"
#include "train/run_folder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE_COLUMN, TRUTH_COLUMN, FIRST_CLASS, GREEDY_ROUNDS = 50, NUMBER_BYTES = 32, MAX_CLASSES = 64 };
static const double least_weight = 0.001; /* of a member that is not worth its time */

typedef struct {
    const char *run;
    run_model *models;  /* [count] the last stages */
    const char **paths; /* [count] of their models within the run */
    int count;
    str images;      /* of the first member, a line each */
    float **members; /* [count] of [rows, classes] */
    int32_t *truth;  /* [rows] */
    int64_t rows;
    int classes;
} fit;

/* --- reading ------------------------------------------------------------------------------------------------------ */

static mien_status check_header(const csv_reader *r, fit *f, char names[MAX_CLASSES][64])
{
    const int classes = r->count - FIRST_CLASS;
    if (classes < 1 || classes > MAX_CLASSES || !csv_field_equals(r->fields[TRUTH_COLUMN], "truth"))
        return mien_fail(MIEN_ERR_FORMAT, "%s: line 1: not image, truth and classes", r->path);
    for (int c = 0; c < classes; c++)
        if (!csv_field_text(names[c], sizeof names[c], r->fields[FIRST_CLASS + c]))
            return mien_fail(MIEN_ERR_FORMAT, "%s: line 1: class %d: too long a name", r->path, c + 1);
    if (f->classes && f->classes != classes)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %d classes (wanted %d, as of the member before)", r->path, classes,
                         f->classes);
    f->classes = classes;
    return MIEN_OK;
}

static mien_status read_row(int32_t *truth, float *row, const csv_reader *r, const fit *f, char names[MAX_CLASSES][64])
{
    char text[NUMBER_BYTES];
    *truth = -1;
    if (r->count != FIRST_CLASS + f->classes)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %d fields (wanted %d)", r->path, r->line, r->count,
                         FIRST_CLASS + f->classes);
    for (int c = 0; c < f->classes; c++) {
        if (csv_field_equals(r->fields[TRUTH_COLUMN], names[c]))
            *truth = c;
        char *end = text;
        if (csv_field_text(text, sizeof text, r->fields[FIRST_CLASS + c]))
            row[c] = strtof(text, &end);
        if (end == text || *end || !(row[c] >= 0 && row[c] <= 1))
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": field %d: no probability", r->path, r->line,
                             FIRST_CLASS + c + 1);
    }
    return *truth >= 0 ? MIEN_OK
                       : mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": truth is no class", r->path, r->line);
}

/* A row of the first member, or one that must be of the same picture: `at` walks along the first one's names. */
static mien_status match_row(fit *f, const csv_reader *r, int member, int64_t row, size_t *at)
{
    const csv_field name = r->fields[IMAGE_COLUMN];
    if (member == 0)
        return str_printf(&f->images, "%.*s\n", (int)name.length, name.text);
    const bool is_same = row < f->rows && *at + name.length < f->images.length &&
                         memcmp(f->images.text + *at, name.text, name.length) == 0 &&
                         f->images.text[*at + name.length] == '\n';
    *at += name.length + 1;
    return is_same ? MIEN_OK
                   : mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": picture %.*s (wanted those of %s, in order)",
                               r->path, r->line, (int)(name.length < 100 ? name.length : 100), name.text,
                               f->models[0].name);
}

static mien_status make_room(fit *f, int member, int64_t *capacity, int64_t rows)
{
    if (rows < *capacity)
        return MIEN_OK;
    const int64_t more = *capacity ? 2 * *capacity : 1024;
    const size_t bytes = sizeof(float) * (size_t)f->classes;
    TRY(mem_resize_bytes((void **)&f->members[member], bytes * (size_t)*capacity, bytes * (size_t)more));
    if (member == 0)
        TRY(mem_resize_bytes((void **)&f->truth, sizeof *f->truth * (size_t)*capacity,
                             sizeof *f->truth * (size_t)more));
    *capacity = more;
    return MIEN_OK;
}

static mien_status read_rows(fit *f, int member, csv_reader *r)
{
    char names[MAX_CLASSES][64];
    int64_t rows = 0, capacity = 0;
    size_t at = 0;
    bool has_row;
    TRY(csv_next(r, &has_row));
    if (!has_row)
        return mien_fail(MIEN_ERR_FORMAT, "%s: empty", r->path);
    TRY(check_header(r, f, names));
    for (;; rows++) {
        int32_t truth;
        TRY(csv_next(r, &has_row));
        if (!has_row)
            break;
        TRY(make_room(f, member, &capacity, rows));
        TRY(match_row(f, r, member, rows, &at));
        TRY(read_row(&truth, f->members[member] + rows * f->classes, r, f, names));
        if (member == 0)
            f->truth[rows] = truth;
        else if (f->truth[rows] != truth)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": another truth than of %s", r->path, r->line,
                             f->models[0].name);
    }
    if (member == 0)
        f->rows = rows;
    return rows == f->rows ? MIEN_OK
                           : mien_fail(MIEN_ERR_FORMAT, "%s: %" PRId64 " pictures (wanted %" PRId64 ", as of %s)",
                                       r->path, rows, f->rows, f->models[0].name);
}

static mien_status read_member(fit *f, int member)
{
    char path[RUN_PATH_BYTES];
    csv_reader r;
    TRY(run_path(path, f->run, f->models[member].name, f->models[member].stage, "validation.csv"));
    TRY(csv_open(&r, path));
    mien_status st = read_rows(f, member, &r);
    csv_close(&r);
    return st;
}

/* --- what they come to -------------------------------------------------------------------------------------------- */

/* {"loss": .., "macro_f1": ..} of the weighted mean. */
static mien_status measure(json_t **out, const fit *f, const double *weights)
{
    metric_report report;
    float *mean;
    double loss = 0;
    TRY(mem_alloc(&mean, f->rows * f->classes));
    for (int64_t i = 0; i < f->rows; i++) {
        for (int c = 0; c < f->classes; c++) {
            double sum = 0;
            for (int m = 0; m < f->count; m++)
                sum += weights[m] * (double)f->members[m][i * f->classes + c];
            mean[i * f->classes + c] = (float)fmin(sum, 1);
        }
        loss -= log(fmax((double)mean[i * f->classes + f->truth[i]], 1e-12));
    }
    mien_status st = metric_report_from_probabilities(&report, f->truth, NULL, mean, f->rows, f->classes);
    mem_free(mean);
    TRY(st);
    *out = json_pack("{s:f, s:f}", "loss", loss / (double)f->rows, "macro_f1", report.macro_f1);
    metric_report_free(&report);
    return json_check(*out);
}

/* Who hardly counts is left out, and the others count as much more. */
static void drop_small(double *weights, int count)
{
    double sum = 0;
    for (int m = 0; m < count; m++) {
        weights[m] = weights[m] < least_weight ? 0 : weights[m];
        sum += weights[m];
    }
    for (int m = 0; m < count; m++)
        weights[m] /= sum;
}

static mien_status write(const fit *f, const char *file, const char *how, double *weights)
{
    json_t *about = NULL, *own = NULL, *plain = NULL;
    char path[RUN_PATH_BYTES];
    double *alike = NULL;
    mien_status st;
    TRY_OUT(run_file(path, f->run, file));
    drop_small(weights, f->count);
    TRY_OUT(mem_alloc(&alike, f->count));
    for (int m = 0; m < f->count; m++)
        alike[m] = 1.0 / f->count;
    TRY_OUT(measure(&own, f, weights));
    TRY_OUT(measure(&plain, f, alike));
    about = json_pack("{s:s, s:{s:I, s:O, s:O}}", "fit", how, "held_out", "n", (json_int_t)f->rows, "weighted", own,
                      "mean", plain);
    st = ensemble_file_write(path, f->paths, weights, f->count, about);
out:
    json_decref(own);
    json_decref(plain);
    mem_free(alike);
    return st;
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

/* The last stages alone, and their models' paths within the run. */
static mien_status take_models(fit *f, run_model *all, int count)
{
    f->models = all;
    for (int i = 0; i < count; i++)
        if (all[i].is_last)
            all[f->count++] = all[i];
    TRY(mem_zalloc(&f->paths, f->count));
    TRY(mem_zalloc(&f->members, f->count));
    for (int i = 0; i < f->count; i++)
        f->paths[i] = f->models[i].path + strlen(f->run) + !str_ends(f->run, "/");
    return MIEN_OK;
}

static mien_status fit_and_write(fit *f)
{
    double *weights;
    TRY(mem_zalloc(&weights, f->count));
    const calibrate_set set = {.members = (const float *const *)f->members,
                               .member_count = f->count,
                               .truth = f->truth,
                               .count = f->rows,
                               .classes = f->classes};
    mien_status st = calibrate_weights(weights, &set);
    if (st == MIEN_OK)
        st = write(f, "weighted.json", "log_loss", weights);
    if (st == MIEN_OK)
        st = calibrate_greedy(weights, &set, GREEDY_ROUNDS);
    if (st == MIEN_OK)
        st = write(f, "greedy.json", "greedy macro_f1", weights);
    mem_free(weights);
    return st;
}

static void free_fit(fit *f)
{
    for (int m = 0; f->members && m < f->count; m++)
        mem_free(f->members[m]);
    mem_free(f->members);
    mem_free(f->paths);
    mem_free(f->models);
    mem_free(f->truth);
    str_free(&f->images);
}

mien_status run_ensemble_fit(const char *run)
{
    mien_status st;
    fit f = {.run = run};
    run_model *all;
    int count;
    TRY(run_models(&all, &count, run));
    TRY_OUT(take_models(&f, all, count));
    for (int m = 0; f.count > 1 && m < f.count; m++)
        TRY_OUT(read_member(&f, m));
    if (f.rows > 0)
        TRY_OUT(fit_and_write(&f));
out:
    free_fit(&f);
    if (st != MIEN_ERR_FORMAT)
        return st;
    log_warning("%s (so %s has no weights of members)", mien_error(), run);
    return MIEN_OK;
}
