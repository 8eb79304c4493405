/* Training from end to end on pictures of noise: what a run leaves behind, and that no end of it loses anything. */
#include "train/run_kit.h"

#include "base/str.h"
#include "format/safetensors.h"
#include "nn/model.h"
#include "train/checkpoint.h"
#include "train/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { STEP_BATCH = 2 };
#define MEMBER "/efficientnet_b0-stage1/"

static int enter(void **state)
{
    int rc = temp_folder_enter(state);
    kit_make_set("faces", 12, 1);
    return rc;
}

/* Trains in a process of its own, which may be killed or starved: this program again, as `child` says. (A fork alone
 * would not do: OpenMP's threads do not survive one.) limit: bytes that no file may exceed; 0 none. */
static pid_t start_child(const char *out, bool is_resumed, size_t limit)
{
    char bytes[32];
    snprintf(bytes, sizeof bytes, "%zu", limit);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "test_train", out, is_resumed ? "resumed" : "fresh", bytes, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* Exit status 0: done; 1: failed; 2: failed for want of room for its checkpoint. */
static int child(char **argv)
{
    struct rlimit limit = {strtoul(argv[3], NULL, 10), RLIM_INFINITY};
    if (limit.rlim_cur > 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    mien_status st =
        kit_train(&(kit_run){.data = "faces", .out = argv[1], .is_resumed = strcmp(argv[2], "resumed") == 0});
    if (st == MIEN_ERR_IO && strstr(mien_error(), "last.ckpt"))
        return 2;
    return st == MIEN_OK ? 0 : 1;
}

/* The run that the others are compared with: 2 epochs of 4 steps. */
static void train__run__leaves_what_is_promised(void **state)
{
    (void)state;
    assert_ok(kit_train(&(kit_run){.data = "faces", .out = "whole"}));
    run_model *models;
    int count;
    assert_ok(run_models(&models, &count, "whole"));
    assert_int_equal(count, 1);
    model *m;
    assert_ok(model_load(&m, models[0].path));
    assert_int_equal(model_spec_of(m)->image_size, 32);
    assert_string_equal(model_spec_of(m)->classes[1], "fear");
    assert_true(model_spec_of(m)->mean[0] > 0.3f && model_spec_of(m)->mean[0] < 0.6f);
    model_free(m);
    mem_free(models);

    char *csv = kit_read("whole" MEMBER "validation.csv", NULL);
    assert_ptr_equal(strstr(csv, "image,truth,anger,fear\nanger/10.png,anger,0."), csv);
    int lines = 0;
    for (const char *c = csv; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 1 + 6); /* a quarter of 12, twice */
    mem_free(csv);

    char *log = kit_log("whole");
    assert_ptr_equal(strstr(log, "{\"event\":\"data\",\"train\":18,\"validation\":6,"), log);
    assert_non_null(strstr(log, "{\"event\":\"start\",\"member\":\"efficientnet_b0\",\"stage\":\"stage1\""));
    assert_non_null(strstr(log, "\"event\":\"step\""));
    assert_non_null(strstr(log, "\"event\":\"epoch\",\"member\":\"efficientnet_b0\",\"stage\":\"stage1\",\"epoch\":2,"
                                "\"step\":8,\"train_loss\":"));
    assert_non_null(strstr(log, "\"event\":\"done\""));
    mem_free(log);

    train_state at;
    assert_ok(checkpoint_load("whole" MEMBER "last.ckpt", &at, NULL, true));
    assert_int_equal(at.step, 8);
    assert_int_equal(at.epoch, 2);
    assert_true(file_exists("whole/recipe.yaml") && file_exists("whole" MEMBER "done"));
}

/* As if `run` had been begun and ended in one call, like `wanted`. */
static void assert_same_run(const char *run, const char *wanted_run)
{
    static const char *const files[] = {"recipe.yaml", "events.out.tfevents.mien",
                                        "efficientnet_b0-stage1/best.safetensors",
                                        "efficientnet_b0-stage1/validation.csv", "efficientnet_b0-stage1/done"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char a[PATH_MAX], b[PATH_MAX];
        snprintf(a, sizeof a, "%s/%s", wanted_run, files[i]);
        snprintf(b, sizeof b, "%s/%s", run, files[i]);
        kit_assert_same_file(a, b);
    }
    char *wanted = kit_log(wanted_run), *got = kit_log(run);
    assert_string_equal(got, wanted);
    mem_free(wanted);
    mem_free(got);
}

static void assert_same_as_whole(const char *run)
{
    assert_same_run(run, "whole");
}

static void train__same_run__same_bytes(void **state)
{
    (void)state;
    assert_ok(kit_train(&(kit_run){.data = "faces", .out = "again", .loader_threads = 3}));
    assert_same_as_whole("again");
}

static void train__finished__is_left_alone(void **state)
{
    (void)state;
    struct stat before, after;
    assert_int_equal(stat("whole" MEMBER "best.safetensors", &before), 0);
    assert_failure(kit_train(&(kit_run){.data = "faces", .out = "whole"}), MIEN_ERR_ARG, "whole: holds a run");
    assert_ok(kit_train(&(kit_run){.data = "faces", .out = "whole", .is_resumed = true}));
    assert_int_equal(stat("whole" MEMBER "best.safetensors", &after), 0);
    assert_true(before.st_ino == after.st_ino);
}

/* Stopped at the n-th word of progress (the first comes before the first step), then once more, then left to end. */
static void train__cancelled__goes_on_to_the_same_bits(void **state)
{
    (void)state;
    static const int first[] = {1, 3, 6};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        char out[32];
        snprintf(out, sizeof out, "cancelled%zu", i);
        kit_run run = {.data = "faces", .out = out, .cancel_after = first[i]};
        assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
        run.is_resumed = true;
        run.cancel_after = 2;
        assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
        run.cancel_after = 0;
        assert_ok(kit_train(&run));
        assert_same_as_whole(out);
    }
}

/* A child that trains is killed while it does; what it left is resumed. */
static void train__killed__goes_on_to_the_same_bits(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        char out[32], path[PATH_MAX];
        snprintf(out, sizeof out, "killed%d", round);
        snprintf(path, sizeof path, "%s" MEMBER "last.ckpt", out);
        pid_t pid = start_child(out, false, 0);
        while (!file_exists(path)) /* the first checkpoint is written before the first step */
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        nanosleep(&(struct timespec){.tv_nsec = 150000000 * round}, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_ok(kit_train(&(kit_run){.data = "faces", .out = out, .is_resumed = true}));
        assert_same_as_whole(out);
    }
}

static int stop(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    (void)payload, (void)what, (void)done, (void)total, (void)note;
    return 1;
}

/* Stopped before there is anything to save, it starts again. */
static void train__stopped_at_once__starts_again(void **state)
{
    (void)state;
    recipe *r;
    backend *b;
    progress told = {.callback = stop};
    assert_ok(recipe_load(&r, task_all, NULL,
                          (const char *const[]){"classes=[anger, fear]", "stage1.batch=4", "stage2.enabled=false"}, 3));
    assert_ok(backend_cpu_create(&b, NULL));
    assert_failure(train_run(&(train_options){
                       .recipe = r, .data = kit_data("faces"), .out = "early", .backend = b, .progress = &told}),
                   MIEN_ERR_CANCELLED, "early: interrupted before the first step");
    b->free(b);
    assert_ok(kit_train(&(kit_run){.data = "faces", .out = "early", .is_resumed = true}));
    assert_same_as_whole("early");
    recipe_free(r);
}

static void train__members__each_have_their_own_draws(void **state)
{
    (void)state;
    kit_run run = {.data = "faces",
                   .out = "two",
                   .settings = {"models=[efficientnet_b0, efficientnet_b0]", "stage1.epochs=1"},
                   .cancel_after = 9};
    mien_status st = kit_train(&run);
    run.is_resumed = true;
    run.cancel_after = 0;
    if (st == MIEN_ERR_CANCELLED)
        st = kit_train(&run);
    assert_ok(st);
    run_model *models;
    int count;
    assert_ok(run_models(&models, &count, "two"));
    assert_int_equal(count, 2);
    assert_string_equal(models[1].name, "efficientnet_b0.2");
    size_t a_length, b_length;
    char *a = kit_read(models[0].path, &a_length), *b = kit_read(models[1].path, &b_length);
    assert_true(a_length != b_length || memcmp(a, b, a_length) != 0);
    mem_free(a);
    mem_free(b);
    mem_free(models);
}

static void train__resume__refuses_what_is_not_the_same(void **state)
{
    (void)state;
    kit_run run = {.data = "faces", .out = "other", .cancel_after = 1};
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    run.is_resumed = true;
    run.settings[0] = "stage1.lr=0.002";
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "other: run with another recipe: stage1.lr: 0.002 (wanted 0.001)");
    run.settings[0] = NULL;
    kit_make_set("strangers", 13, 2);
    run.data = "strangers";
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "strangers: not the pictures that other was begun with");
    assert_failure(kit_train(&(kit_run){.data = "nowhere", .out = "other", .is_resumed = true}), MIEN_ERR_IO,
                   "nowhere");
}

