/* What the files of annotations share. */
#ifndef DATA_ANNOTATION_INT_H
#define DATA_ANNOTATION_INT_H

#include "data/annotation.h"

/* The one part of a set that is being read: texts are copied, of the root so many bytes. */
MIEN_MUST_USE mien_status annotations_begin_part(annotations *a, const char *source, const char *root,
                                                 size_t root_length);

#endif
