/* Pictures of noise through lanes, and through one program that all threads compute: the answers are the same. */
#include "infer/lanes.h"

#include "backend/apart_backend.h"
#include "backend/cpu/cpu.h"
#include "base/rng.h"
#include "graph/exec/program_int.h"
#include "graph/reference_backend.h"
#include "no_memory.h"
#include "testing.h"

#include <math.h>
#include <string.h>

enum { SIZE = 224, IMAGE_BYTES = SIZE * SIZE * 3, MAX_BATCH = 8, CLASSES = 3 };

/* --- a model whose answers differ from picture to picture --------------------------------------------------------- */

static model *new_model(int size)
{
    static const char *const classes[CLASSES] = {"anger", "fear", "sadness"};
    model *m = NULL;
    const model_spec spec = {.task = "lsd",
                             .arch = "efficientnet_b0",
                             .classes = classes,
                             .class_count = CLASSES,
                             .image_size = size,
                             .mean = {0.5f, 0.4f, 0.3f},
                             .std = {0.2f, 0.2f, 0.2f}};
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, 1, false));
    param_store *params = model_params(m);
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *slice = param_store_at(params, i);
        float *values = param_store_memory(params)->values + slice->offset;
        for (size_t k = 0; strstr(slice->name, "running_var") && k < slice->count; k++)
            values[k] = 0.2f;
    }
    return m;
}

static uint8_t *new_images(void)
{
    uint8_t *images = NULL;
    assert_ok(mem_alloc(&images, MAX_BATCH * IMAGE_BYTES));
    rng r = rng_at(1, 0, 0, 0);
    for (int i = 0; i < MAX_BATCH * IMAGE_BYTES; i++)
        images[i] = (uint8_t)rng_below(&r, 60 + 20 * (uint32_t)(i / IMAGE_BYTES));
    return images;
}

typedef struct {
    backend *b;
    model *m;
    uint8_t *images;
} subject;

static void subject_open(subject *s, int threads)
{
    assert_ok(backend_cpu_create(&s->b, &(cpu_options){.threads = threads}));
    s->m = new_model(SIZE);
    s->images = new_images();
}

static void subject_close(subject *s)
{
    mem_free(s->images);
    model_free(s->m);
    s->b->free(s->b);
}

typedef struct {
    float row[MAX_BATCH][CLASSES];
} answers;

static answers answers_of_program(const subject *s, int batch, dtype precision)
{
    answers a = {0};
    graph *g = NULL;
    program *p = NULL;
    model_io io;
    assert_ok(model_graph(&g, &io, s->m, &(model_graph_options){.batch = batch, .activation_type = precision}));
    assert_ok(program_create(&p, g, s->b, param_store_memory(model_params(s->m))));
    assert_ok(program_write(p, io.images, s->images));
    assert_ok(program_run(p));
    assert_ok(program_read(p, io.heads[0].output, a.row));
    program_free(p);
    return a;
}

static answers answers_of(lanes *l, const uint8_t *images, int count)
{
    answers a;
    memset(&a, 0xff, sizeof a);
    assert_ok(lanes_run(l, images, count, a.row[0], NULL));
    for (int i = 0; i < MAX_BATCH; i++)
        assert_true(isnan(a.row[i][0]) == (i >= count)); /* no row more is written */
    return a;
}

static void assert_close(const float *got, const float *wanted, float tolerance)
{
    for (int c = 0; c < CLASSES; c++)
        if (!(fabsf(got[c] - wanted[c]) <= tolerance))
            fail_msg("class %d: %.9g (wanted %.9g within %g)", c, (double)got[c], (double)wanted[c], (double)tolerance);
}

