/* A point is seen where nothing in the depth buffer is clearly nearer: hair, glasses' frames and other heads hide it as
 * well as the head itself does. */
#include "synth/draw/marks.h"

#include "synth/mesh/raster.h"

#define DEGREES 57.29578f
/* Decimetres by which what hides a point is nearer at least; folds of the lids over their own edges hide nothing. */
#define NEARER 0.10f
#define NEARER_THAN_LIDS 0.18f

/* The five points of an aligned face in 112 x 112 pixels (insightface's, which most networks of faces were taught by).
 */
static const float standard[MARK_FIVE][2] = {
    {38.2946f, 51.6963f}, {73.5318f, 51.5014f}, {56.0252f, 71.7366f}, {41.5493f, 92.3655f}, {70.7299f, 92.2041f}};

/* Which landmarks the five are the middles of. */
static const int five[MARK_FIVE][2] = {{LANDMARK_EYE_RIGHT, LANDMARK_EYE_RIGHT + 3},
                                       {LANDMARK_EYE_LEFT, LANDMARK_EYE_LEFT + 3},
                                       {LANDMARK_NOSE_TIP, LANDMARK_NOSE_TIP},
                                       {LANDMARK_LIPS, LANDMARK_LIPS},
                                       {LANDMARK_LIPS + 6, LANDMARK_LIPS + 6}};

static vec3 to_pixels(vec3 sample, const mark_samples *s)
{
    float scale = 1 / (float)s->per_pixel;
    return v3(sample.x * scale, sample.y * scale, sample.z);
}

/* From the eyeball's middle through the pupil. */
static void find_gaze(face_marks *m, const head *h, const vec3 *position)
{
    for (int side = 0; side < 2; side++) {
        vec3 from = head_eye_middle(h, position, side);
        vec3 look = v3_unit(v3_sub(surface_point_at(&h->landmarks.pupil[side], position), from));
        m->gaze[side][0] = atan2f(look.x, look.z) * DEGREES;
        m->gaze[side][1] = asinf(look.y) * DEGREES;
    }
}

static void box_add(mark_box *b, vec3 p)
{
    b->left = minf(b->left, p.x);
    b->right = maxf(b->right, p.x);
    b->top = minf(b->top, p.y);
    b->bottom = maxf(b->bottom, p.y);
}

/* Least squares over the five: a rotation and a scale that turn the standard's middle-free points into ours. */
static void align(face_marks *m)
{
    float mean[4] = {0}, dot = 0, cross = 0, norm = 0;
    for (int i = 0; i < MARK_FIVE; i++) {
        mean[0] += standard[i][0] / MARK_FIVE;
        mean[1] += standard[i][1] / MARK_FIVE;
        mean[2] += m->point[i].x / MARK_FIVE;
        mean[3] += m->point[i].y / MARK_FIVE;
    }
    for (int i = 0; i < MARK_FIVE; i++) {
        float x = standard[i][0] - mean[0], y = standard[i][1] - mean[1], u = m->point[i].x - mean[2],
              v = m->point[i].y - mean[3];
        dot += x * u + y * v;
        cross += x * v - y * u;
        norm += x * x + y * y;
    }
    m->align_a = dot / norm;
    m->align_b = cross / norm;
    m->align_x = mean[2] - m->align_a * mean[0] + m->align_b * mean[1];
    m->align_y = mean[3] - m->align_b * mean[0] - m->align_a * mean[1];
}

void marks_place(face_marks *m, const head *h, const surface_point brows[10], const vec3 *position, const vec3 *screen,
                 const mark_samples *s)
{
    vec3 *point = m->point + MARK_FIVE;
    for (int i = 0; i < LANDMARK_COUNT; i++) {
        bool is_brow = i >= LANDMARK_BROWS && i < LANDMARK_NOSE;
        point[i] =
            to_pixels(surface_point_at(is_brow ? &brows[i - LANDMARK_BROWS] : &h->landmarks.point[i], screen), s);
    }
    for (int i = 0; i < MARK_FIVE; i++)
        m->point[i] = v3_mix(point[five[i][0]], point[five[i][1]], 0.5f);
    vec3 forehead = to_pixels(surface_point_at(&h->landmarks.forehead, screen), s);
    m->face = (mark_box){forehead.x, forehead.y, forehead.x, forehead.y};
    for (int i = 0; i < LANDMARK_COUNT; i++)
        box_add(&m->face, point[i]);
    find_gaze(m, h, position);
    align(m);
}

/* Does a row show the head itself? Hair, which is drawn as triangle 0, may hang lower than that reaches. */
static bool shows_head(const uint32_t *row, int side, uint32_t end)
{
    for (int x = 0; x < side; x++)
        if (row[x] > 0 && row[x] < end)
            return true;
    return false;
}

void marks_bound(face_marks *m, const mark_samples *s, uint32_t end)
{
    int left = s->side, right = -1, top = s->side, bottom = s->side - 1;
    while (bottom >= 0 && !shows_head(s->id + (size_t)bottom * (size_t)s->side, s->side, end))
        bottom--;
    for (int y = bottom; y >= 0; y--) {
        const uint32_t *row = s->id + (size_t)y * (size_t)s->side;
        int first = 0, last = s->side - 1;
        while (first <= last && row[first] >= end)
            first++;
        while (last > first && row[last] >= end)
            last--;
        if (first > last)
            continue;
        left = first < left ? first : left;
        right = last > right ? last : right;
        top = y;
    }
    float scale = 1 / (float)s->per_pixel;
    m->head = bottom < 0 ? (mark_box){0}
                         : (mark_box){(float)left * scale, (float)top * scale, (float)(right + 1) * scale,
                                      (float)(bottom + 1) * scale};
}

static bool is_seen(vec3 point, const mark_samples *s, float nearer)
{
    int x = floor_int(point.x * (float)s->per_pixel), y = floor_int(point.y * (float)s->per_pixel);
    if (x < 0 || y < 0 || x >= s->side || y >= s->side)
        return false;
    float nearest = 1 / s->depth[y * s->side + x], own = 1 / point.z; /* -INFINITY gives -0: nothing is there */
    return nearest <= 0 || nearest > own - nearer;
}

void marks_look(face_marks *m, const mark_samples *s)
{
    for (int i = 0; i < LANDMARK_COUNT; i++) {
        bool is_lid = i >= LANDMARK_EYE_RIGHT && i < LANDMARK_LIPS;
        m->is_seen[MARK_FIVE + i] = is_seen(m->point[MARK_FIVE + i], s, is_lid ? NEARER_THAN_LIDS : NEARER);
    }
    for (int i = 0; i < MARK_FIVE; i++)
        m->is_seen[i] = m->is_seen[MARK_FIVE + five[i][0]] || m->is_seen[MARK_FIVE + five[i][1]];
}
