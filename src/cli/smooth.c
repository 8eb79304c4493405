/* --smooth KIND:WIDTH, of the commands that answer lists of frames. Which heads there are only the models know, so
 * names are the library's to check. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
    [MIEN_SMOOTH_EXPONENTIAL] = "exponential", [MIEN_SMOOTH_GAUSSIAN] = "gaussian", [MIEN_SMOOTH_BOX] = "box"};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static error_t read_width(struct argp_state *state, mien_head_width *out, char *text, const char *head)
{
    char *end = NULL;
    *out = (mien_head_width){.head = head, .width = strtod(text, &end)};
    if (end != text && !*end && isfinite(out->width) && out->width >= 0)
        return 0;
    argp_error(state, "--smooth: width '%s' (wanted a number, 0 or more)", text);
    return EINVAL;
}

/* "va=4,au=3": a width each */
static error_t read_widths(struct argp_state *state, cli_smoothing *out, char *text)
{
    char *rest = text;
    while (rest) {
        char *item = strsep(&rest, ","), *width = strchr(item, '=');
        if (!width || width == item) {
            argp_error(state, "--smooth: '%s' (wanted HEAD=WIDTH)", item);
            return EINVAL;
        }
        if (out->count == CLI_MAX_WIDTHS) {
            argp_error(state, "--smooth: widths of more than %d heads", CLI_MAX_WIDTHS);
            return EINVAL;
        }
        *width++ = '\0';
        if (read_width(state, &out->widths[out->count], width, item))
            return EINVAL;
        out->count++;
    }
    return 0;
}

error_t cli_smooth(struct argp_state *state, cli_smoothing *out, char *text, bool allows_auto)
{
    char *widths = strchr(text, ':');
    const size_t length = widths ? (size_t)(widths - text) : strlen(text);
    *out = (cli_smoothing){MIEN_SMOOTH_NONE, {{NULL, 0}}, 0};
    for (int k = MIEN_SMOOTH_NONE + 1; k < KIND_COUNT; k++)
        if (strlen(kinds[k]) == length && !memcmp(kinds[k], text, length))
            out->kind = (mien_smoothing)k;
    if (!widths || out->kind == MIEN_SMOOTH_NONE) {
        argp_error(state, "--smooth: '%s' (wanted KIND:WIDTH, KIND exponential, gaussian or box)", text);
        return EINVAL;
    }
    widths++;
    if (allows_auto && !strcmp(widths, "auto"))
        return 0;
    if (strchr(widths, '='))
        return read_widths(state, out, widths);
    out->count = 1;
    return read_width(state, &out->widths[0], widths, NULL);
}
