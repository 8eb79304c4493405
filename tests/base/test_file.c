/* Files appear whole or not at all: every way in which writing may end (abort, kill, full disk, no memory, another
 * writer) leaves the old file as it was. */
#include "base/file.h"
#include "no_memory.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[1024];

/* A path inside the test's folder; good until the fourth call after. */
static const char *in(const char *name)
{
    static char paths[4][1100];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    temp_folder_make(folder, sizeof(folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    umount2(folder, MNT_DETACH); /* only where the test of a full disk failed half-way */
    temp_folder_remove(folder);
    return 0;
}

static void assert_holds(const char *path, const char *wanted)
{
    char *text;
    size_t length;
    assert_ok(file_read(&text, &length, path, 0));
    assert_string_equal(text, wanted);
    assert_int_equal(length, strlen(wanted));
    mem_free(text);
}

static void assert_entries(const char *const *wanted, size_t count)
{
    char **names;
    size_t found;
    assert_ok(file_list(&names, &found, folder));
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(names[i], wanted[i]);
    file_list_free(names, found);
}

static void file_read__kinds_of_files(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length;
    assert_failure(file_read(&text, &length, in("gone"), 0), MIEN_ERR_IO, "gone: cannot open: No such file");
    assert_failure(file_read(&text, &length, folder, 0), MIEN_ERR_IO, "is a folder (wanted a file)");
    assert_ok(file_write_all(in("empty"), NULL, 0));
    assert_holds(in("empty"), "");
    assert_ok(file_write_all(in("ten"), "0123456789", 10));
    assert_failure(file_read(&text, &length, in("ten"), 9), MIEN_ERR_FORMAT,
                   "ten: too large (10 bytes, wanted at most 9)");
    assert_null(text);
    assert_ok(file_read(&text, NULL, in("ten"), 10));
    assert_string_equal(text, "0123456789");
    mem_free(text);
    assert_ok(file_read(&text, &length, "/proc/self/status", 0)); /* its size is said to be 0 */
    assert_true(length > 100);
    mem_free(text);
    text = NULL;
    assert_failure(file_read(&text, &length, "/dev/zero", 100000), MIEN_ERR_FORMAT, "too large");
    assert_failure(file_read(&text, &length, "/proc/self/mem", 0), MIEN_ERR_IO, "cannot read");
    assert_null(text);
}

static mien_status read_status(void *context)
{
    (void)context;
    char *text;
    TRY(file_read(&text, NULL, "/proc/cpuinfo", 0));
    mem_free(text);
    return MIEN_OK;
}

static void file_read__no_memory__is_told(void **state)
{
    (void)state;
    fail_each_allocation(read_status, NULL);
}

static void file_map__kinds_of_files(void **state)
{
    (void)state;
    file_map map = {0};
    assert_failure(file_map_open(&map, in("gone")), MIEN_ERR_IO, "gone: cannot open");
    assert_failure(file_map_open(&map, folder), MIEN_ERR_IO, "is a folder");
    assert_failure(file_map_open(&map, "/dev/null"), MIEN_ERR_IO, "not a regular file");
    assert_ok(file_write_all(in("f"), "abc", 3));
    assert_ok(file_map_open(&map, in("f")));
    assert_int_equal(map.length, 3);
    assert_memory_equal(map.data, "abc", 3);
    file_map_close(&map);
    assert_null(map.data);
    file_map_close(&map);
    assert_ok(file_write_all(in("empty"), "", 0));
    assert_ok(file_map_open(&map, in("empty")));
    assert_null(map.data);
    assert_int_equal(map.length, 0);
    file_map_close(&map);
}

/* Readers of the old file keep the old file: a mapping of it must not change or vanish under them. */
static void file_write__commit__replaces_at_once(void **state)
{
    (void)state;
    file_map old;
    file_writer *w;
    assert_ok(file_write_all(in("f"), "old", 3));
    assert_ok(file_map_open(&old, in("f")));
    assert_ok(file_write_open(&w, in("f")));
    assert_ok(file_write_bytes(w, "new", 3));
    assert_holds(in("f"), "old");
    assert_true(file_exists(in("f.part")));
    assert_ok(file_write_commit(w));
    assert_holds(in("f"), "new");
    assert_memory_equal(old.data, "old", 3);
    file_map_close(&old);
    assert_entries((const char *const[]){"f"}, 1);
}

static void file_write__abort__keeps_the_old(void **state)
{
    (void)state;
    file_writer *w;
    assert_ok(file_write_all(in("f"), "old", 3));
    assert_ok(file_write_open(&w, in("f")));
    assert_ok(file_write_bytes(w, "new", 3));
    file_write_abort(w);
    file_write_abort(NULL);
    assert_holds(in("f"), "old");
    assert_entries((const char *const[]){"f"}, 1);
}

static void file_write__many_sizes__arrive_whole(void **state)
{
    (void)state;
    enum { TOTAL = 3 << 20 };
    static unsigned char bytes[TOTAL];
    for (size_t i = 0; i < TOTAL; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 24);
    file_writer *w;
    assert_ok(file_write_open(&w, in("f")));
    size_t at = 0, step = 1;
    while (at < TOTAL) { /* below, at and above the buffer's size, in no order */
        step = step * 7 % 600011;
        size_t count = step < TOTAL - at ? step : TOTAL - at;
        assert_ok(file_write_bytes(w, bytes + at, count));
        at += count;
    }
    assert_ok(file_write_commit(w));
    char *text;
    size_t length;
    assert_ok(file_read(&text, &length, in("f"), 0));
    assert_int_equal(length, TOTAL);
    assert_memory_equal(text, bytes, TOTAL);
    mem_free(text);
}

static void file_write__impossible_places__are_told(void **state)
{
    (void)state;
    file_writer *w = NULL;
    assert_failure(file_write_open(&w, in("no/such/f")), MIEN_ERR_IO, "no/such/f: cannot create: No such file");
    assert_failure(file_write_open(&w, folder), MIEN_ERR_IO, "is a folder (wanted a file)");
    assert_int_equal(mkdir(in("f.part"), 0777), 0);
    assert_failure(file_write_open(&w, in("f")), MIEN_ERR_IO, "/f: cannot create: Is a directory");
    assert_int_equal(mkfifo(in("g.part"), 0666), 0); /* opening it must not wait for a reader */
    assert_failure(file_write_open(&w, in("g")), MIEN_ERR_IO, "not a regular file");
    assert_null(w);
}

static void file_write__second_writer__is_refused(void **state)
{
    (void)state;
    file_writer *first, *second = NULL;
    assert_ok(file_write_open(&first, in("f")));
    assert_ok(file_write_bytes(first, "first", 5));
    assert_failure(file_write_open(&second, in("f")), MIEN_ERR_IO, "/f: in use by another writer");
    assert_ok(file_write_commit(first));
    assert_holds(in("f"), "first");
    assert_ok(file_write_all(in("f"), "second", 6));
    assert_holds(in("f"), "second");
}

/* A run killed while it wrote leaves a torn PATH.part: the old file is whole, and the next writer starts afresh. */
static void file_write__killed_writer__leaves_the_old(void **state)
{
    (void)state;
    assert_ok(file_write_all(in("f"), "old", 3));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        file_writer *w;
        static char much[1 << 20];
        if (file_write_open(&w, in("f")) == MIEN_OK && file_write_bytes(w, much, sizeof(much)) == MIEN_OK)
            raise(SIGKILL);
        _exit(1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    struct stat torn;
    assert_int_equal(stat(in("f.part"), &torn), 0);
    assert_true(torn.st_size > 0);
    assert_holds(in("f"), "old");
    assert_ok(file_write_all(in("f"), "new", 3));
    assert_holds(in("f"), "new");
    assert_entries((const char *const[]){"f"}, 1);
}

/* Writes more than there is room for, in one go or in small pieces; both must fail and leave the old file. */
static void write_too_much(const char *path, const char *reason)
{
    static char much[1 << 20];
    for (size_t piece = sizeof(much); piece > 100; piece /= 50) {
        file_writer *w;
        assert_ok(file_write_open(&w, path));
        mien_status st = MIEN_OK;
        for (size_t at = 0; at < sizeof(much) && st == MIEN_OK; at += piece)
            st = file_write_bytes(w, much, piece);
        if (st != MIEN_OK) {
            assert_failure(st, MIEN_ERR_IO, reason);
            assert_failure(file_write_bytes(w, "x", 1), MIEN_ERR_IO, "earlier write failed");
            assert_failure(file_write_commit(w), MIEN_ERR_IO, "earlier write failed");
        } else {
            assert_failure(file_write_commit(w), MIEN_ERR_IO, reason);
        }
        assert_holds(path, "old");
        assert_entries((const char *const[]){"f"}, 1);
    }
}

static void file_write__file_size_limit__keeps_the_old(void **state)
{
    (void)state;
    struct rlimit kept, small;
    assert_ok(file_write_all(in("f"), "old", 3));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    small = (struct rlimit){.rlim_cur = 300000, .rlim_max = kept.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_too_much(in("f"), "f: cannot write: File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    signal(SIGXFSZ, handler);
}

static void file_write__full_disk__keeps_the_old(void **state)
{
    (void)state;
    if (mount("tmpfs", folder, "tmpfs", 0, "size=256k") != 0) {
        print_message("skipped: cannot mount a small tmpfs (%s); the file size limit above stands for it\n",
                      strerror(errno));
        skip();
    }
    assert_ok(file_write_all(in("f"), "old", 3));
    write_too_much(in("f"), "f: cannot write: No space left on device");
    assert_int_equal(umount(folder), 0);
}

static void file_write__device__is_written_not_replaced(void **state)
{
    (void)state;
    struct stat info;
    assert_ok(file_write_all("/dev/null", "text", 4));
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    assert_failure(file_write_all("/dev/full", "text", 4), MIEN_ERR_IO, "/dev/full: cannot write: No space left");
    assert_int_equal(stat("/dev/full", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
}

static void file_write__symbolic_link__stays_one(void **state)
{
    (void)state;
    struct stat info;
    assert_ok(file_write_all(in("real"), "old", 3));
    assert_int_equal(symlink("real", in("link")), 0);
    assert_ok(file_write_all(in("link"), "new", 3));
    assert_int_equal(lstat(in("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_holds(in("real"), "new");
}

static mien_status write_one(void *path)
{
    return file_write_all(path, "new", 3);
}

static void file_write__no_memory__keeps_the_old(void **state)
{
    (void)state;
    const char *path = in("f");
    assert_ok(file_write_all(path, "old", 3));
    mien_status st = MIEN_ERR_NOMEM;
    for (int n = 1; st == MIEN_ERR_NOMEM; n++) {
        assert_holds(path, "old");
        mem_fail_after(n);
        st = write_one((void *)path);
        mem_fail_after(-1);
    }
    assert_ok(st);
    assert_holds(path, "new");
    fail_each_allocation(write_one, (void *)path);
    assert_entries((const char *const[]){"f"}, 1);
}

static void file_make_folders__paths(void **state)
{
    (void)state;
    assert_ok(file_make_folders(in("a/b//c/")));
    assert_true(file_is_folder(in("a/b/c")));
    assert_ok(file_make_folders(in("a/b/c")));
    assert_ok(file_make_folders("/"));
    assert_ok(file_make_folders("."));
    assert_ok(file_write_all(in("f"), "", 0));
    assert_failure(file_make_folders(in("f")), MIEN_ERR_IO, "f: is a file (wanted a folder)");
    assert_failure(file_make_folders(in("f/g")), MIEN_ERR_IO, "f: is a file (wanted a folder)");
    assert_false(file_is_folder(in("f")));
    assert_false(file_exists(in("gone")));
}

/* As root, who may write anywhere, the test goes on as nobody. */
static void file_make_folders__forbidden__says_why(void **state)
{
    (void)state;
    bool is_root = geteuid() == 0;
    assert_int_equal(chmod(folder, 0555), 0);
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    mien_status st = file_make_folders(in("a/b"));
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_failure(st, MIEN_ERR_IO, "/a: cannot create folder: Permission denied");
}

/* In a process without stdin, stdout and stderr: whatever we open, what is printed does not end up in it. */
static void file_open__closed_standard_descriptors__stay_closed(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
            close(fd);
        file_writer *w = NULL;
        bool is_good = file_write_open(&w, in("f")) == MIEN_OK && file_write_bytes(w, "ours", 4) == MIEN_OK;
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
            is_good &= fcntl(fd, F_GETFD) < 0 && write(fd, "theirs", 6) < 0;
        _exit(is_good && file_write_commit(w) == MIEN_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_holds(in("f"), "ours");
}

static void file_is_litter__names(void **state)
{
    (void)state;
    static const char *const ours[] = {".", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini", "__MACOSX", "@eaDir"};
    static const char *const theirs[] = {"a.jpg", "thumbs", "desktop", "ANGER", "a.ini"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        assert_true(file_is_litter(ours[i]));
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
        assert_false(file_is_litter(theirs[i]));
}

static void file_list__names__are_naturally_ordered(void **state)
{
    (void)state;
    static const char *const names[] = {"10.jpg", "9.jpg", ".hidden", "b", "a", "1.jpg", "01.jpg"};
    for (size_t i = 0; i < 7; i++)
        assert_ok(file_write_all(in(names[i]), "", 0));
    assert_entries((const char *const[]){".hidden", "01.jpg", "1.jpg", "9.jpg", "10.jpg", "a", "b"}, 7);
    char **list;
    size_t count;
    assert_failure(file_list(&list, &count, in("a")), MIEN_ERR_IO, "a: cannot list: Not a directory");
}

static mien_status list_folder(void *path)
{
    char **names;
    size_t count;
    TRY(file_list(&names, &count, path));
    file_list_free(names, count);
    return MIEN_OK;
}

static void file_list__no_memory__is_told(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 70; i++) { /* more than the list's first room */
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(close(open(in(name), O_CREAT | O_WRONLY, 0666)), 0);
    }
    fail_each_allocation(list_folder, folder);
}

static void file_join__and_base_name(void **state)
{
    (void)state;
    static const char *const joins[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"a", "/b", "/b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
        char *path;
        assert_ok(file_join(&path, joins[i][0], joins[i][1]));
        assert_string_equal(path, joins[i][2]);
        mem_free(path);
    }
    assert_string_equal(file_base_name("a/b.c"), "b.c");
    assert_string_equal(file_base_name("b"), "b");
    assert_string_equal(file_base_name("a//b"), "b");
    assert_string_equal(file_base_name("a/b/"), "b/");
    assert_string_equal(file_base_name("/"), "/");
    assert_string_equal(file_base_name(""), "");
}

#define TEMP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_TEST(file_read__kinds_of_files),
        TEMP_TEST(file_read__no_memory__is_told),
        TEMP_TEST(file_map__kinds_of_files),
        TEMP_TEST(file_write__commit__replaces_at_once),
        TEMP_TEST(file_write__abort__keeps_the_old),
        TEMP_TEST(file_write__many_sizes__arrive_whole),
        TEMP_TEST(file_write__impossible_places__are_told),
        TEMP_TEST(file_write__second_writer__is_refused),
        TEMP_TEST(file_write__killed_writer__leaves_the_old),
        TEMP_TEST(file_write__file_size_limit__keeps_the_old),
        TEMP_TEST(file_write__full_disk__keeps_the_old),
        TEMP_TEST(file_write__device__is_written_not_replaced),
        TEMP_TEST(file_write__symbolic_link__stays_one),
        TEMP_TEST(file_write__no_memory__keeps_the_old),
        TEMP_TEST(file_make_folders__paths),
        TEMP_TEST(file_make_folders__forbidden__says_why),
        TEMP_TEST(file_open__closed_standard_descriptors__stay_closed),
        TEMP_TEST(file_is_litter__names),
        TEMP_TEST(file_list__names__are_naturally_ordered),
        TEMP_TEST(file_list__no_memory__is_told),
        TEMP_TEST(file_join__and_base_name),
    };
    return cmocka_run_group_tests_name("base/file", tests, NULL, NULL);
}
