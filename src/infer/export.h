/* Models as others' files: ONNX for runtimes, safetensors for PyTorch. */
#ifndef INFER_EXPORT_H
#define INFER_EXPORT_H

#include "base/json.h"
#include "format/onnx.h"
#include "infer/infer.h"

/* All members, which are models, as one ONNX file with an output for each head: the mean of what they answer, as
 * session_predict has it. The output is called as the head, but "probabilities" where a head of classes is the only
 * one. Members of one input size share an input (raw: of one size and normalisation). *out tells what was written:
 * {"format", "opset", "inputs", "output", "outputs", "metadata"}, "output" only where there is one; caller:
 * json_decref. */
MIEN_MUST_USE mien_status export_onnx(json_t **out, const ensemble *e, const char *path, onnx_form form);
/* The one member's tensors under torchvision's names, with the metadata that its own file has. *out: {"format",
 * "tensors", "metadata"}. Errors: MIEN_ERR_ARG for more than one member. */
MIEN_MUST_USE mien_status export_safetensors(json_t **out, const ensemble *e, const char *path);

#endif
