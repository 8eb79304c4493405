/* How many threads may be busy: quotas as the kernel words them in both versions of cgroups, and OpenMP's variables. */
#include "base/thread.h"
#include "no_memory.h"
#include "testing.h"

#include <sched.h>
#include <sys/stat.h>

static char folder[PATH_MAX];

static void put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Writes `groups` and the mount table, whose %s is this folder. */
static int quota_of(const char *groups, const char *mount_format)
{
    char mounts[3 * PATH_MAX];
    snprintf(mounts, sizeof mounts, mount_format, folder);
    put("groups", groups);
    put("mounts", mounts);
    return thread_quota("groups", "mounts");
}

#define V2 "22 18 0:20 / /proc rw - proc proc rw\n30 18 0:26 / %s/two rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
#define V1 "31 30 0:27 / %s/one rw - cgroup cgroup rw,cpu,cpuacct\n"
#define CONTAINER "31 30 0:27 /docker/ab %s/one rw - cgroup cgroup rw,cpuacct,cpu\n"

static void quota__version_2__is_the_least_upwards(void **state)
{
    (void)state;
    mkdir("two", 0777), mkdir("two/a", 0777), mkdir("two/a/b", 0777);
    put("two/a/cpu.max", "250000 100000\n");
    put("two/a/b/cpu.max", "max 100000\n");
    assert_int_equal(quota_of("0::/a/b\n", V2), 2);
    put("two/a/b/cpu.max", "150000 100000\n");
    assert_int_equal(quota_of("0::/a/b\n", V2), 1);
    assert_int_equal(quota_of("0::/\n", V2), 0);
    put("two/a/b/cpu.max", "20000 100000\n"); /* a fifth of a CPU is one thread */
    assert_int_equal(quota_of("0::/a/b\n", V2), 1);
}

static void quota__version_1__is_read_from_the_cpu_hierarchy(void **state)
{
    (void)state;
    mkdir("one", 0777), mkdir("one/c", 0777);
    put("one/c/cpu.cfs_quota_us", "300000\n");
    put("one/c/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota_of("3:cpuset:/x\n2:cpu,cpuacct:/c\n", V1), 3);
    assert_int_equal(quota_of("3:cpuset:/c\n", V1), 0);
    put("one/c/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(quota_of("2:cpu,cpuacct:/c\n", V1), 0);
}

/* Inside a container the group's name is the host's, and the mount shows the group itself. */
static void quota__container__is_at_the_mount(void **state)
{
    (void)state;
    put("one/cpu.cfs_quota_us", "100000\n");
    put("one/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota_of("2:cpu,cpuacct:/docker/ab\n", CONTAINER), 1);
    assert_int_equal(quota_of("2:cpu,cpuacct:/elsewhere\n", CONTAINER), 1);
}

static void quota__nonsense__is_none(void **state)
{
    (void)state;
    mkdir("two/n", 0777);
    put("two/n/cpu.max", "lots\n");
    assert_int_equal(quota_of("0::/n\n", V2), 0);
    put("two/n/cpu.max", "100000 0\n");
    assert_int_equal(quota_of("0::/n\n", V2), 0);
    assert_int_equal(quota_of("", V2), 0);
    assert_int_equal(quota_of("no colons\n:\n::\n", V2), 0);
    assert_int_equal(quota_of("0::/n\n", "cut %s\n - \n"), 0);
    assert_int_equal(thread_quota("absent", "absent"), 0);
}

static void cores__variables__bound_them(void **state)
{
    (void)state;
    unsetenv("OMP_NUM_THREADS"), unsetenv("OMP_THREAD_LIMIT");
    int cores = thread_cores();
    assert_in_range(cores, 1, 1 << 20);
    static const char *const names[] = {"OMP_NUM_THREADS", "OMP_THREAD_LIMIT"};
    static const struct {
        const char *text;
        bool is_bound;
    } cases[] = {{"1", true},     {" 1 ,4", true}, {"0", false}, {"-3", false},
                 {"many", false}, {"", false},     {"1x", false}};
    for (size_t n = 0; n < 2; n++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            setenv(names[n], cases[i].text, 1);
            assert_int_equal(thread_cores(), cases[i].is_bound ? 1 : cores);
        }
        unsetenv(names[n]);
    }
}

static void cores__affinity__bounds_them(void **state)
{
    (void)state;
    cpu_set_t kept, one;
    assert_int_equal(sched_getaffinity(0, sizeof kept, &kept), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &kept))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(thread_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof kept, &kept), 0);
}

static int notices;
static void count_notice(void *payload, int level, const char *line)
{
    (void)payload, (void)level;
    notices += strstr(line, "threads asked for") != NULL;
}

static void grant__more_than_there_are__is_clamped_with_one_notice(void **state)
{
    (void)state;
    int cores = thread_cores();
    mien_set_log(count_notice, NULL);
    assert_int_equal(thread_grant(0), cores);
    assert_int_equal(thread_grant(1), 1);
    assert_int_equal(notices, 0);
    assert_int_equal(thread_grant(cores + 1), cores);
    assert_int_equal(thread_grant(1000), cores);
    assert_int_equal(notices, 1);
    mien_set_log(NULL, NULL);
}

static int enter(void **state)
{
    return temp_folder_enter(state) || !getcwd(folder, sizeof folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota__version_2__is_the_least_upwards),
        cmocka_unit_test(quota__version_1__is_read_from_the_cpu_hierarchy),
        cmocka_unit_test(quota__container__is_at_the_mount),
        cmocka_unit_test(quota__nonsense__is_none),
        cmocka_unit_test(cores__variables__bound_them),
        cmocka_unit_test(cores__affinity__bounds_them),
        cmocka_unit_test(grant__more_than_there_are__is_clamped_with_one_notice),
    };
    return cmocka_run_group_tests(tests, enter, temp_folder_leave);
}
