/* The isolated process: one runtime, one model, one thread of ours. It answers the serving process line by line.
 *
 * Lines to it: `t COUNT DURATION LEAST MOST INTERVAL KEPT`, `d COUNT FRESH PATH`, `p COUNT`, `m READS BYTES THREADS ROUNDS`.
 * Lines from it: `S stage`, `P done total`, `O fields`, `R path<tab>fields`, `E code "message"`. */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_EVERY_NS 100000000

typedef struct {
    Model model;
    const char *launch, *library, *version, *sha256, *path, *input;
    unsigned char *first; /* the sample that timed runs see */
    int files, wire;
} Child;

static void say(const Child *self, Text *line) {
    put(line, "\n");
    for (size_t sent = 0; sent < line->length;) {
        ssize_t wrote = write(self->wire, line->at + sent, line->length - sent);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) _exit(1); /* nobody listens any more */
        sent += (size_t)wrote;
    }
    text_free(line);
}

static void say_stage(const Child *self, const char *stage) {
    Text line = {0};
    put(&line, "S %s", stage);
    say(self, &line);
}

static void say_fault(const Child *self, const Fault *fault) {
    Text line = {0};
    put(&line, "E %s ", fault->code);
    put_json(&line, fault->message, strlen(fault->message));
    say(self, &line);
}

static void put_resident(Text *text, const char *name, const Resident *now) {
    put(text, "\"%s\":{\"rss_bytes\":%" PRId64 ",\"anonymous_bytes\":%" PRId64 ",\"file_backed_bytes\":%" PRId64 "}", name,
        now->rss, now->anonymous, now->file_backed);
}

static void put_tensors(Text *text, const char *name, const Tensor *tensors, size_t count) {
    put(text, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        const Tensor *tensor = &tensors[i];
        put(text, "%s{\"name\":", i ? "," : "");
        put_json(text, tensor->name, strlen(tensor->name));
        put(text, ",\"shape\":[");
        for (int k = 0; k < tensor->rank; k++) put(text, "%s%d", k ? "," : "", tensor->shape[k] < 0 ? 1 : (int)tensor->shape[k]);
        put(text, "],\"dtype\":\"%s\",", element_name(tensor->element));
        bool known = tensor->quantized && isfinite(tensor->scale);
        if (known) put(text, "\"scale\":%.9g,\"zero_point\":%" PRId64 "}", (double)tensor->scale, tensor->zero_point);
        else put(text, "\"scale\":null,\"zero_point\":null}");
    }
    put(text, "],");
}

static bool filled_first(Child *self, Fault *fault) {
    size_t size = litert_sample_bytes(&self->model), got = 0;
    self->first = calloc(1, size + 1);
    if (!self->first) return failed(fault, "child_out_of_memory", "MemoryError: no room for a sample");
    if (*self->input) {
        FILE *file = fopen(self->input, "rbe");
        if (!file) return failed_by_system(fault, "cannot read the input");
        got = fread(self->first, 1, size, file);
        fclose(file);
        if (got < size) return failed(fault, "bad_request", "one sample is %zu bytes, the input has %zu", size, got);
    }
    litert_fill(&self->model, self->first);
    return true;
}

typedef struct {
    int64_t start_ns, load_ns, model_ns, allocate_ns;
    Resident start, runtime, model;
} Opening;

static bool opened(Child *self, Opening *took, Fault *fault) {
    resident(0, &took->start);
    say_stage(self, "runtime");
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    if (!litert_load(&self->model, self->library, self->version, fault)) return false;
    took->load_ns = clock_ns(CLOCK_MONOTONIC) - begin;
    resident(0, &took->runtime);
    say_stage(self, "model");
    begin = clock_ns(CLOCK_MONOTONIC);
    if (!litert_open(&self->model, self->path, fault)) return false;
    took->model_ns = clock_ns(CLOCK_MONOTONIC) - begin;
    say_stage(self, "allocate");
    begin = clock_ns(CLOCK_MONOTONIC);
    if (!litert_allocate(&self->model, fault)) return false;
    took->allocate_ns = clock_ns(CLOCK_MONOTONIC) - begin;
    if (!filled_first(self, fault)) return false;
    resident(0, &took->model);
    return true;
}

static void say_opened(const Child *self, const Opening *took) {
    Text line = {0};
    put(&line, "O ");
    put_tensors(&line, "inputs", self->model.inputs, self->model.input_count);
    put_tensors(&line, "outputs", self->model.outputs, self->model.output_count);
    put(&line, "\"start_up\":{\"process_start_ns\":%" PRId64 ",\"runtime_load_ns\":%" PRId64, took->start_ns, took->load_ns);
    put(&line, ",\"model_load_ns\":%" PRId64 ",\"allocate_ns\":%" PRId64 "},", took->model_ns, took->allocate_ns);
    put(&line, "\"runtime\":{\"name\":\"litert\",\"version\":");
    put_json(&line, self->version, strlen(self->version));
    put(&line, ",\"library_sha256\":\"%s\",\"delegate\":\"%s\"},", self->sha256, self->model.has_delegate ? "xnnpack" : "none");
    put(&line, "\"resident\":{");
    put_resident(&line, "start", &took->start);
    put_bytes(&line, ",", 1);
    put_resident(&line, "runtime", &took->runtime);
    put_bytes(&line, ",", 1);
    put_resident(&line, "model", &took->model);
    put(&line, "},\"empty_call_ns\":%" PRId64, empty_call_ns());
    say(self, &line);
}

