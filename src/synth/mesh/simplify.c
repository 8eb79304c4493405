/* Half-edge collapse by quadric error (Garland and Heckbert): a vertex slides onto a neighbour where the squared
 * distance to the planes that met in both grows least, summed over all poses. Collapses wait in a heap; one whose ends
 * have changed since is weighed anew when its turn comes. */
#include "synth/mesh/simplify.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NO_CORNER UINT32_MAX
#define BORDER_WEIGHT 4.0 /* planes that hold a border, beside those of the surface */
#define LENGTH_WEIGHT 1e-6
#define MAX_RING 64 /* neighbours of a vertex; one with more stays */

/* The squared distance to a set of planes: xx xy xz xw yy yz yw zz zw ww. */
typedef struct {
    double a[10];
} quadric;

typedef struct {
    double cost;
    uint32_t from, to;
    uint32_t stamp; /* of both ends' changes when it was weighed */
} collapse;

typedef struct {
    simplify_mesh *m;
    quadric *quadrics;     /* [vertex, pose] */
    uint32_t *first;       /* [vertex] first corner (3 triangle + place) that is this vertex */
    uint32_t *next;        /* [corner] */
    uint32_t *stamp;       /* [vertex] */
    uint8_t *border_edges; /* [vertex] border edges that meet here */
    collapse *heap;
    size_t heap_count, heap_capacity;
    int used;
} simplifier;

static void quadric_add_plane(quadric *q, vec3 n, vec3 through, double weight)
{
    double w = -(double)v3_dot(n, through), v[4] = {n.x, n.y, n.z, w};
    int k = 0;
    for (int i = 0; i < 4; i++)
        for (int j = i; j < 4; j++)
            q->a[k++] += weight * v[i] * v[j];
}

static double quadric_at(const quadric *q, vec3 p)
{
    double v[4] = {p.x, p.y, p.z, 1}, sum = 0;
    int k = 0;
    for (int i = 0; i < 4; i++)
        for (int j = i; j < 4; j++)
            sum += (i == j ? 1 : 2) * q->a[k++] * v[i] * v[j];
    return sum;
}

static vec3 place(const simplifier *s, int pose, uint32_t v)
{
    return s->m->poses[(size_t)pose * (size_t)s->m->vertex_count + v];
}

/* The corners of `corner`'s triangle after it, in order. */
static uint32_t corner_after(const simplifier *s, uint32_t corner, uint32_t steps)
{
    return s->m->triangles[corner / 3 * 3 + (corner % 3 + steps) % 3];
}

/* Triangles at v that have w too: how many, and whether they belong to different parts. */
static int shared_triangles(const simplifier *s, uint32_t v, uint32_t w, bool *differ)
{
    int n = 0;
    uint8_t part = 0;
    *differ = false;
    for (uint32_t c = s->first[v]; c != NO_CORNER; c = s->next[c]) {
        if (corner_after(s, c, 1) != w && corner_after(s, c, 2) != w)
            continue;
        *differ |= n > 0 && s->m->part[c / 3] != part;
        part = s->m->part[c / 3];
        n++;
    }
    return n;
}

static bool is_border(const simplifier *s, uint32_t v, uint32_t w)
{
    bool differ;
    return shared_triangles(s, v, w, &differ) != 2 || differ;
}

/* The distinct neighbours of v; MAX_RING + 1 where there are more. */
static int ring_of(const simplifier *s, uint32_t v, uint32_t ring[MAX_RING])
{
    int n = 0;
    for (uint32_t c = s->first[v]; c != NO_CORNER; c = s->next[c])
        for (uint32_t k = 1; k <= 2; k++) {
            uint32_t w = corner_after(s, c, k);
            bool is_known = false;
            for (int i = 0; i < n && !is_known; i++)
                is_known = ring[i] == w;
            if (is_known)
                continue;
            if (n == MAX_RING)
                return MAX_RING + 1;
            ring[n++] = w;
        }
    return n;
}

static bool heap_before(const collapse *a, const collapse *b)
{
    if (a->cost != b->cost)
        return a->cost < b->cost;
    return a->from != b->from ? a->from < b->from : a->to < b->to; /* the same on every machine */
}

static void heap_sink(simplifier *s, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= s->heap_count)
            return;
        child += child + 1 < s->heap_count && heap_before(&s->heap[child + 1], &s->heap[child]);
        if (!heap_before(&s->heap[child], &s->heap[at]))
            return;
        collapse t = s->heap[at];
        s->heap[at] = s->heap[child];
        s->heap[child] = t;
        at = child;
    }
}