/* A run that was done is given more epochs, and stopped among them: in the end it is a longer run. */
static void train__more_epochs__are_those_of_a_longer_run(void **state)
{
    (void)state;
    kit_run run = {.data = "faces", .out = "long", .settings = {"stage1.schedule.name=constant", "stage1.epochs=4"}};
    assert_ok(kit_train(&run));
    run.out = "longer";
    run.settings[1] = "stage1.epochs=2";
    assert_ok(kit_train(&run));
    run.settings[1] = "stage1.epochs=4";
    run.is_resumed = true;
    run.cancel_after = 7; /* within epoch 4 */
    assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
    assert_false(file_exists("longer" MEMBER "done"));
    run.cancel_after = 0;
    assert_ok(kit_train(&run));
    assert_same_run("longer", "long");
    kit_assert_same_file("longer" MEMBER "last.ckpt", "long" MEMBER "last.ckpt");
    run.settings[1] = "stage1.epochs=3";
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "longer: run with another recipe: stage1.epochs: 3 (wanted 4)");
}

static void keep_line(void *payload, int level, const char *line)
{
    (void)level;
    snprintf(payload, 512, "%s", line);
}

/* Names and labels are those that the run was begun with; the files are not. */
static void train__resume__notices_other_pictures(void **state)
{
    (void)state;
    const char *picture = "swapped/fear/2.png";
    char line[512] = "";
    size_t length;
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = 1000000000}};
    kit_make_set("swapped", 12, 1);
    kit_run run = {.data = "swapped", .out = "begun", .cancel_after = 1};
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    run.is_resumed = true;
    mien_set_log(keep_line, line);
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_string_equal(line, "");
    assert_int_equal(utimensat(AT_FDCWD, picture, times, 0), 0);
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_non_null(strstr(line, "swapped: 1 pictures of the same size were written after begun was begun, the first "
                                 "fear/2.png"));
    mien_set_log(NULL, NULL);
    char *bytes = kit_read(picture, &length);
    assert_ok(file_write_all(picture, bytes, length - 12)); /* without its last chunk */
    assert_failure(kit_train(&run), MIEN_ERR_ARG,
                   "swapped: not the pictures that begun was begun with: fear/2.png has ");
    assert_int_equal(unlink("begun/pictures.csv"), 0); /* as a run of an older version */
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_true(file_exists("begun/pictures.csv"));
    assert_ok(file_write_all(picture, bytes, length));
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "not the pictures that begun was begun with");
    assert_ok(file_write_all("begun/pictures.csv", "set,image\ntrain,a.png\n", 23));
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT, "begun/pictures.csv: line 2: not the row of anger/1.png");
    mem_free(bytes);
}

