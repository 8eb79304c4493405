/* What sheets there are is one table: a row each with its size and the function that fills a cell. */
#include "synth/set/sheet.h"

#include "base/mem.h"
#include "synth/set/adorn.h"
#include "synth/set/draws.h"
#include "synth/set/lighting.h"
#include "synth/set/sheet_page.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKED_AT 400 /* people among whom sheets of ages and tones look for theirs */

typedef struct {
    sheet_page page;
    int64_t *found;  /* [rows, columns] identities of a sheet that looks for people */
    int64_t bare[2]; /* people whose faces nothing hides */
} sheet;

/* A light and a view that are the same for all cells. */
static void plain_shot(sheet *s, sheet_cell *c)
{
    page_set_person(&s->page, c->identity);
    shot_studio(&c->how, &s->page.who);
}

/* From brow to chin, of the `number`th whose mouth no hair hides and who wears no glasses. */
static void close_shot(sheet *s, sheet_cell *c, int number)
{
    c->identity = s->bare[number];
    plain_shot(s, c);
    c->how.field = 1.6f;
    c->how.shift_y = -0.06f;
}

static int64_t person_number(const sheet *s, int number)
{
    return s->page.options->first_identity + number;
}

static void expressions(sheet *s, sheet_cell *c, int row, int column)
{
    c->identity = person_number(s, row);
    plain_shot(s, c);
    expression_plain(&c->expression, s->page.h, EXPRESSION_ANGER + (expression_class)column);
    c->how.yaw = 9 * (float)((row + column) % 3 - 1); /* each face is seen a little from the side, too */
}

static void intensity(sheet *s, sheet_cell *c, int row, int column)
{
    const float level = (float)column / 5;
    close_shot(s, c, row % 2);
    expression_plain(&c->expression, s->page.h, EXPRESSION_ANGER + (expression_class)row);
    for (int u = 0; u < UNIT_COUNT; u++)
        c->expression.units[u] *= level;
    snprintf(c->caption, sizeof c->caption, "%s %.1f", expression_names[EXPRESSION_ANGER + row], (double)level);
}

static void units(sheet *s, sheet_cell *c, int row, int column)
{
    const float level = (float)column / 5;
    close_shot(s, c, 0);
    expression_unit(c->expression.units, row, level);
    snprintf(c->caption, sizeof c->caption, "au%02d %.1f", au_numbers[row], (double)level);
}

static void pose(sheet *s, sheet_cell *c, int row, int column)
{
    c->identity = person_number(s, 0);
    plain_shot(s, c);
    c->how.yaw = 20 * (float)(column - 3);
    c->how.pitch = 15 * (float)(2 - row);
    snprintf(c->caption, sizeof c->caption, "%.0f %.0f", (double)c->how.yaw, (double)c->how.pitch);
}

static void gaze(sheet *s, sheet_cell *c, int row, int column)
{
    const float side = 0.4f * (float)(column - 2), up = 0.4f * (float)(1 - row);
    float *u = c->expression.units;
    close_shot(s, c, 0);
    u[side > 0 ? EYE_LOOK_OUT_LEFT : EYE_LOOK_IN_LEFT] = u[side > 0 ? EYE_LOOK_IN_RIGHT : EYE_LOOK_OUT_RIGHT] =
        fabsf(side);
    u[up > 0 ? EYE_LOOK_UP_LEFT : EYE_LOOK_DOWN_LEFT] = u[up > 0 ? EYE_LOOK_UP_RIGHT : EYE_LOOK_DOWN_RIGHT] = fabsf(up);
    snprintf(c->caption, sizeof c->caption, "%.1f %.1f", (double)side, (double)up);
}

/* Set-ups of light, a column each, over people of every tone. */
static void light(sheet *s, sheet_cell *c, int row, int column)
{
    const int which = 1 + column;
    rng r = synth_stream(s->page.options, SYNTH_SHEET_EPOCH, row * 64 + column);
    c->identity = s->found[row];
    plain_shot(s, c);
    lighting_draw(&c->how, which, &s->page.who, &r);
    snprintf(c->caption, sizeof c->caption, "%s", lighting_names[which]);
}

static void tones(sheet *s, sheet_cell *c, int row, int column)
{
    c->identity = s->found[row * 8 + column];
    plain_shot(s, c);
    snprintf(c->caption, sizeof c->caption, "%.2f", (double)s->page.who.tone);
}