static mien_status heap_push(simplifier *s, collapse c)
{
    if (s->heap_count == s->heap_capacity) {
        size_t wanted = s->heap_capacity ? 2 * s->heap_capacity : 4096;
        void *heap = s->heap;
        TRY(mem_resize_bytes(&heap, s->heap_capacity * sizeof *s->heap, wanted * sizeof *s->heap));
        s->heap = heap;
        s->heap_capacity = wanted;
    }
    size_t at = s->heap_count++;
    for (; at > 0 && heap_before(&c, &s->heap[(at - 1) / 2]); at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = c;
    return MIEN_OK;
}

static collapse heap_pop(simplifier *s)
{
    collapse top = s->heap[0];
    s->heap[0] = s->heap[--s->heap_count];
    heap_sink(s, 0);
    return top;
}

static double cost_of(const simplifier *s, uint32_t from, uint32_t to)
{
    const simplify_mesh *m = s->m;
    double sum = 0;
    for (int p = 0; p < m->pose_count; p++) {
        vec3 at = place(s, p, to);
        sum += quadric_at(&s->quadrics[from * (size_t)m->pose_count + (size_t)p], at) +
               quadric_at(&s->quadrics[to * (size_t)m->pose_count + (size_t)p], at);
    }
    vec3 edge = v3_sub(place(s, 0, from), place(s, 0, to));
    return (sum + LENGTH_WEIGHT * (double)v3_dot(edge, edge)) * (double)m->weight[from];
}

static mien_status offer(simplifier *s, uint32_t from, uint32_t to)
{
    return heap_push(s, (collapse){cost_of(s, from, to), from, to, s->stamp[from] + s->stamp[to]});
}

/* A border's vertex may only slide along it, and stays where borders meet or end. */
static bool may_slide(const simplifier *s, uint32_t from, uint32_t to)
{
    if (s->border_edges[from] == 0)
        return true;
    return s->border_edges[from] == 2 && is_border(s, from, to);
}

/* The surface stays one: both ends share no more neighbours than the edge has triangles. */
static bool keeps_surface(const simplifier *s, uint32_t from, uint32_t to)
{
    uint32_t a[MAX_RING], b[MAX_RING];
    int n = ring_of(s, from, a), k = ring_of(s, to, b), common = 0;
    bool differ;
    if (n > MAX_RING || k > MAX_RING)
        return false;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++)
            common += a[i] == b[j];
    return common == shared_triangles(s, from, to, &differ);
}

/* No triangle turns over or becomes a needle, in any pose, and some are left. */
static bool keeps_sides(const simplifier *s, uint32_t from, uint32_t to)
{
    int left = 0;
    for (uint32_t c = s->first[from]; c != NO_CORNER; c = s->next[c]) {
        uint32_t v = corner_after(s, c, 1), w = corner_after(s, c, 2);
        if (v == to || w == to)
            continue;
        left++;
        for (int p = 0; p < s->m->pose_count; p++) {
            vec3 a = place(s, p, v), b = place(s, p, w), edge = v3_sub(b, a);
            vec3 before = v3_cross(edge, v3_sub(place(s, p, from), a)),
                 after = v3_cross(edge, v3_sub(place(s, p, to), a));
            float longest = maxf(v3_length(edge), v3_length(v3_sub(place(s, p, to), a)));
            float least = p == 0 ? 0.5f : 0.2f;
            if (v3_dot(v3_unit(before), v3_unit(after)) < least && v3_length(before) > 1e-9f)
                return false;
            if (p == 0 && v3_length(after) < 0.12f * longest * longest)
                return false;
        }
    }
    return left > 0;
}

static mien_status slide(simplifier *s, uint32_t from, uint32_t to)
{
    simplify_mesh *m = s->m;
    uint32_t ring[MAX_RING];
    int n = ring_of(s, from, ring);
    for (uint32_t c = s->first[from], following; c != NO_CORNER; c = following) {
        following = s->next[c];
        if (corner_after(s, c, 1) == to || corner_after(s, c, 2) == to) {
            m->part[c / 3] = SIMPLIFY_GONE;
            continue;
        }
        m->triangles[c] = to;
        s->next[c] = s->first[to];
        s->first[to] = c;
    }
    s->first[from] = NO_CORNER;
    for (int i = 0; i < n; i++) /* vanished triangles leave the lists of all whom they touched, `to` among them */
        for (uint32_t *link = &s->first[ring[i]]; *link != NO_CORNER;)
            if (m->part[*link / 3] == SIMPLIFY_GONE)
                *link = s->next[*link];
            else
                link = &s->next[*link];
    for (int p = 0; p < m->pose_count; p++)
        for (int i = 0; i < 10; i++)
            s->quadrics[to * (size_t)m->pose_count + (size_t)p].a[i] +=
                s->quadrics[from * (size_t)m->pose_count + (size_t)p].a[i];
    s->used--;
    s->stamp[to]++;
    n = ring_of(s, to, ring);
    for (int i = 0; i < n && n <= MAX_RING; i++) {
        TRY(offer(s, to, ring[i]));
        TRY(offer(s, ring[i], to));
    }
    return MIEN_OK;
}

