/* What an anatomist would mark by hand is found in the mesh: the cut of the neck as its longest rim, lips by what the
 * jaw carries down, eyes by their regions. So any model in our format will do, whatever made it. */
#include "synth/face/head.h"

#include "base/arena.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const material region_material[REGION_COUNT] = {
    [REGION_SKIN] = MATERIAL_SKIN,         [REGION_MOUTH] = MATERIAL_MOUTH,
    [REGION_EYE_LEFT] = MATERIAL_EYE_LEFT, [REGION_EYE_RIGHT] = MATERIAL_EYE_RIGHT,
    [REGION_TEETH_UPPER] = MATERIAL_TEETH, [REGION_TEETH_LOWER] = MATERIAL_TEETH,
    [REGION_TONGUE] = MATERIAL_TONGUE,     [REGION_LASH_UPPER] = MATERIAL_COUNT,
    [REGION_LASH_LOWER] = MATERIAL_COUNT,
};

/* What a unit weight of 1 means here, as a multiple of the model's own unit: a strong expression, that nobody mistakes.
 * Units that are not here: 1. */
static const float unit_gain[UNIT_COUNT] = {
    [BROW_DOWN_LEFT] = 2.1f,
    [BROW_DOWN_RIGHT] = 2.1f,
    [BROW_INNER_UP] = 2.2f,
    [BROW_OUTER_UP_LEFT] = 1.8f,
    [BROW_OUTER_UP_RIGHT] = 1.8f,
    [CHEEK_SQUINT_LEFT] = 1.2f,
    [CHEEK_SQUINT_RIGHT] = 1.2f,
    [EYE_WIDE_LEFT] = 1.7f,
    [EYE_WIDE_RIGHT] = 1.7f,
    [EYE_SQUINT_LEFT] = 1.05f,
    [EYE_SQUINT_RIGHT] = 1.05f,
    [NOSE_SNEER_LEFT] = 2.2f,
    [NOSE_SNEER_RIGHT] = 2.2f,
    [MOUTH_FROWN_LEFT] = 1.8f,
    [MOUTH_FROWN_RIGHT] = 1.8f,
    [MOUTH_UPPER_UP_LEFT] = 1.35f,
    [MOUTH_UPPER_UP_RIGHT] = 1.35f,
    [MOUTH_LOWER_DOWN_LEFT] = 1.5f,
    [MOUTH_LOWER_DOWN_RIGHT] = 1.5f,
    [MOUTH_STRETCH_LEFT] = 1.5f,
    [MOUTH_STRETCH_RIGHT] = 1.5f,
    [MOUTH_SHRUG_LOWER] = 1.15f,
    [MOUTH_SMILE_LEFT] = 1.25f,
    [MOUTH_SMILE_RIGHT] = 1.25f,
    [JAW_OPEN] = 0.95f,
};

/* What the model's neutral face lacks to look like nobody's mood: its lids droop, its lips pout, its nose is drawn up.
 * Multiples of the model's own units. */
static const struct {
    face_unit unit;
    float weight;
} at_rest[] = {
    {EYE_WIDE_LEFT, 0.42f},     {EYE_WIDE_RIGHT, 0.42f},   {MOUTH_PRESS_LEFT, 0.45f},
    {MOUTH_PRESS_RIGHT, 0.45f}, {NOSE_SNEER_LEFT, -0.65f}, {NOSE_SNEER_RIGHT, -0.65f},
};

static float gain(int unit)
{
    return unit_gain[unit] > 0 ? unit_gain[unit] : 1;
}

/* Directed edges of the skin; one whose reverse is missing lies on the rim. */
typedef struct {
    uint32_t from, to;
} edge;

static int compare_edges(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    uint64_t p = (uint64_t)x->from << 32 | x->to, q = (uint64_t)y->from << 32 | y->to;
    return p < q ? -1 : p > q;
}