static void hash_of_recipe(char dst[40], const char *path)
{
    size_t length;
    uint64_t hash = 14695981039346656037u;
    char *text = kit_read(path, &length);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)text[i]) * 1099511628211u;
    mem_free(text);
    snprintf(dst, 40, "%016llx", (unsigned long long)hash);
}

/* Killed after its checkpoint was given more epochs and before recipe.yaml was. */
static void train__killed_while_given_more_epochs__goes_on(void **state)
{
    (void)state;
    char before[40], after[40];
    kit_run run = {.data = "faces", .out = "between", .settings = {"stage1.schedule.name=constant", "stage1.epochs=2"}};
    assert_ok(kit_train(&run));
    hash_of_recipe(before, "between/recipe.yaml");
    hash_of_recipe(after, "long/recipe.yaml");
    kit_forge("between" MEMBER "last.ckpt", before, after);
    run.settings[1] = "stage1.epochs=4";
    run.is_resumed = true;
    assert_ok(kit_train(&run));
    assert_same_run("between", "long");
    kit_forge("between" MEMBER "last.ckpt", after, before);
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "between: recipe.yaml is not the one");
}

/* As if begun by a build whose recipes had one key less: its text, and so its hash, was another. */
static void train__begun_with_fewer_keys__goes_on(void **state)
{
    (void)state;
    char now[40], then[40];
    size_t length;
    kit_run run = {.data = "faces", .out = "fewer", .cancel_after = 6};
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    hash_of_recipe(now, "fewer/recipe.yaml");
    char *text = kit_read("fewer/recipe.yaml", &length), *line = strstr(text, "  noise: 0\n");
    memmove(line, line + 11, strlen(line + 11) + 1);
    assert_ok(file_write_all("fewer/recipe.yaml", text, length - 11));
    mem_free(text);
    hash_of_recipe(then, "fewer/recipe.yaml");
    kit_forge("fewer" MEMBER "last.ckpt", now, then);
    run.cancel_after = 0;
    run.is_resumed = true;
    assert_ok(kit_train(&run));
    assert_same_run("fewer", "whole");
    kit_assert_same_file("fewer" MEMBER "last.ckpt", "whole" MEMBER "last.ckpt");
}

