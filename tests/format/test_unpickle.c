/* A pickle is read and never executed: whatever would act, is broken, or asks for more memory than its bytes justify
 * ends as an error. */
#include "format/unpickle.h"
#include "no_memory.h"
#include "testing.h"

#include <sys/resource.h>

/* A text of bytes with its length, which may hold NULs. */
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void assert_refused(const uint8_t *bytes, size_t length, const char *part)
{
    pickle *p = NULL;
    assert_failure(unpickle(&p, NULL, bytes, length, "x.pth: data.pkl"), MIEN_ERR_FORMAT, part);
    assert_null(p);
    assert_true(strncmp(mien_error(), "x.pth: data.pkl: byte ", 22) == 0);
    assert_null(strchr(mien_error(), '\n'));
}

static pickle *assert_read(const uint8_t *bytes, size_t length)
{
    pickle *p = NULL;
    size_t used = 0;
    assert_ok(unpickle(&p, &used, bytes, length, "x.pth: data.pkl"));
    assert_int_equal(used, length);
    return p;
}

static void unpickle__plain_values__are_read(void **state)
{
    (void)state;
    /* {'a': 1, 'b': (-2, 1.5, None, True), 'c': [300, 2**70, -129, b'x']} as Python 3.11 writes it, protocols 2 and 4
     */
    pickle_value v, items[4];
    const struct {
        const uint8_t *bytes;
        size_t length;
    } forms[] = {
        {BYTES("\x80\x02}q\x00(X\x01\x00\x00\x00"
               "aq\x01K\x01X\x01\x00\x00\x00"
               "bq\x02(J\xfe\xff\xff\xffG?\xf8\x00\x00\x00\x00\x00\x00N\x88tq\x03X\x01\x00\x00\x00"
               "cq\x04]q\x05(M,\x01\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@\x8a\x02\x7f\xff"
               "C\x01xeu.")},
        {BYTES("\x80\x04\x95@\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01"
               "a\x94K\x01\x8c\x01"
               "b\x94(J\xfe\xff\xff\xffG?\xf8\x00\x00\x00\x00\x00\x00N\x88t\x94\x8c\x01"
               "c\x94]\x94(M,\x01\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@J\x7f\xff\xff\xff"
               "C\x01x\x94"
               "eu.")},
    };
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        pickle *p = assert_read(forms[f].bytes, forms[f].length);
        pickle_value root = pickle_root(p);
        assert_int_equal(pickle_count(p, root), 6);
        assert_true(pickle_get(p, root, "a", &v) && v.kind == PICKLE_INT && v.whole == 1);
        assert_true(pickle_get(p, root, "b", &v) && v.kind == PICKLE_TUPLE && pickle_count(p, v) == 4);
        pickle_cursor c = pickle_items(p, v);
        for (int i = 0; i < 4; i++)
            assert_true(pickle_next(&c, &items[i]));
        assert_false(pickle_next(&c, &v));
        assert_true(items[0].kind == PICKLE_INT && items[0].whole == -2);
        assert_true(items[1].kind == PICKLE_FLOAT && items[1].real == 1.5);
        assert_true(items[2].kind == PICKLE_NONE && items[3].kind == PICKLE_BOOL && items[3].whole == 1);
        assert_true(pickle_get(p, root, "c", &v) && v.kind == PICKLE_LIST && pickle_count(p, v) == 4);
        c = pickle_items(p, v);
        for (int i = 0; i < 4; i++)
            assert_true(pickle_next(&c, &items[i]));
        assert_true(items[0].kind == PICKLE_INT && items[0].whole == 300);
        assert_true(items[1].kind == PICKLE_LONG && items[1].length == 9);
        assert_true(items[2].kind == PICKLE_INT && items[2].whole == -129);
        assert_true(items[3].kind == PICKLE_BYTES && items[3].length == 1);
        assert_false(pickle_get(p, root, "d", &v));
        pickle_free(p);
    }
    pickle_free(NULL);
}

