/* Every operator case on the CPU backend, and what is the CPU's own. CTest runs this program once for each MIEN_ISA
 * (tests.cmake). */
#include "backend/cpu/cpu.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/openmp.h"
#include "backend/ops_tests.h"

/* oneDNN's slow fallback never runs: not on the test shapes, and not on the networks' own. */
static void ops_cpu__implementations__are_not_ref(void **state)
{
    backend *cpu = *state;
    if (strcmp(cpu->isa(cpu), "plain") == 0) {
        print_message("skipped: oneDNN has little but its reference code for plain\n");
        skip();
    }
    int refs = 0;
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        side s = {.b = cpu};
        dtype type = cpu->computes_bf16(cpu) ? DTYPE_BF16 : DTYPE_F32;
        assert_ok(case_graph_build(&s.c, oc, type, CASE_TRAINING));
        mien_status st = program_create(&s.p, s.c.g, cpu, &s.c.params);
        s.c.g = NULL;
        assert_ok(st);
        for (int t = 0; t < program_timing_count(s.p); t++) {
            program_timing row = program_timing_at(s.p, t);
            if (strncmp(row.implementation, "ref", 3) == 0 || strstr(row.implementation, ":ref")) {
                print_error("%s: %s (%s) runs %s\n", oc->name, row.node, row.op, row.implementation);
                refs++;
            }
        }
        side_close(&s);
    }
    assert_int_equal(refs, 0);
}

/* oneDNN's parallel regions run on our threads, not on libgomp's. */
static void ops_cpu__onednn__runs_on_the_team(void **state)
{
    side s = {0};
    int64_t before = openmp_onednn_regions();
    for (int i = 0; i < op_case_count(); i++)
        if (op_case_at(i)->is_large) {
            side_open(&s, *state, op_case_at(i), DTYPE_F32, CASE_TRAINING);
            side_close(&s);
        }
    assert_true(openmp_onednn_regions() > before);
}

static int threads;

static int backend_open(void **state)
{
    backend *b = NULL;
    const cpu_options options = {.threads = threads};
    assert_ok(backend_cpu_create(&b, &options));
    *state = b;
    return 0;
}

static int backend_close(void **state)
{
    backend *b = *state;
    b->free(b);
    return 0;
}

enum { EXIT_SKIPPED = 77 };

int main(int argc, char **argv)
{
    ops_only = argc > 1 ? argv[1] : "";
    isa chosen;
    if (isa_get(&chosen) != MIEN_OK) {
        printf("skipped: %s\n", mien_error());
        return EXIT_SKIPPED;
    }
    printf("instruction set: %s\n", isa_name(chosen));
    const struct CMUnitTest all[] = {
        cmocka_unit_test(ops__forward_f32__is_reference),
        cmocka_unit_test(ops__training_f32__is_reference),
        cmocka_unit_test(ops__forward_bf16__is_reference),
        cmocka_unit_test(ops__training_bf16__is_reference),
        cmocka_unit_test(ops__one_weight_off__is_noticed),
        cmocka_unit_test(ops__optimizers__are_reference),
        cmocka_unit_test(ops__accumulated_batches__are_reference),
        cmocka_unit_test(ops__nan_gradient__changes_nothing),
        cmocka_unit_test(ops__twice__same_bits),
        cmocka_unit_test(ops_cpu__implementations__are_not_ref),
        cmocka_unit_test(ops_cpu__onednn__runs_on_the_team),
    };
    const struct CMUnitTest of_any_division[] = {
        cmocka_unit_test(ops__training_f32__is_reference),
        cmocka_unit_test(ops__training_bf16__is_reference),
        cmocka_unit_test(ops__accumulated_batches__are_reference),
    };
    threads = 2;
    int failed = cmocka_run_group_tests(all, backend_open, backend_close);
    for (int i = 0; i < 3; i++) {
        threads = (const int[]){1, 3, 7}[i];
        printf("%d threads\n", threads);
        failed += cmocka_run_group_tests(of_any_division, backend_open, backend_close);
    }
    return failed;
}
