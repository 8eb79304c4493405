/* Every key is read, printed and documented, and every fault of a recipe is told with file, line and what was wanted.
 */
#include "train/recipe.h"

#include "base/file.h"
#include "no_memory.h"
#include "task/lsd.h"
#include "testing.h"

/* Writes text to a recipe file of the test's folder and reads it. */
static mien_status load_bytes(recipe **out, const char *text, size_t length, const char *const *settings, int count)
{
    assert_ok(file_write_all("recipe.yaml", text, length));
    return recipe_load(out, task_all, "recipe.yaml", settings, count);
}

static mien_status load(recipe **out, const char *text)
{
    return load_bytes(out, text, strlen(text), NULL, 0);
}

static const recipe_classes *classes_of(const recipe *r)
{
    return &((const lsd_values *)r->own)->classes;
}

static const lsd_stage_values *own_of(const recipe *r, int stage)
{
    return r->stages[stage].own;
}

static void recipe__no_file__is_the_paper(void **state)
{
    (void)state;
    recipe *r = NULL;
    assert_ok(recipe_load(&r, task_all, NULL, NULL, 0));
    assert_string_equal(r->task->name, "lsd");
    assert_int_equal(classes_of(r)->count, 6);
    assert_string_equal(classes_of(r)->names[5], "surprise");
    assert_int_equal(r->stages[0].batch, 64);
    assert_int_equal(r->stages[0].epochs, 20);
    assert_int_equal(r->stages[0].optimizer.name, OPTIMIZER_ADAM);
    for (int s = 0; s < r->stage_count; s++) {
        const recipe_stage *stage = &r->stages[s];
        assert_true(stage->enabled && stage->lr == 1e-5f && own_of(r, s)->label_smoothing == 0.2f && !stage->freeze);
        assert_int_equal(stage->epochs, 20);
        assert_int_equal(stage->batch, 64);
        assert_int_equal(own_of(r, s)->class_weights.count, 0);
    }
    assert_int_equal(r->stages[1].init, STAGE_INIT_STAGE1);
    assert_int_equal(r->data.balance, BALANCE_RANDAUGMENT);
    assert_int_equal(r->randaugment.options.ops, 2);
    assert_int_equal(r->randaugment.options.magnitude, 9);
    assert_false(r->randaugment.options.include_solarize || r->randaugment.options.include_equalize);
    assert_false(r->randaugment.resample);
    assert_int_equal(r->data.normalise, NORMALISE_DATASET);
    assert_true(r->data.max_bad_share == 0.01);
    assert_int_equal(r->data.sets.count, 0);
    recipe_free(r);
}

static void assert_sets(const source_list *sets)
{
    static const task_source wanted[] = {
        {.path = "faces"}, {.path = "it's.csv", .images = "a b", .fallback = "c"}, {.path = "d", .fallback = "e"}};
    assert_int_equal(sets->count, 3);
    for (int i = 0; i < 3; i++) {
        const char *const got[] = {sets->at[i].path, sets->at[i].images, sets->at[i].fallback};
        const char *const want[] = {wanted[i].path, wanted[i].images, wanted[i].fallback};
        for (int p = 0; p < 3; p++)
            if (!want[p])
                assert_null(got[p]);
            else
                assert_string_equal(got[p], want[p]);
    }
}

