/* stderr: one line for each thing said, a progress bar on a terminal, and the signals that end a command in order.
 *
 * Where nobody watches a terminal, progress is silent for the first 30 s and then one plain line every 10 s. */
#include "cli/cli.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define QUIET_S 30 /* before the first plain line */
#define LINE_S 10  /* between plain lines */
#define BAR_S 0.1  /* between bars */

/* Log lines may come from the library's threads while the main thread draws. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A signal handler can reach nothing else. */
static volatile sig_atomic_t interrupted_by, is_watched; /* the signal, 0: none */

/* A second Ctrl-C means now. Whoever ends a session sends SIGTERM and SIGHUP, and each of them to everyone: more of
 * them say nothing new, and what is being saved is saved. */
static void on_interrupt(int number)
{
    if (!is_watched || (interrupted_by && number == SIGINT))
        _exit(EXIT_SIGNAL + number);
    if (!interrupted_by)
        interrupted_by = number;
}

/* Ctrl-C; a service that is stopped, Docker and Slurm; a terminal that is closed. */
static void handle_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction found;
        bool is_ignored = sigaction(numbers[i], NULL, &found) == 0 && found.sa_handler == SIG_IGN;
        if (!is_ignored ||
            numbers[i] == SIGINT) /* nohup's SIGHUP stays ignored; a shell's `&` ignores SIGINT by itself */
            sigaction(numbers[i], &action, NULL);
    }
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void console_init(console *c)
{
    *c = (console){.is_terminal = isatty(STDERR_FILENO), .start_ns = now_ns()};
    handle_signals();
}

static void clear_bar(console *c)
{
    if (c->has_bar)
        fputs("\r\033[K", stderr);
    c->has_bar = false;
}

void console_clear(console *c)
{
    pthread_mutex_lock(&lock);
    clear_bar(c);
    fflush(stderr);
    pthread_mutex_unlock(&lock);
}

void console_say(console *c, const char *format, ...)
{
    char line[8192]; /* a path, and why the library failed at it */
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *p = line; *p; p++) /* a file's name may hold anything; a line stays a line */
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    pthread_mutex_lock(&lock);
    clear_bar(c);
    fprintf(stderr, "mien: %s\n", line);
    pthread_mutex_unlock(&lock);
}

void console_log(void *payload, int level, const char *line)
{
    if (level < 2)
        console_say(payload, "%s", line);
    else
        puts(line); /* an item of a long list goes to stdout, above the failure */
}

int console_fail(console *c, mien_status st)
{
    console_say(c, "%s", mien_error());
    return st == MIEN_ERR_CANCELLED && interrupted_by ? EXIT_SIGNAL + interrupted_by : EXIT_FAILED;
}

/* "1:02:03" or "2:03" */
static const char *print_duration(char *dst, size_t bytes, double seconds)
{
    int64_t s = (int64_t)(seconds + 0.5);
    if (s >= 3600)
        snprintf(dst, bytes, "%lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60),
                 (long long)(s % 60));
    else
        snprintf(dst, bytes, "%lld:%02lld", (long long)(s / 60), (long long)(s % 60));
    return dst;
}

/* "train 120/400 30% 63.1/s 0:04 left, loss 1.2"; with a bar in it on a terminal, cut to its width. */
static void draw(const console *c, const char *what, int64_t done, int64_t total, const char *note, int64_t now)
{
    double elapsed = (double)(now - c->phase_ns) * 1e-9;
    double rate = elapsed > 0.2 ? (double)(done - c->phase_done) / elapsed : 0;
    char numbers[200], left[32];
    int length = snprintf(numbers, sizeof numbers, "%lld", (long long)done);
    if (total > 0)
        length += snprintf(numbers + length, sizeof numbers - (size_t)length, "/%lld %3d%%", (long long)total,
                           (int)(100 * done / total));
    if (rate > 0)
        length += snprintf(numbers + length, sizeof numbers - (size_t)length, rate < 10 ? " %.2f/s" : " %.1f/s", rate);
    if (rate > 0 && total > done)
        snprintf(numbers + length, sizeof numbers - (size_t)length, " %s left",
                 print_duration(left, sizeof left, (double)(total - done) / rate));

    char line[512];
    if (!c->is_terminal) {
        snprintf(line, sizeof line, "%s %s%s%s", what, numbers, note && *note ? ", " : "", note ? note : "");
        fprintf(stderr, "mien: %s\n", line);
        return;
    }
    struct winsize size = {0};
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
    int room =
        columns - (int)(strlen(what) + strlen(numbers)) - 5; /* numbers come before the bar, the bar before the note */
    int cells = total <= 0 || room < 5 ? 0 : room < 20 ? room : 20;
    char bar[32] = "";
    if (cells) {
        int filled = (int)(cells * (done < total ? done : total) / total);
        snprintf(bar, sizeof bar, "[%.*s%*s] ", filled, "====================", cells - filled, "");
    }
    snprintf(line, sizeof line, "%s %s%s%s%s", what, bar, numbers, note && *note ? ", " : "", note ? note : "");
    fprintf(stderr, "\r%.*s\033[K", columns - 1, line);
    fflush(stderr);
}

static int tell_progress(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    console *c = payload;
    pthread_mutex_lock(&lock);
    int64_t now = now_ns();
    if (strcmp(c->phase, what) || done < c->last_done) { /* something new began: its rate starts here */
        snprintf(c->phase, sizeof c->phase, "%s", what);
        c->phase_ns = now;
        c->phase_done = done;
    }
    c->last_done = done;
    double since_start = (double)(now - c->start_ns) * 1e-9, since_last = (double)(now - c->last_ns) * 1e-9;
    if (c->is_terminal ? since_last >= BAR_S : since_start >= QUIET_S && since_last >= LINE_S) {
        draw(c, what, done, total, note, now);
        c->has_bar = c->is_terminal;
        c->last_ns = now;
    }
    pthread_mutex_unlock(&lock);
    return interrupted_by != 0;
}

void console_watch(console *c, mien_compute *compute)
{
    compute->progress = tell_progress;
    compute->payload = c;
    is_watched = 1;
}
