/* Every kind of file that we read, pixel by pixel as the reference reads it; and every prefix, flipped byte and lying
 * header of them ends in an answer. */
#include "image/picture.h"

#include "base/rng.h"

#include <jpeglib.h>
#include <zlib.h>

/* One row per fixture. JPEG and lossy WebP are held to no difference because the reference stands on the same libraries
 * as we do; where a system's libjpeg-turbo or libwebp is another version, the inverse transform and the chroma filter
 * may round otherwise, by a level or two. */
#define LOSSY 2

static const struct {
    const char *name;
    int tolerance;
} fixtures[] = {
    {"rgb420.jpg", LOSSY},
    {"rgb422.jpg", LOSSY},
    {"rgb444.jpg", LOSSY},
    {"progressive.jpg", LOSSY},
    {"grey.jpg", LOSSY},
    {"direct_rgb.jpg", LOSSY},
    {"cmyk.jpg", LOSSY},
    {"cmyk_unmarked.jpg", LOSSY},
    {"ycck.jpg", LOSSY},
    {"one_pixel.jpg", LOSSY},
    {"exif1.jpg", LOSSY},
    {"exif2.jpg", LOSSY},
    {"exif3.jpg", LOSSY},
    {"exif4.jpg", LOSSY},
    {"exif5.jpg", LOSSY},
    {"exif6.jpg", LOSSY},
    {"exif7.jpg", LOSSY},
    {"exif8.jpg", LOSSY},
    {"rgb8.png", 0},
    {"rgb8_interlaced.png", 0},
    {"rgb8_transparent.png", 0},
    {"rgba8.png", 0},
    {"rgb16.png", 0},
    {"rgba16.png", 0},
    {"grey1.png", 0},
    {"grey2.png", 0},
    {"grey4.png", 0},
    {"grey8.png", 0},
    {"grey16.png", 0},
    {"grey_alpha8.png", 0},
    {"grey_alpha16.png", 0},
    {"palette1.png", 0},
    {"palette2.png", 0},
    {"palette4.png", 0},
    {"palette8.png", 0},
    {"palette8_transparent.png", 0},
    {"exif6.png", 0},
    {"one_pixel.png", 0},
    {"lossy.webp", LOSSY},
    {"lossless.webp", 0},
    {"alpha.webp", 0},
    {"alpha_lossy.webp", LOSSY},
    {"animated.webp", 0},
    {"animated_offset.webp", 0},
    {"exif6.webp", 0},
    {"one_pixel.webp", 0},
};
#define FIXTURE_COUNT (sizeof fixtures / sizeof *fixtures)

static void decode__every_kind__as_the_reference(void **state)
{
    (void)state;
    image got = {0}; /* one for all: what it held before must not matter */
    for (size_t i = 0; i < FIXTURE_COUNT; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, FIXTURES "%s", fixtures[i].name);
        image wanted = picture_expected(fixtures[i].name);
        if (got.pixels != NULL)
            memset(got.pixels, 0xA5, got.capacity);
        assert_ok(image_read(&got, path));
        assert_pictures_equal(&got, &wanted, fixtures[i].tolerance, fixtures[i].name);
        image_free(&wanted);
    }
    image_free(&got);
}

/* The comparison bites: one level moved by one more than is allowed is found. */
static void decode__one_wrong_level__is_noticed(void **state)
{
    (void)state;
    image a = picture_expected("rgb420.jpg"), b = picture_expected("rgb420.jpg");
    b.pixels[100] = (uint8_t)(b.pixels[100] > 127 ? b.pixels[100] - 1 : b.pixels[100] + 1);
    assert_int_equal(assert_pictures_equal(&a, &b, LOSSY, "one level"), 1);
    image_free(&a);
    image_free(&b);
}

/* A copy with its exact size, so that ASan sees the first byte read past the end. */
static uint8_t *exact_copy(const uint8_t *bytes, size_t length)
{
    uint8_t *copy;
    assert_ok(mem_alloc(&copy, length));
    memcpy(copy, bytes, length);
    return copy;
}

/* A JPEG's end marker and a PNG's last chunk are no pixels; nor are the checksums before the latter, where they lack.
 */
static size_t bytes_after_pixels(const char *name)
{
    return strstr(name, ".jpg") ? 2 : strstr(name, ".png") ? 12 + 8 : 0;
}

