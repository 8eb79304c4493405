/* Any bytes as a file of tensors, of either of torch.save's formats: opened or refused, and what was opened can be read
 * to its last byte, and called as each architecture would call it. */
#include "nn/import.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tensor_file *f = NULL;
    if (tensor_file_open_bytes(&f, data, size, "input") != MIEN_OK) {
        check(f == NULL && strncmp(mien_error(), "input: ", 7) == 0);
        return 0;
    }
    for (size_t i = 0; i < tensor_file_count(f); i++) {
        const st_tensor *t = tensor_file_at(f, i);
        check(tensor_file_find(f, t->name) == t && t->rank <= SAFETENSORS_MAX_RANK);
        if (t->bytes > LIMIT) /* a view may repeat what it shows */
            continue;
        uint8_t *exact = malloc(t->bytes ? t->bytes : 1);
        check(exact != NULL);
        if (tensor_file_read(exact, f, t) != MIEN_OK)
            check(strncmp(mien_error(), "input: ", 7) == 0);
        free(exact);
    }
    static const char *const ignored[] = {"n", "state"};
    for (int i = 0; architecture_at(i); i++) {
        const import_naming naming = {.arch = architecture_at(i), .ignored = ignored, .ignored_count = i % 3};
        if (import_rename(f, &naming) != MIEN_OK) {
            check(strstr(mien_error(), ": name repeated") != NULL);
            continue;
        }
        const import_head head = import_find_head(f, naming.arch);
        if (import_check_head(&head, naming.arch, "input") != MIEN_OK)
            check(!head.is_one && strncmp(mien_error(), "input: its head: ", 17) == 0);
    }
    tensor_file_close(f);
    return 0;
}
