/* SMM-EmotionNet (spec 2.3; Deng & Shi 2022): heads over one feature map of a backbone, by way of regions of the face.
 *
 * Each region, one an action unit and some hidden ones without labels, has its own attention over the map and makes an
 * embedding of d numbers of it. Two spaces are read from these. In the sign space they are tokens of a transformer
 * layer, and action unit k is said of by token k alone. In the message space each is turned by a matrix of its own, one
 * linear layer serves all regions, and what they say is averaged. The baseline has none of it: each head looks at the
 * largest value of each channel of the map.
 *
 * Parameters: the backbone's under its own names behind "backbone."; "attention.", "regions.", "sign.", "message.", of
 * the baseline "features.NAME."; and "heads.NAME.". Those of all regions lie side by side, region r's outputs from
 * r d on; the weight of "regions.conv1" is [3, 3, R d, c], taps first, as the product of all taps reads it. */
#ifndef NN_SMM_EMOTIONNET_H
#define NN_SMM_EMOTIONNET_H

#include "format/tensor_file.h"
#include "nn/head.h"
#include "nn/model.h"

#define SMM_BACKBONE "backbone."
#define SMM_HEADS "heads."

enum { SMM_REGIONS = 17, SMM_DIM = 16 };

typedef struct {
    const architecture *arch;
    const char *map; /* of the architecture; NULL: its first */
    bool is_baseline;
    bool is_orthogonal; /* the message space's matrices are orthogonal: Cayley's transform of what is learned */
    smm_ensemble ensemble;
    int regions; /* 0: SMM_REGIONS */
    const model_head *heads;
    int head_count;
} smm_spec;

/* What is read of a head. */
typedef struct {
    value_id logits; /* f32 [n, size] */
    value_id output; /* f32 [n, size]: probabilities of classes or binaries, "va" within -1..1, any other regression as
                      * it comes; training graphs have none */
} smm_output;

/* Is what the head predicts kept within -1..1? */
bool smm_clips(const model_head *h);
/* Can there be such a network? MIEN_ERR_ARG, MIEN_ERR_UNSUPPORTED where not, told by the head at fault. */
MIEN_MUST_USE mien_status smm_check(const smm_spec *spec);
/* Describes the whole: x [n, h, w, 3] normalised -> out [spec->head_count]. Heads called "au" and "au_intensity" are
 * the sign space's, of token k their number k; all others are the message space's. */
void smm_emotionnet(net *n, smm_output *out, const smm_spec *spec, value_id x);
/* Reads the backbone alone from a file of weights of the whole architecture, opened at `path`, whose names are the
 * architecture's own (import_rename); all else keeps its values. */
MIEN_MUST_USE mien_status smm_load_backbone(param_store *params, const smm_spec *spec, tensor_file *f,
                                            const char *path);

#endif