/* Every triangle's plane at its corners, by area; a border is held by planes that stand on it. */
static void gather_quadrics(simplifier *s)
{
    const simplify_mesh *m = s->m;
    for (int t = 0; t < m->triangle_count; t++) {
        const uint32_t *c = &m->triangles[3 * (size_t)t];
        if (m->part[t] == SIMPLIFY_GONE)
            continue;
        for (int p = 0; p < m->pose_count; p++) {
            vec3 a = place(s, p, c[0]), n = v3_cross(v3_sub(place(s, p, c[1]), a), v3_sub(place(s, p, c[2]), a));
            double area = 0.5 * (double)v3_length(n);
            n = v3_unit(n);
            for (int i = 0; i < 3; i++)
                quadric_add_plane(&s->quadrics[c[i] * (size_t)m->pose_count + (size_t)p], n, a, area);
            for (uint32_t i = 0; i < 3; i++) {
                uint32_t v = c[i], w = c[(i + 1) % 3];
                if (!is_border(s, v, w))
                    continue;
                vec3 edge = v3_sub(place(s, p, w), place(s, p, v)), wall = v3_unit(v3_cross(edge, n));
                double weight = BORDER_WEIGHT * (double)v3_dot(edge, edge);
                quadric_add_plane(&s->quadrics[v * (size_t)m->pose_count + (size_t)p], wall, place(s, p, v), weight);
                quadric_add_plane(&s->quadrics[w * (size_t)m->pose_count + (size_t)p], wall, place(s, p, v), weight);
            }
        }
    }
}

static mien_status prepare(simplifier *s)
{
    const simplify_mesh *m = s->m;
    size_t v_count = (size_t)m->vertex_count, corners = 3 * (size_t)m->triangle_count;
    TRY(mem_zalloc(&s->quadrics, v_count * (size_t)m->pose_count));
    TRY(mem_alloc(&s->first, v_count));
    TRY(mem_alloc(&s->next, corners));
    TRY(mem_zalloc(&s->stamp, v_count));
    TRY(mem_zalloc(&s->border_edges, v_count));
    for (size_t v = 0; v < v_count; v++)
        s->first[v] = NO_CORNER;
    for (size_t c = 0; c < corners; c++)
        if (m->part[c / 3] != SIMPLIFY_GONE) {
            s->next[c] = s->first[m->triangles[c]];
            s->first[m->triangles[c]] = (uint32_t)c;
        }
    gather_quadrics(s);
    for (uint32_t v = 0; v < v_count; v++) {
        uint32_t ring[MAX_RING];
        int n = ring_of(s, v, ring);
        s->used += n > 0;
        for (int i = 0; i < n && n <= MAX_RING; i++) {
            s->border_edges[v] = (uint8_t)(s->border_edges[v] + is_border(s, v, ring[i]));
            TRY(offer(s, v, ring[i]));
        }
    }
    return MIEN_OK;
}

mien_status simplify(simplify_mesh *m, int wanted)
{
    simplifier s = {.m = m};
    mien_status st;
    TRY_OUT(prepare(&s));
    while (s.used > wanted && s.heap_count > 0) {
        collapse c = heap_pop(&s);
        if (s.first[c.from] == NO_CORNER || s.first[c.to] == NO_CORNER)
            continue;
        if (c.stamp != s.stamp[c.from] + s.stamp[c.to]) /* an end has changed: that change offered it anew */
            continue;
        if (may_slide(&s, c.from, c.to) && keeps_surface(&s, c.from, c.to) && keeps_sides(&s, c.from, c.to))
            TRY_OUT(slide(&s, c.from, c.to));
    }
out:
    mem_free(s.quadrics);
    mem_free(s.first);
    mem_free(s.next);
    mem_free(s.stamp);
    mem_free(s.border_edges);
    mem_free(s.heap);
    return st;
}
