/* A front view of the neutral head, drawn once at four samples a millimetre, shows which triangle lies where; outlines
 * are read off it. So no table of vertices is tied to one mesh: any head that the renderer can colour (it knows the
 * places of MakeHuman's) has landmarks. */
#include "synth/face/landmarks.h"

#include "base/arena.h"
#include "base/mem.h"
#include "synth/face/head.h"
#include "synth/mesh/raster.h"

#include <stdbool.h>
#include <string.h>

#define SCALE 400.0f /* samples a decimetre */
#define SIDE 900
#define LEFT (-0.5f * SIDE / SCALE)
#define TOP 8.3f
#define EYE_LEVEL 7.28f /* where the outline of the face begins, before the ear */
#define BROW_LEVEL 7.50f
#define TEAR_DUCT 0.13f /* of the opening's width: what lies between its inner end and the corner of the lids */
#define OUTLINE_STEPS 90

typedef struct {
    const head *h;
    vec3 *shape, *posed, *screen; /* [vertex_count] */
    float *depth;                 /* [SIDE, SIDE] */
    uint32_t *id;                 /* [SIDE, SIDE] triangle in front, or RASTER_NOTHING */
} front_view;

static float to_x(int column)
{
    return LEFT + ((float)column + 0.5f) / SCALE;
}
static float to_y(int row)
{
    return TOP - ((float)row + 0.5f) / SCALE;
}
static int to_column(float x)
{
    return floor_int((x - LEFT) * SCALE);
}
static int to_row(float y)
{
    return floor_int((TOP - y) * SCALE);
}

static void front_view_draw(front_view *f, const float *units)
{
    const head *h = f->h;
    head_pose(h, f->posed, f->shape, units);
    for (int v = 0; v < h->vertex_count; v++)
        f->screen[v] = v3((f->posed[v].x - LEFT) * SCALE, (TOP - f->posed[v].y) * SCALE, f->posed[v].z);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        f->depth[i] = -INFINITY;
        f->id[i] = RASTER_NOTHING;
    }
    raster_draw(f->depth, f->id, SIDE, SIDE, f->screen, h->triangles, 2 * h->quad_count, 0, false);
}

static material material_at(const front_view *f, int column, int row)
{
    if (column < 0 || row < 0 || column >= SIDE || row >= SIDE)
        return MATERIAL_COUNT;
    uint32_t id = f->id[row * SIDE + column];
    return id == RASTER_NOTHING ? MATERIAL_COUNT : (material)f->h->quad_material[id / 2];
}

/* The weights of a triangle's corners at x, y of the plane; false outside. */
static bool weights_at(float weight[3], const vec3 *at, const uint32_t *c, float x, float y)
{
    vec3 p[3] = {at[c[0]], at[c[1]], at[c[2]]};
    float area = (p[1].x - p[0].x) * (p[2].y - p[0].y) - (p[2].x - p[0].x) * (p[1].y - p[0].y);
    if (fabsf(area) < 1e-12f)
        return false;
    weight[0] = ((p[1].x - x) * (p[2].y - y) - (p[2].x - x) * (p[1].y - y)) / area;
    weight[1] = ((p[2].x - x) * (p[0].y - y) - (p[0].x - x) * (p[2].y - y)) / area;
    weight[2] = 1 - weight[0] - weight[1];
    return weight[0] >= 0 && weight[1] >= 0 && weight[2] >= 0;
}

/* Makes *out the triangle's place at x, y where that is inside and before what *nearest is the depth of. */
static void take_nearer(surface_point *out, float *nearest, const vec3 *posed, const uint32_t *c, float x, float y)
{
    float weight[3];
    if (!weights_at(weight, posed, c, x, y))
        return;
    float z = posed[c[0]].z * weight[0] + posed[c[1]].z * weight[1] + posed[c[2]].z * weight[2];
    if (z <= *nearest)
        return;
    *nearest = z;
    memcpy(out->corner, c, sizeof out->corner);
    memcpy(out->weight, weight, sizeof out->weight);
}

