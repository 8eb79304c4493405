/* ONNX: described inference graphs as one file that other runtimes run (github.com/onnx/onnx; IR version 8, operator
 * set 17). Our activations are NHWC, those in the file NCHW; weights keep their order, which is ONNX's too.
 *
 * A file holds one member or the mean of several. Inputs have a free first dimension, `batch`, whatever batch the
 * graphs were described for. */
#ifndef FORMAT_ONNX_H
#define FORMAT_ONNX_H

#include "graph/graph.h"

enum { ONNX_OPSET = 17 };

/* What a file's inputs take. Of the first two the normalisation is inside. */
typedef enum {
    ONNX_UINT8, /* u8 [batch, size, size, 3] */
    ONNX_FLOAT, /* f32 [batch, size, size, 3], 0 to 255 */
    ONNX_RAW,   /* f32 [batch, 3, size, size], normalised */
} onnx_form;

typedef struct {
    graph *graph;            /* f32, for inference, as described: no pass has been over it */
    value_id images;         /* its input, which a normalise node reads */
    const value_id *outputs; /* [output_count of the file], f32 [n, size] */
    const float *values;     /* the value arena that the graph's parameters lie in */
    const char *input;       /* name of the file's input that it reads; members of one name share it */
    const char *prefix;      /* put before all its names: "resnet50/"; different for each member */
} onnx_member;

typedef struct {
    const char *key, *value;
} onnx_property;

typedef struct {
    const char *name; /* of the file's graph */
    onnx_form form;
    const onnx_member *members; /* [member_count], output i of all of one shape */
    int member_count;
    const char *const *outputs; /* [output_count] what the file's outputs are called, f32 [batch, size]: a member's, or
                                 * the mean of all members' */
    int output_count;
    const onnx_property *properties; /* [property_count]: the file's metadata, in this order */
    int property_count;
} onnx_file;

/* Writes atomically; the same input gives the same bytes. Everything is borrowed for the call; parameters are written
 * from where they lie, so that memory is that of the graph's text alone. Errors: MIEN_ERR_UNSUPPORTED for a node that
 * has no form in ONNX here, for an output called as something else is, and where the file would exceed protobuf's 2
 * GiB; MIEN_ERR_IO as file_write_commit. */
MIEN_MUST_USE mien_status onnx_write(const char *path, const onnx_file *file);

#endif
