/* The agent's loop: requests from standard input, lines from children, one thread. */
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_LINE (1 << 20)
#define KEPT_FATES 64
#define GRACE_MS 5000

static Process children[MOST_CHILDREN], samplers[MOST_SAMPLERS];
static struct { int number; Text error; } fates[KEPT_FATES]; /* of children that died while nothing was asked of them */
static int numbers, next_fate;
static bool greeted;

/* Answers */

static void leave(int status) {
    for (int i = 0; i < MOST_CHILDREN; i++)
        if (children[i].number) process_end(&children[i], false);
    for (int i = 0; i < MOST_SAMPLERS; i++)
        if (samplers[i].number) process_end(&samplers[i], false);
    _exit(status);
}

static void send_line(Text *line) {
    put(line, "}\n");
    for (size_t sent = 0; sent < line->length;) {
        ssize_t wrote = write(1, line->at + sent, line->length - sent);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) leave(0); /* the host is gone */
        sent += (size_t)wrote;
    }
    text_free(line);
}

static Text answer_to(Span id) {
    Text line = {0};
    put(&line, "{\"id\":");
    put_bytes(&line, id.at ? id.at : "null", id.at ? id.length : 4);
    put(&line, ",");
    return line;
}

static void refuse(Span id, const Fault *fault) {
    Text line = answer_to(id);
    put_fault(&line, fault);
    send_line(&line);
}

static Span id_of(const Process *child) {
    const char *id = child->id ? child->id : "null";
    return (Span){id, strlen(id)};
}

/* Children */

static Process *numbered(Process *list, int length, int64_t number) {
    for (int i = 0; i < length; i++)
        if (number && list[i].number == number) return &list[i];
    return NULL;
}

static Process *unused(Process *list, int length) {
    for (int i = 0; i < length; i++)
        if (!list[i].number) return &list[i];
    return NULL;
}

static void remember(int number, Text *error) {
    next_fate = (next_fate + 1) % KEPT_FATES;
    text_free(&fates[next_fate].error);
    fates[next_fate].number = number;
    fates[next_fate].error = *error;
}

/* Sends the end of a child that died, or keeps it for the next request that names it. */
static void died(Process *child) {
    int number = child->number;
    Text error = {0};
    put_fate(&error, child);
    if (child->busy) {
        Text line = answer_to(id_of(child));
        put_bytes(&line, error.at, error.length);
        send_line(&line);
        text_free(&error);
    } else {
        remember(number, &error);
    }
    process_end(child, false);
}

static void call_off(Process *child, const char *why, bool acknowledged) {
    if (child->busy) {
        Fault fault;
        failed(&fault, "cancelled", "%s", why);
        refuse(id_of(child), &fault);
    }
    process_end(child, acknowledged);
}

static void end_the_slow(void) {
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < MOST_CHILDREN; i++) {
        Process *child = &children[i];
        if (!child->number || !child->busy || now < child->deadline_ns) continue;
        Fault fault;
        char more[64];
        Text line = answer_to(id_of(child));
        failed(&fault, "child_timeout", "no end after %g s in `%s`", child->timeout_s, child->stage);
        snprintf(more, sizeof more, ",\"timeout_s\":%g", child->timeout_s);
        put_fault_of(&line, child, &fault, more);
        process_end(child, false);
        send_line(&line);
    }
}

static void finished(Process *child, char kind, char *rest) {
    Text line = answer_to(id_of(child));
    Fault fault = {0};
    put(&line, "\"result\":{");
    if (kind == 'O') {
        child->ready = true;
        put(&line, "\"child\":%d,\"launch\":\"%s\",\"evicted\":%s,", child->number, child->launch, child->evicted.at);
        put_bytes(&line, rest, strlen(rest));
    } else {
        char *tab = strchr(rest, '\t');
        *tab = 0;
        put_bytes(&line, tab + 1, strlen(tab + 1));
        put(&line, ",");
        put_described(&line, rest, &fault);
    }
    child->busy = false;
    if (fault.code) {
        text_free(&line);
        refuse(id_of(child), &fault);
        return;
    }
    put(&line, "}");
    send_line(&line);
}

/* A child's own error; returns whether the child is gone with it. */
static bool refused(Process *child, char *rest) {
    char message[4096], *space = strchr(rest, ' ');
    Text line = answer_to(id_of(child));
    *space = 0;
    Fault fault = {.code = rest};
    if (json_text((Span){space + 1, strlen(space + 1)}, message, sizeof message, NULL))
        snprintf(fault.message, sizeof fault.message, "%s", message);
    put_fault_of(&line, child, &fault, "");
    bool dead = !strncmp(rest, "child_", 6), over = dead || !child->ready;
    child->busy = false;
    if (over) process_end(child, !dead);
    send_line(&line);
    return over;
}

