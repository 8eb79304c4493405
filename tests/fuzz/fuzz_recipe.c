/* A recipe of any bytes is read or refused; one that is read prints, and reads back the same. */
#include "train/recipe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    recipe *first = NULL, *again = NULL;
    char key[256];
    str text = {0};
    if (recipe_read(&first, task_all, "recipe.yaml", (const char *)data, size, NULL, 0) == MIEN_OK &&
        recipe_print(first, &text) == MIEN_OK)
        if (recipe_read(&again, task_all, "printed.yaml", text.text, text.length, NULL, 0) != MIEN_OK ||
            recipe_difference(first, again, key, sizeof key))
            abort();
    str_free(&text);
    recipe_free(first);
    recipe_free(again);
    first = NULL;
    if (size > 0 && size < 200) { /* the same bytes as a setting */
        char setting[200];
        memcpy(setting, data, size);
        setting[size] = '\0';
        const char *settings[] = {setting};
        if (recipe_load(&first, task_all, NULL, settings, 1) != MIEN_OK && strchr(mien_error(), '\n'))
            abort();
        recipe_free(first);
    }
    return 0;
}
