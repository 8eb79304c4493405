/* Shared libraries at run time. dl.c asks the system; tests answer themselves (tests/backend/cuda/fake_dl.c). */
#ifndef BACKEND_CUDA_DL_H
#define BACKEND_CUDA_DL_H

/* `path`: a name that the system looks for, or a path, in which "*" stands for any name (the first that opens is
 * taken). NULL where there is none. */
void *dl_open(const char *path);
void *dl_symbol(void *library, const char *name); /* NULL where it has none of that name */
void dl_close(void *library);                     /* NULL is a no-op */

#endif
