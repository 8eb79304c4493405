/* Two passes over the text: the first counts lines of each kind, so that every array is made once, at a size that the
 * text itself bounds; the second parses and checks every index. */
#include "synth/mesh/wavefront.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define MAX_FIELDS 6 /* one more than any line that we read may have */
#define FIELD_BYTES 64
#define MAX_ELEMENTS 5000000

/* Text cut into lines, and lines into fields. */
typedef struct {
    const char *at, *end, *where;
    int64_t line;
    int count; /* fields of the line, MAX_FIELDS when there are that many or more */
    char field[MAX_FIELDS][FIELD_BYTES];
} line_reader;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line that is neither blank nor a comment; false at the end. A field longer than its room is cut: nothing
 * that parses is that long. */
static bool next_line(line_reader *r)
{
    while (r->at < r->end) {
        const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
        const char *p = r->at, *line_end = stop ? stop : r->end;
        r->at = stop ? stop + 1 : r->end;
        r->line++;
        r->count = 0;
        while (r->count < MAX_FIELDS) {
            while (p < line_end && is_blank(*p))
                p++;
            if (p == line_end || (r->count == 0 && *p == '#'))
                break;
            size_t n = 0;
            for (; p < line_end && !is_blank(*p); p++)
                if (n < FIELD_BYTES - 1)
                    r->field[r->count][n++] = *p;
            r->field[r->count++][n] = 0;
        }
        if (r->count > 0)
            return true;
    }
    return false;
}

static mien_status to_float(float *out, const line_reader *r, int field)
{
    double v;
    if (!str_to_double(&v, r->field[field]) || v < -1e4 || v > 1e4)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": '%s' (wanted a number)", r->where, r->line,
                         r->field[field]);
    *out = (float)v;
    return MIEN_OK;
}

static mien_status to_vec3(vec3 *out, const line_reader *r, int field)
{
    TRY(to_float(&out->x, r, field));
    TRY(to_float(&out->y, r, field + 1));
    return to_float(&out->z, r, field + 2);
}

/* An index of OBJ (from 1) or, with base 0, of a target. */
static mien_status to_index(uint32_t *out, const line_reader *r, const char *text, int64_t base, int64_t count,
                            const char *what)
{
    int64_t v;
    if (!str_to_int64(&v, text) || v < base || v >= count + base)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %s '%s' (wanted %" PRId64 "..%" PRId64 ")", r->where,
                         r->line, what, text, base, count + base - 1);
    *out = (uint32_t)(v - base);
    return MIEN_OK;
}

static mien_status wrong_fields(const line_reader *r, const char *wanted)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": malformed line (wanted %s)", r->where, r->line, wanted);
}

static mien_status parse_face(wavefront_mesh *m, const line_reader *r)
{
    m->quads[4 * m->quad_count + 3] = m->quad_uv[4 * m->quad_count + 3] = WAVEFRONT_NO_CORNER;
    for (int i = 0; i < r->count - 1; i++) {
        char corner[FIELD_BYTES];
        memcpy(corner, r->field[i + 1], FIELD_BYTES);
        char *slash = strchr(corner, '/');
        if (!slash)
            return wrong_fields(r, "f v/vt v/vt v/vt v/vt");
        *slash++ = 0;
        char *second = strchr(slash, '/');
        if (second)
            *second = 0;
        TRY(to_index(&m->quads[4 * m->quad_count + i], r, corner, 1, m->vertex_count, "vertex"));
        TRY(to_index(&m->quad_uv[4 * m->quad_count + i], r, slash, 1, m->uv_count, "texture vertex"));
    }
    m->group[m->quad_count++] = (uint16_t)(m->group_count - 1);
    return MIEN_OK;
}

/* Counts each kind of line, so that every array is made once at its final size. */
static mien_status count_lines(wavefront_mesh *m, const char *text, size_t length, const char *where)
{
    line_reader r = {.at = text, .end = text + length, .where = where};
    while (next_line(&r)) {
        m->vertex_count += strcmp(r.field[0], "v") == 0;
        m->uv_count += strcmp(r.field[0], "vt") == 0;
        m->quad_count += strcmp(r.field[0], "f") == 0;
        m->group_count += strcmp(r.field[0], "g") == 0;
    }
    if (m->vertex_count < 4 || m->uv_count < 1 || m->quad_count < 1)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %d vertices, %d texture vertices, %d faces (wanted a mesh)", where,
                         m->vertex_count, m->uv_count, m->quad_count);
    if (m->vertex_count > MAX_ELEMENTS || m->uv_count > MAX_ELEMENTS || m->quad_count > MAX_ELEMENTS ||
        m->group_count > UINT16_MAX - 1)
        return mien_fail(MIEN_ERR_FORMAT, "%s: too many elements (at most %d)", where, MAX_ELEMENTS);
    return MIEN_OK;
}

mien_status wavefront_parse(wavefront_mesh *out, arena *memory, const char *text, size_t length, int least_corners,
                            const char *where)
{
    wavefront_mesh count = {0}, m = {0};
    TRY(count_lines(&count, text, length, where));
    TRY(arena_alloc(memory, &m.vertices, count.vertex_count));
    TRY(arena_alloc(memory, &m.uv, 2 * (size_t)count.uv_count));
    TRY(arena_alloc(memory, &m.quads, 4 * (size_t)count.quad_count));
    TRY(arena_alloc(memory, &m.quad_uv, 4 * (size_t)count.quad_count));
    TRY(arena_alloc(memory, &m.group, count.quad_count));
    TRY(arena_alloc(memory, &m.groups, count.group_count + 1));
    m.groups[m.group_count++] = ""; /* faces before the first g */

    line_reader r = {.at = text, .end = text + length, .where = where};
    while (next_line(&r)) {
        if (strcmp(r.field[0], "v") == 0) {
            if (r.count < 4)
                return wrong_fields(&r, "v x y z");
            TRY(to_vec3(&m.vertices[m.vertex_count++], &r, 1));
        } else if (strcmp(r.field[0], "vt") == 0) {
            if (r.count < 3)
                return wrong_fields(&r, "vt u v");
            TRY(to_float(&m.uv[2 * m.uv_count], &r, 1));
            TRY(to_float(&m.uv[2 * m.uv_count + 1], &r, 2));
            m.uv_count++;
        } else if (strcmp(r.field[0], "g") == 0) {
            char *name;
            TRY(arena_strdup(memory, &name, r.count > 1 ? r.field[1] : ""));
            m.groups[m.group_count++] = name;
        } else if (strcmp(r.field[0], "f") == 0) {
            if (r.count < 1 + least_corners || r.count > 5)
                return wrong_fields(&r, "f v/vt v/vt v/vt v/vt");
            TRY(parse_face(&m, &r));
        }
    }
    *out = m;
    return MIEN_OK;
}

mien_status target_parse(const char *text, size_t length, int vertex_count, const char *where,
                         void (*visit)(void *context, uint32_t vertex, vec3 delta), void *context)
{
    line_reader r = {.at = text, .end = text + length, .where = where};
    while (next_line(&r)) {
        uint32_t vertex;
        vec3 delta;
        if (r.count != 4)
            return wrong_fields(&r, "vertex dx dy dz");
        TRY(to_index(&vertex, &r, r.field[0], 0, vertex_count, "vertex"));
        TRY(to_vec3(&delta, &r, 1));
        visit(context, vertex, delta);
    }
    return MIEN_OK;
}