static void recipe__every_key__is_read(void **state)
{
    (void)state;
    recipe *r = NULL;
    assert_ok(load(&r, "task: lsd\n"
                       "seed: 9223372036854775807\n"
                       "init: {efficientnet_b0: \"my 'weights'.safetensors\"}\n"
                       "models: [efficientnet_b0, resnet50, efficientnet_b0]\n"
                       "classes: [sad, not-sad]\n"
                       "image_size: 64\n"
                       "data:\n"
                       "  sets: [faces, {data: 'it''s.csv', images: \"a b\", fallback: c}, {data: d, fallback: e}]\n"
                       "  val_share: 0.25\n"
                       "  balance: none\n"
                       "  max_bad_share: 1\n"
                       "  normalise: {std: [0.1, 0.2, 0.3], mean: [0.4, 0.5, 0.6]}\n"
                       "augment: {flip: true, crop: 4, zoom: 1.017, hue: 0.1, jitter: 0.4, grey: 0.5, low_resolution: "
                       "1, blur: 0.25, noise: 8,\n"
                       "  randaugment: {ops: 3, magnitude: 30, solarize: true, equalize: true, resample: true},\n"
                       "  mixup: 0.2, cutmix: 1}\n"
                       "stage1:\n"
                       "  enabled: true\n"
                       "  epochs: 3\n"
                       "  batch: 2\n"
                       "  optimizer: {name: sgd, momentum: 0.5, weight_decay: 1e-4}\n"
                       "  lr: 0.1\n"
                       "  schedule: {name: cosine, t_max: 100, warmup: 10}\n"
                       "  label_smoothing: 0\n"
                       "  class_weights: [1, 2.5]\n"
                       "  freeze: true\n"
                       "  select: macro_f1\n"
                       "  patience: 3\n"
                       "stage2: {enabled: false, init: pretrained, epochs: 5, lr: 1e-6, class_weights: [3, 1],\n"
                       "         optimizer: {name: adamw}, schedule: {name: cosine}, select: macro_f1, batch: 8}\n"));
    assert_true(r->seed == INT64_MAX);
    assert_int_equal(classes_of(r)->count, 2);
    assert_string_equal(classes_of(r)->names[1], "not-sad");
    assert_int_equal(r->image_size, 64);
    assert_int_equal(r->model_count, 3);
    assert_string_equal(r->init[0], "my 'weights'.safetensors");
    assert_string_equal(r->init[1], "");
    assert_string_equal(r->init[2], r->init[0]);
    assert_sets(&r->data.sets);
    assert_int_equal(r->data.normalise, NORMALISE_GIVEN);
    assert_true(r->data.mean[2] == 0.6f && r->data.std[0] == 0.1f);
    assert_true(r->augment.flip && r->augment.crop == 4 && r->augment.noise == 8.0f && r->augment.blur == 0.25f);
    assert_true(r->augment.zoom == 1.017f && r->augment.hue == 0.1f);
    assert_int_equal(r->randaugment.options.ops, 3);
    assert_int_equal(r->randaugment.options.magnitude, 30);
    assert_true(r->randaugment.options.include_solarize && r->randaugment.options.include_equalize);
    assert_true(r->randaugment.resample && r->mix.mixup == 0.2f && r->mix.cutmix == 1.0f);
    assert_int_equal(r->data.balance, BALANCE_NONE);
    assert_int_equal(r->stages[0].optimizer.name, OPTIMIZER_SGD);
    assert_int_equal(r->stages[0].schedule.name, SCHEDULE_COSINE);
    assert_int_equal(r->stages[0].schedule.t_max, 100);
    assert_int_equal(r->stages[0].schedule.warmup, 10);
    assert_int_equal(own_of(r, 0)->class_weights.count, 2);
    assert_true(own_of(r, 0)->class_weights.values[1] == 2.5f);
    assert_true(r->stages[0].freeze);
    assert_string_equal(r->task->select[r->stages[0].select], "macro_f1");
    assert_true(r->stages[0].enabled && !r->stages[1].enabled && r->stages[1].init == STAGE_INIT_PRETRAINED);
    assert_true(r->stages[1].epochs == 5 && r->stages[1].batch == 8 && r->stages[1].lr == 1e-6f &&
                r->stages[1].patience == 0);
    assert_true(own_of(r, 1)->class_weights.count == 2 && own_of(r, 1)->class_weights.values[0] == 3);
    assert_true(r->stages[1].optimizer.name == OPTIMIZER_ADAMW && r->stages[1].schedule.name == SCHEDULE_COSINE);

    /* printed and read again it is the same, and prints the same */
    str once = {0}, twice = {0};
    assert_ok(recipe_print(r, &once));
    recipe *again;
    assert_ok(load(&again, once.text));
    char key[200];
    assert_false(recipe_difference(r, again, key, sizeof key));
    assert_ok(recipe_print(again, &twice));
    assert_string_equal(once.text, twice.text);
    assert_string_equal(again->init[0], "my 'weights'.safetensors");
    assert_sets(&again->data.sets);
    recipe_free(r);
    recipe_free(again);
    str_free(&once);
    str_free(&twice);
}

