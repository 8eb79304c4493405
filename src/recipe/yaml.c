/* Events are checked before libyaml builds a tree: an alias could make a small file huge, a tag asks for types that
 * recipes have not. Values are borrowed nodes with their line, so that each message names its place. */
#include "recipe/yaml.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 8 };

mien_status recipe_fail(const recipe_place *place, mien_status code, const char *format, ...)
{
    char text[1024], line[32] = "", key[100] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!place->path)
        return mien_fail(code, "--set %s: %s", place->key, text);
    if (place->line > 0)
        snprintf(line, sizeof line, "line %d: ", place->line);
    if (place->key[0])
        snprintf(key, sizeof key, "%s: ", place->key);
    return mien_fail(code, "%s: %s%s%s", place->path, line, key, text);
}

static recipe_place on_line(const recipe_place *at, size_t mark_line)
{
    recipe_place place = *at;
    place.line = (int)mark_line + 1;
    return place;
}

/* --- before a tree is built --------------------------------------------------------------------------------------- */

static mien_status parser_fail(const yaml_parser_t *parser, const recipe_place *at)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return recipe_fail(at, MIEN_ERR_NOMEM, "out of memory");
    if (parser->error == YAML_READER_ERROR)
        return recipe_fail(at, MIEN_ERR_FORMAT, "byte %zu: not UTF-8 text (%s)", parser->problem_offset,
                           parser->problem);
    recipe_place place = on_line(at, parser->problem_mark.line);
    return recipe_fail(&place, MIEN_ERR_FORMAT, "not YAML: %s%s%s", parser->problem ? parser->problem : "syntax error",
                       parser->context ? " " : "", parser->context ? parser->context : "");
}

/* An alias makes a small file mean a huge one; a tag asks for types that recipes do not have. */
static mien_status check_event(const yaml_event_t *event, int *depth, int *documents, const recipe_place *at)
{
    recipe_place place = on_line(at, event->start_mark.line);
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        ++*depth;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        ++*depth;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        --*depth;
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1)
            return recipe_fail(&place, MIEN_ERR_FORMAT, "a second document (wanted one)");
        break;
    default:
        break;
    }
    if (anchor)
        return recipe_fail(&place, MIEN_ERR_FORMAT, "anchor or alias '%.32s' (wanted plain values)", anchor);
    if (tag)
        return recipe_fail(&place, MIEN_ERR_FORMAT, "a tag with '!' (wanted plain values)");
    if (*depth > MAX_DEPTH)
        return recipe_fail(&place, MIEN_ERR_FORMAT, "nested too deep (more than %d levels)", MAX_DEPTH);
    return MIEN_OK;
}

static void feed(yaml_parser_t *parser, const char *text, size_t length)
{
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, length);
}

static mien_status check_events(yaml_parser_t *parser, const recipe_place *at)
{
    int depth = 0, documents = 0;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return parser_fail(parser, at);
        bool is_end = event.type == YAML_STREAM_END_EVENT;
        mien_status st = check_event(&event, &depth, &documents, at);
        yaml_event_delete(&event);
        TRY(st);
        if (is_end)
            return documents ? MIEN_OK : recipe_fail(at, MIEN_ERR_FORMAT, "empty (wanted a value)");
    }
}

static mien_status check_text(const char *text, size_t length, const recipe_place *at)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (YAML parser)");
    feed(&parser, text, length);
    mien_status st = check_events(&parser, at);
    yaml_parser_delete(&parser);
    return st;
}

