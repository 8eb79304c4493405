/* A file of named tensors, whatever wrote it: safetensors, or PyTorch's torch.save (a zip archive, or the older stream
 * of pickles). All that read weights go through here. What torch.save wrote is read without executing anything
 * (format/unpickle.h), and a tensor's bytes are fetched when they are asked for. */
#ifndef FORMAT_TENSOR_FILE_H
#define FORMAT_TENSOR_FILE_H

#include "format/safetensors.h"

#include <stdbool.h>

typedef struct tensor_file tensor_file;

/* By content, not by name. A PyTorch file's tensors are those of its state dict: the dict itself, or one that lies
 * under "state_dict", "model" or the like, running averages ("state_dict_ema") before others; SAFETENSORS_MAX_ENTRIES
 * at most. Errors: MIEN_ERR_IO; MIEN_ERR_FORMAT "path: ..." */
MIEN_MUST_USE mien_status tensor_file_open(tensor_file **out, const char *path);
/* The same over bytes in memory (fuzzing); `name` stands for the path in messages; bytes must outlive the file. */
MIEN_MUST_USE mien_status tensor_file_open_bytes(tensor_file **out, const void *bytes, size_t length, const char *name);
void tensor_file_close(tensor_file *f); /* NULL is a no-op */
/* "safetensors", "pytorch zip" or "pytorch legacy" */
const char *tensor_file_format(const tensor_file *f);
/* "has weights under state_dict_ema and state_dict: those under state_dict_ema are taken": for whoever asked for the
 * weights to be told; NULL where there was no choice. */
const char *tensor_file_choice(const tensor_file *f);
/* Tensors in the file's order; `data` is NULL where the bytes have to be fetched. All borrowed from the file. */
size_t tensor_file_count(const tensor_file *f);
const st_tensor *tensor_file_at(const tensor_file *f, size_t index);
const st_tensor *tensor_file_find(const tensor_file *f, const char *name); /* NULL if absent */
/* Metadata, which safetensors alone have any of. */
const char *tensor_file_meta(const tensor_file *f, const char *key); /* NULL if absent */
size_t tensor_file_meta_count(const tensor_file *f);
st_metadata tensor_file_meta_at(const tensor_file *f, size_t index);

/* dst [t->bytes] = the elements of one of the file's tensors, row-major, whatever its strides. Threads: one at a time.
 */
MIEN_MUST_USE mien_status tensor_file_read(void *dst, tensor_file *f, const st_tensor *t);

/* Calls every tensor by another name: fn writes to dst [bytes] what is to stand for `name`, the one in the file,
 * whatever the tensor is called now. Errors: MIEN_ERR_FORMAT where two get one name; the file may be renamed again
 * then. */
typedef void (*tensor_rename_fn)(void *payload, char *dst, size_t bytes, const char *name);
MIEN_MUST_USE mien_status tensor_file_rename(tensor_file *f, tensor_rename_fn fn, void *payload);

#endif