static void decode__every_shorter_prefix__refused_or_whole(void **state)
{
    (void)state;
    image got = {0}, whole = {0};
    for (size_t i = 0; i < FIXTURE_COUNT; i++) {
        size_t length, read = 0, spare = bytes_after_pixels(fixtures[i].name);
        uint8_t *bytes = picture_file(fixtures[i].name, &length);
        assert_ok(image_decode(&whole, bytes, length, "whole"));
        for (size_t cut = 0; cut < length; cut++) {
            uint8_t *part = exact_copy(bytes, cut);
            mien_status st = image_decode(&got, part, cut, "cut");
            if (st == MIEN_OK && cut + spare < length)
                fail_msg("%s cut to %zu of %zu bytes: read", fixtures[i].name, cut, length);
            if (st == MIEN_OK)
                assert_pictures_equal(&got, &whole, 0, fixtures[i].name);
            else if (st != MIEN_ERR_FORMAT)
                fail_msg("%s cut to %zu of %zu bytes: status %d", fixtures[i].name, cut, length, st);
            read += st == MIEN_OK;
            mem_free(part);
        }
        assert_in_range(read, spare > 12 ? 12 : spare, spare);
        mem_free(bytes);
    }
    image_free(&got);
    image_free(&whole);
}

/* A JPEG in memory whose components stand in a scan each, or of one scan coded arithmetically. */
static uint8_t *make_jpeg(size_t *length, bool is_arithmetic)
{
    static const jpeg_scan_info scans[] = {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    uint8_t row[40 * 3], *rows[] = {row};
    jpeg.err = jpeg_std_error(&error);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = 40;
    jpeg.image_height = 30;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg.arith_code = is_arithmetic;
    if (!is_arithmetic) {
        jpeg.scan_info = scans;
        jpeg.num_scans = 3;
    }
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        for (size_t i = 0; i < sizeof row; i++)
            row[i] = (uint8_t)(i * 5 + jpeg.next_scanline * 3);
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    uint8_t *copy = exact_copy(bytes, size);
    free(bytes);
    *length = size;
    return copy;
}

static size_t last_scan(const uint8_t *bytes, size_t length)
{
    size_t at = length - 2;
    while (bytes[at] != 0xFF || bytes[at + 1] != 0xDA)
        at--;
    return at;
}

static void decode__jpeg_without_its_last_scan__is_truncated(void **state)
{
    (void)state;
    image got = {0};
    size_t length;
    uint8_t *bytes = make_jpeg(&length, false);
    assert_ok(image_decode(&got, bytes, length, "scans"));
    assert_ok(image_decode(&got, bytes, length - 2, "scans"));
    assert_failure(image_decode(&got, bytes, last_scan(bytes, length), "scans"), MIEN_ERR_FORMAT, "truncated JPEG");
    mem_free(bytes);
    bytes = picture_file("progressive.jpg", &length);
    assert_failure(image_decode(&got, bytes, last_scan(bytes, length), "scans"), MIEN_ERR_FORMAT, "truncated JPEG");
    mem_free(bytes);
    bytes = make_jpeg(&length, true); /* missing bits are zeros here: nobody can tell */
    assert_ok(image_decode(&got, bytes, length, "arithmetic"));
    assert_failure(image_decode(&got, bytes, length - 2, "arithmetic"), MIEN_ERR_FORMAT, "truncated JPEG");
    mem_free(bytes);
    image_free(&got);
}

/* Phones write panoramas with data of their own where the end marker should be. */
static void decode__jpeg_followed_by_something_else__is_read(void **state)
{
    (void)state;
    image got = {0}, whole = {0};
    size_t length;
    uint8_t *bytes = picture_file("rgb420.jpg", &length), *more;
    assert_ok(image_decode(&whole, bytes, length, "whole"));
    assert_ok(mem_alloc(&more, length + 64));
    memcpy(more, bytes, length);
    memset(more + length - 2, 'S', 66);
    assert_ok(image_decode(&got, more, length + 64, "more"));
    assert_pictures_equal(&got, &whole, 0, "more");
    mem_free(more);
    mem_free(bytes);
    image_free(&got);
    image_free(&whole);
}

static void put_u32(uint8_t *dst, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        dst[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* "Exif\0\0" belongs into JPEGs alone, but some writers put it into a PNG's eXIf too. */
static void decode__png_exif_as_in_a_jpeg__is_turned(void **state)
{
    (void)state;
    static const char prefix[6] = "Exif\0";
    image got = {0}, wanted = picture_expected("exif6.png");
    size_t length, at = 8;
    uint8_t *bytes = picture_file("exif6.png", &length), *more;
    while (memcmp(bytes + at + 4, "eXIf", 4) != 0)
        at += 12 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
    uint32_t data = (uint32_t)bytes[at + 2] << 8 | bytes[at + 3];
    assert_ok(mem_alloc(&more, length + sizeof prefix));
    memcpy(more, bytes, at + 8);
    memcpy(more + at + 8, prefix, sizeof prefix);
    memcpy(more + at + 8 + sizeof prefix, bytes + at + 8, length - at - 8);
    put_u32(more + at, data + sizeof prefix);
    put_u32(more + at + 8 + sizeof prefix + data, (uint32_t)crc32(0, more + at + 4, (uInt)(4 + sizeof prefix + data)));
    assert_ok(image_decode(&got, more, length + sizeof prefix, "exif"));
    assert_pictures_equal(&got, &wanted, 0, "exif");
    mem_free(more);
    mem_free(bytes);
    image_free(&got);
    image_free(&wanted);
}

static void decode__cut_in_the_pixels__says_truncated(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"rgb420.jpg", "cut.bin: truncated JPEG"},
        {"progressive.jpg", "cut.bin: truncated JPEG"},
        {"rgb8.png", "cut.bin: truncated PNG"},
        {"lossless.webp", "cut.bin: truncated WebP"},
    };
    image got = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length;
        uint8_t *bytes = picture_file(cases[i].name, &length);
        assert_failure(image_decode(&got, bytes, length * 3 / 4, "cut.bin"), MIEN_ERR_FORMAT, cases[i].message);
        mem_free(bytes);
    }
    image_free(&got);
}

