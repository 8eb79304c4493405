/* Groups run whole or not at all and carry the first failure home; logging and progress may be called from any thread
 * and may call back. */
#include "base/log.h"
#include "base/progress.h"
#include "base/thread.h"
#include "no_memory.h"
#include "testing.h"

#include <pthread.h>
#include <sched.h>

typedef struct {
    _Atomic int started;
    _Atomic unsigned seen;
    int failing; /* the index that fails; -1 none */
} crew;

/* All wait for all: it ends only if every thread really runs at the same time. */
static mien_status meet(void *context, int index)
{
    crew *c = context;
    atomic_fetch_or(&c->seen, 1u << index);
    atomic_fetch_add(&c->started, 1);
    while (atomic_load(&c->started) < 4)
        sched_yield();
    return index == c->failing ? mien_fail(MIEN_ERR_FORMAT, "picture %d: bad", index) : MIEN_OK;
}

static void thread_group__all__run_and_join(void **state)
{
    (void)state;
    crew c = {.failing = -1};
    thread_group *group;
    assert_ok(thread_group_start(&group, 4, meet, &c));
    assert_ok(thread_group_join(group));
    assert_int_equal(c.seen, 15);
    assert_ok(thread_group_join(NULL));
    assert_ok(thread_group_start(&group, 0, meet, &c));
    assert_ok(thread_group_join(group));
}

static void thread_group__failure__arrives_with_its_text(void **state)
{
    (void)state;
    crew c = {.failing = 2};
    thread_group *group;
    assert_ok(thread_group_start(&group, 4, meet, &c));
    assert_failure(thread_group_join(group), MIEN_ERR_FORMAT, "picture 2: bad");
    assert_failure(thread_group_start(&group, -1, meet, &c), MIEN_ERR_ARG, "wanted 0 or more");
}

static mien_status count_start(void *context, int index)
{
    (void)index;
    atomic_fetch_add((_Atomic int *)context, 1);
    return MIEN_OK;
}

static void thread_group__no_room_for_stacks__runs_nobody(void **state)
{
    (void)state;
    pthread_attr_t kept, huge;
    assert_int_equal(pthread_getattr_default_np(&kept), 0);
    pthread_attr_init(&huge);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 46), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);
    _Atomic int started = 0;
    thread_group *group = NULL;
    mien_status st = thread_group_start(&group, 3, count_start, &started);
    assert_int_equal(pthread_setattr_default_np(&kept), 0);
    assert_failure(st, MIEN_ERR_NOMEM, "cannot start thread");
    assert_null(group);
    assert_int_equal(started, 0);
    pthread_attr_destroy(&kept);
    pthread_attr_destroy(&huge);
}

static mien_status start_and_join(void *context)
{
    thread_group *group;
    TRY(thread_group_start(&group, 2, count_start, context));
    return thread_group_join(group);
}

static void thread_group__no_memory__is_told(void **state)
{
    (void)state;
    _Atomic int started = 0;
    fail_each_allocation(start_and_join, &started);
    assert_int_equal(started, 2);
}

typedef struct {
    int lines, warnings; /* plain: the log's own lock must keep them right */
    char last[256];
} log_book;

static void take_line(void *payload, int level, const char *line)
{
    log_book *book = payload;
    book->lines++;
    book->warnings += level;
    snprintf(book->last, sizeof(book->last), "%s", line);
}

static mien_status log_much(void *context, int index)
{
    (void)context;
    for (int i = 0; i < 2000; i++)
        log_notice("line %d of %d", i, index);
    return MIEN_OK;
}

static void log__lines__reach_the_callback(void **state)
{
    (void)state;
    log_book book = {0};
    log_notice("nobody listens");
    mien_set_log(take_line, &book);
    log_notice("%d images\nin %s", 3, "train");
    assert_string_equal(book.last, "3 images?in train");
    log_warning("careful");
    assert_string_equal(book.last, "careful");
    assert_int_equal(book.lines, 2);
    assert_int_equal(book.warnings, 1);
    thread_group *group;
    assert_ok(thread_group_start(&group, 4, log_much, NULL));
    assert_ok(thread_group_join(group));
    assert_int_equal(book.lines, 8002);
    mien_set_log(NULL, NULL);
    log_notice("silence again");
    assert_int_equal(book.lines, 8002);
}

static void log_back(void *payload, int level, const char *line)
{
    (void)line;
    mien_set_log(NULL, NULL);
    log_notice("from inside, level %d", level);
    ++*(int *)payload;
}

static void log__callback_that_calls_back__does_not_hang(void **state)
{
    (void)state;
    int calls = 0;
    mien_set_log(log_back, &calls);
    log_notice("first");
    log_notice("second");
    assert_int_equal(calls, 1);
}

typedef struct {
    int calls;
    int64_t last_done;
    int answer;
} watcher;

static int watch(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    watcher *w = payload;
    w->calls++;
    w->last_done = done;
    assert_string_equal(what, "images");
    assert_string_equal(note, "loss 1");
    assert_int_equal(total, 1000000);
    return w->answer;
}

static void progress__fast_steps__are_thinned(void **state)
{
    (void)state;
    watcher w = {0};
    progress p = {.callback = watch, .payload = &w};
    int64_t start = clock_ns();
    for (int64_t i = 1; i <= 1000000; i++)
        assert_int_equal(progress_tell(&p, "images", i, 1000000, "loss 1"), 0);
    int64_t elapsed_ms = (clock_ns() - start) / 1000000;
    assert_in_range(w.calls, 2, 2 + elapsed_ms / 50);
    assert_int_equal(w.last_done, 1000000); /* the end is always told, or the bar would stop short */
}

static void progress__stop__is_passed_on(void **state)
{
    (void)state;
    watcher w = {.answer = 7};
    progress p = {.callback = watch, .payload = &w}, nobody = {0};
    assert_int_equal(progress_tell(&p, "images", 1, 1000000, "loss 1"), 1);
    assert_int_equal(progress_tell(&nobody, "images", 1, 1000000, "loss 1"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_group__all__run_and_join),
        cmocka_unit_test(thread_group__failure__arrives_with_its_text),
        cmocka_unit_test(thread_group__no_room_for_stacks__runs_nobody),
        cmocka_unit_test(thread_group__no_memory__is_told),
        cmocka_unit_test(log__lines__reach_the_callback),
        cmocka_unit_test(log__callback_that_calls_back__does_not_hang),
        cmocka_unit_test(progress__fast_steps__are_thinned),
        cmocka_unit_test(progress__stop__is_passed_on),
    };
    return cmocka_run_group_tests_name("base/thread", tests, NULL, NULL);
}
