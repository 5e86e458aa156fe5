#include "io/pickle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- values --- */

typedef se_pickle_kind kind;
typedef se_pickle_value value;

typedef struct list {
    value **item;
    size_t n, room;
} list;

typedef struct machine {
    const char *data, *path;
    size_t bytes, at; /* at: behind the opcode that is carried out */
    size_t opcode_at; /* where it stands */
    uint64_t begin;   /* offset of data in the file */
    list stack, memo;
    size_t *mark, n_marks, marks_room; /* heights of the stack */
    value *all;
    size_t n_values; /* in all */
    value *result;
} machine;

static const size_t MAX_VALUES = 2000000; /* a tensor takes about 15; these take 180 MB */

/* What every refusal begins with: file, and offset of the opcode that is to blame. */
#define BAD(m, format, ...)                                                                        \
    se_fail(SE_ERR_FORMAT, "%s: offset %" PRIu64 ": pickle: " format, (m)->path,                   \
            (m)->begin + (m)->opcode_at, __VA_ARGS__)

static se_status grow(value ***item, size_t *room, size_t need)
{
    if (need <= *room)
        return SE_OK;
    size_t more = *room ? 2 * *room : 8;
    more = more < need ? need : more;
    value **larger = se_realloc(*item, more * sizeof **item);
    if (!larger)
        return SE_ERR_MEMORY;
    *item = larger;
    *room = more;
    return SE_OK;
}

static value *new_value(machine *m, kind k)
{
    value *v = se_calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->kind = k;
    v->next = m->all;
    m->all = v;
    m->n_values++;
    return v;
}

static se_status push(machine *m, value *v)
{
    if (!v)
        return SE_ERR_MEMORY;
    se_status s = grow(&m->stack.item, &m->stack.room, m->stack.n + 1);
    if (s == SE_OK)
        m->stack.item[m->stack.n++] = v;
    return s;
}

static se_status push_integer(machine *m, kind k, int64_t x)
{
    value *v = new_value(m, k);
    if (v)
        v->integer = x;
    return push(m, v);
}

/* The lowest place of the stack that the current opcode may take. */
static size_t stack_floor(const machine *m)
{
    return m->n_marks ? m->mark[m->n_marks - 1] : 0;
}

/* The top n values become readable at *out and leave the stack. They stay where they are until the
 * next push. */
static se_status take(machine *m, size_t n, value ***out)
{
    if (m->stack.n - stack_floor(m) < n)
        return BAD(m, "%zu values on the stack, the opcode needs %zu", m->stack.n - stack_floor(m),
                   n);
    m->stack.n -= n;
    *out = m->stack.item + m->stack.n;
    return SE_OK;
}

static se_status top(machine *m, value **out)
{
    if (m->stack.n == stack_floor(m))
        return BAD(m, "%s", "nothing on the stack, the opcode needs a value");
    *out = m->stack.item[m->stack.n - 1];
    return SE_OK;
}

/* All that was pushed since the last mark, which goes. */
static se_status take_marked(machine *m, value ***out, size_t *n)
{
    if (!m->n_marks)
        return BAD(m, "%s", "no mark on the stack, the opcode needs one");
    *n = m->stack.n - stack_floor(m);
    se_status s = take(m, *n, out);
    m->n_marks--;
    return s;
}

static se_status append(value *to, value *const *item, size_t n)
{
    se_status s = grow(&to->item, &to->room, to->n + n);
    if (s == SE_OK && n) {
        memcpy(to->item + to->n, item, n * sizeof *item);
        to->n += n;
    }
    return s;
}

static se_status push_tuple(machine *m, value *const *item, size_t n)
{
    value *v = new_value(m, SE_PICKLE_TUPLE);
    se_status s = v ? append(v, item, n) : SE_ERR_MEMORY;
    return s == SE_OK ? push(m, v) : s;
}

/* --- reading --- */

static se_status need(const machine *m, size_t n)
{
    if (m->bytes - m->at < n)
        return BAD(m, "%zu bytes left, the opcode needs %zu: the pickle is cut off",
                   m->bytes - m->at, n);
    return SE_OK;
}

/* An unsigned little-endian number of n <= 8 bytes. */
static se_status read_number(machine *m, size_t n, uint64_t *out)
{
    se_status s = need(m, n);
    *out = 0;
    for (size_t i = 0; s == SE_OK && i < n; i++)
        *out |= (uint64_t)(unsigned char)m->data[m->at++] << 8 * i;
    return s;
}

