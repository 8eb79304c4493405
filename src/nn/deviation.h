/* The deviation module (spec 1.6): two copies of one extractor, `identity.` frozen and `face.` trained, each under
 * torchvision's names behind its root; what a head sees is face(x) - identity(x). Both copies run in inference mode
 * also while one of them trains: running statistics, no dropout, no stochastic depth. */
#ifndef NN_DEVIATION_H
#define NN_DEVIATION_H

#include "nn/model.h"

#define DEVIATION_IDENTITY "identity."
#define DEVIATION_FACE "face."
#define DEVIATION_HEAD "head."

/* The frozen copy's features [n, feature_dim] of x [n, h, w, 3] normalised. */
value_id deviation_identity(net *n, const architecture *arch, value_id x);
/* The trained copy's features less `identity`; + 1e-6 in training graphs, which gives the head's weights a gradient
 * while the copies are equal. */
value_id deviation_features(net *n, const architecture *arch, value_id x, value_id identity);
/* A linear layer of its own, torch.nn.Linear's default draws. */
value_id deviation_head(net *n, value_id features, int classes);

#endif