static void ages(sheet *s, sheet_cell *c, int row, int column)
{
    c->identity = s->found[row * 8 + column];
    plain_shot(s, c);
    snprintf(c->caption, sizeof c->caption, "%.0f", (double)s->page.who.age);
}

/* One thing a cell. */
static void worn(sheet *s, sheet_cell *c, int row, int column)
{
    rng r = synth_stream(s->page.options, SYNTH_SHEET_EPOCH, row * 64 + column);
    occluders *w = &c->how.worn;
    const char *name = "nothing";
    int which = row * 6 + column;
    close_shot(s, c, row % 2);
    c->how.field = 2.7f;
    c->how.shift_y = 0;
    occluders_draw(w, &s->page.who, EXPRESSION_NEUTRAL, s->page.options->scene, &r); /* for its colours */
    w->hat = HAT_NONE;
    w->scarf = SCARF_NONE;
    w->hand = HAND_NONE;
    w->held = HELD_NONE;
    w->headphones = w->sunglasses = false;
    if (which > 0 && which < HAT_KINDS) {
        w->hat = (hat_kind)which;
        name = hat_names[which];
    } else if ((which -= HAT_KINDS - 1) > 0 && which < SCARF_KINDS) {
        w->scarf = (scarf_kind)which;
        name = scarf_names[which];
    } else if ((which -= SCARF_KINDS - 1) > 0 && which < HAND_KINDS) {
        w->hand = (hand_kind)which;
        name = hand_names[which];
    } else if ((which -= HAND_KINDS - 1) > 0 && which < HELD_KINDS) {
        w->held = (held_kind)which;
        name = held_names[which];
    } else if ((which -= HELD_KINDS - 1) > 0) {
        w->headphones = which == 1;
        w->sunglasses = which == 2;
        name = which == 1 ? "headphones" : "sunglasses";
    }
    snprintf(c->caption, sizeof c->caption, "%s", name);
}

/* One step a cell, from the lens to the web page. */
static const struct {
    const char *name;
    size_t at; /* of the step's strength in a degradation */
    float strength;
} degradations[] = {
#define STEP(field, strength)                                                                                          \
    {                                                                                                                  \
#field, offsetof(degradation, field), strength                                                                 \
    }
    STEP(motion, 0.06f),  STEP(shrink, 0.7f),    STEP(warmth, 0.8f),  STEP(tint, 0.8f), STEP(gamma, 0.8f),
    STEP(contrast, 0.8f), STEP(vignette, 0.8f),  STEP(halo, 1.5f),    STEP(grey, 1),    STEP(sepia, 0.8f),
    STEP(fade, 0.5f),     STEP(film_grain, 18),  STEP(halftone, 1),   STEP(dust, 1),    STEP(scratches, 1),
    STEP(stretch, 1),     STEP(watermark, 0.6f), STEP(border, 0.12f),
#undef STEP
};
#define DEGRADATIONS (int)(sizeof degradations / sizeof *degradations)

static void degraded(sheet *s, sheet_cell *c, int row, int column)
{
    const int which = row * 7 + column;
    c->identity = person_number(s, row);
    plain_shot(s, c);
    expression_plain(&c->expression, s->page.h, EXPRESSION_HAPPINESS);
    if (which < DEGRADATIONS) {
        memcpy((char *)&c->how.degraded + degradations[which].at, &degradations[which].strength, sizeof(float));
        snprintf(c->caption, sizeof c->caption, "%.10s", degradations[which].name);
    } else if (which == DEGRADATIONS) {
        c->how.blur = 0.012f * (float)s->page.size;
        snprintf(c->caption, sizeof c->caption, "blur");
    } else if (which == DEGRADATIONS + 1) {
        c->how.grain = 16;
        snprintf(c->caption, sizeof c->caption, "grain");
    } else {
        c->how.degraded.first_quality = 12;
        snprintf(c->caption, sizeof c->caption, "jpeg 12");
    }
}

/* A face of the set, from its own people. */
static void of_the_set(sheet *s, sheet_cell *c, int64_t number)
{
    synth_options o = *s->page.options;
    synth_face face;
    o.crowd = o.clip = 0;
    o.identities = INT32_MAX;
    c->identity = person_number(s, (int)number);
    page_set_person(&s->page, c->identity);
    synth_face_draw(&face, &o, s->page.h, &s->page.who, number);
    c->expression = face.expression;
    c->how = face.shot;
}

static void wild(sheet *s, sheet_cell *c, int row, int column)
{
    of_the_set(s, c, row * 8 + column);
}