/* Hears one line of a child; returns whether there is still a child. */
static bool heard(Process *child, char *line) {
    char kind = *line, *rest = line + 2;
    if (strlen(line) < 2) return true;
    if (kind == 'S') snprintf(child->stage, sizeof child->stage, "%s", rest);
    else if (kind == 'P' && child->busy) {
        Text answer = answer_to(id_of(child));
        int64_t done = 0, total = 0;
        sscanf(rest, "%" SCNd64 " %" SCNd64, &done, &total);
        put(&answer, "\"progress\":{\"done\":%" PRId64 ",\"total\":%" PRId64 "}", done, total);
        send_line(&answer);
    } else if (kind == 'E') return !refused(child, rest);
    else if (kind == 'O' || kind == 'R') finished(child, kind, rest);
    return true;
}

static void hear(Process *child) {
    char data[1 << 16], *newline;
    ssize_t got = read(child->from, data, sizeof data);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
        died(child);
        return;
    }
    put_bytes(&child->lines, data, (size_t)got);
    while ((newline = memchr(child->lines.at, '\n', child->lines.length))) {
        size_t length = (size_t)(newline - child->lines.at);
        *newline = 0;
        if (!heard(child, child->lines.at)) return;
        child->lines.length -= length + 1;
        memmove(child->lines.at, newline + 1, child->lines.length);
    }
}

/* Finds the child that a request names, or refuses; what became of one that died is told once. */
static Process *child_of(Span id, Span params) {
    int64_t number;
    Fault fault;
    if (!want_whole(params, "child", 1, MAX_COUNT, &number, &fault)) return refuse(id, &fault), NULL;
    Process *child = numbered(children, MOST_CHILDREN, number);
    if (child) return child;
    for (int i = 0; i < KEPT_FATES; i++)
        if (fates[i].number == number) {
            Text line = answer_to(id);
            put_bytes(&line, fates[i].error.at, fates[i].error.length);
            text_free(&fates[i].error);
            fates[i].number = 0;
            send_line(&line);
            return NULL;
        }
    failed(&fault, "no_such_child", "no child %" PRId64 " is open", number);
    return refuse(id, &fault), NULL;
}

/* Methods: each sends its answer, unless a child will. */

static void put_kept(Text *line, bool discard) {
    char **names;
    int count = home_kept(&names), written = 0;
    for (int i = 0; i < count; i++) {
        bool ours = false;
        for (int k = 0; k < MOST_CHILDREN; k++) ours = ours || !strcmp(children[k].launch, names[i]);
        for (int k = 0; k < MOST_SAMPLERS; k++) ours = ours || !strcmp(samplers[k].launch, names[i]);
        if (!ours) put(line, "%s\"%s\"", written++ ? "," : "", names[i]);
        if (!ours && discard) home_forget(names[i]);
        free(names[i]);
    }
    free(names);
}

static void do_hello(Span id, Span params) {
    int64_t protocol = 0;
    char owner[NAME_ROOM];
    bool discard;
    Fault fault;
    Span asked = json_get(params, "protocol");
    if (!json_whole(asked, &protocol) || protocol != PROTOCOL) {
        failed(&fault, "protocol", "this agent speaks protocol %d, not %.*s", PROTOCOL,
               asked.at ? (int)(asked.length < 200 ? asked.length : 200) : 4, asked.at ? asked.at : "null");
        return refuse(id, &fault);
    }
    if (!want_text(params, "owner", owner, &fault) || !want_flag(params, "discard", &discard, &fault)) return refuse(id, &fault);
    Text held = {0}, line = answer_to(id);
    if (home_lock(owner, &held, &fault)) {
        greeted = true;
        put(&line, "\"result\":{\"protocol\":%d,\"agent\":\"%s\",\"python\":null,\"pid\":%d,\"kept\":[", PROTOCOL, VERSION, (int)getpid());
        put_kept(&line, discard);
        put(&line, "]}");
    } else {
        put(&line, "\"error\":{\"code\":\"%s\",\"message\":", fault.code);
        put_json(&line, fault.message, strlen(fault.message));
        put(&line, ",\"data\":{%s}}", held.at ? held.at : "");
    }
    text_free(&held);
    send_line(&line);
}

