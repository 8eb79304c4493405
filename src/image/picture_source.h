/* Pictures by number, wherever they come from, and one thread's means of reading them. A source is files of a set, a
 * list of paths, pictures in memory, frames of a video: whoever makes one embeds this struct in its own. */
#ifndef IMAGE_PICTURE_SOURCE_H
#define IMAGE_PICTURE_SOURCE_H

#include "image/image.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* Room for any name or path of a picture: a folder that can be opened, and a file in it. */
#define PICTURE_NAME_BYTES (PATH_MAX + NAME_MAX + 2)

/* Every buffer is kept from picture to picture. */
typedef struct {
    image decoded;          /* what a source's `read` left */
    image sized;            /* what picture_fit left */
    image_scratch *scratch; /* owned */
    uint8_t *bytes;         /* the file, owned */
    size_t capacity;
    char path[PATH_MAX]; /* of the file that is being read */
    uint32_t epoch;      /* that pictures are read for: sources that make them make other ones in each */
} picture_reader;

MIEN_MUST_USE mien_status picture_reader_init(picture_reader *r);
void picture_reader_clear(picture_reader *r); /* a zeroed reader is a no-op */
/* Reads and decodes the file r->path into r->decoded. Errors as image_read's. */
MIEN_MUST_USE mien_status picture_read_file(picture_reader *r);
/* The same of r->path or, where that cannot be read or decoded, of `second` (NULL: there is none), which r->path is
 * then. Of two failures that which says more: a picture that is there and broken is no missing one. */
MIEN_MUST_USE mien_status picture_read_either(picture_reader *r, const char *second);
/* r->sized = r->decoded resized to size x size. */
MIEN_MUST_USE mien_status picture_fit(picture_reader *r, int size);
/* Whether a failure to read a picture is the picture's (a bad input among many) or ours. */
bool picture_is_bad(mien_status st);

typedef struct picture_source picture_source;
struct picture_source {
    const char *what; /* as the user named it, for messages */
    int64_t count;
    /* A picture that cannot be opened is the source's fault, a list's that names it, and no bad picture among many. */
    bool missing_is_fatal;
    uint64_t fingerprint; /* of what pictures are made of; 0: they are files, which tell themselves */
    bool is_renewed;      /* a picture is another one in each epoch, the reader's */
    /* The picture's name as the user knows it, into dst; too small is MIEN_ERR_ARG. */
    mien_status (*name)(const picture_source *s, int64_t index, char *dst, size_t bytes);
    /* The file that the picture is read from, likewise. NULL: pictures of this source are no files. */
    mien_status (*path)(const picture_source *s, int64_t index, char *dst, size_t bytes);
    /* Is there a file to read it from, as far as can be said without opening it? NULL: nobody knows before. */
    bool (*is_there)(const picture_source *s, int64_t index);
    /* Leaves the picture in r->decoded. Threads: any, each with a reader of its own. */
    mien_status (*read)(const picture_source *s, int64_t index, picture_reader *r);
    _Atomic uint32_t *reported; /* [ceil(count / 32)] bit i: picture i was told as unreadable; the maker's */
};

/* True the first time a picture is reported: one line each, whoever reads it how often. Threads: any. */
bool picture_report(const picture_source *s, int64_t index);

/* Files by name: below `root` (NULL or "": paths as they are), and those that cannot be opened there below `fallback`
 * (NULL: none). Names and roots are copied; a name may be absolute. Free with picture_files_free. */
typedef struct picture_files picture_files;
MIEN_MUST_USE mien_status picture_files_create(picture_files **out, const char *what, const char *const *names,
                                               int64_t count, const char *root, const char *fallback);
void picture_files_free(picture_files *f); /* NULL is a no-op */
const picture_source *picture_files_source(const picture_files *f);

/* Pictures that lie in memory already, "1", "2" ...; images [count] are borrowed. */
typedef struct {
    picture_source source;
    const image *images;
} picture_memory;
/* Free with picture_memory_clear. */
MIEN_MUST_USE mien_status picture_memory_init(picture_memory *out, const image *images, int64_t count);
void picture_memory_clear(picture_memory *m);

#endif
