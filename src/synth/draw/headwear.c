/* Hats, headphones, scarves and masks. What sits close is a shell of the head's own vertices, cut where its edge runs;
 * brims, bands and folds are lofts around ellipses measured on the posed head. */
#include "synth/draw/occluder.h"

#define HALF_TURN 3.1415927f

/* An ellipse around the head at some height, model space. */
typedef struct {
    float wide, back, front; /* half width; z of its ends */
} girth;

/* Measured where the neutral head's y is within [low, high], ears left out. */
static girth measure(const occluder_work *w, float low, float high)
{
    const head *h = w->s->h;
    girth g = {0.1f, 1, 0};
    for (int v = 0; v < h->face->vertex_count; v++) {
        vec3 rest = h->rest[v], p = w->posed[v];
        if (rest.y < low || rest.y > high || h->face->mask[(size_t)v * MASK_COUNT + MASK_EARS] > 0.3f)
            continue;
        g.wide = maxf(g.wide, fabsf(p.x));
        g.back = minf(g.back, p.z);
        g.front = maxf(g.front, p.z);
    }
    return g;
}

static vec3 around(const girth *g, float turn, float y, float out)
{
    float middle = 0.5f * (g->front + g->back), deep = 0.5f * (g->front - g->back);
    return v3((g->wide + out) * sinf(turn), y, middle + (deep + out) * cosf(turn));
}

/* How far inside the hat's edge a place of the neutral head lies. */
static float hat_depth(hat_kind kind, vec3 p)
{
    float azimuth = atan2f(fabsf(p.x), p.z - 0.35f), side = smooth_step(0.3f, 1.5f, azimuth),
          back = smooth_step(1.5f, 2.8f, azimuth);
    if (kind == HAT_HEADSCARF || kind == HAT_HOOD) {
        float wide = kind == HAT_HOOD ? 0.64f : 0.60f, high = kind == HAT_HOOD ? 0.99f : 0.91f;
        float dx = p.x / wide, dy = (p.y - 7.08f) / high, from_middle = sqrtf(dx * dx + dy * dy);
        return maxf(0.6f * (from_middle - 1), maxf(0.5f * (0.45f - p.z), 6.16f - p.y));
    }
    float line =
        kind == HAT_BEANIE ? mixf(mixf(7.84f, 7.56f, side), 7.0f, back) : mixf(mixf(7.94f, 7.66f, side), 7.35f, back);
    return p.y - line;
}

/* How far its cloth stands off the skin there. */
static vec3 hat_place(const occluder_work *w, hat_kind kind, int v, float depth)
{
    const head *h = w->s->h;
    vec3 p = w->posed[v], rest = h->rest[v], n = mat3_apply_back(&w->s->turn, w->normal[v]);
    float crown = smooth_step(7.95f, 8.35f, rest.y), puff = 0.35f * w->s->who->hair_volume;
    if (kind == HAT_BEANIE) {
        float cuff = 0.045f * smooth_step(0.30f, 0.24f, depth) * smooth_step(-0.02f, 0.05f, depth);
        p = v3_madd(p, n, 0.05f + puff + cuff);
        p.y += 0.14f * crown;
    } else if (kind == HAT_CAP) {
        p = v3_madd(p, n, 0.05f + puff);
        p.y += 0.10f * crown * smooth_step(-0.2f, 1.0f, rest.z);
    } else if (kind == HAT_BRIM) {
        p = v3_madd(p, n, 0.06f + puff);
        p.y += 0.38f * smooth_step(7.9f, 8.2f, rest.y);
        p.y = minf(p.y, mixf(p.y, 8.75f, 0.8f));
    } else { /* hangs free of the neck */
        float far = kind == HAT_HOOD ? 0.13f : 0.07f, neck = smooth_step(6.3f, 5.9f, rest.y);
        p = v3_madd(p, n, far + 0.12f * neck + 0.3f * puff + 0.03f * smooth_step(0.12f, 0.0f, depth));
        p.y += (kind == HAT_HOOD ? 0.22f : 0.06f) * crown;
    }
    return p;
}

static void add_shell(occluder_work *w, hat_kind kind, stuff of)
{
    const head *h = w->s->h;
    const vec3 cloth = w->s->how->worn.hat_cloth;
    for (int v = 0; v < h->vertex_count; v++) {
        float depth = hat_depth(kind, h->rest[v]);
        bool is_ear = v < h->face->vertex_count && h->face->mask[(size_t)v * MASK_COUNT + MASK_EARS] > 0.3f;
        w->m->place[v] = -1;
        if (depth < -0.14f || is_ear)
            continue;
        vec3 rest = h->rest[v], n = mat3_apply_back(&w->s->turn, w->normal[v]);
        float azimuth = atan2f(rest.x, rest.z - 0.45f);
        w->m->place[v] = (int)add_point(w, hat_place(w, kind, v, depth), n, cloth, azimuth / 2, rest.y, depth);
    }
    for (int q = 0; q < h->quad_count; q++) {
        const uint32_t *c = &h->quads[4 * q];
        bool is_whole = h->quad_material[q] == MATERIAL_SKIN || h->quad_material[q] == MATERIAL_CLOTH;
        for (int i = 0; i < 4; i++)
            is_whole = is_whole && w->m->place[c[i]] >= 0;
        if (is_whole)
            add_quad(w, (uint32_t)w->m->place[c[0]], (uint32_t)w->m->place[c[1]], (uint32_t)w->m->place[c[2]],
                     (uint32_t)w->m->place[c[3]], of);
    }
}