/* The longest closed chain of rim edges, as long as it is in space, is the cut through the neck. */
static mien_status find_rim(head *h, edge *edges)
{
    const face_model *f = h->face;
    size_t n = 0;
    for (int q = 0; q < f->quad_count; q++)
        if (f->region[q] == REGION_SKIN || f->region[q] == REGION_MOUTH)
            for (int i = 0; i < 4; i++)
                edges[n++] = (edge){f->quads[4 * q + i], f->quads[4 * q + (i + 1) % 4]};
    qsort(edges, n, sizeof *edges, compare_edges);

    uint32_t *next; /* [vertex] the rim's next vertex, or itself */
    TRY(arena_alloc(h->memory, &next, f->vertex_count));
    for (uint32_t v = 0; v < (uint32_t)f->vertex_count; v++)
        next[v] = v;
    for (size_t i = 0; i < n; i++) {
        edge back = {edges[i].to, edges[i].from};
        if (!bsearch(&back, edges, n, sizeof *edges, compare_edges))
            next[edges[i].from] = edges[i].to;
    }
    uint32_t best = 0;
    float longest = 0;
    bool *is_visited;
    TRY(arena_alloc(h->memory, &is_visited, f->vertex_count));
    for (uint32_t v = 0; v < (uint32_t)f->vertex_count; v++) {
        int count = 0;
        float length = 0;
        uint32_t at = v;
        for (; !is_visited[at]; at = next[at], count++) {
            is_visited[at] = true;
            length += v3_length(v3_sub(f->neutral[next[at]], f->neutral[at]));
        }
        if (at == v && length > longest) {
            longest = length;
            h->rim_count = count;
            best = v;
        }
    }
    if (h->rim_count < 3)
        return mien_fail(MIEN_ERR_FORMAT, "%s: the skin has no open rim at the neck", f->source);
    TRY(arena_alloc(h->memory, &h->rim, h->rim_count));
    uint32_t at = best;
    for (int i = 0; i < h->rim_count; i++, at = next[at])
        h->rim[i] = at;
    return MIEN_OK;
}

/* Half the cross product of its diagonals: right for triangles too, whose last two corners are one. */
static float quad_area(const vec3 *at, const uint32_t *c)
{
    return 0.5f * v3_length(v3_cross(v3_sub(at[c[2]], at[c[0]]), v3_sub(at[c[3]], at[c[1]])));
}

static mien_status find_eye(head *h, int side, face_region region)
{
    const face_model *f = h->face;
    float *area; /* [V] of the eyeball's quads around a vertex */
    TRY(arena_alloc(h->memory, &area, f->vertex_count));
    float total = 0;
    for (int q = 0; q < f->quad_count; q++) {
        const uint32_t *c = &f->quads[4 * q];
        if (f->region[q] != region)
            continue;
        int corners = c[2] == c[3] ? 3 : 4;
        float share = quad_area(f->neutral, c) / (float)corners;
        for (int i = 0; i < corners; i++) {
            area[c[i]] += share;
            total += share;
        }
    }
    for (int v = 0; v < f->vertex_count; v++)
        h->eye_vertex_count[side] += area[v] > 0;
    if (h->eye_vertex_count[side] == 0 || !(total > 0))
        return mien_fail(MIEN_ERR_FORMAT, "%s: no %s eyeball", f->source, side ? "right" : "left");
    TRY(arena_alloc(h->memory, &h->eye_vertices[side], h->eye_vertex_count[side]));
    TRY(arena_alloc(h->memory, &h->eye_weights[side], h->eye_vertex_count[side]));
    int n = 0;
    for (int v = 0; v < f->vertex_count; v++)
        if (area[v] > 0) {
            h->eye_vertices[side][n] = (uint32_t)v;
            h->eye_weights[side][n++] = area[v] / total;
        }
    h->eye_middle[side] = head_eye_middle(h, f->rest, side);
    return MIEN_OK;
}

/* How far a target moves one vertex up. */
static float rise(const face_targets *t, int target, uint32_t vertex)
{
    for (uint32_t i = t->offsets[target]; i < t->offsets[target + 1]; i++)
        if (t->vertices[i] == vertex)
            return t->deltas[i].y;
    return 0;
}

/* On the middle line of the lips: those that jawOpen carries down are the lower lip. The pair that faces each other
 * lies where the upper lip ends and the lower begins. */