static void assert_same_bits(const answers *a, const answers *b, int count)
{
    assert_memory_equal(a->row, b->row, (size_t)count * sizeof a->row[0]);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void run__of_a_batch__is_what_one_program_answers(void **state)
{
    (void)state;
    subject s;
    lanes *l = NULL;
    subject_open(&s, 2);
    const dtype precisions[] = {DTYPE_F32, DTYPE_BF16};
    for (int k = 0; k < 1 + s.b->computes_bf16(s.b); k++) {
        const answers wanted = answers_of_program(&s, 7, precisions[k]);
        assert_ok(lanes_create(&l, s.m, 7, precisions[k], s.b));
        assert_int_equal(lanes_batch(l), 7);
        assert_int_equal(lanes_count(l), 2);
        assert_int_equal(lanes_tile(l), 2); /* four tiles, the last one not full */
        const answers got = answers_of(l, s.images, 7);
        for (int i = 0; i < 7; i++)
            assert_close(got.row[i], wanted.row[i], k ? 1e-2f : 1e-5f);
        assert_true(memcmp(got.row[0], got.row[1], sizeof got.row[0]) != 0);
        for (int again = 0; again < 5; again++) {
            const answers same = answers_of(l, s.images, 7);
            assert_same_bits(&same, &got, 7);
        }
        for (int count = 1; count < 7; count++) {
            const answers fewer = answers_of(l, s.images, count);
            assert_same_bits(&fewer, &got, count);
        }
        lanes_free(l);
    }
    subject_close(&s);
}

static void run__picture_elsewhere_in_the_batch__has_the_same_answer(void **state)
{
    (void)state;
    subject s;
    lanes *l = NULL;
    subject_open(&s, 3);
    assert_ok(lanes_create(&l, s.m, MAX_BATCH, DTYPE_F32, s.b));
    assert_int_equal(lanes_count(l), 3);
    assert_int_equal(lanes_tile(l), 1); /* every picture alone, so by the same kernels */
    const answers all = answers_of(l, s.images, MAX_BATCH);
    for (int from = 1; from < MAX_BATCH; from++) {
        const answers moved = answers_of(l, s.images + (size_t)from * IMAGE_BYTES, MAX_BATCH - from);
        for (int i = 0; i < MAX_BATCH - from; i++)
            assert_memory_equal(moved.row[i], all.row[from + i], sizeof moved.row[i]);
    }
    lanes_free(l);
    subject_close(&s);
}

/* Several lanes on the one-thread form of a backend whose memory is not the caller's, and one program that it captures.
 */
static void run__on_memory_apart__has_the_same_answers(void **state)
{
    (void)state;
    subject s, apart;
    subject_open(&s, 2);
    subject_open(&apart, 2);
    assert_ok(apart_backend_create(&apart.b, apart.b, true));
    for (int batch = 1; batch <= 4; batch += 3) {
        lanes *l = NULL, *beside = NULL;
        assert_ok(lanes_create(&l, s.m, batch, DTYPE_F32, s.b));
        const answers wanted = answers_of(l, s.images, batch);
        lanes_free(l);
        assert_ok(lanes_create(&l, apart.m, batch, DTYPE_F32, apart.b));
        assert_ok(lanes_create_beside(&beside, l, apart.b));
        lanes_free(l);
        const answers got = answers_of(beside, s.images, batch);
        assert_same_bits(&got, &wanted, batch);
        lanes_free(beside);
    }
    assert_true(apart_captured_runs(apart.b) > 0);
    subject_close(&s);
    subject_close(&apart);
}

/* --- how many ----------------------------------------------------------------------------------------------------- */

static int two_threads(const backend *b)
{
    (void)b;
    return 2;
}

static void create__where_lanes_would_idle__is_one_program(void **state)
{
    (void)state;
    static const struct {
        int threads, batch, lanes, tile;
    } cases[] = {{2, 1, 1, 1}, {4, 2, 1, 2}, {2, 3, 2, 2}, {3, 4, 1, 4}, {3, 5, 3, 2}, {2, 8, 2, 4}, {1, 8, 1, 8}};
    model *m = new_model(32);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        backend *b = NULL;
        lanes *l = NULL;
        assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = cases[i].threads}));
        assert_ok(lanes_create(&l, m, cases[i].batch, DTYPE_F32, b));
        assert_int_equal(lanes_count(l), cases[i].lanes);
        assert_int_equal(lanes_tile(l), cases[i].tile);
        for (int k = 0; k < lanes_count(l); k++) /* weights are packed once */
            assert_true((program_memory_used(lanes_program(l, k)).constant_bytes > 0) == (k == 0));
        lanes_free(l);
        b->free(b);
    }
    model_free(m);
}

/* --- failure ------------------------------------------------------------------------------------------------------ */

static mien_status fail_to_run(kernel *k)
{
    (void)k;
    return mien_fail(MIEN_ERR_DEVICE, "the device is on fire");
}

static void run__lane_that_fails__is_told(void **state)
{
    (void)state;
    subject s;
    lanes *l = NULL;
    float out[MAX_BATCH][CLASSES];
    subject_open(&s, 2);
    assert_ok(lanes_create(&l, s.m, 7, DTYPE_F32, s.b));
    mien_status (*kept)(kernel *) = NULL;
    for (int i = 0; i < lanes_count(l); i++) { /* which one takes a tile first is chance */
        program *p = lanes_program(l, i);
        kernel *k = p->kernels[p->plan.run[1]];
        kept = k->run;
        k->run = fail_to_run;
    }
    char wanted[128];
    const program *first = lanes_program(l, 0);
    snprintf(wanted, sizeof wanted, "%s: the device is on fire", graph_node_at(first->g, first->plan.run[1])->name);
    assert_failure(lanes_run(l, s.images, 7, out[0], NULL), MIEN_ERR_DEVICE, wanted);
    for (int i = 0; i < lanes_count(l); i++) {
        program *p = lanes_program(l, i);
        p->kernels[p->plan.run[1]]->run = kept;
    }
    assert_ok(lanes_run(l, s.images, 7, out[0], NULL));
    lanes_free(l);
    subject_close(&s);
}

static mien_status create_and_free(void *m)
{
    backend *b = NULL;
    lanes *l = NULL;
    TRY(reference_backend_create(&b, REFERENCE_STORED));
    b->threads = two_threads;
    mien_status st = lanes_create(&l, m, 4, DTYPE_F32, b);
    if (st == MIEN_OK)
        assert_int_equal(lanes_count(l), 2);
    lanes_free(l);
    b->free(b);
    return st;
}

static void create__out_of_memory__leaks_nothing(void **state)
{
    (void)state;
    model *m = new_model(32);
    fail_each_allocation(create_and_free, m);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__of_a_batch__is_what_one_program_answers),
        cmocka_unit_test(run__picture_elsewhere_in_the_batch__has_the_same_answer),
        cmocka_unit_test(run__on_memory_apart__has_the_same_answers),
        cmocka_unit_test(create__where_lanes_would_idle__is_one_program),
        cmocka_unit_test(run__lane_that_fails__is_told),
        cmocka_unit_test(create__out_of_memory__leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
