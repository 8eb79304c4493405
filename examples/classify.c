/* What does this face express?   classify MODEL IMAGE */
#include <mien.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: classify MODEL IMAGE\n");
        return 2;
    }
    const char *path = argv[1];
    mien_model *model = NULL;
    float *p = NULL;
    mien_status st = mien_model_open(&model, &path, 1, NULL);
    int classes = mien_model_class_count(model);
    if (!st)
        st = (p = calloc((size_t)classes, sizeof *p)) ? mien_classify_file(p, classes, model, argv[2]) : MIEN_ERR_NOMEM;
    if (st)
        fprintf(stderr, "classify: %s\n", mien_error());
    for (int i = 0; !st && i < classes; i++)
        printf("%-10s %.3f\n", mien_model_class(model, i), (double)p[i]);
    free(p);
    mien_model_free(model);
    return st != MIEN_OK;
}
