/* Shading is put off: triangles only note which of them won a sample, and what a pixel's samples see of one surface is
 * shaded once for all of them. Sheets of hair, lashes and glasses are blended over that from the inside out, and the
 * mean of a pixel's samples is the picture. */
#include "synth/draw/render_int.h"

#include "base/mem.h"
#include "synth/face/bake.h"
#include "synth/mesh/raster.h"

#include <assert.h>

/* The face is framed around this point of the neutral head: between eyes and mouth. */
static const vec3 face_middle = {0, 7.02f, 1.15f};

void renderer_measure(renderer *r, stage_clock *clock)
{
    r->clock = clock;
}

void renderer_free(renderer *r)
{
    if (!r)
        return;
    hair_mesh_free(&r->hair);
    occluder_mesh_free(&r->worn);
    mem_free(r->worn_screen);
    mem_free(r->shape);
    mem_free(r->posed);
    mem_free(r->position);
    mem_free(r->normal);
    mem_free(r->screen);
    mem_free(r->tint);
    mem_free(r->light);
    mem_free(r->shadow);
    mem_free(r->from_light);
    mem_free(r->is_lit);
    mem_free(r->corners);
    mem_free(r->hair_depth);
    mem_free(r->depth);
    mem_free(r->id);
    mem_free(r->colour);
    mem_free(r->shadow_depth);
    mem_free(r->hair_screen);
    background_free(&r->behind);
    mem_free(r->sheet_depth);
    mem_free(r->sheet_id);
    mem_free(r);
}

/* Linear light 0..1 to sRGB's 0..255, with a shoulder: light above 0.6 is compressed as film does. */
static void tone_fill(uint8_t *tone)
{
    for (int i = 0; i <= TONE_STEPS; i++) {
        double v = (double)i / TONE_STEPS;
        double srgb = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
        tone[i] = (uint8_t)(srgb * 255 + 0.5);
    }
}

/* The upper lid's edge is the foremost skin close to the eyeball, over the iris. */
static uint32_t find_lid(const head *h, int side)
{
    uint32_t best = 0;
    float front = -INFINITY;
    for (int v = 0; v < h->face->vertex_count; v++) {
        vec3 out = v3_sub(h->rest[v], h->eye_middle[side]);
        float d = v3_length(out);
        if (h->face->mask[(size_t)v * MASK_COUNT + MASK_LIDS] > 0.5f && fabsf(out.x) < 0.05f && out.y > 0 &&
            d < 0.17f && out.z > front) {
            front = out.z;
            best = (uint32_t)v;
        }
    }
    return best;
}

/* As many vertices and quads as any of the heads has: what room is made for. */
static head largest_of(const head *h)
{
    head most = {0};
    for (; h; h = h->next) {
        most.vertex_count = h->vertex_count > most.vertex_count ? h->vertex_count : most.vertex_count;
        most.quad_count = h->quad_count > most.quad_count ? h->quad_count : most.quad_count;
    }
    return most;
}

mien_status renderer_create(renderer **out, const head *h, int size)
{
    if (size < RENDER_MIN_SIZE || size > RENDER_MAX_SIZE)
        return mien_fail(MIEN_ERR_ARG, "size %d (wanted %d..%d)", size, RENDER_MIN_SIZE, RENDER_MAX_SIZE);
    renderer *r;
    TRY(mem_zalloc(&r, 1));
    mien_status st;
    const head largest = largest_of(h);
    size_t v = (size_t)largest.vertex_count, samples = (size_t)(size * SUPER) * (size_t)(size * SUPER);
    r->heads = h;
    r->size = size;
    r->side = size * SUPER;
    tone_fill(r->tone);
    TRY_OUT(mem_alloc(&r->shape, v));
    TRY_OUT(mem_alloc(&r->posed, v));
    TRY_OUT(mem_alloc(&r->position, v));
    TRY_OUT(mem_alloc(&r->normal, v));
    TRY_OUT(mem_alloc(&r->screen, v));
    TRY_OUT(mem_alloc(&r->tint, v));
    TRY_OUT(mem_alloc(&r->light, v));
    TRY_OUT(mem_alloc(&r->shadow, v));
    TRY_OUT(mem_alloc(&r->from_light, v));
    TRY_OUT(mem_alloc(&r->is_lit, v));
    TRY_OUT(mem_zalloc(&r->corners, v));
    TRY_OUT(mem_alloc(&r->hair_depth, v));
    TRY_OUT(mem_alloc(&r->depth, samples));
    TRY_OUT(mem_alloc(&r->id, samples));
    TRY_OUT(mem_alloc(&r->colour, samples));
    TRY_OUT(mem_alloc(&r->shadow_depth, SHADOW_SIDE * SHADOW_SIDE));
    TRY_OUT(hair_mesh_create(&r->hair, &largest));
    TRY_OUT(mem_alloc(&r->hair_screen, HAIR_LAYERS * v + (CURTAIN_COLUMNS + 1) * (CURTAIN_ROWS + 1)));
    TRY_OUT(occluder_mesh_create(&r->worn, &largest));
    TRY_OUT(mem_alloc(&r->worn_screen, (size_t)r->worn.point_room));
    TRY_OUT(background_create(&r->behind, size));
    TRY_OUT(mem_alloc(&r->sheet_depth, samples));
    TRY_OUT(mem_alloc(&r->sheet_id, samples));
    *out = r;
    return MIEN_OK;
out:
    renderer_free(r);
    return st;
}