static void landmarks(sheet *s, sheet_cell *c, int row, int column)
{
    of_the_set(s, c, row * 6 + column);
    c->has_marks = true;
    if (row > 1)
        c->how.yaw = 24 * (float)column - 60;
}

typedef enum { LOOKS_FOR_NOBODY, LOOKS_FOR_TONES, LOOKS_FOR_AGES } sheet_people;

static const struct {
    const char *name;
    int rows, columns; /* columns 0: as many as there are set-ups of light */
    sheet_people people;
    void (*fill)(sheet *s, sheet_cell *c, int row, int column);
} kinds[] = {
    {"expressions", SYNTH_SHEET_ROWS, 6, LOOKS_FOR_NOBODY, expressions},
    {"intensity", 6, 6, LOOKS_FOR_NOBODY, intensity},
    {"units", AU_COUNT, 6, LOOKS_FOR_NOBODY, units},
    {"pose", 5, 7, LOOKS_FOR_NOBODY, pose},
    {"gaze", 3, 5, LOOKS_FOR_NOBODY, gaze},
    {"light", 4, 0, LOOKS_FOR_TONES, light},
    {"tones", 3, 8, LOOKS_FOR_TONES, tones},
    {"ages", 3, 8, LOOKS_FOR_AGES, ages},
    {"worn", 3, 6, LOOKS_FOR_NOBODY, worn},
    {"degradations", 3, 7, LOOKS_FOR_NOBODY, degraded},
    {"landmarks", 4, 6, LOOKS_FOR_NOBODY, landmarks},
    {"set", 5, 8, LOOKS_FOR_NOBODY, wild},
};
#define KINDS (int)(sizeof kinds / sizeof *kinds)

const char *synth_sheet_name(int kind)
{
    return kind >= 0 && kind < KINDS ? kinds[kind].name : NULL;
}

static int column_count(int kind)
{
    int n = 0;
    while (lighting_names[1 + n])
        n++;
    return kinds[kind].columns ? kinds[kind].columns : n;
}

typedef struct {
    float value;
    int64_t identity;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->identity < y->identity ? -1 : x->identity > y->identity;
}

/* People at even steps of what is looked for, from the least to the most that the set's first ones have. */
static mien_status find_people(sheet *s, int kind, int count)
{
    ranked *all;
    TRY(mem_alloc(&all, LOOKED_AT));
    for (int i = 0; i < LOOKED_AT; i++) {
        person who;
        all[i].identity = person_number(s, i);
        synth_person(&who, s->page.weights, s->page.options, s->page.h, all[i].identity);
        all[i].value = kinds[kind].people == LOOKS_FOR_TONES ? who.tone : who.age;
    }
    s->page.identity = -1;
    qsort(all, LOOKED_AT, sizeof *all, compare_ranked);
    const float low = all[0].value, high = all[LOOKED_AT - 1].value;
    for (int i = 0, at = 0; i < count; i++, at++) {
        const float wanted = mixf(low, high, (float)i / (float)(count - 1));
        while (at < LOOKED_AT - (count - i) && all[at].value < wanted)
            at++;
        s->found[i] = all[at].identity;
    }
    mem_free(all);
    return MIEN_OK;
}

static void find_bare(sheet *s)
{
    int found = 0;
    for (int i = 0; i < LOOKED_AT && found < 2; i++) {
        person who;
        synth_person(&who, s->page.weights, s->page.options, s->page.h, person_number(s, i));
        s->bare[found] = person_number(s, i); /* the last where there is none */
        found += !who.glasses && who.beard == 0 && who.moustache == 0;
    }
}

mien_status sheet_write(const synth_options *options, const head *h)
{
    mien_status st;
    sheet s = {0};
    const int kind = options->sheet_kind, rows = kinds[kind].rows, columns = column_count(kind);
    const int size = options->size > SYNTH_SHEET_CELL ? options->size : SYNTH_SHEET_CELL;
    TRY(page_open(&s.page, options, h, size, rows, columns));
    if (kinds[kind].people != LOOKS_FOR_NOBODY) {
        TRY_OUT(mem_alloc(&s.found, (size_t)(rows * columns)));
        TRY_OUT(find_people(&s, kind, kinds[kind].columns ? rows * columns : rows));
    }
    find_bare(&s);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            sheet_cell c = {0};
            kinds[kind].fill(&s, &c, row, column);
            TRY_OUT(page_draw(&s.page, &c, row, column));
        }
    TRY_OUT(image_write_png(options->sheet, &s.page.page));
out:
    mem_free(s.found);
    page_close(&s.page);
    return st;
}