/* The foremost place of one material at x, y of a posed head. */
static bool surface_at(surface_point *out, const head *h, const vec3 *posed, material m, float x, float y)
{
    float nearest = -INFINITY;
    for (int t = 0; t < 2 * h->quad_count; t++)
        if (h->quad_material[t / 2] == m)
            take_nearer(out, &nearest, posed, &h->triangles[3 * t], x, y);
    return nearest > -INFINITY;
}

bool landmarks_brow_at(surface_point *out, const head *h, float x, float y)
{
    const head_landmarks *l = &h->landmarks;
    float nearest = -INFINITY;
    for (int i = 0; i < l->brow_triangle_count; i++)
        take_nearer(out, &nearest, h->rest, &h->triangles[3 * l->brow_triangles[i]], x, y);
    return nearest > -INFINITY;
}

/* The skin between eyes and forehead that is seen from the front. */
static mien_status find_brow_triangles(head_landmarks *out, const front_view *f, arena *memory)
{
    const head *h = f->h;
    TRY(arena_alloc(memory, &out->brow_triangles, 2 * (size_t)h->quad_count));
    for (int t = 0; t < 2 * h->quad_count; t++) {
        vec3 p = h->rest[h->triangles[3 * t]];
        if (h->quad_material[t / 2] == MATERIAL_SKIN && fabsf(p.x) < 0.75f && p.y > 7.2f && p.y < 7.9f && p.z > 0.9f)
            out->brow_triangles[out->brow_triangle_count++] = t;
    }
    return MIEN_OK;
}

/* Skin at x, y, or at the nearest place toward the head's middle that has some. */
static mien_status put(surface_point *out, const front_view *f, float x, float y)
{
    for (int i = 0; i < 40; i++)
        if (surface_at(out, f->h, f->posed, MATERIAL_SKIN, x * (1 - 0.003f * (float)i), y))
            return MIEN_OK;
    return mien_fail(MIEN_ERR_FORMAT, "%s: no skin at %.2f, %.2f of the front view", f->h->face->source, (double)x,
                     (double)y);
}

/* An opening in the skin: for each column from the first to the last, its highest and lowest row. */
typedef struct {
    int first, last;
    int top[SIDE], bottom[SIDE];
} opening;

static bool is_eye(material m)
{
    return m == MATERIAL_EYE_LEFT || m == MATERIAL_EYE_RIGHT;
}
static bool is_mouth(material m)
{
    return m == MATERIAL_MOUTH || m == MATERIAL_TEETH || m == MATERIAL_TONGUE;
}

static bool find_opening(opening *o, const front_view *f, bool (*is_inside)(material m), float x0, float x1, float y0,
                         float y1)
{
    o->first = SIDE;
    o->last = -1;
    for (int c = to_column(x0); c <= to_column(x1); c++) {
        o->top[c] = SIDE;
        o->bottom[c] = -1;
        for (int r = to_row(y1); r <= to_row(y0); r++)
            if (is_inside(material_at(f, c, r))) {
                o->top[c] = r < o->top[c] ? r : o->top[c];
                o->bottom[c] = r;
            }
        if (o->bottom[c] < 0)
            continue;
        o->first = c < o->first ? c : o->first;
        o->last = c;
    }
    /* an opening without a gap: a column that shows none takes its neighbour's rows */
    for (int c = o->first + 1; c < o->last; c++)
        if (o->bottom[c] < 0) {
            o->top[c] = o->top[c - 1];
            o->bottom[c] = o->bottom[c - 1];
        }
    return o->last - o->first > 8;
}

/* Skin beside the opening's edge at a share of the way from its first to its last column. */
static mien_status put_edge(surface_point *out, const front_view *f, const opening *o, float share, bool upper)
{
    int c = o->first + (int)(share * (float)(o->last - o->first) + 0.5f);
    int row = upper ? o->top[c] - 1 : o->bottom[c] + 1;
    return put(out, f, to_x(c), to_y(row));
}

