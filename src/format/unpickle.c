/* The stack machine. Each opcode is a row of the table at the end; one that is not there is refused.
 *
 * Memory is bounded through two numbers: whatever is kept (a place on the stack, an object) began as a push, and pushes
 * are counted; so are cells of containers, which a call may make many of at once. */
#include "base/mem.h"
#include "base/str.h"
#include "format/unpickle_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_VALUES = 1 << 21, /* ever: 30 a tensor in a state dict */
    MAX_HEIGHT = 1 << 14, /* at once: Python fills containers a thousand items at a time */
    MAX_MARKS = 1 << 10,  /* open tuples, lists and dicts */
    MAX_PROTOCOL = 5,
};

typedef struct opcode opcode;
struct opcode {
    const char *name;
    mien_status (*run)(pickle *p, const opcode *op);
    int size; /* of its argument, or of the argument's length, in bytes; what else the row says */
    pickle_kind kind;
};

mien_status pickle_fail(const pickle *p, const char *fault)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: %s", p->where, p->opcode_at, fault);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Room for one more in an array of `count` elements. */
static mien_status make_room(void **array, uint32_t *room, uint32_t count, size_t element_bytes)
{
    if (count < *room)
        return MIEN_OK;
    uint32_t wanted = *room ? *room * 2 : 64;
    TRY(mem_resize_bytes(array, *room * element_bytes, wanted * element_bytes));
    *room = wanted;
    return MIEN_OK;
}

static mien_status fail_many(const pickle *p)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: too many values (wanted at most %d)", p->where, p->opcode_at,
                     MAX_VALUES);
}

static mien_status push(pickle *p, pickle_value v)
{
    if (p->height == MAX_HEIGHT)
        return mien_fail(MIEN_ERR_FORMAT,
                         "%s: byte %zu: nested too deep, or too long a tuple (wanted at most %d values open)", p->where,
                         p->opcode_at, MAX_HEIGHT);
    if (p->made == MAX_VALUES)
        return fail_many(p);
    TRY(make_room((void **)&p->stack, &p->stack_room, p->height, sizeof *p->stack));
    p->stack[p->height++] = v;
    p->made++;
    return MIEN_OK;
}

static mien_status pop(pickle *p, pickle_value *out)
{
    if (p->height == 0 || p->stack[p->height - 1].kind == PICKLE_MARK)
        return pickle_fail(p, "takes a value where there is none");
    *out = p->stack[--p->height];
    return MIEN_OK;
}

/* The value on top of the stack, which must be of this kind. */
static mien_status top(pickle *p, pickle_kind kind, pickle_value *out)
{
    if (p->height == 0 || p->stack[p->height - 1].kind != kind)
        return pickle_fail(p, "stands after a value of the wrong kind");
    *out = p->stack[p->height - 1];
    return MIEN_OK;
}

mien_status pickle_object_new(pickle *p, pickle_kind kind, pickle_value *out)
{
    TRY(make_room((void **)&p->objects, &p->object_room, p->object_count, sizeof *p->objects));
    p->objects[p->object_count] = (pickle_object){.kind = (uint8_t)kind, .first = PICKLE_END, .last = PICKLE_END};
    *out = (pickle_value){.kind = (uint8_t)kind, .index = p->object_count++};
    return MIEN_OK;
}

mien_status pickle_append(pickle *p, uint32_t object, pickle_value item)
{
    if (p->cell_count == MAX_VALUES)
        return fail_many(p);
    TRY(make_room((void **)&p->cells, &p->cell_room, p->cell_count, sizeof *p->cells));
    uint32_t cell = p->cell_count++;
    pickle_object *o = &p->objects[object];
    p->cells[cell] = (pickle_cell){item, PICKLE_END};
    if (o->count == 0)
        o->first = cell;
    else
        p->cells[o->last].next = cell;
    o->last = cell;
    o->count++;
    return MIEN_OK;
}

