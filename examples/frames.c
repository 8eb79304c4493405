/* What do the faces in these frames express? Four threads share one model.   frames MODEL WIDTH HEIGHT < frames.rgb
 *
 * Frames lie in memory one after the other, as `ffmpeg -i clip.mp4 -f rawvideo -pix_fmt rgb24 -` writes them. */
#include <mien.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4 };

typedef struct {
    mien_model *model;
    const unsigned char *frames;
    int width, height, first, count; /* its share of the frames */
    float *rows;                     /* of the first frame of its share */
    char failure[256];
} worker;

/* A session a thread: one that computes on this thread alone, beside the others. */
static void *classify(void *context)
{
    worker *w = context;
    const size_t columns = (size_t)mien_model_column_count(w->model);
    const size_t frame_bytes = (size_t)w->width * (size_t)w->height * 3;
    mien_session *session = NULL;
    mien_session_options options;
    mien_session_options_init(&options);
    options.threads = 1;
    if (mien_session_open(&session, w->model, &options) ||
        mien_predict_rgb(w->rows, (size_t)w->count * columns, session, w->frames + (size_t)w->first * frame_bytes,
                         w->count, w->height, w->width))
        snprintf(w->failure, sizeof w->failure, "%s", mien_error()); /* its text is this thread's */
    mien_session_free(session);
    return NULL;
}

/* All of stdin; *bytes of it. */
static unsigned char *read_all(size_t *bytes)
{
    unsigned char *all = NULL;
    *bytes = 0;
    for (size_t room = 1 << 20;; room *= 2) {
        unsigned char *more = realloc(all, room);
        if (!more) {
            free(all);
            return NULL;
        }
        all = more;
        *bytes += fread(all + *bytes, 1, room - *bytes, stdin);
        if (*bytes < room)
            return all;
    }
}

static int run(mien_model *model, const unsigned char *frames, int count, int width, int height)
{
    const int columns = mien_model_column_count(model);
    float *rows = calloc((size_t)count * (size_t)columns + 1, sizeof *rows);
    worker workers[THREADS];
    pthread_t threads[THREADS];
    int started = 0, failed = !rows;
    for (int i = 0; i < THREADS && !failed; i++, started += !failed) {
        const int first = count * i / THREADS, end = count * (i + 1) / THREADS;
        workers[i] = (worker){model, frames, width, height, first, end - first, rows + first * columns, ""};
        failed = pthread_create(&threads[i], NULL, classify, &workers[i]) != 0;
    }
    if (failed)
        fprintf(stderr, "frames: no memory, or no threads\n");
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].failure[0]) {
            fprintf(stderr, "frames: %s\n", workers[i].failure);
            failed = 1;
        }
    }
    for (int i = 0; i < count && !failed; i++)
        printf("%d %s\n", i, mien_column_label(mien_model_column(model, 0), rows[i * columns]));
    free(rows);
    return failed;
}

int main(int argc, char **argv)
{
    const int width = argc == 4 ? atoi(argv[2]) : 0, height = argc == 4 ? atoi(argv[3]) : 0;
    if (width < 1 || height < 1) {
        fprintf(stderr, "usage: frames MODEL WIDTH HEIGHT < frames.rgb\n");
        return 2;
    }
    const char *path = argv[1];
    size_t bytes;
    unsigned char *frames = read_all(&bytes);
    mien_model *model = NULL;
    int failed = !frames || mien_model_open(&model, &path, 1, NULL) != MIEN_OK;
    if (failed)
        fprintf(stderr, "frames: %s\n", frames ? mien_error() : "no memory");
    else
        failed = run(model, frames, (int)(bytes / 3 / (size_t)width / (size_t)height), width, height);
    mien_model_free(model);
    free(frames);
    return failed;
}
