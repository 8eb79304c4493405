/* A class is a number of the order, or a name in any case; one misspelling that a challenge's own folders have is
 * known. */
#include "data/label.h"

#include "base/str.h"

#include <stddef.h>

static const struct {
    const char *written, *meant;
} misspelt[] = {{"angere", "anger"}, {"angrer", "anger"}};

static int find_exactly(const char *name, const char *const *classes, int class_count)
{
    for (int c = 0; c < class_count; c++)
        if (str_equal_nocase(name, classes[c]))
            return c;
    return -1;
}

int label_find(const char *name, const char *const *classes, int class_count)
{
    int label = find_exactly(name, classes, class_count);
    for (size_t i = 0; label < 0 && i < sizeof(misspelt) / sizeof(misspelt[0]); i++)
        if (str_equal_nocase(name, misspelt[i].written))
            label = find_exactly(misspelt[i].meant, classes, class_count);
    return label;
}

bool label_parse(int *out, csv_field field, const char *const *classes, int class_count)
{
    char text[256];
    if (!csv_field_text(text, sizeof(text), field))
        return false;
    int64_t number;
    if (str_to_int64(&number, text)) {
        if (number < 0 || number >= class_count)
            return false;
        *out = (int)number;
        return true;
    }
    int label = label_find(text, classes, class_count);
    if (label < 0)
        return false;
    *out = label;
    return true;
}