/* Bytes after the end are somebody's habit (cameras, mobile phones) and harm nothing. */
static void decode__bytes_after_the_end__ignored(void **state)
{
    (void)state;
    static const char *const names[] = {"rgb420.jpg", "rgb8.png", "lossless.webp"};
    image got = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length;
        uint8_t *bytes = picture_file(names[i], &length), *longer;
        image wanted = picture_expected(names[i]);
        assert_ok(mem_zalloc(&longer, length + 99));
        memcpy(longer, bytes, length);
        assert_ok(image_decode(&got, longer, length + 99, names[i]));
        assert_pictures_equal(&got, &wanted, LOSSY, names[i]);
        image_free(&wanted);
        mem_free(longer);
        mem_free(bytes);
    }
    image_free(&got);
}

/* Whatever is changed, the decoder answers; half of the changes leave a picture. */
static void decode__flipped_bytes__never_crash(void **state)
{
    (void)state;
    rng r = rng_at(2, 0, 0, RNG_TEST);
    image got = {0};
    int refused = 0, read = 0;
    for (size_t i = 0; i < FIXTURE_COUNT; i++) {
        size_t length;
        uint8_t *bytes = picture_file(fixtures[i].name, &length);
        for (int attempt = 0; attempt < 120; attempt++) {
            uint8_t *changed = exact_copy(bytes, length);
            for (uint32_t n = 1 + rng_below(&r, 3); n > 0; n--)
                changed[rng_below(&r, (uint32_t)length)] = (uint8_t)rng_u32(&r);
            mien_status st = image_decode_limited(&got, changed, length, "changed", 1 << 20);
            assert_true(st == MIEN_OK || st == MIEN_ERR_FORMAT);
            st == MIEN_OK ? read++ : refused++;
            mem_free(changed);
        }
        mem_free(bytes);
    }
    assert_true(read > 100 && refused > 100);
    image_free(&got);
}

static void decode__no_image_at_all__says_so(void **state)
{
    (void)state;
    char folder[64], path[128];
    image got = {0};
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/face.jpg", folder);
    assert_failure(image_read(&got, path), MIEN_ERR_IO, "face.jpg: ");
    assert_ok(file_write_all(path, "", 0));
    assert_failure(image_read(&got, path), MIEN_ERR_FORMAT, "face.jpg: empty file");
    assert_ok(file_write_all(path, "A face, described in words.\n", 28));
    assert_failure(image_read(&got, path), MIEN_ERR_FORMAT, "face.jpg: not a JPEG, PNG or WebP image");
    assert_ok(file_write_all(path, "\xff\xd8", 2));
    assert_failure(image_read(&got, path), MIEN_ERR_FORMAT, "face.jpg: not a JPEG, PNG or WebP image");
    assert_failure(image_read(&got, folder), MIEN_ERR_IO, folder);
    assert_null(got.pixels);
    temp_folder_remove(folder);
}