/* Writes a file of the launch, whole or not at all. */
static bool written(const char *path, const void *data, size_t size, Fault *fault) {
    FILE *file = fopen(path, "wbe");
    if (!file) return failed_by_system(fault, path);
    bool sound = fwrite(data, 1, size, file) == size;
    sound = !fclose(file) && sound;
    if (sound) return true;
    failed_by_system(fault, path);
    unlink(path);
    return false;
}

static void put_short(Text *line, const int64_t *ns, int64_t count) {
    if (count > INLINE_RUNS) return;
    put(line, ",\"samples\":\"");
    put_base64(line, ns, (size_t)count * sizeof *ns);
    put(line, "\"");
}

static int64_t thinned(int64_t *ns, int64_t count, int64_t most) {
    if (!most || count <= most) return count;
    int64_t step = (count + most - 1) / most, kept = 0;
    for (int64_t i = 0; i < count; i += step) ns[kept++] = ns[i];
    return kept;
}

static bool do_timed(Child *self, const char *line, const char *stem, Fault *fault) {
    char path[PATH_ROOM];
    Plan plan;
    Series done = {0};
    sscanf(line, "t %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &plan.count, &plan.duration_ns,
           &plan.least, &plan.most, &plan.interval_ns, &plan.most_samples);
    snprintf(path, sizeof path, "%s.ns", stem);
    bool sound = timed(&self->model, &plan, &done, fault);
    if (sound && done.status) sound = litert_failure(&self->model, done.status, fault);
    if (sound) {
        int64_t kept = thinned(done.ns, done.count, plan.most_samples);
        Text answer = {0};
        put(&answer, "R %s\t\"count\":%" PRId64 ",\"cpu_time_ns\":%" PRId64 ",\"wall_time_ns\":%" PRId64, path, done.count,
            done.cpu_ns, done.wall_ns);
        put(&answer, ",\"started_unix_ns\":%" PRId64 ",\"started_monotonic_ns\":%" PRId64 ",\"missed\":%" PRId64, done.unix_ns,
            done.monotonic_ns, done.missed);
        put_short(&answer, done.ns, kept);
        sound = written(path, done.ns, (size_t)kept * sizeof *done.ns, fault);
        if (sound) say(self, &answer);
        text_free(&answer);
    }
    free(done.ns);
    return sound;
}

static bool one_sample(Child *self, FILE *in, FILE *out, unsigned char *sample, size_t size, bool fresh, Fault *fault) {
    if (fresh && !litert_reset(&self->model, fault)) return false;
    if (fread(sample, 1, size, in) != size) return failed_by_system(fault, "the samples cannot be read");
    litert_fill(&self->model, sample);
    int status = litert_run(&self->model);
    if (status) return litert_failure(&self->model, status, fault);
    for (size_t i = 0; i < self->model.output_count; i++) {
        const Tensor *tensor = &self->model.outputs[i];
        if (fwrite(tensor->at, 1, tensor->size, out) != tensor->size) return failed_by_system(fault, "no room for outputs");
    }
    return true;
}

static bool over_samples(Child *self, FILE *in, FILE *out, int64_t count, bool fresh, Fault *fault) {
    size_t size = litert_sample_bytes(&self->model);
    unsigned char *sample = malloc(size + 1);
    int64_t told = clock_ns(CLOCK_MONOTONIC);
    bool sound = sample || failed(fault, "child_out_of_memory", "MemoryError: no room for a sample");
    for (int64_t done = 1; sound && done <= count; done++) {
        sound = one_sample(self, in, out, sample, size, fresh, fault);
        if (sound && clock_ns(CLOCK_MONOTONIC) - told >= PROGRESS_EVERY_NS) {
            Text line = {0};
            told = clock_ns(CLOCK_MONOTONIC);
            put(&line, "P %" PRId64 " %" PRId64, done, count);
            say(self, &line);
        }
    }
    free(sample);
    litert_fill(&self->model, self->first);
    return sound;
}

static bool samples_fit(FILE *in, int64_t count, size_t size, Fault *fault) {
    if (fseeko(in, 0, SEEK_END)) return failed_by_system(fault, "the samples cannot be read");
    int64_t there = ftello(in);
    rewind(in);
    if (!size || count <= there / (int64_t)size) return true;
    return failed(fault, "bad_request", "%" PRId64 " samples of %zu bytes are more than the file has: %" PRId64, count, size, there);
}