static void train__precision__is_kept_or_refused(void **state)
{
    (void)state;
    backend *b;
    assert_ok(backend_cpu_create(&b, NULL));
    bool has_bf16 = b->computes_bf16(b);
    b->free(b);
    kit_run run = {.data = "faces", .out = "precise", .precision = PRECISION_F32, .cancel_after = 1};
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    run.is_resumed = true;
    run.precision = PRECISION_BF16;
    if (has_bf16)
        assert_failure(kit_train(&run), MIEN_ERR_ARG, "precise: begun in another precision (bf16, wanted f32)");
    else
        assert_failure(kit_train(&run), MIEN_ERR_UNSUPPORTED, "does not compute in bf16");

    train_state at;
    run.precision = PRECISION_AUTO;
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_ok(checkpoint_load("precise" MEMBER "last.ckpt", &at, NULL, true));
    assert_int_equal(at.facts.precision, DTYPE_F32);

    kit_forge("precise" MEMBER "last.ckpt", "\"f32\"", "\"bf16\"");
    if (has_bf16)
        assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    else
        assert_failure(kit_train(&run), MIEN_ERR_UNSUPPORTED, "precise: begun in bf16");
    run.precision = PRECISION_F32;
    assert_failure(kit_train(&run), has_bf16 ? MIEN_ERR_ARG : MIEN_ERR_UNSUPPORTED, "precise: begun in");
}

static void count_notices(void *payload, int level, const char *line)
{
    (void)level;
    *(int *)payload += strstr(line, "bits may differ") != NULL;
}

/* Another instruction set, another number of threads, or another device: it goes on, and says so once. A checkpoint
 * that says no device is the CPU's. */
static void train__other_machine__is_told(void **state)
{
    (void)state;
    int notices = 0;
    kit_run run = {.data = "faces", .out = "moved", .cancel_after = 1};
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    run.is_resumed = true;
    mien_set_log(count_notices, &notices);
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_int_equal(notices, 0);
    kit_forge("moved" MEMBER "last.ckpt", "\"isa\":\"", "\"isa\":\"other_");
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_int_equal(notices, 1);
    run.threads = 1;
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_int_equal(notices, 2);
    kit_forge("moved" MEMBER "last.ckpt", "\"device\":\"cpu\",", "");
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_int_equal(notices, 2);
    kit_forge("moved" MEMBER "last.ckpt", "\"device\":\"cpu\"", "\"device\":\"cuda\"");
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    assert_int_equal(notices, 3);
    kit_forge("moved" MEMBER "last.ckpt", "\"variant\":\"torchvision\"",
              "\"variant\":\"of_later\""); /* a newer build's */
    assert_failure(kit_train(&run), MIEN_ERR_UNSUPPORTED, "variant");
    mien_set_log(NULL, NULL);
}

static void train__steps__allocate_nothing(void **state)
{
    (void)state;
    const char *const settings[] = {"models=[efficientnet_b0]",
                                    "classes=[anger, fear]",
                                    "image_size=32",
                                    "augment={flip: true, crop: 2}",
                                    "stage1={batch: 2, epochs: 2, lr: 0.001}",
                                    "stage2.enabled=false"};
    kit_assert_steps_allocate_nothing(settings, 6, "stage1", 3 * STEP_BATCH);
}