/* The corners lie beyond the opening's ends; `first` and `last` are how far, in shares of its width. */
static mien_status put_corner(surface_point *out, const front_view *f, const opening *o, bool at_last, float beyond)
{
    int c = at_last ? o->last : o->first;
    float x = to_x(c) + (at_last ? beyond : -beyond) * (float)(o->last - o->first) / SCALE + (at_last ? 1 : -1) / SCALE;
    return put(out, f, x, to_y((o->top[c] + o->bottom[c]) / 2));
}

/* Six points clockwise from the corner on the picture's left. */
static mien_status find_eye(head_landmarks *out, const front_view *f, opening *o, int side)
{
    vec3 eye = head_eye_middle(f->h, f->posed, side), rest = f->h->eye_middle[side];
    if (!find_opening(o, f, is_eye, eye.x - 0.25f, eye.x + 0.25f, eye.y - 0.2f, eye.y + 0.2f))
        return mien_fail(MIEN_ERR_FORMAT, "%s: no opening of the %s eye", f->h->face->source, side ? "right" : "left");
    surface_point *p = &out->point[side ? LANDMARK_EYE_RIGHT : LANDMARK_EYE_LEFT];
    TRY(put_corner(&p[0], f, o, false, side ? 0 : TEAR_DUCT));
    TRY(put_edge(&p[1], f, o, 0.30f, true));
    TRY(put_edge(&p[2], f, o, 0.70f, true));
    TRY(put_corner(&p[3], f, o, true, side ? TEAR_DUCT : 0));
    TRY(put_edge(&p[4], f, o, 0.70f, false));
    TRY(put_edge(&p[5], f, o, 0.30f, false));
    material m = side ? MATERIAL_EYE_RIGHT : MATERIAL_EYE_LEFT;
    if (!surface_at(&out->pupil[side], f->h, f->h->rest, m, rest.x, rest.y))
        return mien_fail(MIEN_ERR_FORMAT, "%s: the %s eyeball has no front", f->h->face->source,
                         side ? "right" : "left");
    return MIEN_OK;
}

/* The inner lips, with the jaw open: corners, then the upper lip left to right, the lower back. */
static mien_status find_inner_lips(head_landmarks *out, front_view *f, opening *o)
{
    static const float share[] = {0.22f, 0.5f, 0.78f};
    float units[UNIT_COUNT] = {[JAW_OPEN] = 1};
    const head *h = f->h;
    vec3 lip = f->posed[h->lip_upper];
    front_view_draw(f, units);
    if (!find_opening(o, f, is_mouth, lip.x - 0.5f, lip.x + 0.5f, lip.y - 0.8f, lip.y + 0.2f))
        return mien_fail(MIEN_ERR_FORMAT, "%s: jawOpen does not open the mouth", h->face->source);
    surface_point *p = &out->point[LANDMARK_LIPS_INSIDE];
    TRY(put_corner(&p[0], f, o, false, 0));
    TRY(put_corner(&p[4], f, o, true, 0));
    for (int i = 0; i < 3; i++) {
        TRY(put_edge(&p[1 + i], f, o, share[i], true));
        TRY(put_edge(&p[5 + i], f, o, share[2 - i], false));
    }
    return MIEN_OK;
}

static float lips_at(const front_view *f, int column, int row)
{
    const head *h = f->h;
    if (material_at(f, column, row) != MATERIAL_SKIN)
        return 0;
    const uint32_t *c = &h->triangles[3 * f->id[row * SIDE + column]];
    float weight[3], lips = 0;
    if (!weights_at(weight, f->posed, c, to_x(column), to_y(row)))
        return 0;
    for (int i = 0; i < 3; i++)
        if (c[i] < (uint32_t)h->face->vertex_count)
            lips += weight[i] * h->face->mask[c[i] * MASK_COUNT + MASK_LIPS];
    return lips;
}