static void unpickle__what_acts__is_refused_by_name(void **state)
{
    (void)state;
    assert_refused(BYTES("\x80\x02"
                         "cos\nsystem\nX\x07\x00\x00\x00"
                         "echo hi\x85R."),
                   "byte 2: os.system: not allowed in a checkpoint");
    assert_refused(BYTES("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R."),
                   "posix.system: not allowed in a checkpoint");
    assert_refused(BYTES("\x80\x02"
                         "cbuiltins\neval\n."),
                   "builtins.eval: not allowed in a checkpoint");
    assert_refused(BYTES("\x80\x02"
                         "c__builtin__\ncompile\n."),
                   "__builtin__.compile: not allowed in a checkpoint");
    assert_refused(BYTES("\x80\x04\x8c\x0eimportlib.util\x8c\x01x\x93)R."), "importlib.util.x: not allowed");
    assert_refused(BYTES("\x80\x02"
                         "csubprocess\nPopen\n)\x81."),
                   "subprocess.Popen: not allowed");
    assert_refused(BYTES("\x80\x02"
                         "cos.\tx\ny\n."),
                   "os.?x.y: not allowed");
    assert_refused(BYTES("\x80\x02"
                         "ctorch._utils\n_rebuild_qtensor\n."),
                   "torch._utils._rebuild_qtensor: unknown kind of tensor");
    /* a class is a name, no function; a state belongs to a dict alone */
    assert_refused(BYTES("\x80\x02"
                         "ctorch\nFloatStorage\n)R."),
                   "torch.FloatStorage: not to be called");
    assert_refused(BYTES("\x80\x02]}b."), "stands after a value of the wrong kind");
    assert_refused(BYTES("\x80\x02"
                         "ctorch._utils\n_rebuild_tensor_v2\n(K\x00K\x00))tR."),
                   "torch._utils._rebuild_tensor_v2: called in a way that is not known");
    assert_refused(BYTES("\x80\x02)\x81."), "stands after a value of the wrong kind");
    assert_refused(BYTES("\x80\x02"
                         "cargparse\nNamespace\n]\x81."),
                   "stands after a value of the wrong kind");
    assert_refused(BYTES("\x80\x02"
                         "cargparse\nNamespace\n)\x92."),
                   "stands after a value of the wrong kind");
    assert_refused(BYTES("cos\nsystem\n(S'ls'\ntR."), "os.system: not allowed"); /* protocol 0 */
    assert_refused(BYTES("\x80\x02(X\x02\x00\x00\x00osX\x06\x00\x00\x00systemi."), "opcode 0x69");
    assert_refused(BYTES("\x80\x06N."), "protocol 6 (wanted at most 5)");
}

/* What Python 3.11 and numpy 1.26 write of {'a': float64(1.5), 'b': PosixPath('/tmp/x'), 'c': Namespace(lr=0.1), 'd':
 * {1, 2}, 'e': 7}, protocols 2 and 4. */
