/* Pictures that are made when they are read, and what is known of each: a training that draws its own faces. Whoever
 * makes them says nothing of how: they are numbers, a table of labels and pixels here, other ones each epoch. */
#ifndef DATA_PICTURE_MAKER_H
#define DATA_PICTURE_MAKER_H

#include "base/str.h"
#include "image/picture_source.h"

typedef struct picture_maker picture_maker;
struct picture_maker {
    const char *what;     /* as the user named it, for messages */
    int64_t count;        /* of an epoch, the same in each */
    uint64_t fingerprint; /* of what they are made of: another one, where the pictures are others */
    bool is_renewed;      /* they differ from epoch to epoch; their number does not, nor what they are called */
    /* Appends an epoch's labels as a folder of such pictures holds them: a labels.csv, a row for each picture, in
     * order of their numbers. */
    mien_status (*table)(const picture_maker *m, uint32_t epoch, str *out);
    /* Leaves picture `index` of an epoch in r->decoded. Threads: any, each with a reader of its own. */
    mien_status (*read)(const picture_maker *m, uint32_t epoch, int64_t index, picture_reader *r);
    const picture_maker *validation; /* pictures to select by, of other people; NULL: none */
};

#endif
