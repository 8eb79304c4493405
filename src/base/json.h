/* JSON through jansson, with our errors. Writers build a json_t with jansson's own calls; these read and print it. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/status.h"

#include <jansson.h>
#include <stddef.h>

/* No document that is parsed has more: a tree takes up to fifty bytes for each ("[],[],..."). */
#define JSON_MAX_BYTES ((size_t)4 << 20)

/* Parses `length` bytes, JSON_MAX_BYTES at most; duplicate keys are refused. `where` starts the message
 * ("model.safetensors: metadata"). Caller: json_decref. */
MIEN_MUST_USE mien_status json_parse(json_t **out, const char *text, size_t length, const char *where);
/* Compact text with keys in insertion order and reals with 9 significant digits (equal on every machine). Caller:
 * mem_free. */
MIEN_MUST_USE mien_status json_print(char **out, const json_t *value);
/* Typed getters: MIEN_ERR_FORMAT "where: key: missing / not a number ..." */
MIEN_MUST_USE mien_status json_get_string(const char **out, const json_t *object, const char *key, const char *where);
MIEN_MUST_USE mien_status json_get_int(int64_t *out, const json_t *object, const char *key, const char *where);
MIEN_MUST_USE mien_status json_get_number(double *out, const json_t *object, const char *key, const char *where);
MIEN_MUST_USE mien_status json_get_array(json_t **out, const json_t *object, const char *key,
                                         const char *where); /* borrowed */
/* MIEN_ERR_NOMEM where jansson's constructor returned NULL (it also does so for a NaN, an infinity, or text that is not
 * UTF-8: check those before). */
MIEN_MUST_USE mien_status json_check(const json_t *value);

#endif
