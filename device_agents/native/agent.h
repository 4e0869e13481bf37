/* The native agent: docs/agent-protocol.md without Python. POSIX, dlopen, and LiteRT's C interface; nothing else. */
#ifndef EDGEPROF_AGENT_H
#define EDGEPROF_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROTOCOL 1
#define VERSION "native-1"
#define MAX_COUNT (INT64_C(1) << 21) /* the longest series: 16 MiB of int64 */
#define MAX_PROFILED (INT64_C(1) << 14)
#define MOST_THREADS 256
#define MOST_SECONDS (7 * 24 * 3600)
#define MOST_NS ((int64_t)MOST_SECONDS * 1000000000)
#define MOST_CORES 4096
#define INLINE_RUNS 8192
#define NAME_ROOM 201
#define PATH_ROOM 4096

/* What went wrong, as the protocol's section "Children" lists it. Functions that can fail return false and fill one. */
typedef struct {
    const char *code;
    char message[4096];
} Fault;

bool failed(Fault *fault, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with what `errno` says; `disk_full` where that is no room. */
bool failed_by_system(Fault *fault, const char *what);
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Text that grows. */
typedef struct {
    char *at;
    size_t length, room;
} Text;

void put(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_bytes(Text *text, const void *data, size_t length);
void put_json(Text *text, const char *data, size_t length); /* quoted; what is no UTF-8 becomes `?` */
void put_base64(Text *text, const void *data, size_t length);
void text_free(Text *text);

/* A JSON value where it stands; `at` is NULL for none. Only values inside a line that `json_valid` took. */
typedef struct {
    const char *at;
    size_t length;
} Span;

bool json_valid(Span line);
Span json_get(Span object, const char *name);
bool json_is(Span value, char kind); /* `{`, `[`, `"`, `n`ull, `t`rue, `f`alse, `0` any number */
bool json_whole(Span value, int64_t *out);
bool json_number(Span value, double *out);
/* Decodes into `out` and ends it with NUL; false: no text, or longer than `room` - 1 bytes. */
bool json_text(Span value, char *out, size_t room, size_t *length);
bool json_next(Span array, size_t *at, Span *item);

/* Parameters of requests: false and `bad_request` where a value is not what the protocol says. */
bool want_whole(Span params, const char *name, int64_t least, int64_t most, int64_t *out, Fault *fault);
bool may_whole(Span params, const char *name, int64_t least, int64_t most, int64_t otherwise, int64_t *out, Fault *fault);
bool want_number(Span params, const char *name, double most, double *out, Fault *fault);
bool want_flag(Span params, const char *name, bool *out, Fault *fault);
bool want_text(Span params, const char *name, char out[NAME_ROOM], Fault *fault);
bool want_name(Span params, const char *name, char out[NAME_ROOM], Fault *fault);
/* `cores` has MOST_CORES entries; `*given` says whether there was a list. */
bool want_cores(Span params, bool *cores, bool *given, Fault *fault);
bool is_name(const char *text, size_t length);

/* SHA-256 of a file, in hex, with its length; false with `errno`. */
bool sha256_file(const char *path, char hex[65], int64_t *size);

/* Time. */
int64_t clock_ns(int which);

typedef struct {
    int64_t count;       /* runs, or -1: for `duration_ns` */
    int64_t duration_ns; /* at least `least` and at most `most` runs */
    int64_t least, most;
    int64_t interval_ns;  /* 0: back to back */
    int64_t most_samples; /* 0: keep all */
} Plan;

typedef struct {
    int64_t *ns;
    int64_t count;
    int64_t cpu_ns, wall_ns, unix_ns, monotonic_ns, missed;
    int status; /* of the last run: not 0 means that it failed */
} Series;

typedef struct Model Model;
bool timed(const Model *model, const Plan *plan, Series *series, Fault *fault);
int64_t empty_call_ns(void);

/* Memory, switches, processor time: what the kernel says of a process. */
typedef struct {
    int64_t rss, anonymous, file_backed;
} Resident;

bool resident(int pid, Resident *out); /* 0: this process */
bool put_snapshot(Text *text, int pid); /* the fields of `snapshot`, without braces */
int64_t oom_kills(void);

/* What was written to standard error, which in a child is a file. */
int64_t stderr_mark(void);
void stderr_words(int64_t mark, char *out, size_t room);
bool stderr_has(int64_t mark, const char *words);

/* LiteRT. */
#define MOST_TENSORS 1024

typedef struct {
    char *name;
    int element;
    int rank;
    int32_t shape[8];
    bool quantized;
    float scale;
    int64_t zero_point;
    size_t size;       /* bytes of its values */
    void *at;          /* where they are, 64-byte aligned */
    void *handle;      /* the runtime's buffer over them */
    size_t place;      /* in the signature */
} Tensor;

struct Model {
    Tensor inputs[MOST_TENSORS], outputs[MOST_TENSORS];
    size_t input_count, output_count;
    bool stateful, per_op, has_delegate;
    int threads;
    const char *version;
    void *env, *model, *options, *compiled;
    void *in_handles[MOST_TENSORS], *out_handles[MOST_TENSORS];
    int64_t mark;
};

bool litert_load(Model *model, const char *library, const char *version, Fault *fault);
bool litert_open(Model *model, const char *path, Fault *fault);
bool litert_allocate(Model *model, Fault *fault);
int litert_run(const Model *model); /* the bare call */
bool litert_reset(Model *model, Fault *fault);
bool litert_failure(const Model *model, int status, Fault *fault);
void litert_fill(Model *model, const void *sample);
size_t litert_sample_bytes(const Model *model);
const char *element_name(int element);

typedef struct {
    Text about;     /* the events as the protocol has them: a JSON list */
    int64_t events; /* how many a run has */
    int64_t *ns;    /* latencies of all runs, then for each event its duration in each run */
} Profile;

bool profiled(Model *model, int64_t count, Profile *profile, Fault *fault);
/* The profiler of the library, for events.c: false with `no_profiler`. */
bool litert_profiler(Model *model, void **profiler, Fault *fault);

/* Moves memory in rounds; `ns` has room for `rounds` durations. */
#define LEAST_STREAM (1 << 18)
#define MOST_STREAM (1 << 30)
#define MOST_ROUNDS 1000
bool streamed(bool compares, int64_t size, int threads, int64_t rounds, int64_t *ns, int64_t *round_bytes, Fault *fault);

/* The parts of the program. */
int serve(const char *home);
int child(int argc, char **argv);
int sampler(int argc, char **argv);
int run_once(int argc, char **argv);
void die_with(int parent);
bool limit_memory(int64_t bytes); /* 0: only no core dumps */

#endif
