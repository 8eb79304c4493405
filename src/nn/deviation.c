/* One architecture described twice, with only the root of its names and the mode of its layers changed: no architecture
 * knows that it may be half of a pair. */
#include "nn/deviation.h"

#include <math.h>

static const float training_shift = 1e-6f;

/* One copy of the extractor, its names behind `root`. */
static value_id copy(net *n, const architecture *arch, const char *root, value_id x)
{
    n->root = root;
    n->is_inference = true;
    value_id features = arch->features(n, x);
    n->root = NULL;
    n->is_inference = false;
    return features;
}

value_id deviation_identity(net *n, const architecture *arch, value_id x)
{
    return copy(n, arch, DEVIATION_IDENTITY, x);
}

value_id deviation_features(net *n, const architecture *arch, value_id x, value_id identity)
{
    value_id face = copy(n, arch, DEVIATION_FACE, x);
    return net_sub(n, "deviation", face, identity, graph_is_training(n->g) ? training_shift : 0);
}

value_id deviation_head(net *n, value_id features, int classes)
{
    int dim = net_channels(n, features);
    float bound = 1.0f / sqrtf((float)(dim ? dim : 1));
    return net_linear(n, "head", features, (linear_spec){classes, bound, bound, 2, true});
}
