/* What is written, in the notation of TensorFlow's event.proto and summary.proto:
 *
 *     message Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
 *     message Summary { message Value { string tag = 1; float simple_value = 2; }  repeated Value value = 1; }
 *
 * wall_time is left out, and so 0. A message's length stands before it, so messages are measured first and then
 * written. */
#include "format/tensorboard.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { RECORD_OVERHEAD = 8 + 4 + 4, RECORD_HEAD = 8 + 4, STEP_FIELD_MOST = 1 + 10 };

/* CRC-32C (Castagnoli), reflected, a bit at a time: records are a few hundred bytes, some ten an epoch. */
static uint32_t crc32c(const uint8_t *bytes, size_t count)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* As TFRecord stores it: a CRC of data that holds CRCs would be weak. */
static uint32_t masked_crc(const uint8_t *bytes, size_t count)
{
    uint32_t crc = crc32c(bytes, count);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* --- protocol buffers --------------------------------------------------------------------------------------------- */

static size_t varint_length(uint64_t value)
{
    size_t length = 1;
    while (value >>= 7)
        length++;
    return length;
}

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

/* Little-endian, whatever the machine. */
static uint8_t *put_fixed(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *to++ = (uint8_t)(value >> 8 * i);
    return to;
}

static uint8_t *put_key(uint8_t *to, int field, int wire)
{
    return put_varint(to, (uint64_t)(field << 3 | wire));
}

static uint8_t *put_text(uint8_t *to, int field, const char *text)
{
    size_t length = strlen(text);
    to = put_varint(put_key(to, field, WIRE_BYTES), length);
    memcpy(to, text, length);
    return to + length;
}

/* A field of `length` bytes, its key (of fields below 16) and length included. */
static size_t field_length(size_t length)
{
    return 1 + varint_length(length) + length;
}

static size_t value_length(const tb_scalar *s)
{
    return field_length(strlen(s->tag)) + 1 + 4;
}

static uint8_t *put_value(uint8_t *to, const tb_scalar *s)
{
    uint32_t bits;
    memcpy(&bits, &s->value, sizeof bits);
    to = put_varint(put_key(to, 1, WIRE_BYTES), value_length(s));
    to = put_text(to, 1, s->tag);
    return put_fixed(put_key(to, 2, WIRE_32), bits, 4);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static mien_status check_room(size_t needed, size_t bytes)
{
    if (needed > bytes)
        return mien_fail(MIEN_ERR_ARG, "event record: %zu bytes of room (wanted %zu)", bytes, needed);
    return MIEN_OK;
}

/* Frames the message that stands at dst + RECORD_HEAD and ends at `end`. */
static size_t frame(uint8_t *dst, uint8_t *end)
{
    size_t length = (size_t)(end - dst) - RECORD_HEAD;
    put_fixed(dst, length, 8);
    put_fixed(dst + 8, masked_crc(dst, 8), 4);
    put_fixed(end, masked_crc(dst + RECORD_HEAD, length), 4);
    return length + RECORD_OVERHEAD;
}

mien_status tb_version_record(uint8_t *dst, size_t bytes, size_t *length)
{
    static const char version[] = "brain.Event:2";
    TRY(check_room(RECORD_OVERHEAD + field_length(strlen(version)), bytes));
    *length = frame(dst, put_text(dst + RECORD_HEAD, 3, version));
    return MIEN_OK;
}

mien_status tb_scalar_record(uint8_t *dst, size_t bytes, size_t *length, int64_t step, const tb_scalar *scalars,
                             int count)
{
    size_t summary = 0;
    for (int i = 0; i < count; i++)
        summary += field_length(value_length(&scalars[i]));
    TRY(check_room(RECORD_OVERHEAD + STEP_FIELD_MOST + field_length(summary), bytes));
    uint8_t *to = put_varint(put_key(dst + RECORD_HEAD, 2, WIRE_VARINT), (uint64_t)step);
    to = put_varint(put_key(to, 5, WIRE_BYTES), summary);
    for (int i = 0; i < count; i++)
        to = put_value(to, &scalars[i]);
    *length = frame(dst, to);
    return MIEN_OK;
}