/* A text behind its length in n bytes. */
static se_status read_text(machine *m, size_t n)
{
    uint64_t bytes = 0;
    se_status s = read_number(m, n, &bytes);
    if (s == SE_OK && bytes > m->bytes - m->at)
        return BAD(m, "a text of %" PRIu64 " bytes, %zu are left", bytes, m->bytes - m->at);
    value *v = s == SE_OK ? new_value(m, SE_PICKLE_TEXT) : NULL;
    if (!v)
        return s == SE_OK ? SE_ERR_MEMORY : s;
    v->text = m->data + m->at;
    v->bytes = (size_t)bytes;
    m->at += (size_t)bytes;
    return push(m, v);
}

/* LONG1: a byte n, then n bytes, signed. */
static se_status read_long(machine *m)
{
    uint64_t n = 0, x = 0;
    se_status s = read_number(m, 1, &n);
    if (s == SE_OK && n > 8)
        return BAD(m, "an integer of %" PRIu64 " bytes, expected at most 8", n);
    if (s == SE_OK)
        s = read_number(m, (size_t)n, &x);
    if (s != SE_OK)
        return s;
    if (n > 0 && n < 8 && x >> (8 * n - 1))
        x |= UINT64_MAX << 8 * n;
    return push_integer(m, SE_PICKLE_INTEGER, (int64_t)x);
}

static se_status read_line(machine *m, const char **text, size_t *bytes)
{
    const char *from = m->data + m->at, *end = memchr(from, '\n', m->bytes - m->at);
    if (!end)
        return BAD(m, "%s", "a name without an end of line: the pickle is cut off");
    *text = from;
    *bytes = (size_t)(end - from);
    m->at += *bytes + 1;
    return SE_OK;
}

/* How much of a text is shown in messages. */
#define SHORT(bytes) (int)((bytes) < 100 ? (bytes) : 100)

static se_status push_global(machine *m, const char *module, size_t module_bytes, const char *name,
                             size_t name_bytes)
{
    const se_pickle_class *class = se_pickle_find(module, module_bytes, name, name_bytes);
    if (class) {
        value *v = new_value(m, SE_PICKLE_CLASS);
        if (v)
            v->class = class;
        return push(m, v);
    }
    return BAD(m,
               "'%.*s.%.*s' is asked for, expected only what tensors need (OrderedDict, "
               "_rebuild_tensor_v2, FloatStorage, ...); nothing was called",
               SHORT(module_bytes), module, SHORT(name_bytes), name);
}

static se_status read_global(machine *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_bytes = 0, name_bytes = 0;
    se_status s = read_line(m, &module, &module_bytes);
    if (s == SE_OK)
        s = read_line(m, &name, &name_bytes);
    return s == SE_OK ? push_global(m, module, module_bytes, name, name_bytes) : s;
}

/* STACK_GLOBAL: module and name from the stack. */
static se_status take_global(machine *m)
{
    value **x = NULL;
    se_status s = take(m, 2, &x);
    if (s != SE_OK)
        return s;
    if (x[0]->kind != SE_PICKLE_TEXT || x[1]->kind != SE_PICKLE_TEXT)
        return BAD(m, "a class is asked for by %s and %s, expected two texts",
                   se_pickle_kind_name(x[0]->kind), se_pickle_kind_name(x[1]->kind));
    return push_global(m, x[0]->text, x[0]->bytes, x[1]->text, x[1]->bytes);
}

/* --- what the opcodes do --- */

static se_status set_mark(machine *m)
{
    if (m->n_marks == m->marks_room) {
        size_t room = m->marks_room ? 2 * m->marks_room : 16;
        size_t *larger = se_realloc(m->mark, room * sizeof *larger);
        if (!larger)
            return SE_ERR_MEMORY;
        m->mark = larger;
        m->marks_room = room;
    }
    m->mark[m->n_marks++] = m->stack.n;
    return SE_OK;
}

/* Picklers number their memo from 0, so no number is larger than the pickle has bytes. */
static se_status memo_put(machine *m, uint64_t i)
{
    value *v = NULL;
    se_status s = top(m, &v);
    if (s == SE_OK && i >= m->bytes)
        return BAD(m, "memo entry %" PRIu64 ", expected less than %zu", i, m->bytes);
    if (s == SE_OK)
        s = grow(&m->memo.item, &m->memo.room, (size_t)i + 1);
    if (s != SE_OK)
        return s;
    for (; m->memo.n <= i; m->memo.n++)
        m->memo.item[m->memo.n] = NULL;
    m->memo.item[i] = v;
    return SE_OK;
}

static se_status memo_get(machine *m, uint64_t i)
{
    if (i >= m->memo.n || !m->memo.item[i])
        return BAD(m, "memo entry %" PRIu64 " is read, nothing was put there", i);
    return push(m, m->memo.item[i]);
}