static void unpickle__what_is_not_known__is_a_name(void **state)
{
    (void)state;
    static const char *const names[] = {"numpy.core.multiarray.scalar", "pathlib.PosixPath", "argparse.Namespace"};
    const struct {
        const uint8_t *bytes;
        size_t length;
    } forms[] = {
        {BYTES("\x80\x02}q\x00(X\x01\x00\x00\x00"
               "aq\x01"
               "cnumpy.core.multiarray\nscalar\nq\x02"
               "cnumpy\ndtype\nq\x03X\x02\x00\x00\x00"
               "f8q\x04\x89\x88\x87q\x05Rq\x06(K\x03X\x01\x00\x00\x00"
               "<q\x07NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x08"
               "bc_codecs\nencode\nq\tX\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc3\xb8?q\nX\x06\x00\x00\x00"
               "latin1q\x0b\x86q\x0cRq\r\x86q\x0eRq\x0fX\x01\x00\x00\x00"
               "bq\x10"
               "cpathlib\nPosixPath\nq\x11X\x01\x00\x00\x00/q\x12X\x03\x00\x00\x00"
               "tmpq\x13X\x01\x00\x00\x00xq\x14\x87q\x15Rq\x16X\x01\x00\x00\x00"
               "cq\x17"
               "cargparse\nNamespace\nq\x18)\x81q\x19}q\x1aX\x02\x00\x00\x00lrq\x1bG?\xb9\x99\x99\x99\x99\x99\x9a"
               "sbX\x01\x00\x00\x00"
               "dq\x1c"
               "c__builtin__\nset\nq\x1d]q\x1e(K\x01K\x02"
               "e\x85q\x1fRq X\x01\x00\x00\x00"
               "eq!K\x07u.")},
        {BYTES("\x80\x04\x95\xe3\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01"
               "a\x94\x8c\x15numpy.core.multiarray\x94\x8c\x06scalar\x94\x93\x94\x8c\x05numpy\x94\x8c\x05"
               "dtype\x94\x93\x94\x8c\x02"
               "f8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94"
               "bC\x08\x00\x00\x00\x00\x00\x00\xf8?\x94\x86\x94R\x94\x8c\x01"
               "b\x94\x8c\x07pathlib\x94\x8c\x09PosixPath\x94\x93\x94\x8c\x01/\x94\x8c\x03tmp\x94\x8c\x01x\x94\x87\x94R"
               "\x94\x8c\x01"
               "c\x94\x8c\x08"
               "argparse\x94\x8c\x09Namespace\x94\x93\x94)\x81\x94}\x94\x8c\x02lr\x94G?\xb9\x99\x99\x99\x99\x99\x9a"
               "sb\x8c\x01"
               "d\x94\x8f\x94(K\x01K\x02\x90\x8c\x01"
               "e\x94K\x07u.")},
    };
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        pickle *p = assert_read(forms[f].bytes, forms[f].length);
        pickle_value root = pickle_root(p), v;
        assert_int_equal(pickle_count(p, root), 10);
        for (int i = 0; i < 3; i++) {
            char name[80];
            assert_true(pickle_get(p, root, (const char *const[]){"a", "b", "c"}[i], &v));
            assert_int_equal(v.kind, PICKLE_OPAQUE);
            assert_int_equal(pickle_count(p, v), 0); /* what it holds nobody can ask */
            pickle_opaque_name(name, sizeof name, p, v);
            assert_string_equal(name, names[i]);
        }
        assert_true(pickle_get(p, root, "d", &v));
        assert_true(f == 0 ? v.kind == PICKLE_OPAQUE : v.kind == PICKLE_LIST && pickle_count(p, v) == 2);
        assert_true(pickle_get(p, root, "e", &v) && v.kind == PICKLE_INT && v.whole == 7);
        pickle_free(p);
    }
}