/* Moves the stack's values from `from` on into the object. */
static mien_status take_items(pickle *p, uint32_t object, uint32_t from)
{
    for (uint32_t i = from; i < p->height; i++)
        TRY(pickle_append(p, object, p->stack[i]));
    p->height = from;
    return MIEN_OK;
}

/* *out = where the values after the last mark begin; the mark itself lies just before. */
static mien_status find_mark(pickle *p, uint32_t *out)
{
    uint32_t at = p->height;
    while (at > 0 && p->stack[at - 1].kind != PICKLE_MARK)
        at--;
    if (at == 0)
        return pickle_fail(p, "refers to a mark that was never set");
    *out = at;
    return MIEN_OK;
}

/* Takes away the mark under the values, which have gone. */
static void drop_mark(pickle *p)
{
    p->height--;
    p->marks--;
}

/* --- arguments of opcodes ----------------------------------------------------------------------------------------- */

static mien_status take_bytes(pickle *p, size_t count, const uint8_t **out)
{
    if (count > p->length - p->at)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: %zu bytes stated, %zu left", p->where, p->opcode_at, count,
                         p->length - p->at);
    *out = p->bytes + p->at;
    p->at += count;
    return MIEN_OK;
}

/* An unsigned number of `size` bytes, little-endian. */
static mien_status take_number(pickle *p, int size, uint64_t *out)
{
    const uint8_t *bytes;
    TRY(take_bytes(p, (size_t)size, &bytes));
    *out = 0;
    for (int i = size - 1; i >= 0; i--)
        *out = *out << 8 | bytes[i];
    return MIEN_OK;
}

/* --- opcodes ------------------------------------------------------------------------------------------------------ */

static mien_status run_protocol(pickle *p, const opcode *op)
{
    uint64_t version;
    TRY(take_number(p, op->size, &version));
    if (version > MAX_PROTOCOL)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: protocol %d (wanted at most %d)", p->where, p->opcode_at,
                         (int)version, MAX_PROTOCOL);
    return MIEN_OK;
}

static mien_status run_frame(pickle *p, const opcode *op)
{
    uint64_t ignored;
    return take_number(p, op->size, &ignored);
}

static mien_status run_stop(pickle *p, const opcode *op)
{
    (void)op;
    p->is_stopped = true;
    return pop(p, &p->root);
}

static mien_status run_mark(pickle *p, const opcode *op)
{
    (void)op;
    if (p->marks == MAX_MARKS)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: nested too deep (wanted at most %d levels)", p->where,
                         p->opcode_at, MAX_MARKS);
    p->marks++;
    return push(p, (pickle_value){.kind = PICKLE_MARK});
}

static mien_status run_pop(pickle *p, const opcode *op)
{
    (void)op;
    if (p->height == 0)
        return pickle_fail(p, "takes a value where there is none");
    p->height--;
    if (p->stack[p->height].kind == PICKLE_MARK)
        p->marks--;
    return MIEN_OK;
}

static mien_status run_pop_mark(pickle *p, const opcode *op)
{
    (void)op;
    TRY(find_mark(p, &p->height));
    drop_mark(p);
    return MIEN_OK;
}

static mien_status run_duplicate(pickle *p, const opcode *op)
{
    (void)op;
    pickle_value v;
    TRY(pop(p, &v));
    TRY(push(p, v));
    return push(p, v);
}

/* None, and (size: its value) True and False. */
static mien_status run_constant(pickle *p, const opcode *op)
{
    return push(p, (pickle_value){.kind = (uint8_t)op->kind, .whole = op->size});
}

static mien_status run_int(pickle *p, const opcode *op)
{
    uint64_t number;
    TRY(take_number(p, op->size, &number));
    int64_t whole = op->size == 4 ? (int32_t)(uint32_t)number : (int64_t)number; /* only the long form has a sign */
    return push(p, (pickle_value){.kind = PICKLE_INT, .whole = whole});
}

