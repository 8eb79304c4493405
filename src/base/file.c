/* Reading and naming files; file_write.c has the atomic writer. */
#include "base/file.h"

#include "base/mem.h"
#include "base/size.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

mien_status file_fail(const char *path, const char *what, int errno_value)
{
    const char *reason = strerrordesc_np(errno_value);
    return mien_fail(MIEN_ERR_IO, "%s: %s: %s", path, what, reason ? reason : "unknown error");
}

/* The same file under a number above those of stdin, stdout and stderr. */
static int move_up(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
    close(fd);
    errno = error;
    return moved;
}

int file_open(const char *path, int flags, mode_t mode)
{
    return move_up(open(path, flags | O_CLOEXEC, mode));
}

/* Opens for reading what is a file of some kind, and tells its size as far as the system knows it (0 for a pipe). */
static mien_status open_to_read(int *out, struct stat *info, const char *path)
{
    int fd = file_open(path, O_RDONLY, 0);
    if (fd < 0)
        return file_fail(path, "cannot open", errno);
    mien_status st = MIEN_OK;
    if (fstat(fd, info) != 0)
        st = file_fail(path, "cannot read", errno);
    else if (S_ISDIR(info->st_mode))
        st = mien_fail(MIEN_ERR_IO, "%s: is a folder (wanted a file)", path);
    if (st != MIEN_OK) {
        close(fd);
        return st;
    }
    *out = fd;
    return MIEN_OK;
}

/* Waits for something to read, since a read that waits is begun again after a signal. */
static mien_status await_bytes(int fd, const char *name, progress *p)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    while (poll(&one, 1, -1) < 0 && errno == EINTR)
        if (progress_tell(p, name, 0, 0, NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "%s: interrupted while it was read", name);
    return MIEN_OK;
}

mien_status file_read_fd(char **out, size_t *out_length, int fd, const char *name, size_t max_bytes, progress *p)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return file_fail(name, "cannot read", errno);
    mien_status st;
    char *text = NULL;
    size_t limit = max_bytes && max_bytes < SIZE_MAX - 2 ? max_bytes : SIZE_MAX - 2;
    size_t length = 0, capacity = info.st_size > 0 ? (size_t)info.st_size : 4096;
    if (S_ISREG(info.st_mode) && capacity > limit && info.st_size > 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: too large (%zu bytes, wanted at most %zu)", name, capacity, limit);
    capacity += 2; /* the NUL, and one byte more that finds the end without growing */
    TRY_OUT(mem_alloc(&text, capacity));
    for (;;) { /* the size may be unknown (a pipe, /proc) or have changed: only the end of file counts */
        if (p)
            TRY_OUT(await_bytes(fd, name, p));
        ssize_t got = read(fd, text + length, capacity - 1 - length);
        if (got < 0 && (errno == EINTR || (p && errno == EAGAIN)))
            continue;
        if (got < 0) {
            st = file_fail(name, "cannot read", errno);
            goto out;
        }
        length += (size_t)got;
        if (length > limit) {
            st = mien_fail(MIEN_ERR_FORMAT, "%s: too large (wanted at most %zu bytes)", name, limit);
            goto out;
        }
        if (got == 0)
            break;
        if (length == capacity - 1) {
            TRY_OUT(mem_resize_bytes((void **)&text, length, capacity * 2));
            capacity *= 2;
        }
    }
    text[length] = '\0';
    *out = text;
    text = NULL;
    if (out_length)
        *out_length = length;
    st = MIEN_OK;
out:
    mem_free(text);
    return st;
}

mien_status file_read(char **out, size_t *out_length, const char *path, size_t max_bytes)
{
    struct stat info;
    int fd;
    TRY(open_to_read(&fd, &info, path));
    mien_status st = file_read_fd(out, out_length, fd, path, max_bytes, NULL);
    close(fd);
    return st;
}