static void unpickle__what_is_not_known__takes_anything_and_keeps_nothing(void **state)
{
    (void)state;
#define OPAQUE "\x80\x04\x8c\x01m\x8c\x01n\x93"
    static const struct {
        const uint8_t *bytes;
        size_t length;
    } programs[] = {
        {BYTES(OPAQUE ".")},
        {BYTES(OPAQUE ")}\x92.")},                          /* n.__new__(n, **{}) */
        {BYTES(OPAQUE ")R)R.")},                            /* called, and what it made called again */
        {BYTES(OPAQUE ")\x81K\x01K\x02sNa(NNu(Ne(N\x90.")}, /* as a dict, a list and a set */
        {BYTES(OPAQUE ")\x81(K\x01K\x02tb.")},              /* with a state */
        {BYTES(OPAQUE "\x96\x01\x00\x00\x00\x00\x00\x00\x00x\x85R.")},
    };
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        pickle *p = assert_read(programs[i].bytes, programs[i].length);
        assert_int_equal(pickle_root(p).kind, PICKLE_OPAQUE);
        pickle_free(p);
    }
    assert_refused(BYTES(OPAQUE "N)R."), "stands after a value of the wrong kind");
    assert_refused(BYTES(OPAQUE "(Nu."), "a key without its value");
    assert_refused(BYTES(OPAQUE "Q."), "stands after a value of the wrong kind");
    assert_refused(BYTES("\x80\x02"
                         "cm\n\xff\n."),
                   "text that is not UTF-8");
    /* a frozen set is its items; a module's class that an old file names is no storage */
    pickle *p = assert_read(BYTES("\x80\x04(K\x01K\x02\x91."));
    assert_int_equal(pickle_count(p, pickle_root(p)), 2);
    pickle_free(p);
    assert_refused(BYTES("\x80\x02(X\x06\x00\x00\x00module"
                         "cm\nNet\nNNtQ."),
                   "a whole module (wanted a state dict: save model.state_dict())");
}

static void unpickle__broken_programs__are_refused(void **state)
{
    (void)state;
    assert_refused(BYTES(""), "byte 0: the pickle ends before its end");
    assert_refused(BYTES("\x80\x02}"), "byte 3: the pickle ends before its end");
    assert_refused(BYTES("."), "takes a value where there is none");
    assert_refused(BYTES("(."), "takes a value where there is none");
    assert_refused(BYTES("0."), "takes a value where there is none");
    assert_refused(BYTES("t."), "refers to a mark that was never set");
    assert_refused(BYTES("Nu."), "refers to a mark that was never set");
    assert_refused(BYTES("N\x86."), "takes a value where there is none");
    assert_refused(BYTES("(NNu."), "adds to something that is no dict");
    assert_refused(BYTES("}(Nu."), "a key without its value");
    assert_refused(BYTES("NNa."), "adds to something that is no list");
    assert_refused(BYTES("a."), "adds to something that is no list");
    assert_refused(BYTES("](a."), "takes a value where there is none");
    assert_refused(BYTES("}N(s."), "takes a value where there is none");
    assert_refused(BYTES("h\x07."), "memo 7 was never stored");
    assert_refused(BYTES("Nq\x07h\x08."), "memo 8 was never stored");
    assert_refused(BYTES("j\xff\xff\xff\xff."), "memo 4294967295 was never stored");
    assert_refused(BYTES("Nr\xff\xff\xff\xff."), "memo 4294967295 (wanted below 2097152)");
    assert_refused(BYTES("q\x00."), "takes a value where there is none");
    assert_refused(BYTES("(q\x00."), "takes a value where there is none");
    assert_refused(BYTES("\x8e\xff\xff\xff\xff\xff\xff\xff\xffx."),
                   "byte 0: 18446744073709551615 bytes stated, 2 left");
    assert_refused(BYTES("X\x00\x28\x00\x00x."), "byte 0: 10240 bytes stated, 2 left");
    assert_refused(BYTES("\x8b\x00\x00\x00\x80x."), "2147483648 bytes stated");
    assert_refused(BYTES("X\x01\x00\x00\x00\xff."), "text that is not UTF-8");
    assert_refused(BYTES("cos"), "a name that never ends");
    assert_refused(BYTES("cos\nsystem"), "a name that never ends");
    assert_refused(BYTES("NQ."), "stands after a value of the wrong kind");
    assert_refused(BYTES(")Q."), "names something that is no storage");
    assert_refused(BYTES("NNR."), "stands after a value of the wrong kind");
    assert_refused(BYTES("N)R."), "stands after a value of the wrong kind");
    assert_refused(BYTES("\x93"), "stands after a value of the wrong kind");
}