static void train__not_a_number__names_step_and_files(void **state)
{
    (void)state;
    kit_run run = {.data = "faces", .out = "wild", .settings = {"stage1.lr=1e30"}};
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT, "efficientnet_b0 stage1: epoch 1, step ");
    assert_non_null(strstr(mien_error(), ".png"));
    assert_null(strchr(mien_error(), '\n'));
    train_state at;
    assert_ok(checkpoint_load("wild" MEMBER "last.ckpt", &at, NULL, true)); /* the last good one */
    assert_false(file_exists("wild" MEMBER "done"));
}

/* No file may grow beyond what the first checkpoint needs. */
static void train__full_disk__keeps_the_old_checkpoint(void **state)
{
    (void)state;
    kit_run run = {.data = "faces", .out = "full", .cancel_after = 1};
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    size_t before_length, after_length;
    char *before = kit_read("full" MEMBER "last.ckpt", &before_length);
    pid_t pid = start_child("full", true, before_length + 4096);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
    char *after = kit_read("full" MEMBER "last.ckpt", &after_length);
    assert_int_equal(before_length, after_length);
    assert_memory_equal(before, after, before_length);
    mem_free(before);
    mem_free(after);
    run.is_resumed = true;
    run.cancel_after = 0;
    assert_ok(kit_train(&run)); /* with room again it goes on */
    assert_same_as_whole("full");
}

static void train__damaged_checkpoint__is_told(void **state)
{
    (void)state;
    kit_run run = {.data = "faces", .out = "damaged", .cancel_after = 1};
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    size_t length;
    char *bytes = kit_read("damaged" MEMBER "last.ckpt", &length);
    assert_ok(file_write_all("damaged" MEMBER "last.ckpt", bytes, length / 2));
    mem_free(bytes);
    run.is_resumed = true;
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT, "damaged" MEMBER "last.ckpt: ");
}

static void train__too_little__is_told(void **state)
{
    (void)state;
    assert_failure(kit_train(&(kit_run){.data = "faces", .out = "x", .settings = {"stage1.batch=64"}}), MIEN_ERR_ARG,
                   "faces: 18 pictures to train on (wanted at least stage1.batch, 64)");
    assert_failure(kit_train(&(kit_run){.data = "faces", .out = "x", .settings = {"data.val_share=0"}}), MIEN_ERR_ARG,
                   "faces: no picture to select on");
    assert_failure(kit_train(&(kit_run){.data = "faces", .out = "x", .settings = {"init.efficientnet_b0=no.st"}}),
                   MIEN_ERR_IO, "no.st");
}

/* Early stop, class weights, SGD, a frozen extractor: each reaches the end, and does what it says. */
static void train__options__reach_the_end(void **state)
{
    (void)state;
    assert_ok(kit_train(
        &(kit_run){.data = "faces",
                   .out = "patient",
                   .settings = {"stage1.epochs=9", "stage1.patience=1", "stage1.lr=1e-12", "stage1.select=macro_f1"}}));
    train_state at;
    assert_ok(checkpoint_load("patient" MEMBER "last.ckpt", &at, NULL, true));
    assert_true(at.epoch < 9 && at.bad_epochs == 1);

    assert_ok(kit_train(
        &(kit_run){.data = "faces",
                   .out = "frozen",
                   .settings = {"stage1.freeze=true", "stage1.optimizer.name=sgd", "stage1.class_weights=[1, 3]",
                                "init.efficientnet_b0="
                                "whole" MEMBER "best.safetensors",
                                "data.normalise=init"}}));
    model *whole, *frozen;
    assert_ok(model_load(&whole, "whole" MEMBER "best.safetensors"));
    assert_ok(model_load(&frozen, "frozen" MEMBER "best.safetensors"));
    const char *prefix = model_architecture(frozen)->head_prefix;
    const param_store *a = model_params(whole), *b = model_params(frozen);
    int head = 0;
    for (int i = 0; i < param_store_count(b); i++) {
        const param_slice *slice = param_store_at(b, i);
        const float *x = param_store_memory(model_params(whole))->values + param_store_at(a, i)->offset;
        const float *y = param_store_memory(model_params(frozen))->values + slice->offset;
        bool is_same = slice->kind == SLICE_COUNTER || memcmp(x, y, slice->count * sizeof *x) == 0;
        if (strncmp(slice->name, prefix, strlen(prefix)) == 0)
            head += !is_same;
        else if (slice->kind == SLICE_PARAMETER)
            assert_true(is_same);
    }
    assert_true(head > 0);
    assert_memory_equal(model_spec_of(whole)->mean, model_spec_of(frozen)->mean, 3 * sizeof(float));
    model_free(whole);
    model_free(frozen);
}