static void do_clock(Span id, Span params) {
    (void)params;
    Text line = answer_to(id);
    put(&line, "\"result\":{\"monotonic_ns\":%" PRId64 ",\"unix_ns\":%" PRId64 "}", clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME));
    send_line(&line);
}

static void do_probe(Span id, Span params) {
    (void)params;
    Fault fault;
    failed(&fault, "unknown_method", "`probe` of this agent is `agent.sh probe`");
    refuse(id, &fault);
}

static void do_open(Span id, Span params) {
    Fault fault;
    double timeout_s;
    Process *child = unused(children, MOST_CHILDREN);
    if (!child) {
        failed(&fault, "too_many_children", "at most %d children are open at once", MOST_CHILDREN);
        return refuse(id, &fault);
    }
    if (!want_number(params, "timeout_s", MOST_SECONDS, &timeout_s, &fault) || !child_open(child, params, &fault)) {
        text_free(&child->evicted);
        memset(child, 0, sizeof *child);
        return refuse(id, &fault);
    }
    child->number = ++numbers;
    child_begin(child, id, timeout_s, &fault);
}

static void ask(Span id, Process *child, Span params, const Text *work) {
    Fault fault;
    double timeout_s;
    if (!want_number(params, "timeout_s", MOST_SECONDS, &timeout_s, &fault) || !child_begin(child, id, timeout_s, &fault))
        return refuse(id, &fault);
    snprintf(child->stage, sizeof child->stage, "invoke");
    process_write(child, work);
}

static void do_invoke(Span id, Span params) {
    Fault fault;
    Text work = {0};
    Process *child = child_of(id, params);
    if (!child) return;
    if (child_work(params, &work, &fault)) ask(id, child, params, &work);
    else refuse(id, &fault);
    text_free(&work);
}

static void do_per_op(Span id, Span params) {
    Fault fault;
    Text work = {0};
    int64_t count;
    Process *child = child_of(id, params);
    if (!child) return;
    bool sound = child->per_op || failed(&fault, "bad_request", "child %d was not opened with `per_op`", child->number);
    if (!sound || !want_whole(params, "count", 1, MAX_PROFILED, &count, &fault)) return refuse(id, &fault);
    put(&work, "p %" PRId64 "\n", count);
    ask(id, child, params, &work);
    text_free(&work);
}

static void do_stream(Span id, Span params) {
    Fault fault;
    Text work = {0};
    char how[NAME_ROOM] = "";
    int64_t size, threads, rounds;
    json_text(json_get(params, "how"), how, sizeof how, NULL);
    bool known = !strcmp(how, "copy") || !strcmp(how, "read");
    bool sound = known || failed(&fault, "bad_request", "`how` must be `copy` or `read`");
    sound = sound && want_whole(params, "size_bytes", LEAST_STREAM, MOST_STREAM, &size, &fault);
    sound = sound && want_whole(params, "threads", 1, MOST_THREADS, &threads, &fault);
    sound = sound && want_whole(params, "rounds", 1, MOST_ROUNDS, &rounds, &fault);
    Process *child = sound ? child_of(id, params) : NULL;
    if (!sound) refuse(id, &fault);
    if (!child) return;
    put(&work, "m %d %" PRId64 " %" PRId64 " %" PRId64 "\n", *how == 'r', size, threads, rounds);
    ask(id, child, params, &work);
    text_free(&work);
}

static void do_snapshot(Span id, Span params) {
    Process *child = child_of(id, params);
    if (!child) return;
    Text line = answer_to(id);
    put(&line, "\"result\":{");
    if (put_snapshot(&line, (int)child->pid)) {
        put(&line, "}");
        send_line(&line);
        return;
    }
    text_free(&line);
    bool busy = child->busy;
    child->busy = true; /* this request learns of it, and a pending one as well */
    if (busy) {
        Fault fault;
        failed(&fault, "child_crashed", "the child ended");
        refuse(id, &fault);
    } else {
        free(child->id);
        child->id = strndup(id.at ? id.at : "null", id.at ? id.length : 4);
    }
    died(child);
}

static void do_close(Span id, Span params) {
    Fault fault;
    bool acknowledged;
    if (!want_flag(params, "acknowledged", &acknowledged, &fault)) return refuse(id, &fault);
    Process *child = child_of(id, params);
    if (!child) return;
    call_off(child, "the child was closed", acknowledged);
    Text line = answer_to(id);
    put(&line, "\"result\":{}");
    send_line(&line);
}