static void recipe__settings__win_in_order(void **state)
{
    (void)state;
    const char *settings[] = {"stage1.lr=0.5",
                              "stage1.lr=0.25",
                              "models=[resnet50]",
                              "init.resnet50=a.safetensors",
                              "stage1={epochs: 7, batch: 8}",
                              "data.normalise={mean: [0, 0, 0], std: [1, 1, 1]}"};
    recipe *r = NULL;
    const char *text = "task: lsd\nstage1:\n  lr: 1\n";
    assert_ok(load_bytes(&r, text, strlen(text), settings, 6));
    assert_true(r->stages[0].lr == 0.25f);
    assert_int_equal(r->model_count, 1);
    assert_string_equal(r->init[0], "a.safetensors");
    assert_int_equal(r->stages[0].epochs, 7);
    assert_int_equal(r->stages[0].batch, 8);
    assert_true(r->data.std[1] == 1.0f);
    recipe_free(r);
}

static void recipe__differences__are_named(void **state)
{
    (void)state;
    recipe *a, *b;
    char text[200];
    const char *setting = "stage1.schedule.warmup=5";
    assert_ok(recipe_load(&a, task_all, NULL, NULL, 0));
    assert_ok(recipe_load(&b, task_all, NULL, &setting, 1));
    assert_true(recipe_difference(a, b, text, sizeof text));
    assert_string_equal(text, "stage1.schedule.warmup: 5 (wanted 0)");
    recipe_free(a);
    recipe_free(b);
}