/* A two's complement number of any length. */
static mien_status run_long(pickle *p, const opcode *op)
{
    uint64_t count, number = 0;
    const uint8_t *bytes;
    TRY(take_number(p, op->size, &count));
    TRY(take_bytes(p, (size_t)count, &bytes));
    if (count > sizeof number)
        return push(p, (pickle_value){PICKLE_LONG, (uint32_t)count, {.text = (const char *)bytes}});
    if (count > 0 && bytes[count - 1] & 0x80)
        number = UINT64_MAX;
    for (size_t i = (size_t)count; i > 0; i--)
        number = number << 8 | bytes[i - 1];
    return push(p, (pickle_value){.kind = PICKLE_INT, .whole = (int64_t)number});
}

static mien_status run_float(pickle *p, const opcode *op)
{
    const uint8_t *bytes;
    uint64_t bits = 0;
    pickle_value v = {.kind = PICKLE_FLOAT};
    TRY(take_bytes(p, (size_t)op->size, &bytes));
    for (int i = 0; i < op->size; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&v.real, &bits, sizeof v.real);
    return push(p, v);
}

static mien_status run_text(pickle *p, const opcode *op)
{
    uint64_t count;
    const uint8_t *bytes;
    TRY(take_number(p, op->size, &count));
    TRY(take_bytes(p, (size_t)count, &bytes));
    if (op->kind == PICKLE_TEXT && !str_is_utf8((const char *)bytes, (size_t)count))
        return pickle_fail(p, "text that is not UTF-8");
    return push(p, (pickle_value){(uint8_t)op->kind, (uint32_t)count, {.text = (const char *)bytes}});
}

/* An empty container. */
static mien_status run_empty(pickle *p, const opcode *op)
{
    pickle_value v;
    TRY(pickle_object_new(p, op->kind, &v));
    return push(p, v);
}

/* A tuple of the last `size` values. */
static mien_status run_small_tuple(pickle *p, const opcode *op)
{
    pickle_value v;
    uint32_t count = (uint32_t)op->size;
    for (uint32_t i = 1; i <= count; i++)
        if (i > p->height || p->stack[p->height - i].kind == PICKLE_MARK)
            return pickle_fail(p, "takes a value where there is none");
    TRY(pickle_object_new(p, PICKLE_TUPLE, &v));
    TRY(take_items(p, v.index, p->height - count));
    return push(p, v);
}

/* A tuple of all values since the mark. */
static mien_status run_tuple(pickle *p, const opcode *op)
{
    (void)op;
    pickle_value v;
    uint32_t from;
    TRY(find_mark(p, &from));
    TRY(pickle_object_new(p, PICKLE_TUPLE, &v));
    TRY(take_items(p, v.index, from));
    drop_mark(p);
    return push(p, v);
}

/* The last `size` values (0: all since the mark) go into the list or dict that lies under them, and into something
 * opaque as into nothing. */
static mien_status run_fill(pickle *p, const opcode *op)
{
    uint32_t from, mark = op->size == 0;
    if (mark)
        TRY(find_mark(p, &from));
    else
        from = p->height > (uint32_t)op->size ? p->height - (uint32_t)op->size : 0;
    const pickle_value *into = from > mark ? &p->stack[from - mark - 1] : NULL;
    if (!into || (into->kind != op->kind && into->kind != PICKLE_OPAQUE))
        return pickle_fail(p, op->kind == PICKLE_DICT ? "adds to something that is no dict"
                                                      : "adds to something that is no list");
    for (uint32_t i = from; i < p->height; i++)
        if (p->stack[i].kind == PICKLE_MARK)
            return pickle_fail(p, "takes a value where there is none");
    if (op->kind == PICKLE_DICT && (p->height - from) % 2)
        return pickle_fail(p, "a key without its value");
    if (into->kind != PICKLE_OPAQUE)
        TRY(take_items(p, into->index, from));
    p->height = from;
    if (mark)
        drop_mark(p);
    return MIEN_OK;
}

static void print_name(char *dst, size_t bytes, pickle_value module, pickle_value name)
{
    snprintf(dst, bytes, "%.*s.%.*s", module.length < 80 ? (int)module.length : 80, module.text,
             name.length < 60 ? (int)name.length : 60, name.text);
}