static void do_cancel(Span id, Span params) {
    Process *child = child_of(id, params);
    if (!child) return;
    call_off(child, "the host called it off", false);
    Text line = answer_to(id);
    put(&line, "\"result\":{}");
    send_line(&line);
}

/* Cores that no open child was confined to, if there are any. */
static bool away(bool *cores) {
    Text text = {0};
    bool any_taken = false, any_free = false;
    memset(cores, 0, MOST_CORES * sizeof *cores);
    put(&text, "{");
    put_snapshot(&text, (int)getpid());
    put(&text, "}");
    Span allowed = json_get((Span){text.at, text.length}, "cpus"), item;
    int64_t core;
    for (size_t at = 0; json_is(allowed, '[') && json_next(allowed, &at, &item);) {
        bool taken = false;
        if (!json_whole(item, &core) || core >= MOST_CORES) continue;
        for (int i = 0; i < MOST_CHILDREN; i++) taken = taken || (children[i].pinned && children[i].cores[core]);
        any_taken = any_taken || taken;
        any_free = any_free || !taken;
        cores[core] = !taken;
    }
    text_free(&text);
    return any_taken && any_free;
}

static bool sampler_open(Process *sampler, Span params, Fault *fault) {
    double hz;
    int64_t rail;
    char parent[16], period[32], number[16], path[PATH_ROOM + 32], launch[PATH_ROOM];
    if (!want_number(params, "hz", 1000, &hz, fault) || !want_cores(params, sampler->cores, &sampler->pinned, fault)) return false;
    if (!may_whole(params, "rail", 0, 1000, -1, &rail, fault)) return false;
    if (!sampler->pinned) sampler->pinned = away(sampler->cores);
    if (!home_new_launch(sampler->launch, fault)) return false;
    home_launch_path(sampler->launch, launch);
    snprintf(path, sizeof path, "%s/samples.jsonl", launch);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(period, sizeof period, "%" PRId64, (int64_t)(1e9 / hz));
    snprintf(number, sizeof number, "%d", (int)rail);
    const char *argv[] = {"edgeprof-native", "sampler", parent, period, number, path, NULL};
    Spawn how = {(char *const *)(uintptr_t)argv, NULL, sampler->pinned, sampler->cores};
    if (process_spawn(sampler, &how, fault)) return true;
    return false;
}

static void do_sampler_start(Span id, Span params) {
    Fault fault;
    Process *sampler = unused(samplers, MOST_SAMPLERS);
    bool sound = sampler || failed(&fault, "bad_request", "at most %d samplers run at once", MOST_SAMPLERS);
    if (!sound || !sampler_open(sampler, params, &fault)) {
        if (sampler && *sampler->launch) home_forget(sampler->launch);
        if (sampler) memset(sampler, 0, sizeof *sampler);
        return refuse(id, &fault);
    }
    sampler->number = ++numbers;
    Text line = answer_to(id);
    put(&line, "\"result\":{\"sampler\":%d,\"launch\":\"%s\"}", sampler->number, sampler->launch);
    send_line(&line);
}

static int64_t lines_in(const char *path) {
    int64_t count = 0;
    FILE *file = fopen(path, "re");
    for (int c; file && (c = getc_unlocked(file)) != EOF;) count += c == '\n';
    if (file) fclose(file);
    return count;
}

/* Lets a sampler write its last line: the end of its input tells it, the end of its output tells us. */
static void await_end(Process *sampler) {
    close(sampler->to);
    sampler->to = 0;
    struct pollfd end = {sampler->from, POLLIN, 0};
    poll(&end, 1, GRACE_MS);
}

static void do_sampler_stop(Span id, Span params) {
    Fault fault = {0};
    int64_t number;
    char path[PATH_ROOM + 32], launch[PATH_ROOM];
    if (!want_whole(params, "sampler", 1, MAX_COUNT, &number, &fault)) return refuse(id, &fault);
    Process *sampler = numbered(samplers, MOST_SAMPLERS, number);
    if (!sampler) {
        failed(&fault, "no_such_child", "no sampler %" PRId64 " runs", number);
        return refuse(id, &fault);
    }
    home_launch_path(sampler->launch, launch);
    snprintf(path, sizeof path, "%s/samples.jsonl", launch);
    await_end(sampler);
    process_end(sampler, false);
    Text line = answer_to(id);
    put(&line, "\"result\":{\"count\":%" PRId64 ",", lines_in(path));
    if (!put_described(&line, path, &fault)) return text_free(&line), refuse(id, &fault);
    put(&line, "}");
    send_line(&line);
}