/* The red of the lips, on the neutral face: corners, the upper edge left to right with the bow, the lower back. */
static mien_status find_outer_lips(head_landmarks *out, const front_view *f)
{
    static const float upper[] = {0.19f, 0.39f, 0.5f, 0.61f, 0.81f}, lower[] = {0.80f, 0.63f, 0.5f, 0.37f, 0.20f};
    vec3 lip = f->posed[f->h->lip_upper];
    int first = SIDE, last = -1, top[SIDE], bottom[SIDE];
    for (int c = to_column(lip.x - 0.5f); c <= to_column(lip.x + 0.5f); c++) {
        top[c] = SIDE;
        bottom[c] = -1;
        for (int r = to_row(lip.y + 0.25f); r <= to_row(lip.y - 0.3f); r++)
            if (lips_at(f, c, r) >= 0.5f) {
                top[c] = r < top[c] ? r : top[c];
                bottom[c] = r;
            }
        if (bottom[c] < 0)
            continue;
        first = c < first ? c : first;
        last = c;
    }
    if (last - first < 8)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no lips on the mask", f->h->face->source);
    surface_point *p = &out->point[LANDMARK_LIPS];
    TRY(put(&p[0], f, to_x(first), to_y((top[first] + bottom[first]) / 2)));
    TRY(put(&p[6], f, to_x(last), to_y((top[last] + bottom[last]) / 2)));
    for (int i = 0; i < 5; i++) {
        int c = first + (int)(upper[i] * (float)(last - first) + 0.5f);
        TRY(put(&p[1 + i], f, to_x(c), to_y(top[c])));
        c = first + (int)(lower[i] * (float)(last - first) + 0.5f);
        TRY(put(&p[7 + i], f, to_x(c), to_y(bottom[c])));
    }
    return MIEN_OK;
}

/* Does the sample show the face, not an ear, the neck or the jaw from below? Ears and neck lie farther back, the neck
 * the more so the lower; below the jaw the surface falls back steeply. */
static bool is_face(const front_view *f, int column, int row)
{
    enum { STEP = 8 };
    float y = to_y(row), behind = y > 6.75f ? 0.80f : 0.80f + 0.72f * (6.75f - y);
    if (material_at(f, column, row) != MATERIAL_SKIN || f->depth[row * SIDE + column] < behind)
        return false;
    float rise = f->depth[(row - STEP) * SIDE + column] - f->depth[row * SIDE + column];
    return y > 6.75f || rise < 1.2f * STEP / SCALE;
}

/* Half of the outline, from before the ear to the chin, cut into eight equal lengths. sign: -1 the picture's left. */
static mien_status find_outline(head_landmarks *out, const front_view *f, float sign)
{
    float x[OUTLINE_STEPS + 1], y[OUTLINE_STEPS + 1], along[OUTLINE_STEPS + 1];
    for (int i = 0; i <= OUTLINE_STEPS; i++) {
        float angle = 1.5707963f * (float)i / OUTLINE_STEPS, reach = 1.3f;
        float dx = sign * cosf(angle), dy = -sinf(angle);
        while (reach > 0 && !is_face(f, to_column(reach * dx), to_row(EYE_LEVEL + reach * dy)))
            reach -= 0.5f / SCALE;
        x[i] = reach * dx;
        y[i] = EYE_LEVEL + reach * dy;
        along[i] = i ? along[i - 1] + hypotf(x[i] - x[i - 1], y[i] - y[i - 1]) : 0;
    }
    for (int k = 0, i = 0; k <= LANDMARK_CHIN; k++) {
        float wanted = along[OUTLINE_STEPS] * (float)k / LANDMARK_CHIN;
        while (i < OUTLINE_STEPS - 1 && along[i + 1] < wanted)
            i++;
        float t = clamp01((wanted - along[i]) / maxf(1e-6f, along[i + 1] - along[i]));
        TRY(put(&out->point[sign < 0 ? k : 2 * LANDMARK_CHIN - k], f, mixf(x[i], x[i + 1], t),
                mixf(y[i], y[i + 1], t)));
    }
    return MIEN_OK;
}

static float depth_at(const front_view *f, float x, float y)
{
    return f->depth[to_row(y) * SIDE + to_column(x)];
}

