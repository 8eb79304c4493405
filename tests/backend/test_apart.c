/* The device boundary: everything that goes through a program reaches a backend whose memory is not the caller's, and
 * comes back as the CPU's bits. */
#include "backend/apart_backend.h"
#include "backend/cpu/cpu.h"
#include "graph/exec/program_int.h"
#include "graph/op_cases.h"
#include "graph/params.h"
#include "testing.h"

#include <signal.h>
#include <sys/wait.h>

static backend *make_apart(bool captures)
{
    backend *cpu = NULL, *b = NULL;
    assert_ok(backend_cpu_create(&cpu, &(cpu_options){.threads = 2}));
    assert_ok(apart_backend_create(&b, cpu, captures));
    return b;
}

static const op_case *any_case(void)
{
    for (int i = 0; i < op_case_count(); i++)
        if (strcmp(op_case_at(i)->name, "linear/squeeze") == 0)
            return op_case_at(i);
    fail_msg("no such case");
    return NULL;
}

enum { MAX_VALUES = 4096 }; /* parameters of that case, at most */

/* --- operators ---------------------------------------------------------------------------------------------------- */

/* A case on a backend: what its run left, as bytes of the caller's. */
typedef struct {
    case_graph c;
    unsigned char *y, *dx;
    float *grads;
    size_t y_bytes, dx_bytes;
} outcome;

static unsigned char *read_value(program *p, value_id v, size_t *bytes)
{
    *bytes = v == NO_VALUE ? 0 : p->plan.values[v].bytes;
    unsigned char *numbers = malloc(*bytes ? *bytes : 1);
    assert_non_null(numbers);
    if (v != NO_VALUE)
        assert_ok(program_read(p, v, numbers));
    return numbers;
}

static void run_case(outcome *o, backend *b, const op_case *oc, dtype type)
{
    param_place place = {0};
    program *p = NULL;
    assert_ok(case_graph_build(&o->c, oc, type, oc->is_forward_only ? CASE_FORWARD : CASE_TRAINING));
    assert_ok(params_place(&place, b, &o->c.params));
    mien_status st = program_create(&p, o->c.g, b, &place.memory);
    o->c.g = NULL;
    assert_ok(st);
    assert_ok(case_graph_fill(&o->c, p, 7)); /* fills the host's parameters too */
    assert_ok(params_upload(&place, &o->c.params));
    assert_ok(program_refresh(p));
    assert_ok(program_run(p));
    o->y = read_value(p, o->c.y, &o->y_bytes);
    o->dx = read_value(p, o->c.dx, &o->dx_bytes);
    const size_t bytes = o->c.params.trained_count * sizeof(float);
    o->grads = malloc(bytes ? bytes : 1);
    assert_non_null(o->grads);
    if (bytes)
        assert_ok(b->download(b, o->grads, place.memory.grads, bytes));
    assert_ok(params_download(&place, &o->c.params)); /* running statistics */
    program_free(p);
    params_leave(&place);
}

static void outcome_free(outcome *o)
{
    case_graph_free(&o->c);
    free(o->y);
    free(o->dx);
    free(o->grads);
}

static bool is_same_case(backend *cpu, backend *apart, const op_case *oc, dtype type)
{
    outcome wanted = {0}, got = {0};
    run_case(&wanted, cpu, oc, type);
    run_case(&got, apart, oc, type);
    const param_memory *a = &wanted.c.params, *b = &got.c.params;
    const bool is_same = memcmp(got.y, wanted.y, wanted.y_bytes) == 0 &&
                         memcmp(got.dx, wanted.dx, wanted.dx_bytes) == 0 &&
                         memcmp(got.grads, wanted.grads, a->trained_count * sizeof(float)) == 0 &&
                         (a->count == 0 || memcmp(b->values, a->values, a->count * sizeof(float)) == 0);
    if (!is_same)
        print_error("%s: not the CPU's bits\n", oc->name);
    outcome_free(&wanted);
    outcome_free(&got);
    return is_same;
}

static void apart__every_case__is_the_cpus_bits(void **state)
{
    (void)state;
    int differ = 0;
    backend *cpu = NULL;
    assert_ok(backend_cpu_create(&cpu, &(cpu_options){.threads = 2}));
    for (int captures = 0; captures < 2; captures++) {
        backend *apart = make_apart(captures);
        for (int i = 0; i < op_case_count(); i++) {
            if (op_case_at(i)->is_large)
                continue;
            differ += !is_same_case(cpu, apart, op_case_at(i), DTYPE_F32);
            if (cpu->computes_bf16(cpu))
                differ += !is_same_case(cpu, apart, op_case_at(i), DTYPE_BF16);
        }
        assert_int_equal(apart_captured_runs(apart) > 0, captures);
        assert_int_equal(apart_block_count(apart), 0);
        apart->free(apart);
    }
    assert_int_equal(differ, 0);
    cpu->free(cpu);
}

