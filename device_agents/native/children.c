/* The serving process's side of its children: starting them, and saying what became of them. */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STDERR_BYTES 2048
#define GRACE_NS INT64_C(5000000000)
#define STEP_NS 5000000
#define MOST_SAMPLES (INT64_C(1) << 40)

static void put_list(Text *text, const bool *cores) {
    int written = 0;
    for (int core = 0; core < MOST_CORES; core++)
        if (cores[core]) put(text, "%s%d", written++ ? ", " : "", core);
}

static bool confined(pid_t pid, const bool *cores, Fault *fault) {
    cpu_set_t *set = CPU_ALLOC(MOST_CORES);
    size_t size = CPU_ALLOC_SIZE(MOST_CORES);
    if (!set) return failed(fault, "internal", "no memory");
    CPU_ZERO_S(size, set);
    for (int core = 0; core < MOST_CORES; core++)
        if (cores[core]) CPU_SET_S((size_t)core, size, set);
    int status = sched_setaffinity(pid, size, set), why = errno;
    CPU_FREE(set);
    if (!status) return true;
    Text list = {0};
    put_list(&list, cores);
    failed(fault, "bad_request", "cannot run on cores [%.3000s]: %s", list.at, strerror(why));
    text_free(&list);
    return false;
}

static void become(const Spawn *how, int in, int out) {
    dup2(in, 0);
    dup2(out, 1);
    if (how->stderr_to) {
        int fd = open(how->stderr_to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (fd >= 0) dup2(fd, 2);
    }
    setsid();
    setenv("LC_ALL", "C", 1);
    execv("/proc/self/exe", how->argv);
    _exit(127);
}

/* Ends it with everything it started. */
static void process_stop(Process *process) {
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        kill(-process->pid, SIGKILL);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {}
    }
    if (process->to > 0) close(process->to);
    if (process->from > 0) close(process->from);
    process->pid = process->to = process->from = 0;
}

bool process_spawn(Process *process, const Spawn *how, Fault *fault) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC)) return failed_by_system(fault, "no pipe");
    if (pipe2(out, O_CLOEXEC)) return close(in[0]), close(in[1]), failed_by_system(fault, "no pipe");
    process->pid = fork();
    if (!process->pid) become(how, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    process->to = in[1];
    process->from = out[0];
    bool sound = process->pid > 0 || failed_by_system(fault, "no process");
    if (sound && how->pinned) sound = confined(process->pid, how->cores, fault);
    if (!sound) process_stop(process);
    return sound;
}

/* A process that is dead is heard of at the end of its output: what cannot be written to it is lost. */
void process_write(const Process *process, const Text *line) {
    for (size_t sent = 0; sent < line->length;) {
        ssize_t wrote = write(process->to, line->at + sent, line->length - sent);
        if (wrote < 0 && errno != EINTR) return;
        if (wrote > 0) sent += (size_t)wrote;
    }
}

void process_end(Process *process, bool forget) {
    process_stop(process);
    if (forget && *process->launch) home_forget(process->launch);
    text_free(&process->lines);
    text_free(&process->evicted);
    free(process->id);
    memset(process, 0, sizeof *process);
}

typedef struct {
    char runtime[NAME_ROOM], model[NAME_ROOM], input[NAME_ROOM];
    char folder[PATH_ROOM], model_path[PATH_ROOM], input_path[PATH_ROOM];
    Runtime about;
    int64_t threads, limit;
} Asked;

static bool asked_files(Span params, Asked *asked, Fault *fault) {
    if (!want_name(params, "runtime", asked->runtime, fault)) return false;
    if (!home_existing("runtimes", asked->runtime, "", "runtime", asked->folder, fault)) return false;
    if (!runtime_about(asked->folder, asked->runtime, &asked->about, fault)) return false;
    if (!want_name(params, "model", asked->model, fault)) return false;
    if (!home_existing("models", asked->model, ".tflite", "model", asked->model_path, fault)) return false;
    if (json_is(json_get(params, "input"), 'n')) return true;
    return want_name(params, "input", asked->input, fault) &&
           home_existing("inputs", asked->input, ".bin", "input", asked->input_path, fault);
}