/* `head`, `body` repeated, `tail`; *out_length of it. Free with free. */
static uint8_t *repeat(const char *head, const char *body, size_t body_length, size_t times, const char *tail,
                       size_t *out_length)
{
    size_t head_length = strlen(head), tail_length = strlen(tail), length = head_length + body_length * times;
    uint8_t *bytes = malloc(length + tail_length);
    assert_non_null(bytes);
    memcpy(bytes, head, head_length);
    for (size_t i = 0; i < times; i++)
        memcpy(bytes + head_length + i * body_length, body, body_length);
    memcpy(bytes + length, tail, tail_length);
    *out_length = length + tail_length;
    return bytes;
}

static void assert_repeated_refused(const char *head, const char *body, size_t body_length, size_t times,
                                    const char *tail, const char *part)
{
    size_t length;
    uint8_t *bytes = repeat(head, body, body_length, times, tail, &length);
    assert_refused(bytes, length, part);
    free(bytes);
}

/* OrderedDict([[None, None], ...]) of one list of a hundred thousand pairs, called a hundred thousand times: few values
 * are pushed, and 2 * 10^10 would be kept. */
static void assert_many_dicts_refused(void)
{
    size_t list_length, calls_length;
    uint8_t *list = repeat("ccollections\nOrderedDict\nq\1]NN\x86q\2", "0", 1, 1, "", &list_length);
    uint8_t *pairs = repeat("", "h\2a", 3, 100000, "\x85q\3", &calls_length);
    uint8_t *bytes = malloc(list_length + calls_length + 600000);
    assert_non_null(bytes);
    memcpy(bytes, list, list_length);
    memcpy(bytes + list_length, pairs, calls_length);
    size_t length = list_length + calls_length;
    for (int i = 0; i < 100000; i++, length += 6)
        memcpy(bytes + length, "h\1h\3R0", 6);
    assert_refused(bytes, length, "too many values (wanted at most 2097152)");
    free(list);
    free(pairs);
    free(bytes);
}

static void assert_little_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    print_message("skipped: AddressSanitizer's own memory is counted too\n");
#else
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    assert_in_range(use.ru_maxrss / 1024, 1, 500);
#endif
}

static void unpickle__greed__ends_early(void **state)
{
    (void)state;
    enum { DEEP = 100000, LONG = 15 << 20 };
    assert_repeated_refused("", "(", 1, DEEP, ".", "byte 1024: nested too deep (wanted at most 1024 levels)");
    assert_repeated_refused("", "]", 1, DEEP, ".", "byte 16384: nested too deep");
    assert_repeated_refused("", "}K\0", 3, DEEP, ".", "nested too deep");
    assert_repeated_refused("(", "N", 1, LONG, "t.", "too long a tuple (wanted at most 16384 values open)");
    assert_repeated_refused("N", "2", 1, LONG, ".", "wanted at most 16384 values open");
    /* as much as can be kept: lists in a list, dicts of their own, a memo that begins at its end */
    assert_repeated_refused("]", "]a", 2, LONG / 2, ".", "too many values (wanted at most 2097152)");
    assert_repeated_refused("N0", "}q\0000", 4, LONG / 4, ".", "too many values (wanted at most 2097152)");
    assert_repeated_refused("", "Nr\xff\xff\x1f\0000", 7, LONG / 7, ".", "too many values (wanted at most 2097152)");
    assert_repeated_refused("", "cm\nn\n0", 6, LONG / 6, ".", "too many values (wanted at most 2097152)");
    assert_many_dicts_refused();
    assert_little_memory();
    /* a list in itself, and a tuple of a tuple twice forty times over (2^40 leaves, were they copied) are small */
    pickle *p = assert_read(BYTES("]q\0h\0a."));
    pickle_free(p);
    size_t length;
    uint8_t *bytes = repeat("N", "2\x86", 2, 40, ".", &length);
    p = assert_read(bytes, length);
    pickle_free(p);
    free(bytes);
}

