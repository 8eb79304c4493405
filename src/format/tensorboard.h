/* TensorBoard's event files: TFRecord framing (length, masked CRC-32C of the length, data, masked CRC-32C of the data)
 * around Event messages of protocol buffers, of which only the fields of scalars are written. Records go to the
 * caller's buffer: whoever logs between training steps needs no memory. */
#ifndef FORMAT_TENSORBOARD_H
#define FORMAT_TENSORBOARD_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *tag; /* "train_loss/resnet50-stage1" */
    float value;
} tb_scalar;

/* One record into dst [bytes], its length to *length. All events have wall_time 0: files hold no dates. Errors:
 * MIEN_ERR_ARG where it does not fit. */
MIEN_MUST_USE mien_status tb_version_record(uint8_t *dst, size_t bytes, size_t *length); /* the first of a file */
MIEN_MUST_USE mien_status tb_scalar_record(uint8_t *dst, size_t bytes, size_t *length, int64_t step,
                                           const tb_scalar *scalars, int count);

#endif