/* A sheet that leaves the head at a height: a cap's visor, or the brim of a hat all around. */
static void add_brim(occluder_work *w, float y, float from, float to, float reach, bool is_visor)
{
    enum { COLUMNS = 32, ROWS = 4 };
    const girth g = measure(w, 7.85f, 8.0f);
    uint32_t first = (uint32_t)w->m->point_count;
    for (int j = 0; j <= ROWS; j++)
        for (int i = 0; i <= COLUMNS; i++) {
            float turn = mixf(from, to, (float)i / COLUMNS), t = (float)j / ROWS, c = cosf(turn);
            float out = 0.05f + (is_visor ? 0 : reach * t);
            vec3 p = around(&g, turn, y, out), n = v3(0.35f * sinf(turn), 0.8f, 0.35f * c);
            if (is_visor) {
                p.z += reach * t * smooth_step(0, 0.6f, c);
                p.y -= t * (0.17f + 0.12f * t) + 0.10f * sinf(turn) * sinf(turn);
            } else {
                p.y += t * (0.10f * sinf(turn) * sinf(turn) - 0.24f * c);
            }
            add_point(w, p, n, v3_scale(w->s->how->worn.hat_cloth, is_visor ? 0.85f : 0.95f), turn, t, 1);
        }
    for (uint32_t j = 0; j < ROWS; j++)
        for (uint32_t i = 0; i < COLUMNS; i++) {
            uint32_t a = first + j * (COLUMNS + 1) + i, b = a + COLUMNS + 1;
            add_quad(w, a, a + 1, b + 1, b, STUFF_CLOTH);
        }
}

static void add_headphones(occluder_work *w)
{
    enum { BAND = 17 };
    const head *h = w->s->h;
    vec3 ear[2] = {v3_all(0), v3_all(0)}, dark = w->s->how->worn.thing;
    float count[2] = {0}, top = -INFINITY;
    for (int v = 0; v < h->face->vertex_count; v++) {
        top = maxf(top, w->posed[v].y);
        if (h->face->mask[(size_t)v * MASK_COUNT + MASK_EARS] < 0.5f)
            continue;
        int side = w->posed[v].x < 0;
        ear[side] = v3_add(ear[side], w->posed[v]);
        count[side]++;
    }
    if (count[0] == 0 || count[1] == 0)
        return;
    for (int side = 0; side < 2; side++) {
        static const float out[] = {-0.08f, 0.03f, 0.13f, 0.17f, 0.175f}, size[] = {0.28f, 0.31f, 0.29f, 0.20f, 0.01f};
        vec3 middle = v3_scale(ear[side], 1 / count[side]);
        float sign = side ? -1 : 1;
        ear[side] = middle;
        loft_ring cup[5];
        for (int i = 0; i < 5; i++)
            cup[i] = (loft_ring){v3(middle.x + sign * out[i], middle.y, middle.z), v3(0, 0, 0.88f * size[i]),
                                 v3(0, 1.1f * size[i], 0)};
        add_loft(w, cup, 5, 20, dark, STUFF_HARD);
    }
    loft_ring band[BAND];
    vec3 middle = v3_mix(ear[0], ear[1], 0.5f);
    for (int i = 0; i < BAND; i++) {
        float turn = HALF_TURN * ((float)i / (BAND - 1) - 0.5f), c = cosf(turn), q = sinf(turn);
        float wide = 0.5f * (ear[0].x - ear[1].x) + 0.10f,
              high = top + 0.10f + w->s->who->hair_volume * 0.5f - middle.y;
        band[i] = (loft_ring){v3(middle.x + wide * q, middle.y + high * powf(maxf(c, 0), 0.6f), middle.z),
                              v3_scale(v3_unit(v3(q, c, 0)), 0.035f), v3(0, 0, 0.09f)};
    }
    add_loft(w, band, BAND, 8, dark, STUFF_HARD);
}

