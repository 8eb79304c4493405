/* Functions that a loaded library imports, led to others: as the dynamic linker does for whoever is found first, but
 * for one library alone and in whatever order things were loaded. */
#ifndef BACKEND_CPU_REDIRECT_H
#define BACKEND_CPU_REDIRECT_H

#include <stddef.h>

typedef void redirect_fn(void);
typedef struct {
    const char *symbol;
    redirect_fn *ours;
    redirect_fn **original; /* gets what the symbol means without us, before the first call comes to `ours` */
} redirect;

/* In the library that holds the code at `inside`, imports named in the table lead to `ours`; all or none. Returns NULL,
 * or the reason why none do: an import begins with one of the prefixes (ended by NULL) and is in no row, or none does.
 * The text is static. Threads: one. */
const char *redirect_imports(const void *inside, const redirect *table, size_t count, const char *const *prefixes);

#endif
