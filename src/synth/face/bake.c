/* Occlusion by depth pictures from directions spread over the sphere: a vertex is as bright as the share of directions
 * from which it is the nearest. Slow and done once, when a model is packed; the renderer only reads it. */
#include "synth/face/bake.h"

#include "base/mem.h"
#include "synth/mesh/raster.h"

#include <string.h>

#define DIRECTIONS 160
#define SIDE 320    /* samples of a depth picture */
#define BIAS 0.02f  /* decimetres that a vertex may lie behind the picture and still be seen */
#define REACH 1.75f /* radius around the head's middle that a picture covers */

void mesh_normals(vec3 *normals, const vec3 *vertices, int vertex_count, const uint32_t *quads, int quad_count)
{
    memset(normals, 0, (size_t)vertex_count * sizeof *normals);
    for (int q = 0; q < quad_count; q++) {
        const uint32_t *c = &quads[4 * q];
        /* the diagonals' cross product is twice the area, and right for quads that are not flat */
        vec3 n = v3_cross(v3_sub(vertices[c[2]], vertices[c[0]]), v3_sub(vertices[c[3]], vertices[c[1]]));
        for (int i = 0; i < 4; i++)
            normals[c[i]] = v3_add(normals[c[i]], n);
    }
    for (int v = 0; v < vertex_count; v++)
        normals[v] = v3_unit(normals[v]);
}

/* An even spread over the sphere (Fibonacci lattice). */
static vec3 spread_direction(int i, int n)
{
    float y = 1 - (2 * (float)i + 1) / (float)n, r = sqrtf(1 - y * y), turn = 2.39996323f * (float)i;
    return v3(r * cosf(turn), y, r * sinf(turn));
}

static bool casts_shade(uint8_t region)
{
    return region != REGION_LASH_UPPER && region != REGION_LASH_LOWER;
}

typedef struct {
    vec3 *normals, *points; /* [V] */
    float *depth;           /* [SIDE, SIDE] */
    float *weight;          /* [V] sum of cosines over all directions */
    uint32_t *triangles;    /* [n, 3] */
    int triangle_count;
} bake_room;

static void bake_direction(face_model *face, bake_room *room, vec3 toward, vec3 middle)
{
    vec3 right = v3_unit(v3_cross(fabsf(toward.y) < 0.9f ? v3(0, 1, 0) : v3(1, 0, 0), toward));
    vec3 up = v3_cross(toward, right);
    float scale = SIDE / (2 * REACH);
    for (int v = 0; v < face->vertex_count; v++) {
        vec3 p = v3_sub(face->neutral[v], middle);
        room->points[v] = v3((v3_dot(p, right) + REACH) * scale, (REACH - v3_dot(p, up)) * scale, v3_dot(p, toward));
    }
    for (int i = 0; i < SIDE * SIDE; i++)
        room->depth[i] = -INFINITY;
    raster_draw(room->depth, NULL, SIDE, SIDE, room->points, room->triangles, room->triangle_count, 0, true);
    for (int v = 0; v < face->vertex_count; v++) {
        float cosine = v3_dot(room->normals[v], toward);
        int x = (int)room->points[v].x, y = (int)room->points[v].y;
        if (cosine <= 0 || x < 0 || y < 0 || x >= SIDE || y >= SIDE)
            continue;
        room->weight[v] += cosine;
        if (room->points[v].z + BIAS + 0.02f * (1 - cosine) >= room->depth[y * SIDE + x])
            face->occlusion[v] += cosine;
    }
}

mien_status bake_occlusion(face_model *face)
{
    mien_status st;
    bake_room room = {0};
    size_t v_count = (size_t)face->vertex_count;
    TRY_OUT(mem_alloc(&room.normals, v_count));
    TRY_OUT(mem_alloc(&room.points, v_count));
    TRY_OUT(mem_zalloc(&room.weight, v_count));
    TRY_OUT(mem_alloc(&room.depth, SIDE * SIDE));
    TRY_OUT(mem_alloc(&room.triangles, 6 * (size_t)face->quad_count));
    for (int q = 0; q < face->quad_count; q++) {
        const uint32_t *c = &face->quads[4 * q];
        uint32_t two[6] = {c[0], c[1], c[2], c[0], c[2], c[3]};
        if (!casts_shade(face->region[q]))
            continue;
        memcpy(&room.triangles[3 * room.triangle_count], two, sizeof two);
        room.triangle_count += 2;
    }
    mesh_normals(room.normals, face->neutral, face->vertex_count, face->quads, face->quad_count);

    vec3 low = face->neutral[0], high = low;
    for (size_t v = 0; v < v_count; v++) {
        vec3 p = face->neutral[v];
        low = v3(fminf(low.x, p.x), fminf(low.y, p.y), fminf(low.z, p.z));
        high = v3(fmaxf(high.x, p.x), fmaxf(high.y, p.y), fmaxf(high.z, p.z));
        face->occlusion[v] = 0;
    }
    vec3 middle = v3_mix(low, high, 0.5f);
    for (int i = 0; i < DIRECTIONS; i++)
        bake_direction(face, &room, spread_direction(i, DIRECTIONS), middle);
    for (size_t v = 0; v < v_count; v++)
        face->occlusion[v] = room.weight[v] > 0 ? clamp01(face->occlusion[v] / room.weight[v]) : 0;
out:
    mem_free(room.normals);
    mem_free(room.points);
    mem_free(room.weight);
    mem_free(room.depth);
    mem_free(room.triangles);
    return st;
}
