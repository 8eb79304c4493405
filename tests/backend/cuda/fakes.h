/* cuDNN and cuBLASLt as the backend finds them in tests: they keep what they are told, abort where a call breaks what
 * their documentation says (types, counts, lifetimes, alignments, streams, anything but work while a run is captured),
 * and compute from nothing but that. */
#ifndef TESTS_BACKEND_CUDA_FAKES_H
#define TESTS_BACKEND_CUDA_FAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the next backend finds. */
typedef struct {
    bool is_dnn_absent, is_lt_absent;
    int dnn_version, lt_version; /* 0: 9.19.0, 13.1.0 */
    bool is_without_gpu;         /* no handle can be made */
    const char *missing;         /* a function that neither has */
    bool refuses_plans;          /* cuDNN: no plan is finalized */
    bool refuses_epilogues;      /* none of a graph of several operations; cuBLASLt: of a product with an epilogue */
    bool refuses_products;       /* cuBLASLt: no algorithm */
} fake_setting;
extern fake_setting fake;

/* Engines of the faked cuDNN, in the order that its heuristics name them: what each is for, or what speaks against it.
 */
enum {
    FAKE_LOOSE,     /* tensor cores, bits that differ from run to run */
    FAKE_COMPILING, /* when it is planned */
    FAKE_WINOGRAD,
    FAKE_REFUSING,    /* gives no plan */
    FAKE_TENSOR_CORE, /* TF32, for f32 */
    FAKE_REDUCED,     /* sums in less than f32 */
    FAKE_LARGE,       /* wants more workspace than there is memory */
    FAKE_EXACT,
    FAKE_ENGINES
};

/* Since the program began: work that libraries have been given, and objects of theirs that are not given back. */
typedef struct {
    int convolutions, graphs;  /* cuDNN: executed plans; those of several operations */
    int engines[FAKE_ENGINES]; /* executed plans of each */
    int products, epilogues;   /* cuBLASLt: products; those with an epilogue */
    int tf32_products;         /* those whose factors of f32 may lose bits */
    int live;                  /* descriptors, handles, open libraries */
} fake_count;
extern fake_count fake_counts;

/* For the fakes themselves. */
void fake_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void fake_not_while_capturing(const char *what);
typedef struct {
    const char *name;
    void (*function)(void);
} fake_symbol;
extern const fake_symbol fake_dnn_symbols[], fake_lt_symbols[]; /* the last row is empty */
/* bf16 or f32 memory */
double fake_load(const void *p, int64_t i, bool is_bf16);
void fake_store(void *p, int64_t i, double v, bool is_bf16);

#endif
