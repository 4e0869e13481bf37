/* One run of one model, for people and scripts on the board itself: `key=value` in, `key=value` out. */
#include "agent.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { USAGE = 2, REFUSED = 3, TIMEOUT = 4, NO_MEMORY_LEFT = 5 };

typedef struct {
    const char *library, *version, *model, *inputs, *outputs, *latencies;
    int64_t count, warmup, threads, timeout_s, memory_limit_bytes;
} Options;

static int ended(const Fault *fault) {
    fflush(stdout);
    fprintf(stderr, "error=%s %s\n", fault->code, fault->message);
    bool full = !strcmp(fault->code, "child_out_of_memory");
    return full ? NO_MEMORY_LEFT : !strcmp(fault->code, "bad_request") ? USAGE : REFUSED;
}

static void too_slow(int number) {
    static const char said[] = "error=child_timeout the time limit is over\n";
    (void)number;
    if (write(2, said, sizeof said - 1)) {}
    _exit(TIMEOUT);
}

static bool number_in(const char *key, const char *text, int64_t least, int64_t most, int64_t *out, Fault *fault) {
    Span value = {text, strlen(text)};
    if (json_valid(value) && json_whole(value, out) && *out >= least && *out <= most) return true;
    return failed(fault, "bad_request", "`%s` must be a whole number from %" PRId64 " to %" PRId64 ", not %.80s", key, least, most, text);
}

static bool option(Options *options, const char *key, const char *text, Fault *fault) {
    const struct { const char *key; const char **to; } texts[] = {
        {"library", &options->library}, {"version", &options->version}, {"model", &options->model},
        {"inputs", &options->inputs}, {"outputs", &options->outputs}, {"latencies", &options->latencies},
    };
    const struct { const char *key; int64_t *to, least, most; } numbers[] = {
        {"count", &options->count, 1, MAX_COUNT}, {"warmup", &options->warmup, 0, MAX_COUNT},
        {"threads", &options->threads, 1, MOST_THREADS}, {"timeout_s", &options->timeout_s, 1, MOST_SECONDS},
        {"memory_limit_bytes", &options->memory_limit_bytes, 1, INT64_C(1) << 62},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(key, texts[i].key)) return *texts[i].to = text, true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(key, numbers[i].key)) return number_in(key, text, numbers[i].least, numbers[i].most, numbers[i].to, fault);
    return failed(fault, "bad_request", "unknown option `%.80s`", key);
}

static bool parsed(Options *options, int argc, char **argv, Fault *fault) {
    for (int i = 0; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals) return failed(fault, "bad_request", "give options as key=value, not `%.80s`", argv[i]);
        *equals = 0;
        if (!option(options, argv[i], equals + 1, fault)) return false;
    }
    if (options->library && options->version && options->model) return true;
    return failed(fault, "bad_request", "give `library`, `version` and `model`");
}

static bool save(const char *path, const void *data, size_t size, Fault *fault) {
    FILE *file = fopen(path, "wbe");
    if (!file) return failed_by_system(fault, path);
    bool sound = fwrite(data, 1, size, file) == size;
    return (!fclose(file) && sound) || failed_by_system(fault, path);
}

/* Runs the model over every whole sample of the inputs, and writes each sample's outputs in order. */
static bool over(Model *model, const char *inputs, const char *outputs, Fault *fault) {
    size_t size = litert_sample_bytes(model), got;
    unsigned char *sample = malloc(size + 1);
    FILE *in = fopen(inputs, "rbe"), *out = in && sample ? fopen(outputs, "wbe") : NULL;
    int64_t count = 0;
    bool sound = out || failed_by_system(fault, in ? outputs : inputs);
    if (sound && !size) sound = failed(fault, "bad_request", "the model has no inputs");
    while (sound && (got = fread(sample, 1, size, in)) > 0) {
        if (got < size) sound = failed(fault, "bad_request", "the inputs end inside a sample of %zu bytes", size);
        if (sound) sound = litert_reset(model, fault);
        if (!sound) break;
        litert_fill(model, sample);
        int status = litert_run(model);
        if (status) sound = litert_failure(model, status, fault);
        for (size_t i = 0; sound && i < model->output_count; i++)
            if (fwrite(model->outputs[i].at, 1, model->outputs[i].size, out) != model->outputs[i].size) sound = failed_by_system(fault, outputs);
        count++;
    }
    if (in) fclose(in);
    if (out && fclose(out) && sound) sound = failed_by_system(fault, outputs);
    free(sample);
    if (sound) printf("samples=%" PRId64 "\n", count);
    return sound;
}

static bool stages(Model *model, const Options *options, Fault *fault) {
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    if (!litert_load(model, options->library, options->version, fault)) return false;
    int64_t loaded = clock_ns(CLOCK_MONOTONIC);
    if (!litert_open(model, options->model, fault)) return false;
    int64_t open = clock_ns(CLOCK_MONOTONIC);
    if (!litert_allocate(model, fault)) return false;
    printf("runtime_load_ns=%" PRId64 "\nmodel_load_ns=%" PRId64 "\nallocate_ns=%" PRId64 "\n", loaded - begin, open - loaded,
           clock_ns(CLOCK_MONOTONIC) - open);
    return true;
}

static bool measured(const Model *model, const Options *options, Fault *fault) {
    Plan warm = {.count = options->warmup, .least = 1, .most = MAX_COUNT}, plan = {.count = options->count, .least = 1, .most = MAX_COUNT};
    Series warmed = {0}, done = {0};
    if (options->warmup && (!timed(model, &warm, &warmed, fault))) return false;
    if (!timed(model, &plan, &done, fault)) return false;
    if (warmed.status || done.status) return litert_failure(model, warmed.status ? warmed.status : done.status, fault);
    if (options->latencies && !save(options->latencies, done.ns, (size_t)done.count * sizeof *done.ns, fault)) return false;
    Text memory = {0};
    put_snapshot(&memory, (int)getpid());
    printf("count=%" PRId64 "\nwall_time_ns=%" PRId64 "\ncpu_time_ns=%" PRId64 "\nempty_call_ns=%" PRId64 "\nmemory={%s}\n", done.count,
           done.wall_ns, done.cpu_ns, empty_call_ns(), memory.at ? memory.at : "");
    text_free(&memory);
    free(warmed.ns);
    free(done.ns);
    return true;
}

int run_once(int argc, char **argv) {
    static Model model;
    Options options = {.count = 100, .warmup = 10, .threads = 1, .timeout_s = 600};
    Fault fault = {0};
    if (!parsed(&options, argc, argv, &fault)) return ended(&fault);
    if (!options.inputs != !options.outputs) return failed(&fault, "bad_request", "give `inputs` and `outputs`, or neither"), ended(&fault);
    signal(SIGALRM, too_slow);
    alarm((unsigned)options.timeout_s);
    limit_memory(options.memory_limit_bytes);
    model.threads = (int)options.threads;
    bool sound = stages(&model, &options, &fault) && measured(&model, &options, &fault);
    if (sound && options.inputs) sound = over(&model, options.inputs, options.outputs, &fault);
    int status = sound ? 0 : ended(&fault);
    fflush(stdout);
    _exit(status); /* runtimes abort in their destructors */
}