static const struct { const char *name; void (*answer)(Span id, Span params); } methods[] = {
    {"hello", do_hello}, {"clock", do_clock}, {"probe", do_probe}, {"open", do_open}, {"invoke", do_invoke},
    {"per_op", do_per_op}, {"stream", do_stream}, {"snapshot", do_snapshot}, {"close", do_close}, {"cancel", do_cancel},
    {"sampler_start", do_sampler_start}, {"sampler_stop", do_sampler_stop},
};

/* Requests */

static void answer(Span line) {
    Fault fault;
    char name[64];
    if (!json_valid(line) || !json_is((Span){line.at + strspn(line.at, " \t\r"), 1}, '{')) {
        failed(&fault, "bad_request", "a request is a line of JSON, an object");
        return refuse((Span){0}, &fault);
    }
    size_t blank = strspn(line.at, " \t\r");
    line = (Span){line.at + blank, line.length - blank};
    Span id = json_get(line, "id"), method = json_get(line, "method"), params = json_get(line, "params");
    if (!params.at) params = (Span){"{}", 2};
    bool known = json_text(method, name, sizeof name, NULL);
    for (size_t i = 0; known && i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(name, methods[i].name)) continue;
        bool sound = json_is(params, '{') || failed(&fault, "bad_request", "`params` is an object");
        if (sound && !greeted && i) sound = failed(&fault, "protocol", "`hello` comes first");
        if (sound) methods[i].answer(id, params);
        else refuse(id, &fault);
        return;
    }
    bool text = json_is(method, '"');
    int length = (int)(method.length < 200 ? method.length : 200);
    failed(&fault, "unknown_method", "no method %s%.*s%s", text ? "'" : "", text ? length - 2 : method.at ? length : 4,
           text ? method.at + 1 : method.at ? method.at : "null", text ? "'" : "");
    refuse(id, &fault);
}

static void refuse_long(void) {
    Fault fault;
    failed(&fault, "bad_request", "a line is longer than 1 MiB");
    refuse((Span){0}, &fault);
}

/* Takes what the host sent; a line above 1 MiB is refused once, and its rest is not heard. Returns false at the end. */
static bool hear_host(void) {
    static Text lines;
    static bool skipping;
    char data[1 << 16], *newline;
    ssize_t got = read(0, data, sizeof data);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    put_bytes(&lines, data, (size_t)got);
    size_t at = 0;
    while ((newline = memchr(lines.at + at, '\n', lines.length - at))) {
        size_t length = (size_t)(newline - lines.at) - at;
        *newline = 0;
        if (!skipping && length > LONGEST_LINE) refuse_long();
        else if (!skipping) answer((Span){lines.at + at, length});
        skipping = false;
        at += length + 1;
    }
    lines.length -= at;
    memmove(lines.at, lines.at + at, lines.length);
    if (lines.length > LONGEST_LINE && !skipping) {
        refuse_long();
        skipping = true;
    }
    if (skipping) lines.length = 0;
    return true;
}

static int patience_ms(void) {
    int64_t first = INT64_MAX;
    for (int i = 0; i < MOST_CHILDREN; i++)
        if (children[i].number && children[i].busy && children[i].deadline_ns < first) first = children[i].deadline_ns;
    if (first == INT64_MAX) return -1;
    int64_t left_ns = first - clock_ns(CLOCK_MONOTONIC);
    int64_t left_ms = left_ns / 1000000 + 1;
    return left_ns <= 0 ? 0 : left_ms > 3600000 ? 3600000 : (int)left_ms;
}

int serve(const char *folder) {
    Fault fault;
    signal(SIGPIPE, SIG_IGN);
    if (!home_open(folder, &fault)) die("%s", fault.message);
    for (;;) {
        struct pollfd wait[1 + MOST_CHILDREN] = {{0, POLLIN, 0}};
        int asked[MOST_CHILDREN];
        for (int i = 0; i < MOST_CHILDREN; i++) {
            asked[i] = children[i].number;
            wait[1 + i] = (struct pollfd){asked[i] ? children[i].from : -1, POLLIN, 0};
        }
        if (poll(wait, 1 + MOST_CHILDREN, patience_ms()) < 0 && errno != EINTR) die("poll: %s", strerror(errno));
        if (wait[0].revents && !hear_host()) leave(0);
        for (int i = 0; i < MOST_CHILDREN; i++)
            if (wait[1 + i].revents && children[i].number == asked[i]) hear(&children[i]);
        end_the_slow();
    }
}