/* Every fault: text, and the message that a person gets. */
static const struct {
    const char *text, *message;
} faults[] = {
    {"", "recipe.yaml: empty (wanted at least task: lsd)"},
    {"# nothing\n", "recipe.yaml: empty (wanted a value)"},
    {"---\n", "recipe.yaml: line 2: nothing (wanted a mapping with any of task, "},
    {"- task\n", "recipe.yaml: line 1: a list (wanted a mapping with any of task, "},
    {"seed: 1\n", "recipe.yaml: task: missing (wanted task: lsd)"},
    {"task: identity\n", "recipe.yaml: line 1: task: identity is not built yet (wanted lsd or mtl)"},
    {"task: dance\n", "recipe.yaml: line 1: task: dance (wanted lsd or mtl)"},
    {"task: lsd\nstage1:\n  epochs: 3\n  lr: -1\n", "recipe.yaml: line 4: stage1.lr: -1 (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr: .nan\n", "recipe.yaml: line 3: stage1.lr: .nan (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr: nan\n", "recipe.yaml: line 3: stage1.lr: nan (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr: .inf\n", "recipe.yaml: line 3: stage1.lr: .inf (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr: 1e-60\n", "recipe.yaml: line 3: stage1.lr: 1e-60 (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr: 1e60\n", "recipe.yaml: line 3: stage1.lr: 1e60 (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr: \"0.1\"\n", "recipe.yaml: line 3: stage1.lr: \"0.1\" (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr: [1]\n", "recipe.yaml: line 3: stage1.lr: a list (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  lr:\n", "recipe.yaml: line 3: stage1.lr: nothing (wanted a number above 0)"},
    {"task: lsd\nstage1:\n  epochs: 2.5\n",
     "recipe.yaml: line 3: stage1.epochs: 2.5 (wanted an integer from 1 to 100000)"},
    {"task: lsd\nstage1:\n  batch: 0\n", "recipe.yaml: line 3: stage1.batch: 0 (wanted an integer from 1 to 65536)"},
    {"task: lsd\nseed: 9223372036854775808\n",
     "recipe.yaml: line 2: seed: 9223372036854775808 (wanted an integer of at least 0)"},
    {"task: lsd\nstage1: 5\n", "recipe.yaml: line 2: stage1: 5 (wanted a mapping with any of "},
    {"task: lsd\nstage1:\n  epocs: 3\n", "recipe.yaml: line 3: stage1.epocs: unknown key (wanted epochs, "},
    {"task: lsd\nsede: 3\n", "recipe.yaml: line 2: sede: unknown key (wanted seed, "},
    {"task: lsd\nstage1.lr: 3\n",
     "recipe.yaml: line 2: key 'stage1.lr' has a dot (wanted nested keys; dots are for --set alone)"},
    {"task: lsd\nstage1:\n  lr: 1\n  batch: 2\n  lr: 2\n",
     "recipe.yaml: line 5: stage1.lr: given twice (first in line 3)"},
    {"task: lsd\nstage2:\n  lr: 0\n", "recipe.yaml: line 3: stage2.lr: 0 (wanted a number above 0)"},
    {"task: lsd\nstage2:\n  init: imagenet\n",
     "recipe.yaml: line 3: stage2.init: imagenet (wanted stage1 or pretrained)"},
    {"task: lsd\nstage1:\n  init: pretrained\n", "recipe.yaml: line 3: stage1.init: unknown key (wanted "},
    {"task: lsd\nidentity: {}\n", "recipe.yaml: line 2: identity: not built yet"},
    {"task: lsd\naugment:\n  mixup: -0.2\n",
     "recipe.yaml: line 3: augment.mixup: -0.2 (wanted a number from 0 to 1000)"},
    {"task: lsd\naugment: {cutmix: -1}\n", "recipe.yaml: line 2: augment.cutmix: -1 (wanted a number from 0 to 1000)"},
    {"task: lsd\naugment: {cutmix: .nan}\n",
     "recipe.yaml: line 2: augment.cutmix: .nan (wanted a number from 0 to 1000)"},
    {"task: lsd\naugment: {randaugment: {ops: -1}}\n",
     "recipe.yaml: line 2: augment.randaugment.ops: -1 (wanted an integer from 0 to 16)"},
    {"task: lsd\naugment:\n  randaugment:\n    ops: 17\n",
     "recipe.yaml: line 4: augment.randaugment.ops: 17 (wanted an integer from 0 to 16)"},
    {"task: lsd\naugment: {randaugment: {magnitude: 31}}\n",
     "recipe.yaml: line 2: augment.randaugment.magnitude: 31 (wanted an integer from 0 to 30)"},
    {"task: lsd\naugment: {randaugment: {magnitude: 9.5}}\n",
     "recipe.yaml: line 2: augment.randaugment.magnitude: 9.5 (wanted an integer from 0 to 30)"},
    {"task: lsd\naugment: {randaugment: {solarize: 1}}\n",
     "recipe.yaml: line 2: augment.randaugment.solarize: 1 (wanted true or false)"},
    {"task: lsd\naugment: {randaugment: true}\n",
     "recipe.yaml: line 2: augment.randaugment: true (wanted a mapping with any of "},
    {"task: lsd\naugment: {randaugment: {magnitud: 9}}\n",
     "recipe.yaml: line 2: augment.randaugment.magnitud: unknown key (wanted magnitude, "},
    {"task: lsd\ndata: {balance: copies}\n", "recipe.yaml: line 2: data.balance: copies (wanted none or randaugment)"},
    {"task: lsd\ndata: faces\n", "recipe.yaml: line 2: data: faces (wanted a mapping with any of sets, "},
    {"task: lsd\ndata: {sets: faces}\n",
     "recipe.yaml: line 2: data.sets: faces (wanted a list of paths or {data, images, fallback})"},
    {"task: lsd\ndata:\n  sets:\n  - faces\n  - {data: a, image: b}\n",
     "recipe.yaml: line 5: data.sets.image: unknown key (wanted data, images or fallback)"},
    {"task: lsd\ndata: {sets: [{images: b}]}\n",
     "recipe.yaml: line 2: data.sets: a set without data (wanted {data: PATH})"},
    {"task: lsd\ndata: {sets: [{data: [a]}]}\n", "recipe.yaml: line 2: data.sets.data: a list (wanted a path)"},
    {"task: lsd\ndata: {sets: [\"\"]}\n", "recipe.yaml: line 2: data.sets: nothing (wanted a path)"},
    {"task: lsd\ndata: {val_share: 1}\n", "recipe.yaml: line 2: data.val_share: 1 (wanted a number from 0 to below 1)"},
    {"task: lsd\ndata: {normalise: {mean: [1, 2], std: [1, 1, 1]}}\n",
     "recipe.yaml: line 2: data.normalise.mean: a list (wanted [r, g, b])"},
    {"task: lsd\ndata: {normalise: {mean: [1, 2, 3], std: [1, 0, 1]}}\n",
     "recipe.yaml: line 2: data.normalise.std: 0 (wanted a number above 0, pixels being 0 to 1)"},
    {"task: lsd\ndata: {normalise: {mean: [1, 2, 3]}}\n",
     "recipe.yaml: line 2: data.normalise: no std (wanted mean and std)"},
    {"task: lsd\ndata: {normalise: none}\n",
     "recipe.yaml: line 2: data.normalise: none (wanted dataset, init or {mean: [r, g, b], std: [r, g, b]})"},
    {"task: lsd\nmodels: resnet50\n", "recipe.yaml: line 2: models: resnet50 (wanted a list of 1 to 16 architectures)"},
    {"task: lsd\nmodels:\n  - resnet50\n  - resnet51\n",
     "recipe.yaml: line 4: models: unknown architecture resnet51 (wanted "},
    {"task: lsd\nmodels: [resnet50]\ninit: {efficientnet_b0: a}\n",
     "recipe.yaml: line 3: init.efficientnet_b0: no such model in this recipe (wanted resnet50)"},
    {"task: lsd\nclasses: [anger]\n", "recipe.yaml: line 2: classes: a list (wanted a list of at least 2 names)"},
    {"task: lsd\nclasses: [anger, Fear]\n",
     "recipe.yaml: line 2: classes: class Fear (wanted up to 31 lower-case letters, digits, _ and -)"},
    {"task: lsd\nclasses: [anger, fear, anger]\n", "recipe.yaml: line 2: classes: class anger twice"},
    {"task: lsd\nclasses: [a, b]\nstage1: {class_weights: [1, 2, 3]}\n",
     "recipe.yaml: line 3: stage1.class_weights: 3 weights (wanted 2, one a class)"},
    {"task: lsd\nstage1: {class_weights: [1, -1, 1, 1, 1, 1]}\n",
     "recipe.yaml: line 2: stage1.class_weights: weight -1 (wanted a number of at least 0)"},
    {"task: lsd\nstage1: {class_weights: [0, 0, 0, 0, 0, 0]}\n",
     "recipe.yaml: line 2: stage1.class_weights: weights sum to 0 (wanted a finite sum above 0)"},
    {"task: lsd\naugment: {flip: yes}\n", "recipe.yaml: line 2: augment.flip: yes (wanted true or false)"},
    {"task: lsd\naugment: {flip: 1}\n", "recipe.yaml: line 2: augment.flip: 1 (wanted true or false)"},
    {"task: lsd\nimage_size: 8\n", "recipe.yaml: line 2: image_size: 8 (wanted 0, or at least "},
    {"task: lsd\nstage1: {enabled: false}\n",
     "recipe.yaml: line 2: stage1.enabled: false (wanted true, or stage2.init: pretrained)"},
    {"task: lsd\nstage2: {enabled: false}\nstage1: {enabled: false}\n",
     "recipe.yaml: line 3: stage1.enabled: false (wanted true: stage2 is not enabled either)"},
    {"task: lsd\nmodels: [resnet50, efficientnet_b0]\ninit: {efficientnet_b0: a}\nstage2:\n  init: pretrained\n",
     "recipe.yaml: line 5: stage2.init: pretrained without init.resnet50 (wanted a file to begin with)"},
    {"task: lsd\nclasses: [a, b]\nstage2: {class_weights: [1, 2, 3]}\n",
     "recipe.yaml: line 3: stage2.class_weights: 3 weights (wanted 2, one a class)"},
    {"task: lsd\nseed: &a 1\n", "recipe.yaml: line 2: anchor or alias 'a' (wanted plain values)"},
    {"task: lsd\nseed: *a\n", "recipe.yaml: line 2: anchor or alias 'a' (wanted plain values)"},
    {"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\n",
     "recipe.yaml: line 1: anchor or alias 'a' (wanted plain values)"},
    {"task: lsd\nseed: !!int 1\n", "recipe.yaml: line 2: a tag with '!' (wanted plain values)"},
    {"task: lsd\n---\ntask: lsd\n", "recipe.yaml: line 2: a second document (wanted one)"},
    {"task: lsd\nx: [[[[[[[[[[1]]]]]]]]]]\n", "recipe.yaml: line 2: nested too deep (more than 8 levels)"},
    {"task: lsd\n  seed: 1\n", "recipe.yaml: line 2: not YAML: mapping values are not allowed in this context"},
    {"task: [lsd\n", "recipe.yaml: line 2: not YAML: "},
    {"task: \"lsd\n", "recipe.yaml: line 2: not YAML: "},
    {"task: lsd\n\x01\x02\n", "recipe.yaml: byte "},
    {"\xff\xfe\x00", "recipe.yaml: byte "},
    {"task: lsd\n? [a]\n: 1\n", "recipe.yaml: line 2: a list as a key (wanted a name)"},
    {"task: lsd\n\"a\\nb\": 1\n", "recipe.yaml: line 2: \"a?b\" as a key (wanted a name)"},
    {"task: \"l\\0sd\"\n", "recipe.yaml: line 1: task: \"l\" (wanted lsd or mtl)"},
};