/* One fold of a scarf: a thick ring, not quite even, higher at the nape by twice `rise`. */
static void add_fold(occluder_work *w, const girth *g, float y, float thick, float tilt, float rise, vec3 cloth,
                     stuff of)
{
    enum { STEPS = 33 };
    loft_ring rings[STEPS];
    for (int i = 0; i < STEPS; i++) {
        float turn = 2 * HALF_TURN * (float)i / (STEPS - 1), fat = thick * (1 + 0.18f * sinf(3 * turn + 9 * tilt));
        vec3 p = around(g, turn, y + tilt * sinf(turn) + rise * (1 - cosf(turn)), 0.5f * thick);
        rings[i] = (loft_ring){p, v3_scale(v3(sinf(turn), 0.25f, cosf(turn)), 0.8f * fat), v3(0, fat, 0)};
    }
    add_loft(w, rings, STEPS, 12, cloth, of);
}

/* What is left of the head where its mesh ends. */
static girth neck_girth(const occluder_work *w, float *y)
{
    const head *h = w->s->h;
    girth neck = {0.1f, INFINITY, -INFINITY};
    *y = 0;
    for (int i = 0; i < h->rim_count; i++) {
        vec3 p = w->posed[h->rim[i]];
        neck.wide = maxf(neck.wide, fabsf(p.x));
        neck.back = minf(neck.back, p.z);
        neck.front = maxf(neck.front, p.z);
        *y += p.y / (float)h->rim_count;
    }
    neck.front = minf(neck.front, neck.back + 1.25f);
    return neck;
}

/* What hangs from a headscarf over the ears and beside the jaw, open at the face. */
static void add_veil(occluder_work *w, float bottom, vec3 cloth)
{
    enum { COLUMNS = 28, ROWS = 9 };
    const head *h = w->s->h;
    const float top = 7.85f;
    girth g = measure(w, 7.3f, top);
    float narrow = g.wide, wide = g.wide;
    for (int v = 0; v < h->face->vertex_count; v++)
        wide = maxf(wide, h->face->mask[(size_t)v * MASK_COUNT + MASK_EARS] > 0.5f ? fabsf(w->posed[v].x) : 0);
    g.front -= 0.30f;
    uint32_t first = (uint32_t)w->m->point_count;
    for (int j = 0; j <= ROWS; j++)
        for (int i = 0; i <= COLUMNS; i++) {
            float t = (float)j / ROWS, open = mixf(1.20f, 0.50f, smooth_step(0.25f, 0.7f, t));
            float turn = mixf(open, 2 * HALF_TURN - open, (float)i / COLUMNS);
            g.wide = mixf(narrow, wide, smooth_step(0, 0.25f, t));
            vec3 p = around(&g, turn, mixf(top, bottom, t), 0.05f + 0.02f * sinf(turn * 5 + 4 * t));
            add_point(w, p, v3(sinf(turn), 0, cosf(turn)), cloth, turn, t, 1);
        }
    for (uint32_t j = 0; j < ROWS; j++)
        for (uint32_t i = 0; i < COLUMNS; i++) {
            uint32_t a = first + j * (COLUMNS + 1) + i, b = a + COLUMNS + 1;
            add_quad(w, a, a + 1, b + 1, b, STUFF_CLOTH);
        }
}

/* Cloth between the jaw and the neck, below a headscarf or a hood. */
static void add_collar(occluder_work *w, bool is_loose)
{
    float y;
    girth neck = neck_girth(w, &y);
    vec3 cloth = w->s->how->worn.hat_cloth;
    add_veil(w, y - 0.2f, cloth);
    neck.front = maxf(neck.front, front_z(w, 0, 6.3f, 0.12f, neck.front) - 0.34f);
    neck.wide += is_loose ? 0.12f : 0.02f;
    add_fold(w, &neck, y - 0.12f, 0.26f, 0.02f, 0.17f, cloth, STUFF_CLOTH);
    add_fold(w, &neck, y - 0.40f, 0.34f, -0.03f, 0.06f, cloth, STUFF_CLOTH);
}

static void add_folds(occluder_work *w, bool is_high)
{
    const vec3 cloth = w->s->how->worn.scarf_cloth;
    float y;
    const girth neck = neck_girth(w, &y);
    add_fold(w, &neck, y - 0.42f, 0.24f, 0.03f, 0.06f, cloth, STUFF_KNIT);
    add_fold(w, &neck, y - 0.16f, 0.20f, -0.05f, 0.06f, cloth, STUFF_KNIT);
    if (!is_high)
        return;
    for (int i = 0; i < 3; i++) { /* up over chin and mouth to the nose */
        float high = y + 0.12f + 0.24f * (float)i;
        girth g = {neck.wide + 0.10f + 0.03f * (float)i, neck.back, front_z(w, 0, high, 0.22f, neck.front) - 0.02f};
        add_fold(w, &g, high, 0.17f, i % 2 ? 0.05f : -0.04f, 0.06f, cloth, STUFF_KNIT);
    }
}

