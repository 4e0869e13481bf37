/* Runs with LiteRT's own profiler on: which operator or kernel took how long in each. */
#include "agent.h"
#include "litert_abi.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <time.h>

#define LONGEST_US (UINT64_C(1) << 40) /* also above 2^32, the mark of events that carry a status, not a duration */
#define MOST_EVENTS (1 << 20)
#define SOURCES 3
#define NS_PER_US 1000

/* tflite::Profiler::EventType. Source: google-ai-edge/LiteRT (ea68814), */
/* tflite/core/api/profiler.h: a node of the graph; a delegate's kernel; one inside a node's time. */
static const char *kind_of(int type) {
    return type == 1 << 1 ? "node" : type == 1 << 3 ? "kernel" : type == 1 << 2 ? "inner" : NULL;
}

/* Whether every field holds what it may: another layout would show here before a pointer is followed. */
static bool is_sound(const ProfiledEvent *event) {
    bool one_type = event->type > 0 && event->type < 1 << 9 && !(event->type & (event->type - 1));
    bool numbers = event->elapsed_us < LONGEST_US && event->index >= -1 && event->index < (int64_t)LONGEST_US;
    return event->tag && one_type && numbers && event->source >= 0 && event->source < SOURCES;
}

static bool heard(void *profiler, ProfiledEvent **events, int *count, Fault *fault) {
    if (lt_StopProfiler(profiler) || lt_GetNumProfilerEvents(profiler, count) || *count < 0 || *count > MOST_EVENTS)
        return failed(fault, "no_profiler", "the profiler cannot be read");
    *events = calloc((size_t)*count + 1, sizeof **events);
    if (!*events) return failed(fault, "child_out_of_memory", "MemoryError: no room for %d events", *count);
    if (lt_GetProfilerEvents(profiler, *count, *events))
        return failed(fault, "no_profiler", "the profiler cannot be read");
    for (int i = 0; i < *count; i++)
        if (!is_sound(*events + i)) return failed(fault, "no_profiler", "the library writes events of another layout");
    return true;
}

/* The events of the main graph as JSON into `about`, their durations into `ns`. */
static int64_t kept(const ProfiledEvent *events, int count, Text *about, Text *ns) {
    int64_t found = 0;
    put(about, "[");
    for (int i = 0; i < count; i++) {
        const char *kind = kind_of(events[i].type);
        if (!kind || events[i].graph != 0) continue;
        int64_t elapsed_ns = (int64_t)events[i].elapsed_us * NS_PER_US;
        put(about, "%s{\"kind\":\"%s\",\"tag\":", found++ ? "," : "", kind);
        put_json(about, events[i].tag, strlen(events[i].tag));
        put(about, ",\"index\":%" PRId64 ",\"resolution_ns\":%d}", events[i].index, NS_PER_US);
        put_bytes(ns, &elapsed_ns, sizeof elapsed_ns);
    }
    put(about, "]");
    return found;
}

static bool one(Model *model, int64_t *latency_ns, Text *about, Text *ns, int64_t *found, Fault *fault) {
    void *profiler = NULL;
    ProfiledEvent *events = NULL;
    int count = 0;
    if (!litert_profiler(model, &profiler, fault)) return false;
    if (lt_StartProfiler(profiler)) return failed(fault, "no_profiler", "the profiler does not start");
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    int status = litert_run(model);
    *latency_ns = clock_ns(CLOCK_MONOTONIC) - start;
    if (status) return litert_failure(model, status, fault);
    bool sound = heard(profiler, &events, &count, fault);
    if (sound) *found = kept(events, count, about, ns);
    free(events);
    return sound;
}

/* From run by run to event by event. */
static void turn(Profile *profile, const Text *rows, const int64_t *latencies, int64_t count) {
    const int64_t *by_run = (const int64_t *)(const void *)rows->at;
    memcpy(profile->ns, latencies, (size_t)count * sizeof *latencies);
    for (int64_t run = 0; run < count; run++)
        for (int64_t event = 0; event < profile->events; event++)
            profile->ns[count * (event + 1) + run] = by_run[run * profile->events + event];
}

bool profiled(Model *model, int64_t count, Profile *profile, Fault *fault) {
    static int64_t latencies[MAX_PROFILED];
    Text rows = {0};
    bool sound = true;
    for (int64_t run = 0; sound && run < count; run++) {
        Text about = {0};
        int64_t found = 0;
        sound = one(model, &latencies[run], &about, &rows, &found, fault);
        bool same = run == 0 || (about.length == profile->about.length && !memcmp(about.at, profile->about.at, about.length));
        if (sound && !same)
            sound = failed(fault, "invoke_failed", "not every run has the operators of the first: they cannot be told apart");
        if (sound && run == 0) profile->about = about, profile->events = found;
        else text_free(&about);
    }
    if (sound) {
        profile->ns = malloc((size_t)(count * (profile->events + 1)) * sizeof *profile->ns);
        if (profile->ns) turn(profile, &rows, latencies, count);
        else sound = failed(fault, "child_out_of_memory", "MemoryError: no room for the events");
    }
    text_free(&rows);
    return sound;
}
