/* A class is a number of the order, or a name in any case; one misspelling that a challenge's own folders have is
 * known. */
#include "data/label.h"

#include "base/str.h"

#include <math.h>
#include <stddef.h>

/* What else the classes are called, in folders and lists, and as one release of the challenge spells anger. */
static const struct {
    const char *written, *meant;
} synonyms[] = {{"angere", "anger"}, {"angrer", "anger"},    {"angry", "anger"}, {"disgusted", "disgust"},
                {"fearful", "fear"}, {"happy", "happiness"}, {"sad", "sadness"}, {"surprised", "surprise"}};

static const char *meaning(const char *name)
{
    for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++)
        if (str_equal_nocase(name, synonyms[i].written))
            return synonyms[i].meant;
    return name;
}

int label_find(const char *name, const char *const *classes, int class_count)
{
    for (int c = 0; c < class_count; c++)
        if (str_equal_nocase(name, classes[c]))
            return c;
    for (int c = 0; c < class_count; c++) /* a model's own class may be called "happy" */
        if (str_equal_nocase(meaning(name), meaning(classes[c])))
            return c;
    /* FER+ has it for a class of its own; to the challenge's eight it is one of the others. */
    return str_equal_nocase(name, "contempt") ? label_find("other", classes, class_count) : -1;
}

label_kind label_parse(int *out, csv_field field, const char *const *classes, int class_count)
{
    char text[256];
    double number;
    if (field.length == 0 || !csv_field_text(text, sizeof(text), field))
        return LABEL_NONE;
    if (str_to_double(&number, text)) {
        if (number != floor(number) || number < 0 || number >= class_count)
            return LABEL_NONE;
        *out = (int)number;
        return LABEL_CLASS;
    }
    int label = label_find(text, classes, class_count);
    if (label < 0)
        return LABEL_OTHER;
    *out = label;
    return LABEL_CLASS;
}