static void recipe__each_fault__is_told_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        recipe *r = NULL;
        mien_status st = load(&r, faults[i].text);
        if (st == MIEN_OK || strncmp(mien_error(), faults[i].message, strlen(faults[i].message)) != 0)
            fail_msg("%s\n  said: %s\n  wanted: %s", faults[i].text, st == MIEN_OK ? "nothing" : mien_error(),
                     faults[i].message);
        assert_null(strchr(mien_error(), '\n'));
    }
}

static const struct {
    const char *setting, *message;
} bad_settings[] = {
    {"stage1.lr=-1", "--set stage1.lr: -1 (wanted a number above 0)"},
    {"stage1.lr", "--set stage1.lr: no value (wanted KEY.KEY=VALUE)"},
    {"stage1.lr=", "--set stage1.lr: no value (wanted KEY.KEY=VALUE)"},
    {"=1", "--set =1: not a setting (wanted KEY.KEY=VALUE)"},
    {"lr=1", "--set lr: unknown key (wanted "},
    {"stage1.lr.x=1", "--set stage1.lr.x: unknown key (wanted "},
    {"stage2.init=pretrained", "--set stage2.init: pretrained without init.vit_b_16 (wanted a file to begin with)"},
    {"identity.lr=1", "--set identity.lr: not built yet"},
    {"models=[resnet50", "--set models: not YAML: "},
    {"stage1=5", "--set stage1: 5 (wanted a mapping with any of "},
    {"seed=*a", "--set seed: anchor or alias 'a' (wanted plain values)"},
    {"init.vgg=a", "--set init.vgg: no such model in this recipe (wanted vit_b_16"},
};

