/* The log callback is one of the two mutable globals of the library: it belongs to the process, as stderr would. */
#include "base/log.h"

#include "base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

/* Recursive, so that a callback may call into the library; held during the call, so that lines do not interleave and no
 * thread is still inside the old callback once mien_set_log has returned. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static mien_log_fn callback;
static void *callback_payload;

void mien_set_log(mien_log_fn fn, void *payload)
{
    pthread_mutex_lock(&lock);
    callback = fn;
    callback_payload = payload;
    pthread_mutex_unlock(&lock);
}

static void send_line(int level, const char *format, va_list args)
{
    char whole[8192], line[2048];
    vsnprintf(whole, sizeof(whole), format, args);
    str_fit(line, sizeof(line), whole);
    str_make_line(line);
    pthread_mutex_lock(&lock);
    if (callback)
        callback(callback_payload, level, line);
    pthread_mutex_unlock(&lock);
}

void log_notice(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_line(0, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_line(1, format, args);
    va_end(args);
}

void log_item(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_line(2, format, args);
    va_end(args);
}
