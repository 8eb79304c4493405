/* How many threads are worth starting. What sched_getaffinity says is the machine's half of the answer: containers are
 * bounded by a cgroup's quota, under which more threads than CPUs are stopped for most of each period, and people say
 * what they want in OpenMP's variables. */
#include "base/log.h"
#include "base/thread.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* --- the cgroup's quota ------------------------------------------------------------------------------------------- */
enum { LINE_BYTES = 8192 };

/* A file of one or two numbers; false where it is not there or says "max" or -1. */
static bool read_numbers(const char *folder, const char *name, double *first, double *second)
{
    char path[PATH_MAX], text[64] = "";
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length < (int)sizeof path ? fopen(path, "re") : NULL;
    if (!file)
        return false;
    bool is_read = fgets(text, sizeof text, file);
    fclose(file);
    double unused;
    int wanted = second ? 2 : 1;
    return is_read && sscanf(text, "%lf %lf", first, second ? second : &unused) >= wanted && *first > 0;
}

/* CPUs that this one group grants; infinity is INT_MAX. */
static double group_quota(const char *folder, bool is_v2)
{
    double quota, period;
    if (is_v2 ? read_numbers(folder, "cpu.max", &quota, &period)
              : read_numbers(folder, "cpu.cfs_quota_us", &quota, NULL) &&
                    read_numbers(folder, "cpu.cfs_period_us", &period, NULL))
        return period > 0 ? quota / period : INT_MAX;
    return INT_MAX;
}

/* The least of the group and all above it, up to where the hierarchy is mounted. */
static double quota_upwards(const char *mount, const char *group, bool is_v2)
{
    char folder[PATH_MAX];
    size_t root = strlen(mount);
    if (snprintf(folder, sizeof folder, "%s%s", mount, strcmp(group, "/") == 0 ? "" : group) >= (int)sizeof folder)
        return INT_MAX;
    double granted = group_quota(folder, is_v2);
    while (strlen(folder) > root) {
        *strrchr(folder, '/') = '\0';
        double above = group_quota(folder, is_v2);
        granted = above < granted ? above : granted;
    }
    return granted;
}

static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* The mount of the hierarchy: "ID PARENT MAJOR:MINOR ROOT MOUNT OPTIONS [...] - TYPE SOURCE SUPER". A container sees
 * its own group as the mount's root. */
static bool find_mount(const char *mounts_path, bool is_v2, char root[PATH_MAX], char mount[PATH_MAX])
{
    char line[LINE_BYTES], format[64], type[64], super[1024];
    FILE *file = fopen(mounts_path, "re");
    bool is_found = false;
    snprintf(format, sizeof format, "%%*s %%*s %%*s %%%ds %%%ds", PATH_MAX - 1, PATH_MAX - 1);
    while (file && !is_found && fgets(line, sizeof line, file)) {
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, format, root, mount) != 2 || sscanf(rest, " - %63s %*s %1023s", type, super) != 2)
            continue;
        is_found = is_v2 ? strcmp(type, "cgroup2") == 0 : strcmp(type, "cgroup") == 0 && list_has(super, "cpu");
    }
    if (file)
        fclose(file);
    return is_found;
}

/* A line of /proc/self/cgroup: "NUMBER:CONTROLLERS:GROUP"; no controllers: version 2. */
static double line_quota(char *line, const char *mounts_path)
{
    char root[PATH_MAX], mount[PATH_MAX];
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return INT_MAX;
    *controllers++ = *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    bool is_v2 = *controllers == '\0';
    if ((!is_v2 && !list_has(controllers, "cpu")) || !find_mount(mounts_path, is_v2, root, mount))
        return INT_MAX;
    size_t shared = strcmp(root, "/") == 0 ? 0 : strlen(root);
    bool is_below = strncmp(group, root, shared) == 0 && (group[shared] == '/' || group[shared] == '\0');
    return quota_upwards(mount, is_below ? group + shared : "/", is_v2);
}

int thread_quota(const char *groups_path, const char *mounts_path)
{
    char line[LINE_BYTES];
    double granted = INT_MAX;
    FILE *file = fopen(groups_path, "re");
    while (file && fgets(line, sizeof line, file)) {
        double quota = line_quota(line, mounts_path);
        granted = quota < granted ? quota : granted;
    }
    if (file)
        fclose(file);
    return granted >= INT_MAX ? 0 : granted < 1 ? 1 : (int)granted;
}

/* --- what the caller's environment says --------------------------------------------------------------------------- */
/* The first number of the variable, as OpenMP reads it; INT_MAX where it says nothing that is one. */
static int variable(const char *name)
{
    const char *text = getenv(name);
    if (!text)
        return INT_MAX;
    char *end;
    long value = strtol(text, &end, 10);
    end += strspn(end, " \t");
    bool is_number = end != text && (*end == '\0' || *end == ',');
    return is_number && value >= 1 && value < INT_MAX ? (int)value : INT_MAX;
}

static int affinity(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024 cores do not fit a cpu_set_t */
    return online > 0 ? (int)online : 1;
}

int thread_cores(void)
{
    int quota = thread_quota("/proc/self/cgroup", "/proc/self/mountinfo");
    int cores = least(affinity(), quota ? quota : INT_MAX);
    return least(cores, least(variable("OMP_NUM_THREADS"), variable("OMP_THREAD_LIMIT")));
}

int thread_grant(int asked)
{
    static atomic_bool is_told;
    int cores = thread_cores();
    if (asked <= cores)
        return asked > 0 ? asked : cores;
    if (!atomic_exchange(&is_told, true))
        log_notice("%d threads asked for, %d used: that many cores are there for this process (affinity, cgroup quota, "
                   "OMP_NUM_THREADS, OMP_THREAD_LIMIT)",
                   asked, cores);
    return cores;
}