static void recipe__bad_settings__are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_settings / sizeof bad_settings[0]; i++) {
        recipe *r = NULL;
        mien_status st = recipe_load(&r, task_all, NULL, &bad_settings[i].setting, 1);
        if (st == MIEN_OK || strncmp(mien_error(), bad_settings[i].message, strlen(bad_settings[i].message)) != 0)
            fail_msg("%s\n  said: %s\n  wanted: %s", bad_settings[i].setting, st == MIEN_OK ? "nothing" : mien_error(),
                     bad_settings[i].message);
    }
}

static void recipe__binary_and_huge__are_refused(void **state)
{
    (void)state;
    recipe *r = NULL;
    char zeros[16] = "task: lsd";
    assert_int_equal(load_bytes(&r, zeros, sizeof zeros, NULL, 0), MIEN_ERR_FORMAT);
    assert_string_equal(mien_error(), "recipe.yaml: byte 9: not text");

    size_t length = 10 << 20;
    char *huge;
    assert_ok(mem_alloc(&huge, length));
    memset(huge, '#', length);
    assert_int_equal(load_bytes(&r, huge, length, NULL, 0), MIEN_ERR_FORMAT);
    assert_non_null(strstr(mien_error(), "recipe.yaml"));
    mem_free(huge);

    assert_int_equal(recipe_load(&r, task_all, "missing.yaml", NULL, 0), MIEN_ERR_IO);
    assert_non_null(strstr(mien_error(), "missing.yaml"));
}