static mien_status push_global(pickle *p, pickle_value module, pickle_value name)
{
    char full[160];
    pickle_value opaque;
    int index = pickle_global_find(module.text, module.length, name.text, name.length);
    if (index >= 0)
        return push(p, (pickle_value){.kind = PICKLE_GLOBAL, .index = (uint32_t)index});
    const char *fault = pickle_global_fault(module.text, module.length, name.text, name.length);
    if (fault) {
        print_name(full, sizeof full, module, name);
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: %s: %s", p->where, p->opcode_at, full, fault);
    }
    TRY(pickle_object_new(p, PICKLE_OPAQUE, &opaque));
    TRY(pickle_append(p, opaque.index, module));
    TRY(pickle_append(p, opaque.index, name));
    return push(p, opaque);
}

/* Module and name as two lines. */
static mien_status run_global(pickle *p, const opcode *op)
{
    pickle_value line[2] = {0};
    for (int i = 0; i < 2; i++) {
        const char *text = (const char *)p->bytes + p->at;
        const char *end = memchr(text, '\n', p->length - p->at);
        if (!end)
            return pickle_fail(p, "a name that never ends");
        line[i] = (pickle_value){(uint8_t)op->kind, (uint32_t)(end - text), {.text = text}};
        if (!str_is_utf8(text, line[i].length))
            return pickle_fail(p, "text that is not UTF-8");
        p->at += line[i].length + 1;
    }
    return push_global(p, line[0], line[1]);
}

/* Module and name as two texts on the stack. */
static mien_status run_stack_global(pickle *p, const opcode *op)
{
    (void)op;
    pickle_value module, name;
    TRY(top(p, PICKLE_TEXT, &name));
    p->height--;
    TRY(top(p, PICKLE_TEXT, &module));
    p->height--;
    return push_global(p, module, name);
}

/* function or class, arguments (size 1: and named ones) -> result. What is opaque gives itself. */
static mien_status run_reduce(pickle *p, const opcode *op)
{
    pickle_value named, args, function, result;
    if (op->size) {
        TRY(top(p, PICKLE_DICT, &named));
        p->height--;
    }
    TRY(top(p, PICKLE_TUPLE, &args));
    p->height--;
    if (p->height > 0 && p->stack[p->height - 1].kind == PICKLE_OPAQUE)
        return MIEN_OK;
    TRY(top(p, PICKLE_GLOBAL, &function));
    p->height--;
    const pickle_global *g = pickle_global_at(function.index);
    if (!g->call)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: %s.%s: not to be called", p->where, p->opcode_at, g->module,
                         g->name);
    TRY(g->call(p, g, args, &result));
    return push(p, result);
}

/* Attributes of an object: torch puts the version of its modules beside a state dict. Nobody needs them. */
static mien_status run_build(pickle *p, const opcode *op)
{
    (void)op;
    pickle_value attributes, dict;
    TRY(pop(p, &attributes));
    if (p->height > 0 && p->stack[p->height - 1].kind == PICKLE_OPAQUE)
        return MIEN_OK;
    return top(p, PICKLE_DICT, &dict);
}

static mien_status run_persistent(pickle *p, const opcode *op)
{
    (void)op;
    pickle_value id, storage;
    TRY(top(p, PICKLE_TUPLE, &id));
    TRY(pickle_storage_new(p, id, &storage));
    p->height--;
    return push(p, storage);
}

static mien_status run_store(pickle *p, const opcode *op)
{
    uint64_t index = p->memo_used;
    pickle_value v;
    if (op->size)
        TRY(take_number(p, op->size, &index));
    TRY(pop(p, &v));
    p->height++;
    if (index >= MAX_VALUES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: memo %" PRIu64 " (wanted below %d)", p->where, p->opcode_at,
                         index, MAX_VALUES);
    while (index >= p->memo_room) {
        uint32_t room = p->memo_room;
        TRY(make_room((void **)&p->memo, &p->memo_room, room, sizeof *p->memo));
        memset(p->memo + room, 0, (p->memo_room - room) * sizeof *p->memo);
    }
    if (p->memo[index].kind == PICKLE_NOTHING)
        p->memo_used++;
    p->memo[index] = v;
    return MIEN_OK;
}

