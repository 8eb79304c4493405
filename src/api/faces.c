/* mien_faces: drawn faces in memory, over the room's own iterator. */
#include "api/drawn.h"
#include "base/mem.h"

#include <stdio.h>

struct mien_faces {
    drawn_set set;
    faces *faces;
    char name[64];        /* of the face that was handed out last */
    mien_column *columns; /* [column_count] */
    int column_count;
};

static mien_status make_columns(mien_faces *f)
{
    const int count = faces_column_count(f->faces);
    TRY(mem_zalloc(&f->columns, count));
    f->column_count = count;
    for (int i = 0; i < count; i++) {
        const face_column *c = faces_column(f->faces, i);
        f->columns[i] = (mien_column){.name = c->name,
                                      .head = c->name,
                                      .kind = c->words ? MIEN_COLUMN_CLASS : MIEN_COLUMN_VALUE,
                                      .labels = c->words,
                                      .label_count = c->word_count};
    }
    return MIEN_OK;
}

mien_status mien_faces_open(mien_faces **out, const mien_synth_options *given, int rank, int ranks)
{
    TRY(api_need(out, "mien_faces_open", "out"));
    mien_faces *f;
    mien_status st;
    TRY(mem_zalloc(&f, 1));
    TRY_OUT(api_drawn_open(&f->set, given, "mien_faces_open"));
    TRY_OUT(faces_open(&f->faces, &(faces_options){.options = &f->set.options,
                                                   .head = f->set.cast.heads[0],
                                                   .rank = rank,
                                                   .ranks = ranks,
                                                   .threads = f->set.options.threads}));
    TRY_OUT(make_columns(f));
    *out = f;
    f = NULL;
out:
    mien_faces_free(f);
    return st;
}

void mien_faces_free(mien_faces *f)
{
    if (!f)
        return;
    faces_close(f->faces);
    api_drawn_free(&f->set);
    mem_free(f->columns);
    mem_free(f);
}

mien_status mien_faces_next(mien_face *out, mien_faces *f)
{
    faces_face next;
    TRY(api_need(out, "mien_faces_next", "out"));
    TRY(api_need(f, "mien_faces_next", "faces"));
    TRY(faces_next(&next, f->faces));
    *out = (mien_face){.number = next.number};
    if (next.number < 0)
        return MIEN_OK;
    snprintf(f->name, sizeof f->name, "%s", next.name);
    out->image = f->name;
    out->pixels = next.picture->pixels;
    out->height = next.picture->height;
    out->width = next.picture->width;
    out->labels = next.values;
    out->is_told = next.told;
    return MIEN_OK;
}

mien_status mien_faces_seek(mien_faces *f, int64_t number)
{
    TRY(api_need(f, "mien_faces_seek", "faces"));
    return faces_seek(f->faces, number);
}

int mien_faces_column_count(const mien_faces *f)
{
    return f ? f->column_count : 0;
}

const mien_column *mien_faces_column(const mien_faces *f, int index)
{
    return index >= 0 && index < mien_faces_column_count(f) ? &f->columns[index] : NULL;
}