static mien_status find_lips(head *h)
{
    const face_model *f = h->face;
    float *drop; /* [V] how far jawOpen moves a vertex down */
    TRY(arena_alloc(h->memory, &drop, f->vertex_count));
    const face_targets *t = &f->expression;
    int jaw = h->unit[JAW_OPEN];
    for (uint32_t i = t->offsets[jaw]; i < t->offsets[jaw + 1]; i++)
        drop[t->vertices[i]] = -t->deltas[i].y;
    float front = -INFINITY; /* lips that can be seen: not far behind the foremost */
    for (int v = 0; v < f->vertex_count; v++)
        if (f->mask[v * MASK_COUNT + MASK_LIPS] > 0.5f && fabsf(f->neutral[v].x) < 0.03f)
            front = maxf(front, f->neutral[v].z);
    float upper = INFINITY, lower = -INFINITY;
    for (int v = 0; v < f->vertex_count; v++) {
        vec3 p = f->neutral[v];
        if (!(f->mask[v * MASK_COUNT + MASK_LIPS] > 0.5f) || fabsf(p.x) > 0.03f || p.z < front - 0.12f)
            continue;
        if (drop[v] < 0.1f && p.y < upper) {
            upper = p.y;
            h->lip_upper = (uint32_t)v;
        }
        if (drop[v] > 0.2f && p.y > lower) {
            lower = p.y;
            h->lip_lower = (uint32_t)v;
        }
    }
    if (upper == INFINITY || lower == -INFINITY)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no lips on the middle line that jawOpen parts", f->source);
    for (int u = 0; u < UNIT_COUNT; u++)
        h->lip_part[u] = gain(u) * (rise(t, h->unit[u], h->lip_upper) - rise(t, h->unit[u], h->lip_lower));
    return MIEN_OK;
}