/* ('storage', torch.FloatStorage, '0', 'cpu', 12) with _rebuild_tensor_v2 before it on the stack */
#define TENSOR_HEAD                                                                                                    \
    "\x80\x02"                                                                                                         \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"             \
    "0X\x03\x00\x00\x00"                                                                                               \
    "cpuK\x0ctQ"
#define TENSOR_TAIL "\x89}tR."

static void assert_tensor(const uint8_t *bytes, size_t length, const char *fault)
{
    pickle *p = assert_read(bytes, length);
    pickle_tensor t = {0};
    assert_int_equal(pickle_root(p).kind, PICKLE_TENSOR);
    if (fault) {
        assert_failure(pickle_tensor_of(&t, p, pickle_root(p), "w"), MIEN_ERR_FORMAT, fault);
        assert_true(strncmp(mien_error(), "x.pth: data.pkl: tensor w: ", 27) == 0);
    } else {
        assert_ok(pickle_tensor_of(&t, p, pickle_root(p), "w"));
        assert_int_equal(t.dtype, ST_F32);
        assert_int_equal(t.storage_count, 12);
        assert_memory_equal(t.key, "0", 1);
    }
    pickle_free(p);
}

static void pickle_tensor__view__is_checked(void **state)
{
    (void)state;
    assert_tensor(BYTES(TENSOR_HEAD "K\x00K\x03K\x04\x86K\x04K\x01\x86" TENSOR_TAIL), NULL);
    assert_tensor(BYTES(TENSOR_HEAD "K\x0bK\x01\x85K\x63\x85" TENSOR_TAIL), NULL);
    assert_tensor(BYTES(TENSOR_HEAD "K\x0b))" TENSOR_TAIL), NULL);
    assert_tensor(BYTES(TENSOR_HEAD "K\x63K\x00\x85K\x01\x85" TENSOR_TAIL), NULL); /* empty: reaches nothing */
    assert_tensor(BYTES(TENSOR_HEAD "K\x0c))" TENSOR_TAIL), "strides leave its storage (of 12 elements)");
    assert_tensor(BYTES(TENSOR_HEAD "K\x01K\x03K\x04\x86K\x04K\x01\x86" TENSOR_TAIL), "strides leave its storage");
    assert_tensor(BYTES(TENSOR_HEAD "K\x00K\x03K\x04\x86K\x05K\x01\x86" TENSOR_TAIL), "strides leave its storage");
    assert_tensor(BYTES(TENSOR_HEAD "K\x00K\x02K\x01\x86\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x01\x86" TENSOR_TAIL),
                  "strides leave its storage");
    assert_tensor(BYTES(TENSOR_HEAD "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x03\x85K\x01\x85" TENSOR_TAIL),
                  "strides leave its storage");
    assert_tensor(BYTES(TENSOR_HEAD
                        "K\x00J\x00\x00\x00\x7fJ\x00\x00\x00\x7fJ\x00\x00\x00\x7f\x87K\x00K\x00K\x00\x87" TENSOR_TAIL),
                  "size overflows");
    assert_tensor(BYTES(TENSOR_HEAD "K\x00J\x00\x00\x00\x7f\x85K\x00\x85" TENSOR_TAIL),
                  "2130706432 elements of a storage of 12 (wanted at most 4194304)");
    assert_tensor(BYTES(TENSOR_HEAD "J\xff\xff\xff\xffK\x01\x85K\x01\x85" TENSOR_TAIL), "offset is no whole number");
    assert_tensor(BYTES(TENSOR_HEAD "K\x00J\xff\xff\xff\xff\x85K\x01\x85" TENSOR_TAIL),
                  "size and strides do not match");
    assert_tensor(BYTES(TENSOR_HEAD "K\x00K\x03\x85J\xff\xff\xff\xff\x85" TENSOR_TAIL),
                  "size and strides do not match");
    assert_tensor(BYTES(TENSOR_HEAD "K\x00K\x03\x85)" TENSOR_TAIL), "size and strides do not match");
    assert_tensor(BYTES(TENSOR_HEAD "K\x00(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t)" TENSOR_TAIL),
                  "size and strides do not match");
}

