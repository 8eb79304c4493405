/* Smoothed answers beside what definitions say of the unsmoothed ones; beside what SMM-EmotionNet's heads say of
 * smoothed embeddings; and widths beside those of a loop over all. Two clips stand in one list, neither in order, and
 * one frame cannot be read. */
#include "infer/evaluate.h"

#include "backend/cpu/cpu.h"
#include "base/rng.h"
#include "graph/program.h"
#include "image/image.h"
#include "nn/model.h"
#include "nn/smm_emotionnet.h"
#include "task/mtl.h"
#include "testing.h"

#include <math.h>

enum { SIZE = 32, FRAMES = 30, BROKEN = 9, MODELS = 2, WIDTH = 22, VA = 0, EXPRESSION, AU, HEADS };
static const int head_size[HEADS] = {2, 8, 12}, head_begin[HEADS] = {0, 2, 10};
static const char *const paths[MODELS] = {"softmax.safetensors", "logits.safetensors"};

static backend *cpu;
static ensemble *both;
static picture_files *files;
static char names[FRAMES][32];
static const char *rows[FRAMES];
static image pictures[FRAMES]; /* of a row */

/* --- what all begin with ------------------------------------------------------------------------------------------ */

/* Frame f is number f of one clip or the other; where it stands in the list. */
static int row_of(int frame)
{
    return frame * 7 % FRAMES;
}

static void draw_frame(int row, int frame)
{
    rng r = rng_at(5, 0, (uint64_t)frame, RNG_TEST);
    const uint32_t bright = 60 + rng_below(&r, 190), step = 1 + rng_below(&r, 5);
    assert_ok(image_resize_buffer(&pictures[row], SIZE, SIZE));
    for (int i = 0; i < SIZE * SIZE * 3; i++)
        pictures[row].pixels[i] = (uint8_t)rng_below(&r, i / 3 % SIZE / step % 2 ? bright : 40);
}

static void make_frames(void)
{
    FILE *set = fopen("set.txt", "w");
    assert_int_equal(system("mkdir v1 v2"), 0);
    for (int frame = 0; frame < FRAMES; frame++) {
        const int row = row_of(frame);
        snprintf(names[row], sizeof names[row], "v%d/%d.png", 1 + frame % 2, frame);
        rows[row] = names[row];
        draw_frame(row, frame);
        assert_ok(image_write_png(names[row], &pictures[row]));
    }
    assert_int_equal(truncate(names[row_of(BROKEN)], 50), 0);
    for (int row = 0; row < FRAMES; row++) {
        rng r = rng_at(6, 0, (uint64_t)row, RNG_TEST);
        fprintf(set, "%s,%.3f,%.3f,%u", names[row], 2 * (double)rng_float(&r) - 1, 2 * (double)rng_float(&r) - 1,
                rng_below(&r, 8));
        for (int k = 0; k < 12; k++)
            fprintf(set, ",%u", rng_below(&r, 2));
        fprintf(set, "\n");
    }
    fclose(set);
}

static uint8_t *all_pixels(void)
{
    static uint8_t pixels[FRAMES][SIZE * SIZE * 3];
    for (int row = 0; row < FRAMES; row++)
        memcpy(pixels[row], pictures[row].pixels, sizeof pixels[row]);
    return pixels[0];
}

static float *head_part(model *m, int head, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, SMM_HEADS "%s.%s", task_mtl.challenge_heads[head].name, part);
    const int slice = param_store_find(model_params(m), name);
    assert_true(slice >= 0);
    return param_store_memory(model_params(m))->values + param_store_at(model_params(m), slice)->offset;
}

/* Fresh networks say the same of every picture, nearly. Smaller variances let differences through ... */
static void widen(model *m)
{
    param_store *params = model_params(m);
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *slice = param_store_at(params, i);
        float *values = param_store_memory(params)->values + slice->offset;
        for (size_t k = 0; strstr(slice->name, "running_var") && k < slice->count; k++)
            values[k] = 0.07f;
    }
}