static mien_status find_units(head *h)
{
    for (int u = 0; u < UNIT_COUNT; u++) {
        h->unit[u] = face_targets_find(&h->face->expression, unit_names[u]);
        if (h->unit[u] < 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: expression unit %s is missing", h->face->source, unit_names[u]);
    }
    return MIEN_OK;
}

/* Below the cut the neck goes down and back, then widens into shoulders, and a trunk that only crowds show; ring k
 * hangs under the rim. */
static void hang_neck(const head *h, vec3 *posed)
{
    static const float drop[NECK_RINGS] = {0.10f, 0.30f, 0.42f, 0.60f, 1.2f, 8.0f};
    static const float wide[NECK_RINGS] = {1.0f, 1.06f, 1.35f, 2.3f, 3.4f, 3.1f};
    vec3 middle = {0};
    for (int i = 0; i < h->rim_count; i++)
        middle = v3_madd(middle, posed[h->rim[i]], 1 / (float)h->rim_count);
    for (int k = 0; k < NECK_RINGS; k++)
        for (int i = 0; i < h->rim_count; i++) {
            vec3 p = posed[h->rim[i]], out = v3_sub(p, middle);
            float y = mixf(p.y, middle.y, (float)(k + 1) / NECK_RINGS) - drop[k];
            posed[h->face->vertex_count + k * h->rim_count + i] =
                v3(middle.x + out.x * wide[k], y,
                   middle.z + out.z * (1 + (wide[k] - 1) * 0.3f) - 0.25f * minf(drop[k], 1.2f));
        }
}

static mien_status add_surfaces(head *h)
{
    const face_model *f = h->face;
    int neck_quads = NECK_RINGS * h->rim_count, lash_quads = 0;
    for (int q = 0; q < f->quad_count; q++)
        lash_quads += region_material[f->region[q]] == MATERIAL_COUNT;
    h->quad_count = f->quad_count - lash_quads + neck_quads;
    TRY(arena_alloc(h->memory, &h->quads, 4 * (size_t)h->quad_count));
    TRY(arena_alloc(h->memory, &h->quad_material, h->quad_count));
    TRY(arena_alloc(h->memory, &h->triangles, 6 * (size_t)h->quad_count));
    TRY(arena_alloc(h->memory, &h->lash_triangles, 6 * (size_t)lash_quads));

    int n = 0;
    for (int q = 0; q < f->quad_count; q++) {
        const uint32_t *c = &f->quads[4 * q];
        material m = region_material[f->region[q]];
        if (m == MATERIAL_COUNT) {
            uint32_t two[6] = {c[0], c[1], c[2], c[0], c[2], c[3]};
            memcpy(&h->lash_triangles[3 * h->lash_count], two, sizeof two);
            h->lash_count += 2;
            continue;
        }
        memcpy(&h->quads[4 * n], c, 4 * sizeof *c);
        h->quad_material[n++] = (uint8_t)m;
    }
    h->neck_first = n;
    for (int k = 0; k < NECK_RINGS; k++)
        for (int i = 0; i < h->rim_count; i++) {
            int next = (i + 1) % h->rim_count;
            uint32_t below = (uint32_t)(f->vertex_count + k * h->rim_count), above = below - (uint32_t)h->rim_count;
            uint32_t a = k ? above + (uint32_t)i : h->rim[i], b = k ? above + (uint32_t)next : h->rim[next];
            uint32_t quad[4] = {b, a, below + (uint32_t)i, below + (uint32_t)next};
            memcpy(&h->quads[4 * n], quad, sizeof quad);
            h->quad_material[n++] = k < 2 ? MATERIAL_SKIN : MATERIAL_CLOTH;
        }
    for (int q = 0; q < h->quad_count; q++) {
        const uint32_t *c = &h->quads[4 * q];
        uint32_t two[6] = {c[0], c[1], c[2], c[0], c[2], c[3]};
        memcpy(&h->triangles[6 * q], two, sizeof two);
    }
    return MIEN_OK;
}

static mien_status build(head *h)
{
    mien_status st;
    edge *edges = NULL;
    const face_model *f = h->face;
    TRY_OUT(find_units(h));
    TRY_OUT(mem_alloc(&edges, 4 * (size_t)f->quad_count));
    TRY_OUT(find_rim(h, edges));
    TRY_OUT(find_eye(h, 0, REGION_EYE_LEFT));
    TRY_OUT(find_eye(h, 1, REGION_EYE_RIGHT));
    TRY_OUT(find_lips(h));
    TRY_OUT(add_surfaces(h));
    h->vertex_count = f->vertex_count + NECK_RINGS * h->rim_count;
    TRY_OUT(arena_alloc(h->memory, &h->rest, h->vertex_count));
    TRY_OUT(arena_alloc(h->memory, &h->occlusion, h->vertex_count));
    memcpy(h->rest, f->rest, (size_t)f->vertex_count * sizeof *h->rest);
    hang_neck(h, h->rest);
    for (int v = 0; v < h->vertex_count; v++) { /* the chin shades the neck that is hung below it */
        int ring = v - f->vertex_count;
        h->occlusion[v] = ring < 0 ? f->occlusion[v] : maxf(0.45f, f->occlusion[h->rim[ring % h->rim_count]]);
    }
    st = landmarks_find(&h->landmarks, h, h->memory);
out:
    mem_free(edges);
    return st;
}

mien_status head_create(head **out, const face_model *face)
{
    arena *memory;
    head *h;
    TRY(arena_create(&memory, 1 << 18));
    mien_status st = arena_alloc(memory, &h, 1);
    if (st == MIEN_OK) {
        h->face = face;
        h->memory = memory;
        st = build(h);
    }
    if (st == MIEN_OK)
        *out = h;
    else
        arena_free(memory);
    return st;
}

void head_free(head *h)
{
    if (h)
        arena_free(h->memory); /* the head itself lies in it */
}

const head *head_of(const head *h, const face_model *face)
{
    for (const head *other = h; other; other = other->next)
        if (other->face == face)
            return other;
    return h;
}

int head_weights(const head *h)
{
    int most = 0;
    for (; h; h = h->next)
        most = h->face->identity.count > most ? h->face->identity.count : most;
    return most;
}

void head_shape(const head *h, vec3 *shape, const float *identity)
{
    const face_model *f = h->face;
    memcpy(shape, f->neutral, (size_t)f->vertex_count * sizeof *shape);
    for (int t = 0; identity && t < f->identity.count; t++)
        if (identity[t] != 0)
            face_targets_add(&f->identity, t, identity[t], shape);
    for (size_t i = 0; i < sizeof at_rest / sizeof *at_rest; i++)
        face_targets_add(&f->expression, h->unit[at_rest[i].unit], at_rest[i].weight, shape);
    hang_neck(h, shape);
}

void head_pose(const head *h, vec3 *posed, const vec3 *shape, const float *units)
{
    const face_model *f = h->face;
    memcpy(posed, shape, (size_t)f->vertex_count * sizeof *posed);
    for (int u = 0; u < UNIT_COUNT; u++)
        if (units[u] != 0)
            face_targets_add(&f->expression, h->unit[u], units[u] * gain(u), posed);
    hang_neck(h, posed);
}

float head_lip_gap(const head *h, const float *units)
{
    float gap = 0;
    for (int u = 0; u < UNIT_COUNT; u++)
        gap += units[u] * h->lip_part[u];
    return gap;
}

vec3 head_eye_middle(const head *h, const vec3 *posed, int side)
{
    vec3 sum = {0};
    for (int i = 0; i < h->eye_vertex_count[side]; i++)
        sum = v3_madd(sum, posed[h->eye_vertices[side][i]], h->eye_weights[side][i]);
    return sum;
}