static void place_vertices(renderer *r, setting *s)
{
    const head *h = r->h;
    const float radians = 0.01745329f;
    s->turn = mat3_head(s->how->yaw * radians, s->how->pitch * radians, s->how->roll * radians);
    mesh_normals(r->normal, r->posed, h->vertex_count, h->quads, h->quad_count);
    for (int v = 0; v < h->vertex_count; v++) {
        r->position[v] = mat3_apply(&s->turn, v3_sub(r->posed[v], face_middle));
        r->normal[v] = mat3_apply(&s->turn, r->normal[v]);
    }
    for (int side = 0; side < 2; side++) {
        s->eye[side] = head_eye_middle(h, r->position, side);
        s->lid[side] = mat3_apply_back(&s->turn, v3_sub(r->position[r->lid[side]], s->eye[side])).y;
    }
}

static uint32_t head_triangle_count(const renderer *r)
{
    return 2 * (uint32_t)r->h->neck_first;
}

/* What samples of a head become when another is begun, whose triangles have the same numbers: the head's own, and one
 * for necks and clothes. */
#define FINISHED_BODY (RASTER_NOTHING - 1)
static uint32_t finished_head(int number)
{
    return FINISHED_BODY - 1 - (uint32_t)number;
}

/* Before hair is blended over it, at the light that the exposure makes a background of. */
static void set_background(renderer *r, const shot *how)
{
    const float unexposed = 1 / how->exposure;
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++) {
            const unsigned surfaces = render_seen(r, r->id, RASTER_NOTHING, x, y);
            if (surfaces == ALL_SAMPLES)
                continue;
            const vec3 back = v3_scale(r->behind.pixels[(size_t)y * (size_t)r->size + (size_t)x], unexposed);
            for (int k = 0; k < PIXEL_SAMPLES; k++)
                if (!(surfaces >> k & 1))
                    r->colour[(size_t)(y * SUPER + k / SUPER) * (size_t)r->side + (size_t)(x * SUPER + k % SUPER)] =
                        back;
        }
}

static uint8_t to_byte(const renderer *r, float v)
{
    v = v < 0.6f ? v : 0.6f + 0.4f * (1 - expf(-(v - 0.6f) / 0.4f)); /* the shoulder */
    return r->tone[(int)(clamp01(v) * TONE_STEPS + 0.5f)];
}

static void resolve(const renderer *r, image *out, const shot *how)
{
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++) {
            vec3 sum = {0};
            for (int j = 0; j < SUPER; j++)
                for (int i = 0; i < SUPER; i++)
                    sum = v3_add(sum, r->colour[(size_t)(y * SUPER + j) * (size_t)r->side + (size_t)(x * SUPER + i)]);
            sum = v3_scale(sum, how->exposure / PIXEL_SAMPLES);
            uint8_t *p = &out->pixels[3 * ((size_t)y * (size_t)r->size + (size_t)x)];
            p[0] = to_byte(r, sum.x);
            p[1] = to_byte(r, sum.y);
            p[2] = to_byte(r, sum.z);
        }
}

/* How far before the eyes the face reaches where glasses sit: beside the nose and under the brows. */
static float find_glasses_forward(const renderer *r)
{
    float eyes = 0.5f * (head_eye_middle(r->h, r->shape, 0).z + head_eye_middle(r->h, r->shape, 1).z),
          front = eyes + 0.2f;
    for (int v = 0; v < r->h->face->vertex_count; v++) {
        vec3 p = r->h->rest[v];
        if (fabsf(p.x) > 0.10f && fabsf(p.x) < 0.45f && p.y > 7.12f && p.y < 7.42f)
            front = maxf(front, r->shape[v].z);
    }
    return front - eyes + 0.03f;
}

/* Where the drawn brows' middle lines lie on the head: five points each, from the picture's left to its right. */
static void find_brows(surface_point brows[10], const setting *s)
{
    static const float along[5] = {0.98f, 0.74f, 0.5f, 0.26f, 0.02f};
    for (int i = 0; i < 10; i++) {
        const bool is_right = i < 5;
        float x, y;
        brow_middle(s, is_right, along[is_right ? i : 9 - i], &x, &y);
        if (!landmarks_brow_at(&brows[i], s->h, is_right ? -x : x, y))
            brows[i] = s->h->landmarks.point[LANDMARK_BROWS + i];
    }
}

