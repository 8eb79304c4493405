/* Model files whose answers differ from picture to picture, for whoever asks models. */
#ifndef TESTS_INFER_SAVED_MODEL_H
#define TESTS_INFER_SAVED_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum { SAVED_CLASSES = 3 };
extern const char *const saved_classes[SAVED_CLASSES]; /* anger, fear, sadness */

/* classes NULL: those above. Its normalisation's mean is about `mean`. */
void save_model_of(const char *path, const char *task, const char *arch, int size, const char *const *classes,
                   float mean, uint64_t seed);
/* The same of task lsd, an EfficientNet-B0, mean 0.5. */
void save_model(const char *path, int size, uint64_t seed);

/* A multi-task model, an EfficientNet-B0: heads va, expression (of eight) and au (of twelve, which it decides by
 * thresholds [12]; NULL: by 0.5), then pose, a further one, where that is said. */
void save_multi_task(const char *path, int size, const float *thresholds, bool has_pose, uint64_t seed);

/* Noise that grows brighter from picture to picture: dst [count, size, size, 3]. */
void draw_noise(uint8_t *dst, int count, int size);

#endif