/* SETITEM(S), APPEND(S): n values into the dict or list below them. */
static se_status put_into(machine *m, kind k, value *const *x, size_t n)
{
    value *to = NULL;
    se_status s = top(m, &to);
    if (s != SE_OK)
        return s;
    if (to->kind != k)
        return BAD(m, "something is put into %s, expected %s", se_pickle_kind_name(to->kind),
                   se_pickle_kind_name(k));
    if (k == SE_PICKLE_DICT && n % 2)
        return BAD(m, "%s", "a key without a value");
    return append(to, x, n);
}

static se_status put_marked(machine *m, kind k)
{
    value **x = NULL;
    size_t n = 0;
    se_status s = take_marked(m, &x, &n);
    return s == SE_OK ? put_into(m, k, x, n) : s;
}

static se_status put_top(machine *m, kind k, size_t n)
{
    value **x = NULL;
    se_status s = take(m, n, &x);
    return s == SE_OK ? put_into(m, k, x, n) : s;
}

/* What BINPERSID and REDUCE make, or why they may not. */
static se_status push_made(machine *m, const value *from, const value *args)
{
    value *v = new_value(m, SE_PICKLE_NONE);
    if (!v)
        return SE_ERR_MEMORY;
    const char *wrong = args ? se_pickle_call(from, args, v) : se_pickle_storage(from, v);
    return wrong ? BAD(m, "%s", wrong) : push(m, v);
}

static se_status make_storage(machine *m)
{
    value **x = NULL;
    se_status s = take(m, 1, &x);
    return s == SE_OK ? push_made(m, x[0], NULL) : s;
}

/* REDUCE: the known classes and functions with their arguments; the result in place of both. */
static se_status reduce(machine *m)
{
    value **x = NULL;
    se_status s = take(m, 2, &x);
    if (s != SE_OK)
        return s;
    if (x[0]->kind != SE_PICKLE_CLASS || x[1]->kind != SE_PICKLE_TUPLE)
        return BAD(m, "%s is called with %s, expected a class and a tuple",
                   se_pickle_kind_name(x[0]->kind), se_pickle_kind_name(x[1]->kind));
    return push_made(m, x[0], x[1]);
}

/* BUILD: state_dict() gives its OrderedDict an attribute _metadata. No tensor depends on it. */
static se_status build(machine *m)
{
    value **x = NULL, *to = NULL;
    se_status s = take(m, 1, &x);
    if (s != SE_OK)
        return s;
    value *state = x[0];
    s = top(m, &to);
    if (s == SE_OK && (to->kind != SE_PICKLE_DICT || state->kind != SE_PICKLE_DICT))
        return BAD(m, "%s gets %s as its attributes, expected a dict for a dict",
                   se_pickle_kind_name(to->kind), se_pickle_kind_name(state->kind));
    return s;
}

static se_status stop(machine *m)
{
    value **x = NULL;
    if (m->n_marks || m->stack.n != 1)
        return BAD(m, "%zu values and %zu marks on the stack at the end, expected one value",
                   m->stack.n, m->n_marks);
    se_status s = take(m, 1, &x);
    if (s == SE_OK)
        m->result = x[0];
    return s;
}

static se_status check_protocol(machine *m, uint64_t version)
{
    if (version < 2 || version > 5)
        return BAD(m, "protocol %" PRIu64 ", expected 2 to 5", version);
    return SE_OK;
}

/* Of the refused opcodes, those by which a pickle runs code or that other pickles hold most. */
static const char *opcode_name(int c)
{
    static const struct {
        int c;
        const char *name;
    } NAMES[] = {{'i', "INST"},   {'o', "OBJ"},      {0x81, "NEWOBJ"}, {0x92, "NEWOBJ_EX"},
                 {0x82, "EXT1"},  {0x83, "EXT2"},    {0x84, "EXT4"},   {'P', "PERSID"},
                 {'S', "STRING"}, {'B', "BINBYTES"}, {'I', "INT"},     {'C', "SHORT_BINBYTES"},
                 {'L', "LONG"},   {'V', "UNICODE"},  {'p', "PUT"},     {0x8f, "EMPTY_SET"},
                 {'F', "FLOAT"},  {0x8b, "LONG4"}};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (NAMES[i].c == c)
            return NAMES[i].name;
    return "unknown here";
}