static mien_status load_with_settings(void *path)
{
    const char *settings[] = {"stage1.lr=0.5", "stage1={epochs: 7}"};
    recipe *r = NULL;
    mien_status st = recipe_load(&r, task_all, path, settings, 2);
    recipe_free(r);
    return st;
}

static void recipe__no_memory__is_told(void **state)
{
    (void)state;
    recipe *r = NULL;
    assert_ok(load(&r, "task: lsd\nstage1:\n  lr: 1\n"));
    recipe_free(r);
    fail_each_allocation(load_with_settings, "recipe.yaml");
}

/* docs/recipe.md is the table's own text; UPDATE_GOLDEN=1 rewrites it. */
static void recipe__reference__is_the_committed_page(void **state)
{
    (void)state;
    str page = {0};
    assert_ok(recipe_reference(&page, task_all));
    const char *path = MIEN_SOURCE_DIR "/docs/recipe.md";
    if (getenv("UPDATE_GOLDEN"))
        assert_ok(file_write_all(path, page.text, page.length));
    char *committed;
    size_t length;
    assert_ok(file_read(&committed, &length, path, 0));
    assert_string_equal(page.text, committed);
    mem_free(committed);
    str_free(&page);
}

/* The recipes we ship are read without complaint. */
static void recipe__shipped_ones__load(void **state)
{
    (void)state;
    const char *folder = MIEN_SOURCE_DIR "/recipes";
    char **names;
    size_t count;
    assert_ok(file_list(&names, &count, folder));
    assert_true(count > 0);
    const char *without_weights = "stage2.init=stage1"; /* the paper's wants files that only its user has */
    for (size_t i = 0; i < count; i++) {
        char *path;
        recipe *r = NULL;
        assert_ok(file_join(&path, folder, names[i]));
        assert_ok(recipe_load(&r, task_all, path, &without_weights, strcmp(names[i], "lsd.yaml") == 0));
        recipe_free(r);
        mem_free(path);
    }
    file_list_free(names, count);
}

static char folder[1024];

static int enter_folder(void **state)
{
    (void)state;
    temp_folder_make(folder, sizeof(folder));
    return chdir(folder);
}

static int leave_folder(void **state)
{
    (void)state;
    int rc = chdir("/");
    temp_folder_remove(folder);
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipe__no_file__is_the_paper),
        cmocka_unit_test(recipe__every_key__is_read),
        cmocka_unit_test(recipe__settings__win_in_order),
        cmocka_unit_test(recipe__differences__are_named),
        cmocka_unit_test(recipe__each_fault__is_told_with_its_place),
        cmocka_unit_test(recipe__bad_settings__are_told),
        cmocka_unit_test(recipe__binary_and_huge__are_refused),
        cmocka_unit_test(recipe__no_memory__is_told),
        cmocka_unit_test(recipe__reference__is_the_committed_page),
        cmocka_unit_test(recipe__shipped_ones__load),
    };
    return cmocka_run_group_tests_name("recipe", tests, enter_folder, leave_folder);
}