/* ... and each column of logits [FRAMES, size] gets mean 0 and variance 1. */
static void spread_head(model *m, int head, const float *logits)
{
    const int size = head_size[head];
    for (int k = 0; k < size; k++) {
        double sum = 0, squares = 0;
        for (int row = 0; row < FRAMES; row++) {
            sum += (double)logits[row * size + k];
            squares += (double)logits[row * size + k] * (double)logits[row * size + k];
        }
        const double mean = sum / FRAMES, scale = 1 / sqrt(squares / FRAMES - mean * mean);
        float *weight = head_part(m, head, "weight") + k * SMM_DIM, *bias = head_part(m, head, "bias") + k;
        for (int d = 0; d < SMM_DIM; d++)
            weight[d] *= (float)scale;
        *bias = (float)(scale * ((double)*bias - mean));
    }
}

static void spread(model *m)
{
    static float logits[FRAMES * 12];
    graph *g;
    model_io io;
    program *p;
    assert_ok(model_graph(&g, &io, m, &(model_graph_options){.batch = FRAMES, .activation_type = DTYPE_F32}));
    assert_ok(program_create(&p, g, cpu, param_store_memory(model_params(m))));
    assert_ok(program_write(p, io.images, all_pixels()));
    assert_ok(program_run(p));
    for (int h = 0; h < HEADS; h++) {
        assert_ok(program_read(p, io.heads[h].logits, logits));
        spread_head(m, h, logits);
    }
    program_free(p);
}

static void save_smm(const char *path, smm_ensemble kind, uint64_t seed)
{
    model *m;
    const model_spec spec = {.task = "mtl",
                             .arch = "efficientnet_b0",
                             .heads = task_mtl.challenge_heads,
                             .head_count = HEADS,
                             .image_size = SIZE,
                             .mean = {0.3f, 0.3f, 0.3f},
                             .std = {0.2f, 0.2f, 0.2f},
                             .kind = MODEL_SMM,
                             .smm = {.ensemble = kind}};
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, seed, false));
    widen(m);
    spread(m);
    assert_ok(model_save(m, path, NULL));
    model_free(m);
}

static int enter(void **state)
{
    ensemble_source sources[MODELS];
    if (temp_folder_enter(state) != 0)
        return 1;
    assert_ok(backend_cpu_create(&cpu, &(cpu_options){.threads = 2}));
    make_frames();
    save_smm(paths[0], SMM_MEAN_SOFTMAX, 1);
    save_smm(paths[1], SMM_MEAN_LOGITS, 2);
    for (int m = 0; m < MODELS; m++)
        sources[m] = (ensemble_source){.path = paths[m], .counts = true};
    assert_ok(ensemble_open(&both, sources, MODELS, cpu, &(ensemble_options){.precision = PRECISION_F32}));
    assert_ok(picture_files_create(&files, "frames", rows, FRAMES, NULL, NULL));
    return 0;
}

static int leave(void **state)
{
    picture_files_free(files);
    ensemble_free(both);
    cpu->free(cpu);
    for (int row = 0; row < FRAMES; row++)
        image_free(&pictures[row]);
    return temp_folder_leave(state);
}

/* --- plain arithmetic --------------------------------------------------------------------------------------------- */

/* Of frame t of count, x(0) .. x(count - 1). */
static double smooth_at(const double *x, int count, int t, smooth_kind kind, double width)
{
    double sum = 0, weights = 0, y = x[0];
    if (kind == SMOOTH_EXPONENTIAL) {
        for (int i = 1; i <= t; i++)
            y = (width * y + x[i]) / (1 + width);
        return y;
    }
    for (int i = 0; i < count; i++) {
        const double away = fabs((double)(i - t));
        const double weight = kind == SMOOTH_BOX  ? away <= width
                              : away <= 4 * width ? exp(-away * away / (2 * width * width))
                                                  : 0;
        sum += weight * x[i];
        weights += weight;
    }
    return sum / weights;
}

