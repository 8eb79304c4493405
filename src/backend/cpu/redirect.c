/* ELF: an imported function is called through a slot of the library's own table, which its relocations list by name.
 * The slots are filled before the program starts and then made read-only; here one is opened, changed and closed. */
#include "backend/cpu/redirect.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { SLOT_JUMP = R_X86_64_JUMP_SLOT, SLOT_DATA = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { SLOT_JUMP = R_AARCH64_JUMP_SLOT, SLOT_DATA = R_AARCH64_GLOB_DAT };
#endif

typedef struct {
    uintptr_t inside;
    const char *path;
    uintptr_t base;
    ElfW(Addr) closed, closed_end; /* what the linker made read-only */
    const ElfW(Rela) * relocations[2];
    size_t counts[2];
    const ElfW(Sym) * symbols;
    const char *names;
} library;

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && address - (info->dlpi_addr + p->p_vaddr) < p->p_memsz)
            return true;
    }
    return false;
}

static void read_dynamic(library *l, const ElfW(Dyn) * d)
{
    for (; d->d_tag != DT_NULL; d++)
        switch (d->d_tag) {
        case DT_SYMTAB:
            l->symbols = (const void *)d->d_un.d_ptr;
            break;
        case DT_STRTAB:
            l->names = (const void *)d->d_un.d_ptr;
            break;
        case DT_JMPREL:
            l->relocations[0] = (const void *)d->d_un.d_ptr;
            break;
        case DT_PLTRELSZ:
            l->counts[0] = d->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_RELA:
            l->relocations[1] = (const void *)d->d_un.d_ptr;
            break;
        case DT_RELASZ:
            l->counts[1] = d->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
}

static int find_library(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    library *l = context;
    if (!holds(info, l->inside))
        return 0;
    l->path = info->dlpi_name;
    l->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_DYNAMIC)
            read_dynamic(l, (const void *)(l->base + p->p_vaddr));
        if (p->p_type == PT_GNU_RELRO) {
            l->closed = l->base + p->p_vaddr;
            l->closed_end = l->closed + p->p_memsz;
        }
    }
    return 1;
}

static const redirect *row_of(const redirect *table, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].symbol, symbol) == 0)
            return &table[i];
    return NULL;
}

static bool begins_with_any(const char *symbol, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (strncmp(symbol, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return false;
}

/* The name of the function whose slot relocation r fills; NULL where it fills none. */
static const char *import_of(const library *l, const ElfW(Rela) * r)
{
    unsigned kind = (unsigned)ELF64_R_TYPE(r->r_info);
    if (kind != SLOT_JUMP && kind != SLOT_DATA)
        return NULL;
    return l->names + l->symbols[ELF64_R_SYM(r->r_info)].st_name;
}

static bool write_slot(const library *l, _Atomic(redirect_fn *) *slot, redirect_fn *fn)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)slot & ~(page - 1);
    bool was_closed = (uintptr_t)slot >= l->closed && (uintptr_t)slot < l->closed_end;
    if (was_closed && mprotect((void *)at, page, PROT_READ | PROT_WRITE) != 0)
        return false;
    atomic_store(slot, fn);
    if (was_closed)
        mprotect((void *)at, page, PROT_READ);
    return true;
}

/* Goes over all imports: first only to see that each has a row and an original, then to change them. */
static const char *go_over(const library *l, const redirect *table, size_t count, const char *const *prefixes,
                           void *handle, bool is_change)
{
    int found = 0;
    for (int list = 0; list < 2; list++)
        for (size_t i = 0; i < l->counts[list]; i++) {
            const char *symbol = import_of(l, &l->relocations[list][i]);
            if (!symbol || !begins_with_any(symbol, prefixes))
                continue;
            const redirect *row = row_of(table, count, symbol);
            void *original = row ? dlsym(handle, symbol) : NULL;
            if (!row || !original)
                return "it calls OpenMP in a way that is not known here";
            found++;
            if (!is_change)
                memcpy(row->original, &original, sizeof original);
            else if (!write_slot(l, (void *)(l->base + l->relocations[list][i].r_offset), row->ours))
                return "its table of imports cannot be written";
        }
    return found ? NULL : "it was built without GNU's OpenMP";
}

const char *redirect_imports(const void *inside, const redirect *table, size_t count, const char *const *prefixes)
{
    library l = {.inside = (uintptr_t)inside};
    if (!dl_iterate_phdr(find_library, &l) || !l.symbols || !l.names)
        return "it is no shared library";
    void *handle = dlopen(l.path, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle)
        return "it is no shared library";
    const char *why = go_over(&l, table, count, prefixes, handle, false);
    if (!why)
        why = go_over(&l, table, count, prefixes, handle, true);
    dlclose(handle);
    return why;
}
