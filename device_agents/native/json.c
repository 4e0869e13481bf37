/* JSON as requests have it: a line is checked once from end to end, then values are looked up where they stand. */
#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 64

typedef struct {
    const char *at, *end;
} Cursor;

static bool value(Cursor *in, int depth);

static void blanks(Cursor *in) {
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at) in->at++;
}

static bool taken(Cursor *in, char c) {
    blanks(in);
    if (in->at >= in->end || *in->at != c) return false;
    in->at++;
    return true;
}

static bool word(Cursor *in, const char *text) {
    size_t length = strlen(text);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, text, length)) return false;
    in->at += length;
    return true;
}

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

static bool string(Cursor *in) {
    if (!taken(in, '"')) return false;
    for (; in->at < in->end; in->at++) {
        unsigned char c = (unsigned char)*in->at;
        if (c == '"') return in->at++, true;
        if (c < 0x20) return false;
        if (c != '\\') continue;
        if (++in->at >= in->end || !*in->at || !strchr("\"\\/bfnrtu", *in->at)) return false;
        if (*in->at != 'u') continue;
        if (in->end - in->at < 5) return false;
        for (int i = 1; i <= 4; i++)
            if (!is_hex(in->at[i])) return false;
        in->at += 4;
    }
    return false;
}

static bool digits(Cursor *in) {
    const char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
    return in->at > start;
}

/* Python writes NaN and Infinity, and so they are numbers here: of the kind that no parameter may be. */
static bool number(Cursor *in) {
    if (word(in, "NaN")) return true;
    if (in->at < in->end && *in->at == '-') in->at++;
    if (word(in, "Infinity")) return true;
    if (!digits(in)) return false;
    if (in->at < in->end && *in->at == '.') {
        in->at++;
        if (!digits(in)) return false;
    }
    if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
        in->at++;
        if (in->at < in->end && (*in->at == '+' || *in->at == '-')) in->at++;
        return digits(in);
    }
    return true;
}

static bool members(Cursor *in, int depth) {
    if (taken(in, '}')) return true;
    do {
        if (!string(in) || !taken(in, ':') || !value(in, depth)) return false;
    } while (taken(in, ','));
    return taken(in, '}');
}

static bool items(Cursor *in, int depth) {
    if (taken(in, ']')) return true;
    do {
        if (!value(in, depth)) return false;
    } while (taken(in, ','));
    return taken(in, ']');
}

static bool value(Cursor *in, int depth) {
    blanks(in);
    if (in->at >= in->end || depth >= DEEPEST) return false;
    switch (*in->at) {
    case '{': return in->at++, members(in, depth + 1);
    case '[': return in->at++, items(in, depth + 1);
    case '"': return string(in);
    case 'n': return word(in, "null");
    case 't': return word(in, "true");
    case 'f': return word(in, "false");
    default: return number(in);
    }
}

static Cursor inside(Span span) { return (Cursor){span.at, span.at + span.length}; }

static Span spanned(Cursor *in) {
    blanks(in);
    const char *start = in->at;
    value(in, 0);
    return (Span){start, (size_t)(in->at - start)};
}

bool json_valid(Span line) {
    Cursor in = inside(line);
    if (!value(&in, 0)) return false;
    blanks(&in);
    return in.at == in.end;
}

Span json_get(Span object, const char *name) {
    Span found = {0};
    if (!json_is(object, '{')) return found;
    Cursor in = inside(object);
    taken(&in, '{');
    while (!taken(&in, '}')) {
        Span key = spanned(&in);
        taken(&in, ':');
        Span item = spanned(&in);
        taken(&in, ',');
        size_t length = strlen(name);
        if (key.length == length + 2 && !memcmp(key.at + 1, name, length)) found = item; /* the last one counts */
    }
    return found;
}

bool json_next(Span array, size_t *at, Span *item) {
    Cursor in = inside(array);
    in.at += *at ? *at : 1;
    blanks(&in);
    if (taken(&in, ']')) return false;
    *item = spanned(&in);
    taken(&in, ',');
    *at = (size_t)(in.at - array.at);
    return true;
}

bool json_is(Span value, char kind) {
    if (!value.at || !value.length) return kind == 'n';
    if (kind == '0') return strchr("-0123456789NI", *value.at) != NULL;
    return *value.at == kind;
}

bool json_whole(Span value, int64_t *out) {
    char digits_[24];
    if (!json_is(value, '0') || value.length >= sizeof digits_) return false;
    memcpy(digits_, value.at, value.length);
    digits_[value.length] = 0;
    char *end;
    errno = 0;
    long long found = strtoll(digits_, &end, 10);
    if (errno || *end) return false;
    *out = found;
    return true;
}

bool json_number(Span value, double *out) {
    char digits_[400];
    if (!json_is(value, '0') || value.length >= sizeof digits_) return false;
    memcpy(digits_, value.at, value.length);
    digits_[value.length] = 0;
    *out = strtod(digits_, NULL);
    return true;
}

static unsigned hex4(const char *at) {
    char four[5] = {at[0], at[1], at[2], at[3], 0};
    return (unsigned)strtoul(four, NULL, 16);
}

static size_t encoded(unsigned code, char out[4]) {
    if (code < 0x80) return out[0] = (char)code, 1;
    if (code < 0x800) return out[0] = (char)(0xC0 | code >> 6), out[1] = (char)(0x80 | (code & 63)), 2;
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12), out[1] = (char)(0x80 | (code >> 6 & 63)), out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18), out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63)), out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* Decodes one character of a string at `*at` and moves on. */
static size_t decoded(const char **at, const char *end, char out[4]) {
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = *(*at)++;
    if (c != '\\') return out[0] = c, 1;
    c = *(*at)++;
    const char *special = strchr(from, c);
    if (special) return out[0] = to[special - from], 1;
    if (c != 'u') return out[0] = c, 1;
    unsigned code = hex4(*at);
    *at += 4;
    if (code >= 0xD800 && code < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        unsigned low = hex4(*at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            *at += 6;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return encoded(code, out);
}

bool json_text(Span value, char *out, size_t room, size_t *length) {
    if (!json_is(value, '"')) return false;
    const char *at = value.at + 1, *end = value.at + value.length - 1;
    size_t used = 0;
    while (at < end) {
        char bytes[4];
        size_t size = decoded(&at, end, bytes);
        if (used + size >= room) return false;
        memcpy(out + used, bytes, size);
        used += size;
    }
    out[used] = 0;
    if (length) *length = used;
    return true;
}