/* values [FRAMES], `stride` apart, of which the broken frame's is left as it is */
static void smooth_plainly(float *values, int stride, smooth_kind kind, double width)
{
    for (int clip = 0; clip < 2; clip++) {
        double x[FRAMES];
        int at[FRAMES], count = 0;
        for (int frame = clip; frame < FRAMES; frame += 2)
            if (frame != BROKEN) {
                at[count] = row_of(frame) * stride;
                x[count] = (double)values[at[count]];
                count++;
            }
        for (int t = 0; t < count; t++)
            values[at[t]] = (float)smooth_at(x, count, t, kind, width);
    }
}

/* row [WIDTH] of logits: the answer in its place */
static void answer_plainly(float *row, int head)
{
    double sum = 0;
    row += head_begin[head];
    for (int c = 0; c < head_size[head]; c++)
        sum += exp((double)row[c]);
    for (int c = 0; c < head_size[head]; c++)
        row[c] = head == VA           ? fminf(fmaxf(row[c], -1), 1)
                 : head == EXPRESSION ? (float)(exp((double)row[c]) / sum)
                                      : (float)(1 / (1 + exp(-(double)row[c])));
}

typedef struct {
    int count;
    bool has_failed[FRAMES];
    float members[MODELS][FRAMES][WIDTH], logits[MODELS][FRAMES][WIDTH], mean[FRAMES][WIDTH];
} kept_rows;

static mien_status keep(void *payload, const prediction *p)
{
    kept_rows *k = payload;
    assert_int_equal(p->index, k->count++);
    assert_string_equal(p->name, names[p->index]);
    k->has_failed[p->index] = p->failure != NULL;
    for (int m = 0; !p->failure && m < MODELS; m++) {
        memcpy(k->members[m][p->index], p->members + m * WIDTH, sizeof k->members[m][0]);
        if (p->logits)
            memcpy(k->logits[m][p->index], p->logits + m * WIDTH, sizeof k->logits[m][0]);
    }
    if (p->failure)
        assert_non_null(strstr(p->failure, names[p->index]));
    else
        memcpy(k->mean[p->index], p->mean, sizeof k->mean[0]);
    return MIEN_OK;
}

/* how NULL: as the models say it */
static void predict(kept_rows *out, const smoothing *how)
{
    session *s;
    const picture_source *source = picture_files_source(files);
    *out = (kept_rows){0};
    assert_ok(session_open(&s, both, &(session_options){.batch = 8, .loader_threads = 2, .tells_logits = true}));
    if (how)
        assert_ok(session_predict_smoothed(&s, 1, source, rows, how, keep, out, NULL));
    else
        assert_ok(session_predict(&s, 1, source, rows, keep, out, NULL));
    assert_int_equal(out->count, FRAMES);
    session_free(s);
}

static void assert_near(float got, float wanted, int row, int column, const char *what)
{
    if (!(fabsf(got - wanted) <= 2e-5f))
        fail_msg("%s: row %d, column %d: %.9g (wanted %.9g)", what, row, column, (double)got, (double)wanted);
}

/* How far two tables of rows are apart, the broken frame's aside. */
static double distance(const float (*a)[WIDTH], const float (*b)[WIDTH], int head)
{
    double most = 0;
    for (int row = 0; row < FRAMES; row++)
        for (int c = 0; row != row_of(BROKEN) && c < head_size[head]; c++)
            most = fmax(most, fabs((double)a[row][head_begin[head] + c] - (double)b[row][head_begin[head] + c]));
    return most;
}

/* --- predictions -------------------------------------------------------------------------------------------------- */

static void make_wanted(kept_rows *k, const smoothing *how)
{
    for (int m = 0; m < MODELS; m++)
        for (int h = 0; h < HEADS; h++) {
            const bool is_of_logits = how->kind == SMOOTH_EXPONENTIAL && how->widths[h] > 0;
            for (int c = head_begin[h]; c < head_begin[h] + head_size[h]; c++) {
                for (int row = 0; is_of_logits && row < FRAMES; row++)
                    k->members[m][row][c] = k->logits[m][row][c];
                if (how->widths[h] > 0)
                    smooth_plainly(&k->members[m][0][c], WIDTH, how->kind, how->widths[h]);
            }
            for (int row = 0; is_of_logits && row < FRAMES; row++)
                answer_plainly(k->members[m][row], h);
        }
    for (int row = 0; row < FRAMES; row++)
        for (int c = 0; c < WIDTH; c++)
            k->mean[row][c] = 0.5f * (k->members[0][row][c] + k->members[1][row][c]);
}

