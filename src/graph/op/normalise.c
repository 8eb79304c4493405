/* normalise: y = (x / 255 - mean_c) / std_c from bytes to the activation type.
 *
 * x [n, h, w, 3] u8, y [n, h, w, 3]. No gradient: images are not trained.
 * PyTorch: torchvision.transforms.functional.normalize(to_tensor(x), mean, std). */
#include "graph/op/rule.h"

#include <math.h>
#include <string.h>

static mien_status normalise_infer(graph *g, node_id n)
{
    const normalise_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_type(g, n, 0, "images", DTYPE_U8));
    TRY(want_rank(g, n, 0, "images", 4));
    shape s = input_of(g, n, 0)->shape;
    if (s.dim[3] != 3)
        return mien_fail(MIEN_ERR_SHAPE, "images have %lld channels (wanted 3)", (long long)s.dim[3]);
    for (int c = 0; c < 3; c++)
        if (!isfinite(attr->mean[c]) || !isfinite(attr->std[c]) || attr->std[c] <= 0)
            return mien_fail(MIEN_ERR_ARG, "channel %d: mean %g, std %g (wanted finite, std above 0)", c,
                             (double)attr->mean[c], (double)attr->std[c]);
    return graph_add_output(g, n, graph_activation_type(g), s);
}

const op_def op_normalise_def = {.name = "normalise", .infer = normalise_infer, .inplace_input = -1};

mien_status op_normalise(graph *g, value_id *y, const char *name, value_id images, const float mean[3],
                         const float std[3])
{
    normalise_attr attr;
    memcpy(attr.mean, mean, sizeof attr.mean);
    memcpy(attr.std, std, sizeof attr.std);
    return op_append(g, y, &op_normalise_def, name, &images, 1, &attr, sizeof attr);
}