mien_status recipe_yaml_parse(yaml_document_t *document, recipe_value *out, const char *text, size_t length,
                              const recipe_place *at)
{
    TRY(check_text(text, length, at));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (YAML parser)");
    feed(&parser, text, length);
    mien_status st = yaml_parser_load(&parser, document) ? MIEN_OK : parser_fail(&parser, at);
    yaml_parser_delete(&parser);
    TRY(st);
    yaml_node_t *root = yaml_document_get_root_node(document);
    if (!root) {
        yaml_document_delete(document);
        return recipe_fail(at, MIEN_ERR_FORMAT, "empty (wanted a value)");
    }
    *out = (recipe_value){document, root, on_line(at, root->start_mark.line)};
    return MIEN_OK;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

bool recipe_value_is_list(const recipe_value *v)
{
    return v->node->type == YAML_SEQUENCE_NODE;
}
bool recipe_value_is_mapping(const recipe_value *v)
{
    return v->node->type == YAML_MAPPING_NODE;
}

int recipe_value_count(const recipe_value *v)
{
    if (recipe_value_is_list(v))
        return (int)(v->node->data.sequence.items.top - v->node->data.sequence.items.start);
    if (recipe_value_is_mapping(v))
        return (int)(v->node->data.mapping.pairs.top - v->node->data.mapping.pairs.start);
    return 0;
}

recipe_value recipe_value_at(const recipe_value *v, int index)
{
    yaml_node_t *node = yaml_document_get_node(v->document, v->node->data.sequence.items.start[index]);
    return (recipe_value){v->document, node, on_line(&v->place, node->start_mark.line)};
}

static recipe_value pair_key(const recipe_value *v, int index)
{
    yaml_node_t *node = yaml_document_get_node(v->document, v->node->data.mapping.pairs.start[index].key);
    return (recipe_value){v->document, node, on_line(&v->place, node->start_mark.line)};
}

mien_status recipe_value_entry(const char **name, recipe_value *out, const recipe_value *v, int index)
{
    recipe_value key = pair_key(v, index);
    char found[64];
    const char *text = recipe_value_text(&key);
    if (!text || !*text || strlen(text) >= 48)
        return recipe_fail(&key.place, MIEN_ERR_FORMAT, "%s as a key (wanted a name)", recipe_value_found(found, &key));
    if (strchr(text, '.'))
        return recipe_fail(&key.place, MIEN_ERR_FORMAT,
                           "key '%s' has a dot (wanted nested keys; dots are for --set alone)", text);
    recipe_value value = {
        v->document, yaml_document_get_node(v->document, v->node->data.mapping.pairs.start[index].value), key.place};
    const char *group = v->place.key;
    if ((size_t)snprintf(value.place.key, sizeof value.place.key, "%s%s%s", group, *group ? "." : "", text) >=
        sizeof value.place.key)
        return recipe_fail(&key.place, MIEN_ERR_FORMAT, "key '%s' is too long", text);
    for (int i = 0; i < index; i++) { /* few: an unknown name among them has already failed */
        recipe_value earlier = pair_key(v, i);
        if (strcmp(recipe_value_text(&earlier), text) == 0)
            return recipe_fail(&value.place, MIEN_ERR_FORMAT, "given twice (first in line %d)", earlier.place.line);
    }
    *name = text;
    *out = value;
    return MIEN_OK;
}

bool recipe_value_find(recipe_value *out, const recipe_value *v, const char *name)
{
    for (int i = 0; recipe_value_is_mapping(v) && i < recipe_value_count(v); i++) {
        recipe_value key = pair_key(v, i);
        const char *text = recipe_value_text(&key);
        if (!text || strcmp(text, name) != 0)
            continue;
        *out = (recipe_value){
            v->document, yaml_document_get_node(v->document, v->node->data.mapping.pairs.start[i].value), key.place};
        return true;
    }
    return false;
}

const char *recipe_value_text(const recipe_value *v)
{
    if (v->node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)v->node->data.scalar.value;
    for (size_t i = 0; i < v->node->data.scalar.length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return NULL;
    return text;
}

bool recipe_value_is_quoted(const recipe_value *v)
{
    return v->node->type == YAML_SCALAR_NODE && v->node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

const char *recipe_value_found(char dst[64], const recipe_value *v)
{
    const char *word = recipe_value_is_mapping(v) ? "a mapping" : NULL;
    if (recipe_value_is_list(v))
        word = recipe_value_count(v) > 0 ? "a list" : "an empty list";
    if (!word && v->node->data.scalar.length == 0)
        word = "nothing";
    if (word) {
        snprintf(dst, 64, "%s", word);
        return dst;
    }
    const char *text = (const char *)v->node->data.scalar.value, *quote = recipe_value_is_quoted(v) ? "\"" : "";
    bool is_long = v->node->data.scalar.length > 48;
    snprintf(dst, 64, "%s%.48s%s%s", quote, text, is_long ? "..." : "", quote);
    str_make_line(dst);
    return dst;
}