static void predict__smoothed__is_what_definitions_say(void **state)
{
    (void)state;
    static kept_rows plain, wanted, got;
    predict(&plain, NULL);
    for (int kind = SMOOTH_EXPONENTIAL; kind <= SMOOTH_BOX; kind++) {
        const smoothing how = {.kind = (smooth_kind)kind, .widths = {2, 1.5, 0}};
        wanted = plain;
        make_wanted(&wanted, &how);
        predict(&got, &how);
        for (int row = 0; row < FRAMES; row++) {
            assert_int_equal(got.has_failed[row], row == row_of(BROKEN));
            for (int c = 0; !got.has_failed[row] && c < WIDTH; c++) {
                for (int m = 0; m < MODELS; m++)
                    assert_near(got.members[m][row][c], wanted.members[m][row][c], row, c, smooth_kind_name(how.kind));
                assert_near(got.mean[row][c], wanted.mean[row][c], row, c, smooth_kind_name(how.kind));
            }
        }
        assert_true(distance(got.mean, plain.mean, VA) > 0.05);
        assert_true(distance(got.mean, plain.mean, EXPRESSION) > 0.05);
        assert_true(distance(got.mean, plain.mean, AU) == 0);
    }
}

/* --- embeddings --------------------------------------------------------------------------------------------------- */

typedef struct {
    float z[FRAMES][SMM_DIM];                  /* averaged messages */
    float signs[FRAMES][SMM_REGIONS][SMM_DIM]; /* tokens behind the transformer's layer */
} embeddings;

static void read_embeddings(embeddings *out, model *m)
{
    static float messages[FRAMES][SMM_REGIONS][SMM_DIM];
    graph *g;
    model_io io;
    program *p;
    assert_ok(model_describe(&g, &io, m, &(model_graph_options){.batch = FRAMES, .activation_type = DTYPE_F32}));
    const value_id z = graph_find(g, "messages"), signs = graph_find(g, "sign.rows");
    assert_true(z != NO_VALUE && signs != NO_VALUE);
    graph_mark_output(g, z);
    graph_mark_output(g, signs);
    assert_ok(graph_fuse(g));
    assert_ok(program_create(&p, g, cpu, param_store_memory(model_params(m))));
    assert_ok(program_write(p, io.images, all_pixels()));
    assert_ok(program_run(p));
    assert_ok(program_read(p, z, messages));
    assert_ok(program_read(p, signs, out->signs));
    program_free(p);
    for (int row = 0; row < FRAMES; row++)
        for (int d = 0; d < SMM_DIM; d++) {
            double sum = 0;
            for (int r = 0; r < SMM_REGIONS; r++)
                sum += (double)messages[row][r][d];
            out->z[row][d] = (float)(sum / SMM_REGIONS);
        }
}

static void smooth_embeddings(embeddings *e, double width)
{
    for (int d = 0; d < SMM_DIM; d++) {
        smooth_plainly(&e->z[0][d], SMM_DIM, SMOOTH_EXPONENTIAL, width);
        for (int r = 0; r < SMM_REGIONS; r++)
            smooth_plainly(&e->signs[0][r][d], SMM_REGIONS * SMM_DIM, SMOOTH_EXPONENTIAL, width);
    }
}

/* What a frozen head, weight [size, D] and bias [size], says of them. */
static void apply_head(float (*out)[WIDTH], model *m, const embeddings *e, int head)
{
    const float *weight = head_part(m, head, "weight"), *bias = head_part(m, head, "bias");
    for (int row = 0; row < FRAMES; row++) {
        for (int k = 0; k < head_size[head]; k++) {
            const float *x = head == AU ? e->signs[row][k] : e->z[row];
            double sum = (double)bias[k];
            for (int d = 0; d < SMM_DIM; d++)
                sum += (double)weight[k * SMM_DIM + d] * (double)x[d];
            out[row][head_begin[head] + k] = (float)sum;
        }
        answer_plainly(out[row], head);
    }
}

