/* Parameters of requests. */
#include "agent.h"

#include <inttypes.h>
#include <string.h>

static bool bad(Fault *fault, const char *name, const char *wanted, Span got) {
    int length = (int)(got.length < 200 ? got.length : 200);
    return failed(fault, "bad_request", "`%s` must be %s, not %.*s", name, wanted, got.at ? length : 4,
                  got.at ? got.at : "null");
}

bool want_whole(Span params, const char *name, int64_t least, int64_t most, int64_t *out, Fault *fault) {
    Span value = json_get(params, name);
    if (json_whole(value, out) && *out >= least && *out <= most) return true;
    char wanted[100];
    snprintf(wanted, sizeof wanted, "a whole number from %" PRId64 " to %" PRId64, least, most);
    return bad(fault, name, wanted, value);
}

bool may_whole(Span params, const char *name, int64_t least, int64_t most, int64_t otherwise, int64_t *out, Fault *fault) {
    *out = otherwise;
    return json_is(json_get(params, name), 'n') || want_whole(params, name, least, most, out, fault);
}

bool want_number(Span params, const char *name, double most, double *out, Fault *fault) {
    Span value = json_get(params, name);
    if (json_number(value, out) && *out > 0 && *out <= most) return true;
    char wanted[100];
    snprintf(wanted, sizeof wanted, "a number above 0 and at most %g", most);
    return bad(fault, name, wanted, value);
}

bool want_flag(Span params, const char *name, bool *out, Fault *fault) {
    Span value = json_get(params, name);
    *out = json_is(value, 't');
    return *out || json_is(value, 'f') || json_is(value, 'n') || bad(fault, name, "true or false", value);
}

/* The protocol cuts the text to 200 characters; here it is cut to as many bytes, at a character's end. */
bool want_text(Span params, const char *name, char out[NAME_ROOM], Fault *fault) {
    static char whole[1 << 20];
    Span value = json_get(params, name);
    size_t length;
    if (!json_text(value, whole, sizeof whole, &length) || !length) return bad(fault, name, "a text", value);
    if (length >= NAME_ROOM) {
        length = NAME_ROOM - 1;
        while (length && ((unsigned char)whole[length] & 0xC0) == 0x80) length--;
    }
    memcpy(out, whole, length);
    out[length] = 0;
    return true;
}

bool is_name(const char *text, size_t length) {
    if (!length || length >= NAME_ROOM || *text == '.') return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

bool want_name(Span params, const char *name, char out[NAME_ROOM], Fault *fault) {
    Span value = json_get(params, name);
    size_t length = 0;
    if (json_text(value, out, NAME_ROOM, &length) && is_name(out, length)) return true;
    return bad(fault, name, "a bare name", value);
}

bool want_cores(Span params, bool *cores, bool *given, Fault *fault) {
    static const char wanted[] = "a list of core numbers, or null";
    Span list = json_get(params, "cpus"), item;
    memset(cores, 0, MOST_CORES * sizeof *cores);
    *given = !json_is(list, 'n');
    if (!*given) return true;
    if (!json_is(list, '[')) return bad(fault, "cpus", wanted, list);
    int count = 0;
    for (size_t at = 0; json_next(list, &at, &item); count++) {
        int64_t core;
        if (!json_whole(item, &core) || core < 0 || core >= MOST_CORES) return bad(fault, "cpus", wanted, list);
        cores[core] = true;
    }
    return count > 0 || bad(fault, "cpus", wanted, list);
}