void renderer_set_person(renderer *r, const person *who, const float *identity)
{
    r->who = who;
    r->h = head_of(r->heads, who->face);
    for (int side = 0; side < 2; side++)
        r->lid[side] = find_lid(r->h, side);
    head_shape(r->h, r->shape, identity);
    r->glasses_forward = find_glasses_forward(r);
    for (int v = 0; v < r->h->vertex_count; v++) {
        r->tint[v] = skin_tint(r->h, v, who);
        r->hair_depth[v] = hair_depth(r->h->rest[v], who);
    }
}

void render_begin(renderer *r)
{
    size_t samples = (size_t)r->side * (size_t)r->side;
    for (size_t i = 0; i < samples; i++) {
        r->depth[i] = -INFINITY;
        r->id[i] = RASTER_NOTHING;
    }
    r->head_count = 0;
}

static mark_samples samples_of(const renderer *r)
{
    return (mark_samples){.side = r->side, .per_pixel = SUPER, .depth = r->depth, .id = r->id};
}

static int64_t count_samples(const renderer *r, uint32_t id)
{
    int64_t count = 0;
    for (size_t i = 0; i < (size_t)r->side * (size_t)r->side; i++)
        count += r->id[i] == id;
    return count;
}

static void finish_head(renderer *r)
{
    size_t samples = (size_t)r->side * (size_t)r->side;
    for (size_t i = 0; i < samples; i++)
        if (r->id[i] < render_triangle_count(r))
            r->id[i] = r->id[i] < head_triangle_count(r) ? finished_head(r->head_count - 1) : FINISHED_BODY;
    r->head_samples[r->head_count - 1] = count_samples(r, finished_head(r->head_count - 1));
}

mien_status render_head(renderer *r, const float *units, const shot *how, face_marks *marks)
{
    const head *h = r->h;
    const person *who = r->who;
    setting s = {.h = h, .who = who, .how = how, .glasses_forward = r->glasses_forward};
    s.pixel = how->field / (float)r->size;
    s.mouth_front = h->rest[h->lip_upper].z;
    s.mouth_open = clamp01(units[JAW_OPEN] * 1.3f + 0.4f * (units[MOUTH_UPPER_UP_LEFT] + units[MOUTH_LOWER_DOWN_LEFT]));
    s.lips_apart = smooth_step(-0.005f, 0.03f, head_lip_gap(h, units));
    creases_find(&s.crease, units, who);

    assert(r->head_count < RENDER_MAX_HEADS);
    if (r->head_count > 0)
        finish_head(r);
    stage_begin(r->clock);
    head_pose(h, r->posed, r->shape, units);
    place_vertices(r, &s);
    occluder_build(&r->worn, &s, r->posed, r->normal, face_middle);
    stage_end(r->clock, STAGE_POSE);
    for (int v = 0; v < h->vertex_count; v++)
        r->screen[v] = render_project(r, how, r->position[v]);
    raster_draw(r->depth, r->id, r->side, r->side, r->screen, h->triangles, 2 * h->quad_count, 0, false);
    stage_end(r->clock, STAGE_RASTER);
    render_find_lit(r);
    render_cast_shadows(r, &s);
    render_light(r, &s);
    stage_end(r->clock, STAGE_LIGHT);
    render_shade(r, &s);
    stage_end(r->clock, STAGE_SHADE);
    if (r->head_count == 0) {
        TRY(background_paint(&r->behind, how));
        set_background(r, how);
    }
    stage_end(r->clock, STAGE_BACKGROUND);
    render_lashes(r, &s);
    render_hair(r, &s);
    if (marks) { /* before what is worn or held makes the head larger */
        mark_samples samples = samples_of(r);
        surface_point brows[10];
        find_brows(brows, &s);
        marks_place(marks, h, brows, r->position, r->screen, &samples);
        marks_bound(marks, &samples, head_triangle_count(r));
        marks->place = r->head_count;
    }
    render_worn(r, &s);
    if (who->glasses || how->worn.sunglasses)
        render_glasses(r, &s);
    stage_end(r->clock, STAGE_HAIR);
    r->head_count++;
    return MIEN_OK;
}

mien_status render_finish(image *out, renderer *r, const shot *how)
{
    TRY(image_resize_buffer(out, r->size, r->size));
    stage_begin(r->clock);
    resolve(r, out, how);
    stage_end(r->clock, STAGE_RESOLVE);
    return MIEN_OK;
}

void render_look(const renderer *r, face_marks *marks)
{
    mark_samples samples = samples_of(r);
    marks_look(marks, &samples);
    const bool is_last = marks->place == r->head_count - 1;
    const int64_t drawn = is_last ? 0 : r->head_samples[marks->place];
    marks->shown = drawn == 0 ? 1 : (float)count_samples(r, finished_head(marks->place)) / (float)drawn;
}

mien_status render_face(image *out, renderer *r, const float *units, const shot *how)
{
    render_begin(r);
    TRY(render_head(r, units, how, NULL));
    return render_finish(out, r, how);
}
