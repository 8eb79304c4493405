/* The files below a folder, by one rule for sets and inputs alike: links count as what they lead to; hidden files, what
 * systems leave behind (file_is_litter) and what is neither file nor folder are passed over. A link that leads back to
 * a folder it lies in is left out with a notice. One that leads nowhere is a file: the user meant a picture, and is
 * told when it cannot be read. */
#ifndef DATA_WALK_H
#define DATA_WALK_H

#include "base/status.h"

/* path: of a file, the folder as given in front. */
typedef mien_status (*walk_fn)(void *payload, const char *path);

/* Calls fn for each file, in no order. Errors: fn's; MIEN_ERR_IO where a folder cannot be listed; MIEN_ERR_FORMAT where
 * they are more than 64 deep. */
MIEN_MUST_USE mien_status walk_files(const char *folder, walk_fn fn, void *payload);

#endif