#define STORAGE(class, rest) "\x80\x02(X\x07\x00\x00\x00storage" class "X\x01\x00\x00\x00" rest "tQ."

static void pickle_storage__kind__must_be_known(void **state)
{
    (void)state;
    pickle_free(assert_read(BYTES(STORAGE("ctorch\nByteStorage\n", "0NK\x0c"))));
    pickle_free(assert_read(BYTES(STORAGE("ctorch\nByteStorage\n", "0NK\x0cN"))));
    assert_refused(BYTES(STORAGE("ctorch\nQUInt4x2Storage\n", "0NK\x0c")), "torch.QUInt4x2Storage: unknown dtype");
    assert_refused(BYTES(STORAGE("ctorch\nfloat32\n", "0NK\x0c")), "names something that is no storage");
    assert_refused(BYTES(STORAGE("ctorch\nByteStorage\n", "0NJ\xff\xff\xff\xff")),
                   "names something that is no storage");
    assert_refused(BYTES(STORAGE("ctorch\nByteStorage\n", "0NN")), "names something that is no storage");
    assert_refused(BYTES(STORAGE("ctorch\nByteStorage\n", "0NK\x0c(t")), "a view of a storage");
    /* a type that says itself what it is, and one that is unknown */
    static const char v3[] = "\x80\x02"
                             "ctorch._utils\n_rebuild_tensor_v3\n((X\x07\x00\x00\x00storagectorch.storage\n"
                             "UntypedStorage\nX\x01\x00\x00\x00"
                             "0NK\x08tQK\x00K\x04\x85K\x01\x85\x89}ctorch\nuint16\ntR.";
    pickle_tensor t;
    pickle *p = assert_read(BYTES(v3));
    assert_ok(pickle_tensor_of(&t, p, pickle_root(p), "w"));
    assert_true(t.dtype == ST_U16 && t.storage_count == 4 && t.bytes == 8);
    pickle_free(p);
    static const char unknown[] = "\x80\x02"
                                  "ctorch._utils\n_rebuild_tensor_v3\n((X\x07\x00\x00\x00storagectorch.storage\n"
                                  "UntypedStorage\nX\x01\x00\x00\x00"
                                  "0NK\x08tQK\x00K\x04\x85K\x01\x85\x89}ctorch\nqint8\ntR.";
    p = assert_read(BYTES(unknown));
    assert_failure(pickle_tensor_of(&t, p, pickle_root(p), "w"), MIEN_ERR_FORMAT, "tensor w: unknown dtype");
    pickle_free(p);
}

typedef struct {
    const uint8_t *bytes;
    size_t length;
} program;

static mien_status attempt(void *context)
{
    const program *c = context;
    pickle *p;
    TRY(unpickle(&p, NULL, c->bytes, c->length, "x"));
    pickle_free(p);
    return MIEN_OK;
}

static void unpickle__no_memory__is_told(void **state)
{
    (void)state;
    size_t length;
    uint8_t *bytes = repeat("]", "}q\1a", 4, 200, ".", &length);
    program c = {bytes, length};
    fail_each_allocation(attempt, &c);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpickle__plain_values__are_read),
        cmocka_unit_test(unpickle__what_acts__is_refused_by_name),
        cmocka_unit_test(unpickle__what_is_not_known__is_a_name),
        cmocka_unit_test(unpickle__what_is_not_known__takes_anything_and_keeps_nothing),
        cmocka_unit_test(unpickle__broken_programs__are_refused),
        cmocka_unit_test(unpickle__greed__ends_early),
        cmocka_unit_test(pickle_tensor__view__is_checked),
        cmocka_unit_test(pickle_storage__kind__must_be_known),
        cmocka_unit_test(unpickle__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("format/unpickle", tests, NULL, NULL);
}
