/* The heads that a set's people have: one for each face model of its options, linked in their order. */
#ifndef SYNTH_CAST_H
#define SYNTH_CAST_H

#include "synth/face/head.h"
#include "synth/set/synth.h"

#define CAST_MAX 8

typedef struct {
    face_model *faces[CAST_MAX];
    head *heads[CAST_MAX]; /* heads[0] leads to all others */
} cast;

/* Errors MIEN_ERR_IO, MIEN_ERR_FORMAT as face_model_load and head_create; MIEN_ERR_ARG for two of one kind, which no
 * label could tell apart. Close it in any case. */
MIEN_MUST_USE mien_status cast_open(cast *out, const synth_options *options);
void cast_close(cast *c); /* one that is all zero is a no-op */

#endif
