/* Sets of labelled faces on disk. Every face is drawn from its own random stream, so neither the number of threads nor
 * where an interrupted run stopped changes a byte. */
#ifndef SYNTH_SYNTH_H
#define SYNTH_SYNTH_H

#include "base/progress.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    SYNTH_LSD,      /* six expressions, a folder each: ANGER/000001.jpg */
    SYNTH_MTL,      /* eight expressions in one folder: 000001.jpg */
    SYNTH_IDENTITY, /* as many pictures of each person, in a folder each: 000012/000001.jpg */
} synth_task;
/* Its name; NULL past the last. */
const char *synth_task_name(int task);
/* What sheets show: "expressions", "intensity", ...; NULL past the last. */
const char *synth_sheet_name(int kind);

typedef struct scene scene; /* what to draw: synth/set/scene.h */

/* Which labels labels.csv leaves out, as sets that people have labelled do. A face itself always has all of them. */
typedef enum {
    SYNTH_COMPLETE,  /* none */
    SYNTH_AFF_WILD2, /* a whole task's at a time, as often as s-Aff-Wild2 lacks them; never all three (SYNTH_MTL) */
} synth_missing;

typedef struct {
    const char *out;               /* folder of the set; NULL: no set, only the sheet */
    const char *face_path;         /* packed face model */
    const char *const *more_faces; /* [more_face_count] further ones: each person has the head of one of them */
    int more_face_count;
    float face_share;       /* of the people who have the first one's head; 0: as many as have each other's */
    int64_t count;          /* faces: the classes take turns, then the identities */
    int64_t identities;     /* how many people; 0: one for every ten faces */
    int64_t first_identity; /* number of the first person: sets with disjoint ranges, or other seeds, share nobody */
    int size;               /* pixels of a side, RENDER_MIN_SIZE..RENDER_MAX_SIZE */
    synth_task task;
    synth_missing missing;
    int clip;  /* frames of a clip: one head in motion, a folder each (clip_000001/000001.jpg); 0: pictures */
    int crowd; /* most heads in one picture, 2..SYNTH_MAX_CROWD; 0: one each */
    uint64_t seed;
    const scene *scene; /* from which distributions; borrowed, read for this task */
    bool resume;        /* go on in a folder that an interrupted run with the same options left */
    bool force;         /* replace the set that the folder holds */
    int threads;        /* 0: all cores */
    const char *sheet;  /* PNG to write: a page of faces to look at (sheet.h); NULL: none */
    int sheet_kind;     /* synth_sheet_name */
    const char *quiz;   /* PNG of faces to be named, and NAME-answers.png with it; NULL: none */
} synth_options;
#define SYNTH_OPTIONS_INIT                                                                                             \
    {                                                                                                                  \
        .size = 112, .seed = 1, .task = SYNTH_LSD                                                                      \
    }
#define SYNTH_MAX_COUNT 100000000 /* faces, and people */
#define SYNTH_MAX_CROWD 16
#define SYNTH_MAX_CLIP 100000
#define SYNTH_FRAMES_PER_SECOND 25
#define SYNTH_SHEET_ROWS 4
#define SYNTH_SHEET_CELL 160 /* pixels of a face on the sheet, or options.size where that is more */

/* Draws the set and the sheet. Writes DIR/scene.yaml and DIR/synth.json (the options) first, the faces, then
 * DIR/labels.csv.
 * Errors MIEN_ERR_ARG for impossible options; MIEN_ERR_IO, also for a used folder without resume or force, and for
 * resume with other options (the first that differs is named); MIEN_ERR_FORMAT for the face model; MIEN_ERR_CANCELLED
 * when p asked to stop. */
MIEN_MUST_USE mien_status synth_run(const synth_options *options, progress *p);

#endif
