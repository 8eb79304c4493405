/* One rule for all that read many pictures. */
#include "data/bad_pictures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool bad_pictures_may_be(const picture_source *source, mien_status st)
{
    return picture_is_bad(st) && !(st == MIEN_ERR_IO && source->missing_is_fatal);
}

int64_t bad_pictures_allowed(int64_t count, double max_bad_share)
{
    double allowed = max_bad_share > 0 ? max_bad_share * (double)count : 0;
    return allowed >= (double)count ? count : (int64_t)(allowed + 1e-9); /* 0.01 x 700 is 7.000000000000001 or less */
}

mien_status bad_pictures_too_many(const char *what, int64_t count, double max_bad_share, const char *last_why)
{
    return mien_fail(MIEN_ERR_FORMAT,
                     "%s: too many unreadable pictures (more than %" PRId64 " of %" PRId64
                     ", max_bad_share %g), the last: %s",
                     what, bad_pictures_allowed(count, max_bad_share), count, max_bad_share, last_why);
}

mien_status bad_pictures_find_absent(bad_pictures_absent *out, const picture_source *source, const subset *pictures)
{
    enum { NAMED = 4 };
    char names[NAMED * 80] = "", name[PICTURE_NAME_BYTES];
    *out = (bad_pictures_absent){0};
    for (int64_t i = 0; source->is_there && i < pictures->count; i++) {
        if (source->is_there(source, pictures->index[i]) || out->count++ >= NAMED)
            continue;
        TRY(source->name(source, pictures->index[i], name, sizeof name));
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%.70s", used ? ", " : "", name);
    }
    if (out->count)
        snprintf(out->text, sizeof out->text, "%.120s: %" PRId64 " of %" PRId64 " pictures are not there: %s%s",
                 source->what, out->count, pictures->count, names, out->count > NAMED ? ", .." : "");
    return MIEN_OK;
}
