/* The face model that commands draw with where none is named. */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

/* face.safetensors beside the running binary: the README's first command puts it there. */
bool cli_face_beside(char dst[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", dst, PATH_MAX - 1);
    if (length < 0)
        return false;
    dst[length] = '\0';
    char *slash = strrchr(dst, '/');
    static const char name[] = "/face.safetensors";
    if (!slash || (size_t)(slash - dst) + sizeof name > PATH_MAX)
        return false;
    memcpy(slash, name, sizeof name);
    return access(dst, R_OK) == 0;
}

bool cli_find_face(console *c, char dst[PATH_MAX])
{
    if (cli_face_beside(dst))
        return true;
    console_say(c, "face model: none beside this program (wanted --face, or `mien face WHEEL --out FACE.safetensors`)");
    return false;
}
