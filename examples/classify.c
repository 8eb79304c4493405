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
    mien_session *session = NULL;
    float *row = NULL;
    mien_status st = mien_model_open(&model, &path, 1, NULL);
    if (!st)
        st = mien_session_open(&session, model, NULL);
    int columns = mien_session_column_count(session);
    if (!st)
        st = (row = calloc((size_t)columns, sizeof *row)) ? mien_predict_file(row, (size_t)columns, session, argv[2])
                                                          : MIEN_ERR_NOMEM;
    if (st)
        fprintf(stderr, "classify: %s\n", mien_error());
    for (int i = 0; !st && i < columns; i++)
        if (mien_session_column(session, i)->kind == MIEN_COLUMN_PROBABILITY)
            printf("%-10s %.3f\n", mien_session_column(session, i)->name, (double)row[i]);
    free(row);
    mien_session_free(session);
    mien_model_free(model);
    return st != MIEN_OK;
}