/* Two anger in three: copies of anger, RandAugmented, and batches mixed both ways; stopped within an epoch and resumed,
 * by other loader threads, it is the same run. Each of the three options changes what is trained. */
static void train__balanced_and_mixed__goes_on_to_the_same_bits(void **state)
{
    (void)state;
    static const char *const balanced = "data={val_share: 0.25, balance: randaugment}";
    kit_make_set("lopsided", 12, 5);
    for (int i = 9; i <= 12; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "lopsided/anger/%d.png", i);
        assert_int_equal(unlink(path), 0);
    }
    kit_run run = {.data = "lopsided",
                   .out = "mixed",
                   .settings = {balanced, "augment={mixup: 0.2, cutmix: 1, randaugment: {resample: true}}",
                                "stage1.class_weights=[1, 2]"}};
    assert_ok(kit_train(&run));
    train_state at;
    assert_ok(checkpoint_load("mixed" MEMBER "last.ckpt", &at, NULL, true));
    assert_int_equal(at.step, 2 * 4); /* 6 and 9 pictures are kept, and 3 copies: 18, batches of 4 */

    run.out = "mixed2";
    run.loader_threads = 3;
    run.cancel_after = 3;
    assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
    run.is_resumed = true;
    run.cancel_after = 0;
    assert_ok(kit_train(&run));
    kit_assert_same_file("mixed" MEMBER "best.safetensors", "mixed2" MEMBER "best.safetensors");

    static const char *const others[] = {
        "augment={mixup: 0.2, cutmix: 1}",
        "augment={mixup: 0.2, randaugment: {resample: true}}",
        "augment={cutmix: 1, randaugment: {resample: true}}",
    };
    char *mixed = kit_log("mixed");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char out[32];
        snprintf(out, sizeof out, "unmixed%zu", i);
        assert_ok(kit_train(&(kit_run){
            .data = "lopsided", .out = out, .settings = {balanced, others[i], "stage1.class_weights=[1, 2]"}}));
        char *other = kit_log(out);
        assert_string_not_equal(mixed, other); /* the losses of its steps */
        mem_free(other);
    }
    mem_free(mixed);
}

int main(int argc, char **argv)
{
    if (argc == 4)
        return child(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train__run__leaves_what_is_promised),
        cmocka_unit_test(train__same_run__same_bytes),
        cmocka_unit_test(train__finished__is_left_alone),
        cmocka_unit_test(train__cancelled__goes_on_to_the_same_bits),
        cmocka_unit_test(train__killed__goes_on_to_the_same_bits),
        cmocka_unit_test(train__stopped_at_once__starts_again),
        cmocka_unit_test(train__members__each_have_their_own_draws),
        cmocka_unit_test(train__resume__refuses_what_is_not_the_same),
        cmocka_unit_test(train__more_epochs__are_those_of_a_longer_run),
        cmocka_unit_test(train__resume__notices_other_pictures),
        cmocka_unit_test(train__killed_while_given_more_epochs__goes_on),
        cmocka_unit_test(train__begun_with_fewer_keys__goes_on),
        cmocka_unit_test(train__precision__is_kept_or_refused),
        cmocka_unit_test(train__other_machine__is_told),
        cmocka_unit_test(train__steps__allocate_nothing),
        cmocka_unit_test(train__not_a_number__names_step_and_files),
        cmocka_unit_test(train__full_disk__keeps_the_old_checkpoint),
        cmocka_unit_test(train__damaged_checkpoint__is_told),
        cmocka_unit_test(train__too_little__is_told),
        cmocka_unit_test(train__options__reach_the_end),
        cmocka_unit_test(train__balanced_and_mixed__goes_on_to_the_same_bits),
    };
    return cmocka_run_group_tests_name("train", tests, enter, temp_folder_leave);
}