static mien_status run_recall(pickle *p, const opcode *op)
{
    uint64_t index;
    TRY(take_number(p, op->size, &index));
    if (index >= p->memo_room || p->memo[index].kind == PICKLE_NOTHING)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: memo %" PRIu64 " was never stored", p->where, p->opcode_at,
                         index);
    return push(p, p->memo[index]);
}

static const opcode opcodes[256] = {
    [0x80] = {"PROTO", run_protocol, 1, 0},
    [0x95] = {"FRAME", run_frame, 8, 0},
    ['.'] = {"STOP", run_stop, 0, 0},
    ['('] = {"MARK", run_mark, 0, 0},
    ['0'] = {"POP", run_pop, 0, 0},
    ['1'] = {"POP_MARK", run_pop_mark, 0, 0},
    ['2'] = {"DUP", run_duplicate, 0, 0},
    ['N'] = {"NONE", run_constant, 0, PICKLE_NONE},
    [0x88] = {"NEWTRUE", run_constant, 1, PICKLE_BOOL},
    [0x89] = {"NEWFALSE", run_constant, 0, PICKLE_BOOL},
    ['K'] = {"BININT1", run_int, 1, 0},
    ['M'] = {"BININT2", run_int, 2, 0},
    ['J'] = {"BININT", run_int, 4, 0},
    [0x8a] = {"LONG1", run_long, 1, 0},
    [0x8b] = {"LONG4", run_long, 4, 0},
    ['G'] = {"BINFLOAT", run_float, 8, 0},
    ['U'] = {"SHORT_BINSTRING", run_text, 1, PICKLE_TEXT},
    ['T'] = {"BINSTRING", run_text, 4, PICKLE_TEXT},
    [0x8c] = {"SHORT_BINUNICODE", run_text, 1, PICKLE_TEXT},
    ['X'] = {"BINUNICODE", run_text, 4, PICKLE_TEXT},
    [0x8d] = {"BINUNICODE8", run_text, 8, PICKLE_TEXT},
    ['C'] = {"SHORT_BINBYTES", run_text, 1, PICKLE_BYTES},
    ['B'] = {"BINBYTES", run_text, 4, PICKLE_BYTES},
    [0x8e] = {"BINBYTES8", run_text, 8, PICKLE_BYTES},
    [0x96] = {"BYTEARRAY8", run_text, 8, PICKLE_BYTES},
    [')'] = {"EMPTY_TUPLE", run_empty, 0, PICKLE_TUPLE},
    [']'] = {"EMPTY_LIST", run_empty, 0, PICKLE_LIST},
    ['}'] = {"EMPTY_DICT", run_empty, 0, PICKLE_DICT},
    [0x85] = {"TUPLE1", run_small_tuple, 1, 0},
    [0x86] = {"TUPLE2", run_small_tuple, 2, 0},
    [0x87] = {"TUPLE3", run_small_tuple, 3, 0},
    ['t'] = {"TUPLE", run_tuple, 0, 0},
    ['a'] = {"APPEND", run_fill, 1, PICKLE_LIST},
    ['e'] = {"APPENDS", run_fill, 0, PICKLE_LIST},
    ['s'] = {"SETITEM", run_fill, 2, PICKLE_DICT},
    ['u'] = {"SETITEMS", run_fill, 0, PICKLE_DICT},
    [0x8f] = {"EMPTY_SET", run_empty, 0, PICKLE_LIST},
    [0x90] = {"ADDITEMS", run_fill, 0, PICKLE_LIST},
    [0x91] = {"FROZENSET", run_tuple, 0, 0},
    ['c'] = {"GLOBAL", run_global, 0, PICKLE_TEXT},
    [0x93] = {"STACK_GLOBAL", run_stack_global, 0, 0},
    ['R'] = {"REDUCE", run_reduce, 0, 0},
    [0x81] = {"NEWOBJ", run_reduce, 0, 0},
    [0x92] = {"NEWOBJ_EX", run_reduce, 1, 0},
    ['b'] = {"BUILD", run_build, 0, 0},
    ['Q'] = {"BINPERSID", run_persistent, 0, 0},
    ['q'] = {"BINPUT", run_store, 1, 0},
    ['r'] = {"LONG_BINPUT", run_store, 4, 0},
    [0x94] = {"MEMOIZE", run_store, 0, 0},
    ['h'] = {"BINGET", run_recall, 1, 0},
    ['j'] = {"LONG_BINGET", run_recall, 4, 0},
};

