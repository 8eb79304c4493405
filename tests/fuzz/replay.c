/* Feeds a fuzz target its corpus without libFuzzer, so that every build replays what was ever found:
 *     replay_WHAT FILE|FOLDER...
 * Each file is given whole and cut off at some places, in a buffer of exactly its size. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CUTS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int files;

static _Noreturn void give_up(const char *path, const char *what)
{
    fprintf(stderr, "replay: %s: %s\n", path, what);
    exit(1);
}

static void feed(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* ASan then sees the first byte past the end */
    if (!exact)
        give_up("input", "out of memory");
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void replay_file(const char *path, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    FILE *file = fopen(path, "rb");
    if (!data || !file || fread(data, 1, size, file) != size)
        give_up(path, "cannot read");
    fclose(file);
    fprintf(stderr, "%s\n", path); /* so that a crash says on what */
    feed(data, size);
    for (size_t i = 0; i < CUTS && i < size; i++)
        feed(data, size > CUTS ? size * i / CUTS : i);
    free(data);
    files++;
}

static void replay(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        give_up(path, "cannot find");
    if (!S_ISDIR(info.st_mode)) {
        replay_file(path, (size_t)info.st_size);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        give_up(path, "cannot list");
    for (int i = 0; i < count; i++) {
        char inner[4096];
        snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            replay(inner);
        free(entries[i]);
    }
    free(entries);
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        replay(arguments[i]);
    if (files == 0)
        give_up(count > 1 ? arguments[1] : "no corpus", "nothing to replay");
    printf("%d files\n", files);
    return 0;
}
