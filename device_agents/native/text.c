/* Text that grows, and faults. */
#include "agent.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool failed(Fault *fault, const char *code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    fault->code = code;
    return false;
}

bool failed_by_system(Fault *fault, const char *what) {
    int why = errno;
    bool full = why == ENOSPC || why == EDQUOT;
    return failed(fault, full ? "disk_full" : "internal", "%s: %s", what, strerror(why));
}

void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(stderr);
    _exit(2);
}

static void reserve(Text *text, size_t more) {
    if (text->length + more + 1 <= text->room) return;
    size_t room = text->room ? text->room : 256;
    while (room < text->length + more + 1) room *= 2;
    char *at = realloc(text->at, room);
    if (!at) die("MemoryError: no room for %zu bytes of text", room);
    text->at = at;
    text->room = room;
}

void put(Text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        reserve(text, (size_t)length);
        vsnprintf(text->at + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void put_bytes(Text *text, const void *data, size_t length) {
    reserve(text, length);
    if (length) memcpy(text->at + text->length, data, length);
    text->length += length;
    text->at[text->length] = 0;
}

/* The length of the UTF-8 character at `at`, or 0: none. Source: RFC 3629, section 4. */
static size_t utf8(const unsigned char *at, size_t left) {
    static const struct { unsigned char first, last, low, high; size_t length; } forms[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    if (*at < 0x80) return 1;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*at < forms[i].first || *at > forms[i].last) continue;
        if (left < forms[i].length || at[1] < forms[i].low || at[1] > forms[i].high) return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((at[k] & 0xC0) != 0x80) return 0;
        return forms[i].length;
    }
    return 0;
}

void put_json(Text *text, const char *data, size_t length) {
    put_bytes(text, "\"", 1);
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)data[i];
        size_t size = utf8((const unsigned char *)data + i, length - i);
        if (c == '"' || c == '\\') put(text, "\\%c", c);
        else if (c == '\n') put(text, "\\n");
        else if (c < 0x20) put(text, "\\u%04x", c);
        else if (size) put_bytes(text, data + i, size);
        else put_bytes(text, "?", 1);
        i += size ? size : 1;
    }
    put_bytes(text, "\"", 1);
}

void put_base64(Text *text, const void *data, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;
    reserve(text, length / 3 * 4 + 4);
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned bits = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63], digits[bits & 63]};
        if (left < 3) four[3] = '=';
        if (left < 2) four[2] = '=';
        put_bytes(text, four, 4);
    }
}

void text_free(Text *text) {
    free(text->at);
    *text = (Text){0};
}
