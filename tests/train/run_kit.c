/* Runs small enough for a test: noise in which one colour is stronger by class, two epochs of EfficientNet-B0 at 32
 * pixels, and progress callbacks that cancel at a step of the test's choice or count allocations. */
#include "train/run_kit.h"

#include "base/json.h"
#include "base/rng.h"
#include "base/str.h"
#include "format/safetensors.h"
#include "image/image.h"

static const char *const tiny[] = {"models=[efficientnet_b0]",
                                   "classes=[anger, fear]",
                                   "image_size=32",
                                   "augment.flip=true",
                                   "augment.crop=2",
                                   "data={val_share: 0.25, balance: none}",
                                   "stage1={batch: 4, epochs: 2, lr: 0.001}",
                                   "stage2={enabled: false, batch: 4, epochs: 2, lr: 0.001}",
                                   NULL};
enum { MAX_SETTINGS = 24, SIDE = 32 };

void kit_make_set(const char *set, int count, uint64_t seed)
{
    static const char *const classes[] = {"anger", "fear"};
    image im = {0};
    assert_ok(image_resize_buffer(&im, SIDE, SIDE));
    for (int c = 0; c < 2; c++) {
        char folder[PATH_MAX], path[PATH_MAX + 32];
        snprintf(folder, sizeof folder, "%s/%s", set, classes[c]);
        assert_ok(file_make_folders(folder));
        for (int i = 0; i < count; i++) {
            rng r = rng_at(seed, (uint32_t)c, (uint64_t)i, RNG_TEST);
            for (int at = 0; at < SIDE * SIDE * 3; at++)
                im.pixels[at] = (uint8_t)(rng_below(&r, 160) + (at % 3 == 2 * c ? 95 : 0));
            snprintf(path, sizeof path, "%s/%d.png", folder, i + 1);
            assert_ok(image_write_png(path, &im));
        }
    }
    image_free(&im);
}

typedef struct {
    progress *told;
    const char *word;
    int left;
} cancel_plan;

static int cancel_when_due(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    (void)done, (void)total, (void)note;
    cancel_plan *plan = payload;
    plan->told->last_ns = 0; /* the next word comes through, however soon */
    return strstr(what, plan->word) && --plan->left == 0;
}

mien_status kit_train(const kit_run *run)
{
    const char *settings[MAX_SETTINGS];
    const char *const *base = run->base ? run->base : tiny;
    int count = 0;
    for (; base[count]; count++)
        settings[count] = base[count];
    for (int i = 0; run->settings[i]; i++)
        settings[count++] = run->settings[i];
    recipe *r = NULL;
    backend *own = NULL;
    progress told = {0};
    cancel_plan plan = {&told, run->cancel_word ? run->cancel_word : " stage", run->cancel_after};
    if (run->cancel_after)
        told = (progress){.callback = cancel_when_due, .payload = &plan};
    mien_status st = recipe_load(&r, run->tasks ? run->tasks : task_all, NULL, settings, count);
    if (st == MIEN_OK && !run->backend)
        st = backend_cpu_create(&own, &(cpu_options){.threads = run->threads ? run->threads : 2});
    if (st == MIEN_OK)
        st = train_run(&(train_options){.recipe = r,
                                        .data = run->data ? kit_data(run->data) : (source_list){0},
                                        .out = run->out,
                                        .is_resumed = run->is_resumed,
                                        .precision = run->precision,
                                        .backend = own ? own : run->backend,
                                        .loader_threads = run->loader_threads ? run->loader_threads : 1,
                                        .progress = &told,
                                        .feature_limit = run->feature_limit});
    if (own)
        own->free(own);
    recipe_free(r);
    return st;
}

char *kit_read(const char *path, size_t *length)
{
    char *bytes;
    size_t ignored;
    assert_ok(file_read(&bytes, length ? length : &ignored, path, 0));
    return bytes;
}

void kit_assert_same_file(const char *a, const char *b)
{
    size_t a_length, b_length;
    char *left = kit_read(a, &a_length), *right = kit_read(b, &b_length);
    if (a_length != b_length || memcmp(left, right, a_length) != 0)
        fail_msg("%s and %s differ (%zu and %zu bytes)", a, b, a_length, b_length);
    mem_free(left);
    mem_free(right);
}

void kit_forge(const char *path, const char *from, const char *to)
{
    st_file *f;
    str text = {0};
    assert_ok(st_open(&f, path));
    const char *metadata = st_meta(f, "mien_checkpoint"), *at = strstr(metadata, from);
    assert_non_null(at);
    assert_ok(str_printf(&text, "%.*s%s%s", (int)(at - metadata), metadata, to, at + strlen(from)));
    st_tensor *tensors;
    assert_ok(mem_alloc(&tensors, st_count(f)));
    for (size_t i = 0; i < st_count(f); i++)
        tensors[i] = *st_at(f, i);
    assert_ok(st_write(path, tensors, st_count(f), &(st_metadata){"mien_checkpoint", text.text}, 1));
    mem_free(tensors);
    str_free(&text);
    st_close(f);
}

typedef struct {
    char what[64]; /* the second epoch of the stage that counts */
    progress *told;
    int64_t first, at_first, at_last; /* pictures before the first count; mem_count then, and after the last step */
} allocation_count;

static int count_allocations(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    (void)note;
    allocation_count *count = payload;
    count->told->last_ns = 0; /* the next word comes through, however soon */
    if (strstr(what, count->what) && done == count->first)
        count->at_first = mem_count();
    if (strstr(what, count->what) && done == total)
        count->at_last = mem_count();
    return 0;
}

void kit_assert_steps_allocate_nothing(const char *const *settings, int setting_count, const char *stage, int64_t first)
{
    recipe *r;
    backend *b;
    progress told;
    allocation_count count = {.told = &told, .first = first, .at_first = -1, .at_last = -2};
    snprintf(count.what, sizeof count.what, "%s epoch 2/2", stage);
    told = (progress){.callback = count_allocations, .payload = &count};
    assert_ok(recipe_load(&r, task_all, NULL, settings, setting_count));
    assert_ok(backend_cpu_create(&b, NULL));
    assert_ok(train_run(&(train_options){.recipe = r,
                                         .data = kit_data("faces"),
                                         .out = "thrifty",
                                         .backend = b,
                                         .loader_threads = 2,
                                         .progress = &told}));
    b->free(b);
    recipe_free(r);
    assert_true(count.at_first > 0);
    assert_int_equal(count.at_last, count.at_first);
}

char *kit_log(const char *run)
{
    char path[PATH_MAX];
    str out = {0};
    snprintf(path, sizeof path, "%s/log.jsonl", run);
    char *text = kit_read(path, NULL), *rest = text, *line;
    while ((line = strsep(&rest, "\n")) && *line) {
        json_t *object;
        char *printed;
        assert_ok(json_parse(&object, line, strlen(line), path));
        json_object_del(object, "seconds");
        json_object_del(object, "images_per_s");
        json_object_del(object, "waiting");
        assert_ok(json_print(&printed, object));
        assert_ok(str_printf(&out, "%s\n", printed));
        mem_free(printed);
        json_decref(object);
    }
    mem_free(text);
    return out.text;
}
