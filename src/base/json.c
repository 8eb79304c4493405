/* Every getter names file and key in its message, so that no reader of a file writes one. What is printed keeps the
 * order of its keys, on one line, and nine digits of a number, which tell any two floats apart. */
#include "base/json.h"

#include "base/str.h"

mien_status json_parse(json_t **out, const char *text, size_t length, const char *where)
{
    json_error_t error;
    if (length > JSON_MAX_BYTES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: JSON of %zu bytes (wanted at most %zu)", where, length, JSON_MAX_BYTES);
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!value)
        return mien_fail(json_error_code(&error) == json_error_out_of_memory ? MIEN_ERR_NOMEM : MIEN_ERR_FORMAT,
                         "%s: line %d, column %d: %s", where, error.line, error.column, error.text);
    *out = value;
    return MIEN_OK;
}

/* What is printed. Jansson 2.14 does not look at what becomes of a key, so a failure is remembered here. */
typedef struct {
    str text;
    mien_status status;
} printed;

static int append(const char *bytes, size_t count, void *payload)
{
    printed *p = payload;
    if (p->status == MIEN_OK)
        p->status = str_append_bytes(&p->text, bytes, count);
    return p->status == MIEN_OK ? 0 : -1;
}

mien_status json_print(char **out, const json_t *value)
{
    printed p = {0};
    if (json_dump_callback(value, append, &p, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) != 0 ||
        p.status != MIEN_OK) {
        str_free(&p.text);
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (printing JSON)");
    }
    *out = p.text.text;
    return MIEN_OK;
}

static mien_status get(const json_t **out, const json_t *object, const char *key, const char *where)
{
    if (!json_is_object(object))
        return mien_fail(MIEN_ERR_FORMAT, "%s: not an object (wanted one with '%s')", where, key);
    const json_t *value = json_object_get(object, key);
    if (!value)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: missing", where, key);
    *out = value;
    return MIEN_OK;
}

mien_status json_get_string(const char **out, const json_t *object, const char *key, const char *where)
{
    const json_t *value;
    TRY(get(&value, object, key, where));
    if (!json_is_string(value))
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not a string", where, key);
    *out = json_string_value(value);
    return MIEN_OK;
}

mien_status json_get_int(int64_t *out, const json_t *object, const char *key, const char *where)
{
    const json_t *value;
    TRY(get(&value, object, key, where));
    if (!json_is_integer(value))
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not an integer", where, key);
    *out = json_integer_value(value);
    return MIEN_OK;
}

mien_status json_get_number(double *out, const json_t *object, const char *key, const char *where)
{
    const json_t *value;
    TRY(get(&value, object, key, where));
    if (!json_is_number(value))
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not a number", where, key);
    *out = json_number_value(value);
    return MIEN_OK;
}

mien_status json_get_array(json_t **out, const json_t *object, const char *key, const char *where)
{
    const json_t *value;
    TRY(get(&value, object, key, where));
    if (!json_is_array(value))
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not an array", where, key);
    *out = (json_t *)value; /* borrowed: the owner decides whether it may change */
    return MIEN_OK;
}

mien_status json_check(const json_t *value)
{
    return value ? MIEN_OK : mien_fail(MIEN_ERR_NOMEM, "out of memory (building JSON)");
}
