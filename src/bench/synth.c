/* mien bench synth: how fast faces are drawn and compressed. Threads take a person's faces at a time, as those that
 * write a set do, and forget them. */
#include "api/drawn.h"
#include "base/mem.h"
#include "base/team.h"
#include "base/thread.h"
#include "bench/bench_int.h"
#include "synth/draw/render.h"

#define UNTIMED 2 /* steps */

typedef struct {
    const synth_options *options;
    drawer **drawers;    /* [threads] */
    stage_clock *clocks; /* [threads] */
    int threads, people; /* of a step */
    int64_t step;
} drawing;

static mien_status draw_person(drawer *d, stage_clock *clock, int64_t first, int count)
{
    for (int i = 0; i < count; i++) {
        uint8_t *bytes;
        size_t length;
        TRY(drawer_draw(d, first + i));
        stage_begin(clock);
        TRY(image_encode_jpeg(&bytes, &length, &d->picture, d->faces[0].face.shot.quality));
        stage_end(clock, STAGE_JPEG);
        mem_free(bytes);
    }
    return MIEN_OK;
}

/* A thread's share of a step. */
static mien_status draw_share(void *context, int part)
{
    drawing *d = context;
    const int chunk = (int)synth_row(d->options);
    for (int p = part; p < d->people; p += d->threads)
        TRY(draw_person(d->drawers[part], &d->clocks[part], (d->step * d->people + p) * chunk, chunk));
    return MIEN_OK;
}

/* Of all stages. */
static int64_t processor_ns(const drawing *d)
{
    int64_t sum = 0;
    for (int i = 0; i < d->threads; i++)
        for (int s = 0; s < STAGE_COUNT; s++)
            sum += d->clocks[i].ns[s];
    return sum;
}

static mien_status time_steps(mien_bench *b, drawing *d, team *t, const mien_bench_options *o)
{
    const int count = d->people * (int)synth_row(d->options);
    progress p = api_progress(o->compute);
    int64_t spent = 0;
    for (d->step = 0; d->step < UNTIMED + o->steps; d->step++) {
        if (d->step == UNTIMED)
            for (int i = 0; i < d->threads; i++)
                d->clocks[i] = (stage_clock){0};
        const int64_t start = clock_ns();
        TRY(team_try(t, d->threads, draw_share, d));
        spent += d->step >= UNTIMED ? clock_ns() - start : 0;
        if (progress_tell(&p, "bench", d->step + 1, UNTIMED + o->steps, NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "bench: interrupted");
    }
    b->result.batch = count;
    b->result.images_per_s = (double)count * o->steps / ((double)spent * 1e-9);
    b->result.images_per_cpu_s = (double)count * o->steps / ((double)processor_ns(d) * 1e-9);
    b->result.ms = (double)spent * 1e-6 / o->steps;
    return MIEN_OK;
}

static mien_status collect_stages(mien_bench *b, const drawing *d, int steps)
{
    TRY(mem_zalloc(&b->rows, STAGE_COUNT));
    b->row_count = STAGE_COUNT;
    for (int s = 0; s < STAGE_COUNT; s++) {
        double seconds = 0;
        for (int i = 0; i < d->threads; i++)
            seconds += (double)d->clocks[i].ns[s] * 1e-9 / steps;
        b->rows[s] = (mien_bench_row){
            .group = draw_stage_names[s], .implementation = "", .nodes = b->result.batch, .seconds = seconds};
    }
    bench_sort_rows(b);
    return MIEN_OK;
}

mien_status bench_synth(mien_bench *b, const mien_bench_options *o)
{
    mien_status st;
    team *t = NULL;
    drawn_set set = {0};
    drawing d = {.options = &set.options, .threads = thread_grant(o->compute->threads)};
    TRY_OUT(api_drawn_open(&set, o->synth, "mien_bench_run"));
    if (o->image_size)
        set.options.size = o->image_size;
    set.options.identities = SYNTH_MAX_COUNT; /* nobody twice */
    TRY_OUT(synth_check_set(&set.options));
    const int chunk = (int)synth_row(&set.options);
    d.people = (o->batch + chunk - 1) / chunk;
    TRY_OUT(team_create(&t, d.threads));
    TRY_OUT(mem_zalloc(&d.drawers, d.threads));
    TRY_OUT(mem_zalloc(&d.clocks, d.threads));
    for (int i = 0; i < d.threads; i++) {
        TRY_OUT(drawer_create(&d.drawers[i], &set.options, set.cast.heads[0]));
        drawer_measure(d.drawers[i], &d.clocks[i]);
    }
    TRY_OUT(time_steps(b, &d, t, o));
    b->result.size = set.options.size;
    b->result.threads = d.threads;
    if (o->is_profiled)
        TRY_OUT(collect_stages(b, &d, o->steps));
out:
    team_free(t);
    for (int i = 0; d.drawers && i < d.threads; i++)
        drawer_free(d.drawers[i]);
    mem_free(d.drawers);
    mem_free(d.clocks);
    api_drawn_free(&set);
    return st;
}