static mien_status run(pickle *p)
{
    while (!p->is_stopped) {
        p->opcode_at = p->at;
        if (p->at == p->length)
            return pickle_fail(p, "the pickle ends before its end");
        const opcode *op = &opcodes[p->bytes[p->at++]];
        if (!op->run)
            return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: opcode 0x%02x is not one of a checkpoint", p->where,
                             p->opcode_at, p->bytes[p->opcode_at]);
        TRY(op->run(p, op));
    }
    return MIEN_OK;
}

mien_status unpickle(pickle **out, size_t *out_used, const uint8_t *bytes, size_t length, const char *where)
{
    pickle *p = NULL;
    TRY(mem_zalloc(&p, 1));
    p->bytes = bytes;
    p->length = length < PICKLE_MAX_BYTES ? length : PICKLE_MAX_BYTES;
    p->where = where;
    mien_status st = run(p);
    if (st != MIEN_OK) {
        pickle_free(p);
        return st;
    }
    if (out_used)
        *out_used = p->at;
    *out = p;
    return MIEN_OK;
}

void pickle_free(pickle *p)
{
    if (!p)
        return;
    mem_free(p->stack);
    mem_free(p->memo);
    mem_free(p->objects);
    mem_free(p->cells);
    mem_free(p);
}

/* --- reading the result ------------------------------------------------------------------------------------------- */

pickle_value pickle_root(const pickle *p)
{
    return p->root;
}

static bool is_container(pickle_value v)
{
    return v.kind == PICKLE_TUPLE || v.kind == PICKLE_LIST || v.kind == PICKLE_DICT;
}

uint32_t pickle_count(const pickle *p, pickle_value container)
{
    return is_container(container) ? p->objects[container.index].count : 0;
}

pickle_cursor pickle_items(const pickle *p, pickle_value container)
{
    return (pickle_cursor){p, is_container(container) ? p->objects[container.index].first : PICKLE_END};
}

bool pickle_next(pickle_cursor *c, pickle_value *out)
{
    if (c->cell == PICKLE_END)
        return false;
    *out = c->p->cells[c->cell].value;
    c->cell = c->p->cells[c->cell].next;
    return true;
}

bool pickle_is_text(pickle_value v, const char *text)
{
    return v.kind == PICKLE_TEXT && pickle_is_word(text, v.text, v.length);
}

void pickle_opaque_name(char *dst, size_t bytes, const pickle *p, pickle_value opaque)
{
    pickle_cursor c = {p, p->objects[opaque.index].first};
    pickle_value module = {0}, name = {0};
    (void)pickle_next(&c, &module);
    (void)pickle_next(&c, &name);
    print_name(dst, bytes, module, name);
}

bool pickle_get(const pickle *p, pickle_value dict, const char *key, pickle_value *out)
{
    bool is_found = false;
    pickle_value k, v;
    if (dict.kind != PICKLE_DICT)
        return false;
    for (pickle_cursor c = pickle_items(p, dict); pickle_next(&c, &k) && pickle_next(&c, &v);)
        if (pickle_is_text(k, key)) {
            *out = v;
            is_found = true;
        }
    return is_found;
}