/* How sharply the surface bends back at x, y, going a small way (dx, dy): positive in a crease. */
static float bend_at(const front_view *f, float x, float y, float dx, float dy)
{
    return depth_at(f, x - dx, y - dy) - 2 * depth_at(f, x, y) + depth_at(f, x + dx, y + dy);
}

/* The ridge down to the foremost point, and below it five points from wing to wing. */
static mien_status find_nose(head_landmarks *out, const front_view *f)
{
    const float lip = f->posed[f->h->lip_upper].y, step = 0.03f;
    float tip = EYE_LEVEL, under, wing = 0.12f, sharpest = 0;
    for (float y = EYE_LEVEL; y > lip + 0.1f; y -= 1 / SCALE)
        if (depth_at(f, 0, y) > depth_at(f, 0, tip))
            tip = y;
    under = tip - 0.1f;
    for (float y = tip - 0.05f; y > mixf(tip, lip, 0.72f); y -= 1 / SCALE) /* where nose turns to lip */
        if (bend_at(f, 0, y, 0, step) > sharpest) {
            sharpest = bend_at(f, 0, y, 0, step);
            under = y;
        }
    for (int i = 0; i < 4; i++)
        TRY(put(&out->point[LANDMARK_NOSE + i], f, 0, mixf(EYE_LEVEL, tip, (float)i / 3)));
    sharpest = 0;
    for (float x = 0.12f; x < 0.30f; x += 1 / SCALE) { /* where a wing turns to cheek */
        float bend = bend_at(f, x, mixf(under, tip, 0.35f), step, 0);
        if (bend > sharpest) {
            sharpest = bend;
            wing = x;
        }
    }
    for (int i = 0; i < 5; i++) {
        static const float lift[] = {0.30f, 0.06f, 0, 0.06f, 0.30f};
        float x = wing * 0.92f * (float)(i - 2) / 2;
        TRY(put(&out->point[LANDMARK_NOSTRILS + i], f, x, mixf(under, tip, lift[i])));
    }
    return MIEN_OK;
}

mien_status landmarks_find(head_landmarks *out, const head *h, arena *memory)
{
    front_view f = {.h = h};
    opening *o = NULL;
    const float still[UNIT_COUNT] = {0};
    mien_status st;
    TRY_OUT(mem_alloc(&o, 1));
    TRY_OUT(mem_alloc(&f.shape, (size_t)h->vertex_count));
    head_shape(h, f.shape, NULL);
    TRY_OUT(mem_alloc(&f.posed, (size_t)h->vertex_count));
    TRY_OUT(mem_alloc(&f.screen, (size_t)h->vertex_count));
    TRY_OUT(mem_alloc(&f.depth, SIDE * SIDE));
    TRY_OUT(mem_alloc(&f.id, SIDE * SIDE));
    front_view_draw(&f, still);
    TRY_OUT(find_brow_triangles(out, &f, memory));
    TRY_OUT(find_outline(out, &f, -1));
    TRY_OUT(find_outline(out, &f, 1));
    TRY_OUT(find_nose(out, &f));
    TRY_OUT(find_eye(out, &f, o, 0));
    TRY_OUT(find_eye(out, &f, o, 1));
    TRY_OUT(find_outer_lips(out, &f));
    for (int i = 0; i < 10; i++)
        TRY_OUT(put(&out->point[LANDMARK_BROWS + i], &f,
                    (i < 5 ? -1 : 1) * (0.10f + 0.1f * (float)(i < 5 ? 4 - i : i - 5)), BROW_LEVEL));
    /* the face's thirds: hairline to brows, brows to the nose's end, nose to chin */
    vec3 chin = surface_point_at(&out->point[LANDMARK_CHIN], f.posed);
    TRY_OUT(put(&out->forehead, &f, 0, BROW_LEVEL + 0.5f * (BROW_LEVEL - chin.y)));
    TRY_OUT(find_inner_lips(out, &f, o));
out:
    mem_free(o);
    mem_free(f.shape);
    mem_free(f.posed);
    mem_free(f.screen);
    mem_free(f.depth);
    mem_free(f.id);
    return st;
}