/* Whichever way a class head's own prediction is made: the smoothed one is of the mean embedding. */
static void exponential__of_logits__is_heads_over_smoothed_embeddings(void **state)
{
    (void)state;
    static kept_rows got;
    static embeddings e;
    predict(&got, &(smoothing){.kind = SMOOTH_EXPONENTIAL, .widths = {9, 9, 7}});
    for (int m = 0; m < MODELS; m++) {
        static float wanted[FRAMES][WIDTH];
        for (int h = 0; h < HEADS; h++) {
            read_embeddings(&e, ensemble_model(both, m));
            smooth_embeddings(&e, h == AU ? 7 : 9);
            apply_head(wanted, ensemble_model(both, m), &e, h);
        }
        for (int row = 0; row < FRAMES; row++)
            for (int c = 0; !got.has_failed[row] && c < WIDTH; c++)
                assert_near(got.members[m][row][c], wanted[row][c], row, c, paths[m]);
    }
}

/* --- evaluation --------------------------------------------------------------------------------------------------- */

static double score_of(const evaluation *v, int head)
{
    return task_report_find(&v->reports[MODELS], task_mtl.challenge_heads[head].metric)->value;
}

static evaluation *evaluate(session *s, const task_set *set, smooth_kind kind, const double widths[HEADS])
{
    evaluation *v;
    evaluation_options o = {.smooth.kind = kind, .chooses_widths = !widths};
    for (int h = 0; widths && h < HEADS; h++)
        o.smooth.widths[h] = widths[h];
    assert_ok(evaluation_run(&v, s, both, set, &o, NULL));
    return v;
}

static void evaluation__asked_to_choose__finds_what_a_loop_over_all_does(void **state)
{
    (void)state;
    static const double grids[][9] = {[SMOOTH_EXPONENTIAL] = {0, 1, 3, 5, 7, 8, 9, 10, 15},
                                      [SMOOTH_GAUSSIAN] = {0, 1, 2, 4, 8, 16, 32},
                                      [SMOOTH_BOX] = {0, 1, 2, 4, 8, 16, 32}};
    bool differ = false;
    session *s;
    task_set *set;
    assert_ok(session_open(&s, both, &(session_options){.tells_logits = true}));
    assert_ok(task_mtl.open(&set, NULL,
                            &(task_set_options){.sources = &(task_source){.path = "set.txt"},
                                                .source_count = 1,
                                                .heads = task_mtl.challenge_heads,
                                                .head_count = HEADS}));
    for (int kind = SMOOTH_EXPONENTIAL; kind <= SMOOTH_BOX; kind++) {
        double best[HEADS], width[HEADS];
        for (int i = 0; i < (kind == SMOOTH_EXPONENTIAL ? 9 : 7); i++) {
            const double w = grids[kind][i];
            evaluation *v = evaluate(s, set, (smooth_kind)kind, (double[HEADS]){w, w, w});
            for (int h = 0; h < HEADS; h++)
                if (i == 0 || score_of(v, h) > best[h]) {
                    best[h] = score_of(v, h);
                    width[h] = w;
                }
            evaluation_free(v);
        }
        evaluation *chosen = evaluate(s, set, (smooth_kind)kind, NULL);
        for (int h = 0; h < HEADS; h++) {
            assert_true(chosen->smooth.widths[h] == width[h]);
            assert_true(score_of(chosen, h) == best[h]);
            differ |= width[h] != width[0];
        }
        assert_int_equal(chosen->answers.skipped_count, 1);
        evaluation_free(chosen);
    }
    assert_true(differ);
    task_mtl.close(set);
    session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predict__smoothed__is_what_definitions_say),
        cmocka_unit_test(exponential__of_logits__is_heads_over_smoothed_embeddings),
        cmocka_unit_test(evaluation__asked_to_choose__finds_what_a_loop_over_all_does),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
