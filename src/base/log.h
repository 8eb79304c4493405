/* The library never prints: what it has to say goes to one callback, which the command installs. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "mien.h"

/* Sends one line, without newline, to the callback (mien_set_log). Threads: any; lines do not interleave. */
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One item of a list that may be long (missing tensors), before the one-line failure that sums it up. */
void log_item(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