/* The content decides: a PNG called .jpg is read. */
static void decode__wrong_name__still_read(void **state)
{
    (void)state;
    char folder[64], path[128];
    size_t length;
    uint8_t *bytes = picture_file("rgb8.png", &length);
    image got = {0}, wanted = picture_expected("rgb8.png");
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/face.jpg", folder);
    assert_ok(file_write_all(path, bytes, length));
    assert_ok(image_read(&got, path));
    assert_pictures_equal(&got, &wanted, 0, "PNG named .jpg");
    temp_folder_remove(folder);
    image_free(&got);
    image_free(&wanted);
    mem_free(bytes);
}

static void put_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_le24(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 3; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t crc32_of(const uint8_t *bytes, size_t count)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

/* Gives a fixture another size in its header. */
static void claim_size(uint8_t *bytes, size_t length, const char *kind, uint32_t width, uint32_t height)
{
    if (strcmp(kind, "png") == 0) {
        put_be32(bytes + 16, width);
        put_be32(bytes + 20, height);
        put_be32(bytes + 29, crc32_of(bytes + 12, 17));
    } else if (strcmp(kind, "webp") == 0) {
        put_le24(bytes + 24, width - 1); /* VP8X canvas */
        put_le24(bytes + 27, height - 1);
    } else {
        for (size_t i = 2; i + 9 < length; i += 2 + (size_t)(bytes[i + 2] << 8 | bytes[i + 3]))
            if (bytes[i + 1] == 0xC0 || bytes[i + 1] == 0xC2) { /* the frame header */
                put_be32(bytes + i + 5, height << 16 | width);
                return;
            }
        fail_msg("a JPEG without a frame header");
    }
}

static void decode__too_many_pixels__refused_before_memory(void **state)
{
    (void)state;
    static const struct {
        const char *name, *kind;
        uint32_t width, height;
        const char *message;
    } cases[] = {
        {"rgb420.jpg", "jpg", 20000, 20000, "huge: 20000x20000 pixels (at most 178000000)"},
        {"progressive.jpg", "jpg", 65500, 65500, "huge: 65500x65500 pixels (at most 178000000)"},
        {"cmyk.jpg", "jpg", 20000, 20000, "huge: 20000x20000 pixels (at most 178000000)"},
        {"rgb8.png", "png", 20000, 20000, "huge: 20000x20000 pixels (at most 178000000)"},
        {"rgb8_interlaced.png", "png", 0x7fffffff, 0x7fffffff, "huge: too many pixels in a PNG"},
        {"palette8.png", "png", 178000001, 1, "huge: 178000001x1 pixels (at most 178000000)"},
        {"animated.webp", "webp", 16000, 16000, "huge: 16000x16000 pixels (at most 178000000)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length;
        uint8_t *bytes = picture_file(cases[i].name, &length);
        claim_size(bytes, length, cases[i].kind, cases[i].width, cases[i].height);
        image got = {0};
        int64_t before = mem_count();
        assert_failure(image_decode(&got, bytes, length, "huge"), MIEN_ERR_FORMAT, cases[i].message);
        assert_int_equal(mem_count(), before);
        assert_null(got.pixels);
        mem_free(bytes);
    }
}

static void decode__pixel_limit__is_the_last_allowed(void **state)
{
    (void)state;
    static const char *const names[] = {"rgb420.jpg", "rgb8.png", "lossless.webp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length;
        uint8_t *bytes = picture_file(names[i], &length);
        image got = {0};
        assert_ok(image_decode_limited(&got, bytes, length, "limit", 24 * 17));
        assert_failure(image_decode_limited(&got, bytes, length, "limit", 24 * 17 - 1), MIEN_ERR_FORMAT,
                       "limit: 24x17 pixels (at most 407)");
        image_free(&got);
        mem_free(bytes);
    }
    assert_int_equal(IMAGE_MAX_PIXELS, 178000000);
}

/* A frame header and nothing behind it that could fill it: the file is short, so the answer must be quick. */
static void decode__size_without_data__refused(void **state)
{
    (void)state;
    static const char *const names[] = {"rgb420.jpg", "progressive.jpg", "rgb8.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length;
        uint8_t *bytes = picture_file(names[i], &length);
        claim_size(bytes, length, strstr(names[i], "png") ? "png" : "jpg", 3000, 3000);
        image got = {0};
        assert_failure(image_decode(&got, bytes, length, "hollow"), MIEN_ERR_FORMAT, "hollow: ");
        image_free(&got);
        mem_free(bytes);
    }
}

/* A progressive JPEG may repeat a scan for ever; each costs a pass over the picture. */
static void decode__thousand_scans__refused(void **state)
{
    (void)state;
    enum { COPIES = 1000 };
    size_t length, start = 0, end;
    uint8_t *bytes = picture_file("progressive.jpg", &length), *many;
    while (bytes[start] != 0xff || bytes[start + 1] != 0xda)
        start++;
    end = start + 2; /* the scan ends at the next marker that is no stuffed byte */
    while (bytes[end] != 0xff || bytes[end + 1] == 0)
        end++;
    size_t scan_bytes = end - start, total = length + COPIES * scan_bytes;
    assert_ok(mem_alloc(&many, total));
    memcpy(many, bytes, end);
    for (size_t i = 0; i < COPIES; i++)
        memcpy(many + end + i * scan_bytes, bytes + start, scan_bytes);
    memcpy(many + end + COPIES * scan_bytes, bytes + end, length - end);
    image got = {0};
    assert_failure(image_decode(&got, many, total, "scans"), MIEN_ERR_FORMAT, "scans: more than 200 scans");
    image_free(&got);
    mem_free(many);
    mem_free(bytes);
}

static void exif__damaged_blocks__mean_upright(void **state)
{
    (void)state;
    uint8_t block[] = {'E', 'x',  'i', 'f', 0, 0, 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1,
                       1,   0x12, 0,   3,   0, 0, 0,   1,   0, 6,   0, 0, 0, 0, 0, 0};
    enum { DIRECTORY_AT = 13, COUNT_AT = 15, TYPE_AT = 19, VALUES_AT = 23, VALUE_AT = 25, ENTRY_END = 28 };
    assert_int_equal(exif_orientation(block, sizeof block), 6);
    assert_int_equal(exif_orientation(block + 6, sizeof block - 6), 6); /* PNG and WebP leave the mark out */
    for (size_t cut = 0; cut < ENTRY_END; cut++) {
        uint8_t *part = exact_copy(block, cut);
        assert_int_equal(exif_orientation(part, cut), 1);
        mem_free(part);
    }
    static const struct {
        int at;
        uint8_t value;
    } damages[] = {{0, 'e'},      {6, 'I'},      {8, 1},  {DIRECTORY_AT, 200}, {DIRECTORY_AT - 3, 255},
                   {COUNT_AT, 0}, {17, 0},       {16, 2}, {TYPE_AT, 2},        {VALUES_AT, 2},
                   {VALUE_AT, 0}, {VALUE_AT, 9}, {24, 1}};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        uint8_t kept = block[damages[i].at];
        block[damages[i].at] = damages[i].value;
        assert_int_equal(exif_orientation(block, sizeof block), 1);
        block[damages[i].at] = kept;
    }
}

typedef struct {
    const uint8_t *bytes;
    size_t length;
} encoded;

static mien_status attempt_decode(void *context)
{
    const encoded *e = context;
    image got = {0};
    mien_status st = image_decode(&got, e->bytes, e->length, "starved");
    image_free(&got);
    return st;
}

static mien_status attempt_read(void *context)
{
    image got = {0};
    mien_status st = image_read(&got, context);
    image_free(&got);
    return st;
}

static void decode__no_memory__fails_cleanly(void **state)
{
    (void)state;
    static const char *const names[] = {"exif6.jpg", "cmyk.jpg", "exif6.png", "exif6.webp", "animated_offset.webp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        encoded e;
        uint8_t *bytes = picture_file(names[i], &e.length);
        e.bytes = bytes;
        fail_each_allocation(attempt_decode, &e);
        mem_free(bytes);
    }
    char path[] = FIXTURES "exif6.jpg";
    fail_each_allocation(attempt_read, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode__every_kind__as_the_reference),
        cmocka_unit_test(decode__one_wrong_level__is_noticed),
        cmocka_unit_test(decode__every_shorter_prefix__refused_or_whole),
        cmocka_unit_test(decode__jpeg_without_its_last_scan__is_truncated),
        cmocka_unit_test(decode__jpeg_followed_by_something_else__is_read),
        cmocka_unit_test(decode__png_exif_as_in_a_jpeg__is_turned),
        cmocka_unit_test(decode__cut_in_the_pixels__says_truncated),
        cmocka_unit_test(decode__bytes_after_the_end__ignored),
        cmocka_unit_test(decode__flipped_bytes__never_crash),
        cmocka_unit_test(decode__no_image_at_all__says_so),
        cmocka_unit_test(decode__wrong_name__still_read),
        cmocka_unit_test(decode__too_many_pixels__refused_before_memory),
        cmocka_unit_test(decode__pixel_limit__is_the_last_allowed),
        cmocka_unit_test(decode__size_without_data__refused),
        cmocka_unit_test(decode__thousand_scans__refused),
        cmocka_unit_test(exif__damaged_blocks__mean_upright),
        cmocka_unit_test(decode__no_memory__fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