void add_headwear(occluder_work *w)
{
    const occluders *worn = &w->s->how->worn;
    switch (worn->hat) {
    case HAT_BEANIE:
        add_shell(w, worn->hat, STUFF_KNIT);
        break;
    case HAT_CAP:
        add_shell(w, worn->hat, STUFF_CLOTH);
        add_brim(w, 8.02f, -1.15f, 1.15f, 0.66f, true);
        break;
    case HAT_BRIM:
        add_shell(w, worn->hat, STUFF_CLOTH);
        add_brim(w, 8.0f, -HALF_TURN, HALF_TURN, 0.55f, false);
        break;
    case HAT_HEADSCARF:
    case HAT_HOOD:
        add_shell(w, worn->hat, STUFF_CLOTH);
        add_collar(w, worn->hat == HAT_HOOD);
        break;
    default:
        break;
    }
    if (worn->headphones)
        add_headphones(w);
}

/* A medical mask: a pleated sheet from the bridge of the nose to under the chin, held by loops around the ears. */
static void add_mask(occluder_work *w)
{
    enum { COLUMNS = 20, ROWS = 14 };
    const head *h = w->s->h;
    float chin = INFINITY;
    for (int v = 0; v < h->face->vertex_count; v++) {
        vec3 rest = h->rest[v];
        if (fabsf(rest.x) < 0.15f && rest.z > 1.1f && rest.y < 6.5f)
            chin = minf(chin, w->posed[v].y);
    }
    float top = 7.06f, bottom = chin - 0.02f;
    float ridge[ROWS + 1], cheek[ROWS + 1];
    for (int j = 0; j <= ROWS; j++) {
        float y = mixf(top, bottom, (float)j / ROWS);
        ridge[j] = front_z(w, 0, y, 0.12f, 1.2f) + 0.04f;
        cheek[j] = front_z(w, 0.56f, y, 0.12f, 0.75f) + 0.015f;
    }
    for (int pass = 0; pass < 3; pass++) /* cloth spans the hollows between nose, lips and chin */
        for (int j = 1; j < ROWS; j++)
            ridge[j] = maxf(ridge[j], 0.5f * (ridge[j - 1] + ridge[j + 1]));
    uint32_t first = (uint32_t)w->m->point_count;
    for (int j = 0; j <= ROWS; j++)
        for (int i = 0; i <= COLUMNS; i++) {
            float t = 2 * (float)i / COLUMNS - 1, v = (float)j / ROWS, a = fabsf(t);
            float wide = 0.60f - 0.10f * v * v, y = mixf(top, bottom, v) - (0.5f - v) * 0.10f * t * t;
            y += 0.07f * bump(t / 0.22f) * (1 - v); /* up over the nose */
            float fall = ridge[j] - cheek[j], z = ridge[j] - fall * (0.55f * a * a + 0.45f * a * a * a * a);
            float pleat = sinf(v * 22) * 0.012f * smooth_step(0.1f, 0.3f, v) * smooth_step(0.95f, 0.7f, v);
            vec3 n = v3(1.3f * t * maxf(0.2f, fall), 0.35f - 0.9f * v + 6 * cosf(v * 22) * 0.02f, 0.9f);
            add_point(w, v3(t * wide, y, z + pleat), n, w->s->how->worn.scarf_cloth, t, v, 1);
        }
    for (uint32_t j = 0; j < ROWS; j++)
        for (uint32_t i = 0; i < COLUMNS; i++) {
            uint32_t a = first + j * (COLUMNS + 1) + i, b = a + COLUMNS + 1;
            add_quad(w, a, b, b + 1, a + 1, STUFF_CLOTH);
        }
    for (int side = 0; side < 2; side++)
        for (int k = 0; k < 2; k++) {
            float sign = side ? -1 : 1;
            const vec3 from = v3(sign * 0.59f, k ? bottom + 0.12f : top - 0.06f, k ? cheek[ROWS - 2] : cheek[1]),
                       to = v3(sign * 0.82f, k ? 6.95f : 7.3f, 0.45f);
            loft_ring loop[5];
            for (int i = 0; i < 5; i++) {
                vec3 p = v3_mix(from, to, (float)i / 4);
                p.x += sign * 0.07f * (1 - (0.5f * (float)i - 1) * (0.5f * (float)i - 1));
                loop[i] = (loft_ring){p, v3(0.008f, 0, 0.008f), v3(0, 0.014f, 0)};
            }
            add_loft(w, loop, 5, 4, v3_all(0.7f), STUFF_CLOTH);
        }
}

void add_scarf(occluder_work *w)
{
    scarf_kind kind = w->s->how->worn.scarf;
    if (kind == SCARF_MASK)
        add_mask(w);
    else if (kind != SCARF_NONE)
        add_folds(w, kind == SCARF_MOUTH);
}