static bool do_data(Child *self, char *line, const char *stem, Fault *fault) {
    char path[PATH_ROOM];
    int64_t count = 0;
    int fresh = 0, at = 0;
    sscanf(line, "d %" SCNd64 " %d %n", &count, &fresh, &at);
    snprintf(path, sizeof path, "%s.out", stem);
    FILE *in = fopen(line + at, "rbe");
    if (!in) return failed(fault, "no_such_file", "the samples are gone");
    FILE *out = NULL;
    bool sound = samples_fit(in, count, litert_sample_bytes(&self->model), fault);
    if (sound && !(out = fopen(path, "wbe"))) sound = failed_by_system(fault, path);
    sound = sound && over_samples(self, in, out, count, fresh, fault);
    fclose(in);
    if (out && fclose(out) && sound) sound = failed_by_system(fault, path);
    if (!sound) return unlink(path), false;
    Text answer = {0};
    put(&answer, "R %s\t\"count\":%" PRId64, path, count);
    say(self, &answer);
    return true;
}

static bool do_per_op(Child *self, const char *line, const char *stem, Fault *fault) {
    char path[PATH_ROOM];
    int64_t count = strtoll(line + 2, NULL, 10);
    Profile found = {0};
    snprintf(path, sizeof path, "%s.ops", stem);
    bool sound = profiled(&self->model, count, &found, fault);
    int64_t numbers = count * (found.events + 1);
    if (sound) sound = written(path, found.ns, (size_t)numbers * sizeof *found.ns, fault);
    if (sound) {
        Text answer = {0};
        put(&answer, "R %s\t\"count\":%" PRId64 ",\"events\":", path, count);
        put_bytes(&answer, found.about.at, found.about.length);
        put_short(&answer, found.ns, numbers);
        say(self, &answer);
    }
    free(found.ns);
    text_free(&found.about);
    return sound;
}

static bool do_stream(Child *self, const char *line, const char *stem, Fault *fault) {
    static int64_t ns[MOST_ROUNDS];
    char path[PATH_ROOM];
    int reads = 0, threads = 1;
    int64_t size = 0, rounds = 0, round_bytes = 0;
    sscanf(line, "m %d %" SCNd64 " %d %" SCNd64, &reads, &size, &threads, &rounds);
    snprintf(path, sizeof path, "%s.stream", stem);
    if (!streamed(reads, size, threads, rounds, ns, &round_bytes, fault)) return false;
    if (!written(path, ns, (size_t)rounds * sizeof *ns, fault)) return false;
    Text answer = {0};
    put(&answer, "R %s\t\"count\":%" PRId64 ",\"round_bytes\":%" PRId64, path, rounds, round_bytes);
    put_short(&answer, ns, rounds);
    say(self, &answer);
    return true;
}

static void answer(Child *self, char *line) {
    char stem[PATH_ROOM];
    Fault fault = {0};
    bool thin = *line == 't' && strcmp(strrchr(line, ' '), " 0"); /* each takes the place of the last */
    if (!thin) self->files++;
    snprintf(stem, sizeof stem, "%.4000s/%04d", self->launch, self->files);
    bool sound = *line == 't' ? do_timed(self, line, stem, &fault)
                 : *line == 'd' ? do_data(self, line, stem, &fault)
                 : *line == 'm' ? do_stream(self, line, stem, &fault)
                                : do_per_op(self, line, stem, &fault);
    if (sound) return;
    say_fault(self, &fault);
    if (!strcmp(fault.code, "child_out_of_memory")) _exit(0); /* nothing can be trusted to work after that */
}

/* argv: parent, when it was spawned, memory limit, threads, per_op, launch, library, its version and hash, model, input. */
int child(int argc, char **argv) {
    static Child self;
    Opening took = {0};
    Fault fault = {0};
    char *line = NULL;
    size_t room = 0;
    if (argc != 11) die("a child is started by the serving process alone");
    took.start_ns = clock_ns(CLOCK_MONOTONIC) - strtoll(argv[1], NULL, 10);
    signal(SIGPIPE, SIG_DFL);
    die_with(atoi(argv[0]));
    if (getline(&line, &room, stdin) < 0) return 1; /* it says when we stand on our cores */
    self.wire = dup(1);
    dup2(2, 1);
    self.model.threads = atoi(argv[3]);
    self.model.per_op = atoi(argv[4]) != 0;
    self.launch = argv[5], self.library = argv[6], self.version = argv[7];
    self.sha256 = argv[8], self.path = argv[9], self.input = argv[10];
    if (!limit_memory(strtoll(argv[2], NULL, 10))) failed(&fault, "internal", "no memory limit: %s", strerror(errno));
    if (fault.code || !opened(&self, &took, &fault)) {
        say_fault(&self, &fault);
        _exit(0);
    }
    say_opened(&self, &took);
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n') line[length - 1] = 0;
        answer(&self, line);
    }
    _exit(0); /* runtimes abort in their destructors */
}