static bool spawned(Process *child, const Asked *asked, Fault *fault) {
    char parent[16], when[32], limit[32], threads[16], launch[PATH_ROOM], stderr_path[PATH_ROOM + 16];
    home_launch_path(child->launch, launch);
    snprintf(stderr_path, sizeof stderr_path, "%s/stderr.txt", launch);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(when, sizeof when, "%" PRId64, clock_ns(CLOCK_MONOTONIC));
    snprintf(limit, sizeof limit, "%" PRId64, asked->limit);
    snprintf(threads, sizeof threads, "%d", (int)asked->threads);
    const char *argv[] = {"edgeprof-native", "child", parent, when, limit, threads, child->per_op ? "1" : "0", launch,
                          asked->about.library, asked->about.version, asked->about.sha256, asked->model_path,
                          asked->input_path, NULL};
    int room = open(stderr_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* no room for it: known before the fork */
    if (room < 0) return failed_by_system(fault, stderr_path);
    close(room);
    Spawn how = {(char *const *)(uintptr_t)argv, stderr_path, child->pinned, child->cores};
    return process_spawn(child, &how, fault);
}

bool child_open(Process *child, Span params, Fault *fault) {
    static Asked asked;
    bool cold;
    memset(&asked, 0, sizeof asked);
    if (!asked_files(params, &asked, fault)) return false;
    if (!want_whole(params, "threads", 1, MOST_THREADS, &asked.threads, fault)) return false;
    if (!want_cores(params, child->cores, &child->pinned, fault)) return false;
    if (!may_whole(params, "memory_limit_bytes", 1, INT64_C(1) << 62, 0, &asked.limit, fault)) return false;
    if (!want_flag(params, "per_op", &child->per_op, fault)) return false;
    if (!want_flag(params, "cold", &cold, fault)) return false;
    if (cold) put_evicted(&child->evicted, asked.model_path, asked.folder);
    else put(&child->evicted, "null");
    child->limited = asked.limit > 0;
    child->oom_kills = oom_kills();
    snprintf(child->stage, sizeof child->stage, "start");
    if (!home_new_launch(child->launch, fault)) return false;
    if (!spawned(child, &asked, fault)) return home_forget(child->launch), false;
    Text go = {0};
    put(&go, "go\n");
    process_write(child, &go);
    text_free(&go);
    return true;
}

bool child_begin(Process *child, Span id, double timeout_s, Fault *fault) {
    if (child->busy) return failed(fault, "bad_request", "child %d is busy", child->number);
    free(child->id);
    child->id = strndup(id.at ? id.at : "null", id.at ? id.length : 4);
    child->busy = true;
    child->timeout_s = timeout_s;
    child->deadline_ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)(timeout_s * 1e9);
    return true;
}

static bool over_data(Span params, Text *line, Fault *fault) {
    char name[NAME_ROOM], path[PATH_ROOM];
    int64_t count;
    bool fresh;
    if (!want_name(params, "inputs", name, fault) || !home_existing("inputs", name, ".bin", "inputs", path, fault)) return false;
    if (!want_whole(params, "count", 1, MOST_SAMPLES, &count, fault) || !want_flag(params, "fresh", &fresh, fault)) return false;
    put(line, "d %" PRId64 " %d %s\n", count, fresh, path);
    return true;
}