mien_status file_map_open(file_map *out, const char *path)
{
    struct stat info;
    int fd;
    TRY(open_to_read(&fd, &info, path));
    mien_status st = MIEN_OK;
    file_map map = {NULL, (size_t)info.st_size};
    if (!S_ISREG(info.st_mode)) {
        st = mien_fail(MIEN_ERR_IO, "%s: not a regular file", path);
    } else if (map.length > 0) {
        void *data = mmap(NULL, map.length, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            st = file_fail(path, "cannot map", errno);
        else
            map.data = data;
    }
    close(fd); /* the mapping lives on */
    if (st == MIEN_OK)
        *out = map;
    return st;
}

void file_map_close(file_map *map)
{
    if (map->data)
        munmap((void *)map->data, map->length);
    *map = (file_map){0};
}

mien_status file_hold(int *out_fd, char **out_path, const char *name, const void *bytes, size_t count)
{
    int fd = move_up(memfd_create("mien", MFD_CLOEXEC));
    if (fd < 0)
        return file_fail(name, "cannot hold", errno);
    str path = {0};
    mien_status st = file_write_fd(fd, name, bytes, count);
    if (st == MIEN_OK)
        st = str_printf(&path, "/proc/self/fd/%d", fd);
    if (st != MIEN_OK) {
        close(fd);
        return st;
    }
    *out_fd = fd;
    *out_path = path.text;
    return MIEN_OK;
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

void file_mend_backslashes(char *path)
{
    char slashed[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof(slashed) || !strchr(path, '\\') || file_exists(path))
        return;
    for (size_t i = 0; i <= length; i++)
        slashed[i] = path[i] == '\\' ? '/' : path[i];
    if (file_exists(slashed))
        memcpy(path, slashed, length + 1);
}

/* What is already there may also be refused for another reason than that (a disk that only reads). */
static mien_status make_folder(const char *name)
{
    if (mkdir(name, 0777) == 0)
        return MIEN_OK;
    int why = errno;
    if (file_is_folder(name))
        return MIEN_OK;
    return why == EEXIST ? mien_fail(MIEN_ERR_IO, "%s: is a file (wanted a folder)", name)
                         : file_fail(name, "cannot create folder", why);
}

bool file_leads_out(const char *name)
{
    for (const char *part = name; part; part = strpbrk(part, "/\\")) {
        part += *part == '/' || *part == '\\';
        if (strcspn(part, "/\\") == 2 && part[0] == '.' && part[1] == '.')
            return true;
    }
    return *name == '/';
}

mien_status file_make_folders(const char *path)
{
    char *name;
    TRY(mem_strdup(&name, path));
    mien_status st = MIEN_OK;
    for (char *slash = name; st == MIEN_OK && slash;) {
        slash = *slash ? strchr(slash + 1, '/') : NULL;
        if (slash)
            *slash = '\0';
        if (*name)
            st = make_folder(name);
        if (slash)
            *slash = '/';
    }
    mem_free(name);
    return st;
}

bool file_is_litter(const char *name)
{
    static const char *const left_behind[] = {"Thumbs.db",    "Thumbs.db:encryptable",
                                              "ehthumbs.db",  "ehthumbs_vista.db",
                                              "desktop.ini",  "Icon\r",
                                              "__MACOSX",     "@eaDir",
                                              "$RECYCLE.BIN", "System Volume Information",
                                              "lost+found"};
    for (size_t i = 0; i < sizeof(left_behind) / sizeof(left_behind[0]); i++)
        if (str_equal_nocase(name, left_behind[i]))
            return true;
    return name[0] == '.';
}

typedef struct {
    char **names;
    size_t count, capacity;
} name_list;

static mien_status add_name(name_list *list, const char *name)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        TRY(mem_resize_bytes((void **)&list->names, list->count * sizeof(char *), capacity * sizeof(char *)));
        list->capacity = capacity;
    }
    TRY(mem_strdup(&list->names[list->count], name));
    list->count++;
    return MIEN_OK;
}

static int by_name(const void *a, const void *b)
{
    return str_compare_natural(*(char *const *)a, *(char *const *)b);
}

mien_status file_list(char ***out, size_t *out_count, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return file_fail(folder, "cannot list", errno);
    mien_status st = MIEN_OK;
    name_list list = {0};
    TRY_OUT(mem_alloc(&list.names, 64));
    list.capacity = 64;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            TRY_OUT(add_name(&list, entry->d_name));
    }
    if (errno != 0) {
        st = file_fail(folder, "cannot list", errno);
        goto out;
    }
    qsort(list.names, list.count, sizeof(char *), by_name);
    *out = list.names;
    *out_count = list.count;
    list = (name_list){0};
out:
    file_list_free(list.names, list.count);
    closedir(dir);
    return st;
}

void file_list_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(names[i]);
    mem_free(names);
}

mien_status file_join(char **out, const char *a, const char *b)
{
    if (*a == '\0' || *b == '/')
        return mem_strdup(out, b);
    str path = {0};
    mien_status st = str_printf(&path, "%s%s%s", a, str_ends(a, "/") ? "" : "/", b);
    if (st == MIEN_OK)
        *out = path.text;
    return st;
}

const char *file_base_name(const char *path)
{
    const char *name = path;
    for (const char *c = path; *c; c++)
        if (*c == '/' && c[1] != '/' && c[1] != '\0')
            name = c + 1;
    return name;
}