/* Two batches and their update, twice: the spans of a program that accumulates are captured each for itself. */
static void accumulate(float *values, backend *b)
{
    const op_case *oc = any_case();
    optimizer_attr attr = {.kind = OPTIMIZER_SGD, .momentum = 0.9f};
    param_place place = {0};
    program *p = NULL;
    case_graph c;
    assert_ok(case_graph_build(&c, oc, DTYPE_F32, CASE_TRAINING));
    attr.loss = c.loss;
    assert_ok(op_accumulate(c.g, "sums", c.loss));
    assert_ok(op_optimizer(c.g, "update", &attr));
    assert_ok(params_place(&place, b, &c.params));
    mien_status st = program_create(&p, c.g, b, &place.memory);
    c.g = NULL;
    assert_ok(st);
    assert_ok(case_graph_fill(&c, p, 3));
    assert_ok(params_upload(&place, &c.params));
    for (int batch = 0; batch < 4; batch++) {
        assert_ok(program_run_gradients(p, batch % 2 == 0));
        if (batch % 2 == 1)
            assert_ok(program_run_update(p));
    }
    assert_ok(params_download(&place, &c.params));
    assert_true(c.params.count <= MAX_VALUES);
    memcpy(values, c.params.values, c.params.count * sizeof *values);
    program_free(p);
    params_leave(&place);
    case_graph_free(&c);
}

static void apart__accumulated_batches__are_the_cpus_bits(void **state)
{
    (void)state;
    static float wanted[MAX_VALUES], got[MAX_VALUES];
    backend *cpu = NULL, *apart = make_apart(true);
    assert_ok(backend_cpu_create(&cpu, &(cpu_options){.threads = 2}));
    accumulate(wanted, cpu);
    accumulate(got, apart);
    assert_memory_equal(got, wanted, sizeof wanted);
    assert_int_equal(apart_captured_runs(apart), 4 * 2 + 2);
    cpu->free(cpu);
    apart->free(apart);
}

/* --- the wall ----------------------------------------------------------------------------------------------------- */

static void apart__memory__is_out_of_reach(void **state)
{
    (void)state;
    backend *b = make_apart(false);
    unsigned char bytes[8], *block = NULL;
    assert_ok(b->alloc(b, (void **)&block, sizeof bytes));
    assert_ok(b->download(b, bytes, block, sizeof bytes));
    assert_int_equal(bytes[0], 0xa5);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(*(volatile unsigned char *)block == 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_failure(b->download(b, bytes, bytes, 1), MIEN_ERR_INTERNAL, "apart: download");
    b->dealloc(b, block);
    b->free(b);
}

static void apart__parameters_of_the_host__are_refused(void **state)
{
    (void)state;
    backend *b = make_apart(false);
    case_graph c;
    program *p = NULL;
    assert_ok(case_graph_build(&c, any_case(), DTYPE_F32, CASE_TRAINING));
    mien_status st = program_create(&p, c.g, b, &c.params);
    c.g = NULL;
    assert_failure(st, MIEN_ERR_INTERNAL, "a kernel bound to memory outside");
    assert_int_equal(apart_block_count(b), 0);
    case_graph_free(&c);
    b->free(b);
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static void params__on_the_cpu__are_the_hosts(void **state)
{
    (void)state;
    float values[4] = {1, 2, 3, 4};
    const param_memory host = {.values = values, .count = 4};
    param_place place = {0};
    backend *cpu = NULL, *apart = make_apart(false);
    assert_ok(backend_cpu_create(&cpu, NULL));
    assert_ok(params_place(&place, cpu, &host));
    assert_ptr_equal(place.memory.values, values);
    assert_failure(params_place(&place, apart, &host), MIEN_ERR_UNSUPPORTED, "in another memory than that of apart");
    params_leave(&place);
    cpu->free(cpu);
    apart->free(apart);
}

static void params__apart__move_when_told(void **state)
{
    (void)state;
    float values[4] = {1, 2, 3, 4}, grads[2] = {5, 6}, state1[2] = {7, 8}, got[4];
    param_memory host = {.values = values, .count = 4};
    param_place place = {0};
    backend *cpu = NULL, *b = make_apart(false), *other = make_apart(false);
    assert_ok(backend_cpu_create(&cpu, NULL));
    assert_ok(params_place(&place, b, &host));
    assert_null(place.memory.grads);
    host.grads = grads;
    host.state1 = state1;
    host.trained_count = 2;
    assert_ok(params_place(&place, b->one_thread(b), &host)); /* the same memory: what is new joins */
    assert_int_equal(apart_block_count(b), 3);
    assert_ok(b->download(b, got, place.memory.grads, sizeof grads));
    assert_true(got[0] == 0 && got[1] == 0);
    values[1] = 20;
    state1[1] = 80;
    assert_ok(params_download(&place, &host));
    assert_true(values[1] == 2 && state1[1] == 8);
    values[1] = 20;
    assert_ok(params_upload(&place, &host));
    assert_ok(b->download(b, got, place.memory.values, sizeof values));
    assert_true(got[1] == 20 && got[3] == 4);
    assert_failure(params_place(&place, other, &host), MIEN_ERR_UNSUPPORTED, "in another memory");
    assert_failure(params_place(&place, cpu, &host), MIEN_ERR_UNSUPPORTED, "in another memory than that of cpu");
    params_leave(&place);
    assert_int_equal(apart_block_count(b), 0);
    b->free(b);
    other->free(other);
    cpu->free(cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apart__every_case__is_the_cpus_bits),
        cmocka_unit_test(apart__accumulated_batches__are_the_cpus_bits),
        cmocka_unit_test(apart__memory__is_out_of_reach),
        cmocka_unit_test(apart__parameters_of_the_host__are_refused),
        cmocka_unit_test(params__on_the_cpu__are_the_hosts),
        cmocka_unit_test(params__apart__move_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