static se_status step_constant(machine *m, int c, bool *known)
{
    uint64_t x = 0;
    se_status s;
    *known = true;
    switch (c) {
    case 'N':
        return push_integer(m, SE_PICKLE_NONE, 0);
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push_integer(m, SE_PICKLE_BOOL, c == 0x88);
    case 'K': /* BININT1, BININT2 */
    case 'M':
        s = read_number(m, c == 'K' ? 1 : 2, &x);
        return s == SE_OK ? push_integer(m, SE_PICKLE_INTEGER, (int64_t)x) : s;
    case 'J': /* BININT */
        s = read_number(m, 4, &x);
        return s == SE_OK ? push_integer(m, SE_PICKLE_INTEGER, (int32_t)(uint32_t)x) : s;
    case 0x8a: /* LONG1 */
        return read_long(m);
    case 'G': /* BINFLOAT: no tensor depends on its value */
        s = read_number(m, 8, &x);
        return s == SE_OK ? push(m, new_value(m, SE_PICKLE_REAL)) : s;
    case 'X': /* BINUNICODE, and BINSTRING of Python 2 */
    case 'T':
        return read_text(m, 4);
    case 0x8c: /* SHORT_BINUNICODE, SHORT_BINSTRING */
    case 'U':
        return read_text(m, 1);
    case 0x8d: /* BINUNICODE8 */
        return read_text(m, 8);
    case 'c':
        return read_global(m);
    case 0x93: /* STACK_GLOBAL */
        return take_global(m);
    default:
        *known = false;
        return SE_OK;
    }
}

static se_status step_collection(machine *m, int c, bool *known)
{
    value **x = NULL;
    size_t n = 0;
    se_status s;
    *known = true;
    switch (c) {
    case '(':
        return set_mark(m);
    case '}': /* EMPTY_DICT */
        return push(m, new_value(m, SE_PICKLE_DICT));
    case ']': /* EMPTY_LIST */
        return push(m, new_value(m, SE_PICKLE_LIST));
    case ')': /* EMPTY_TUPLE */
        return push(m, new_value(m, SE_PICKLE_TUPLE));
    case 't': /* TUPLE */
        s = take_marked(m, &x, &n);
        return s == SE_OK ? push_tuple(m, x, n) : s;
    case 0x85: /* TUPLE1, TUPLE2, TUPLE3 */
    case 0x86:
    case 0x87:
        n = (size_t)(c - 0x84);
        s = take(m, n, &x);
        return s == SE_OK ? push_tuple(m, x, n) : s;
    case 's': /* SETITEM */
        return put_top(m, SE_PICKLE_DICT, 2);
    case 'u': /* SETITEMS */
        return put_marked(m, SE_PICKLE_DICT);
    case 'a': /* APPEND */
        return put_top(m, SE_PICKLE_LIST, 1);
    case 'e': /* APPENDS */
        return put_marked(m, SE_PICKLE_LIST);
    default:
        *known = false;
        return SE_OK;
    }
}

static se_status step_other(machine *m, int c)
{
    uint64_t x = 0;
    se_status s;
    switch (c) {
    case 0x80: /* PROTO */
        s = read_number(m, 1, &x);
        return s == SE_OK ? check_protocol(m, x) : s;
    case 0x95: /* FRAME: how many bytes follow at once; of no meaning in memory */
        return read_number(m, 8, &x);
    case 'q': /* BINPUT, LONG_BINPUT */
    case 'r':
        s = read_number(m, c == 'q' ? 1 : 4, &x);
        return s == SE_OK ? memo_put(m, x) : s;
    case 0x94: /* MEMOIZE */
        return memo_put(m, m->memo.n);
    case 'h': /* BINGET, LONG_BINGET */
    case 'j':
        s = read_number(m, c == 'h' ? 1 : 4, &x);
        return s == SE_OK ? memo_get(m, x) : s;
    case 'Q': /* BINPERSID */
        return make_storage(m);
    case 'R':
        return reduce(m);
    case 'b':
        return build(m);
    case '.':
        return stop(m);
    default:
        return BAD(m, "opcode 0x%02x (%s), expected only those that a dict of tensors needs",
                   (unsigned)c, opcode_name(c));
    }
}

static se_status run(machine *m)
{
    se_status s = SE_OK;
    while (s == SE_OK && !m->result) {
        bool known;
        m->opcode_at = m->at;
        s = m->n_values > MAX_VALUES ? BAD(m, "more than %zu values", MAX_VALUES) : need(m, 1);
        if (s != SE_OK)
            break;
        int c = (unsigned char)m->data[m->at++];
        s = step_constant(m, c, &known);
        if (!known)
            s = step_collection(m, c, &known);
        if (!known)
            s = step_other(m, c);
    }
    return s;
}

se_status se_pickle_read(const char *data, size_t bytes, const char *path, uint64_t at,
                         se_pickle_value **out, se_pickle_value **all)
{
    machine m = {.data = data, .bytes = bytes, .path = path, .begin = at};
    se_status s = run(&m);
    free(m.stack.item);
    free(m.memo.item);
    free(m.mark);
    *out = s == SE_OK ? m.result : NULL;
    *all = m.all;
    return s;
}

void se_pickle_free(se_pickle_value *all)
{
    while (all) {
        value *next = all->next;
        if (all->room) /* else the items are lent */
            free(all->item);
        free(all);
        all = next;
    }
}