bool child_work(Span params, Text *line, Fault *fault) {
    Plan plan;
    if (!json_is(json_get(params, "inputs"), 'n')) return over_data(params, line, fault);
    if (!may_whole(params, "count", 1, MAX_COUNT, -1, &plan.count, fault)) return false;
    if (!may_whole(params, "duration_ns", 0, MOST_NS, -1, &plan.duration_ns, fault)) return false;
    if ((plan.count < 0) == (plan.duration_ns < 0))
        return failed(fault, "bad_request", "give `count` or `duration_ns`, and not both");
    if (!may_whole(params, "interval_ns", 1, MOST_NS, 0, &plan.interval_ns, fault)) return false;
    if (!may_whole(params, "most_samples", 1, MAX_COUNT, 0, &plan.most_samples, fault)) return false;
    plan.least = 1, plan.most = MAX_COUNT;
    if (plan.count < 0) {
        if (!may_whole(params, "min_count", 1, MAX_COUNT, 1, &plan.least, fault)) return false;
        if (!may_whole(params, "max_count", plan.least, MAX_COUNT, MAX_COUNT, &plan.most, fault)) return false;
    }
    put(line, "t %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, plan.count, plan.duration_ns, plan.least, plan.most);
    put(line, " %" PRId64 " %" PRId64 "\n", plan.interval_ns, plan.most_samples);
    return true;
}

void put_fault(Text *text, const Fault *fault) {
    put(text, "\"error\":{\"code\":\"%s\",\"message\":", fault->code);
    put_json(text, fault->message, strlen(fault->message));
    put(text, ",\"data\":{}}");
}

static size_t last_words(const Process *child, char out[STDERR_BYTES + 1]) {
    char path[PATH_ROOM], launch[PATH_ROOM];
    home_launch_path(child->launch, launch);
    snprintf(path, sizeof path, "%.4000s/stderr.txt", launch);
    size_t got = 0;
    FILE *file = fopen(path, "rbe");
    if (file && (!fseek(file, -STDERR_BYTES, SEEK_END) || !fseek(file, 0, SEEK_SET))) got = fread(out, 1, STDERR_BYTES, file);
    if (file) fclose(file);
    out[got] = 0;
    return got;
}

void put_fault_of(Text *text, const Process *child, const Fault *fault, const char *more) {
    char said[STDERR_BYTES + 1];
    size_t length = last_words(child, said);
    put(text, "\"error\":{\"code\":\"%s\",\"message\":", fault->code);
    put_json(text, fault->message, strlen(fault->message));
    put(text, ",\"data\":{\"stage\":\"%s\",\"stderr\":", child->stage);
    put_json(text, said, length);
    put(text, "%s}}", more);
}

static const char *signal_name(int number) {
    static char other[24];
    static const struct { int number; const char *name; } known[] = {
        {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGHUP, "SIGHUP"}, {SIGILL, "SIGILL"},
        {SIGINT, "SIGINT"}, {SIGKILL, "SIGKILL"}, {SIGQUIT, "SIGQUIT"}, {SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"},
        {SIGTERM, "SIGTERM"}, {SIGTRAP, "SIGTRAP"}, {SIGXCPU, "SIGXCPU"}, {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].number == number) return known[i].name;
    snprintf(other, sizeof other, "signal %d", number);
    return other;
}

static bool wanted_memory(const Process *child) {
    static const char *const signs[] = {"bad_alloc", "MemoryError", "annot allocate memory", "ut of memory"};
    char said[STDERR_BYTES + 1];
    last_words(child, said);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strstr(said, signs[i])) return true;
    return false;
}

/* Waits for the end of a process that closed its output; one that lives on all the same is ended. */
static int status_of(Process *child) {
    int status = 0;
    int64_t end = clock_ns(CLOCK_MONOTONIC) + GRACE_NS;
    struct timespec step = {0, STEP_NS};
    while (!waitpid(child->pid, &status, WNOHANG)) {
        if (clock_ns(CLOCK_MONOTONIC) > end) kill(child->pid, SIGKILL);
        nanosleep(&step, NULL);
    }
    kill(-child->pid, SIGKILL); /* what it may have started */
    child->pid = 0;
    return status;
}

/* The error that a child's unexpected end is. */
void put_fate(Text *text, Process *child) {
    int pid = (int)child->pid, status = status_of(child);
    Fault fault;
    char more[64];
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (number == SIGKILL && oom_kills() > child->oom_kills) {
        failed(&fault, "child_out_of_memory", "the kernel ended the process for want of memory");
        put_fault_of(text, child, &fault, "");
    } else if (child->limited && wanted_memory(child)) {
        failed(&fault, "child_out_of_memory", "the memory limit was reached in `%s`", child->stage);
        put_fault_of(text, child, &fault, "");
    } else if (number) {
        failed(&fault, "child_crashed", "the runtime's process died of %s in `%s`", signal_name(number), child->stage);
        snprintf(more, sizeof more, ",\"signal\":\"%s\",\"pid\":%d", signal_name(number), pid);
        put_fault_of(text, child, &fault, more);
    } else {
        failed(&fault, "child_crashed", "the runtime's process ended with status %d in `%s`", WEXITSTATUS(status), child->stage);
        snprintf(more, sizeof more, ",\"exit_code\":%d", WEXITSTATUS(status));
        put_fault_of(text, child, &fault, more);
    }
}
