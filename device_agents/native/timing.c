/* The timed loops. Between the two readings of the clock stands the bare call and nothing else. */
#include "agent.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EMPTY_CALLS 2000
#define FIRST_CAPACITY 4096
#define NS_PER_S INT64_C(1000000000)

int64_t clock_ns(int which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Memory for so many latencies, touched: no page is faulted in between two runs. */
static bool reserved(Series *series, int64_t count, int64_t *capacity, Fault *fault) {
    int64_t *ns = realloc(series->ns, (size_t)count * sizeof *ns);
    if (!ns) return failed(fault, "child_out_of_memory", "MemoryError: no room for %lld latencies", (long long)count);
    memset(ns + *capacity, 0, (size_t)(count - *capacity) * sizeof *ns);
    series->ns = ns;
    *capacity = count;
    return true;
}

static bool by_count(const Model *model, const Plan *plan, Series *series) {
    int64_t count = plan->count, *ns = series->ns;
    for (int64_t index = 0; index < count && !series->status; index++) {
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        int status = litert_run(model);
        int64_t end = clock_ns(CLOCK_MONOTONIC);
        ns[index] = end - start;
        series->count = index + 1;
        series->status = status;
    }
    return true;
}

static bool by_duration(const Model *model, const Plan *plan, Series *series, int64_t capacity, Fault *fault) {
    int64_t deadline = clock_ns(CLOCK_MONOTONIC) + plan->duration_ns;
    while (series->count < plan->most) {
        if (series->count == capacity) {
            int64_t more = 2 * capacity < plan->most ? 2 * capacity : plan->most;
            if (!reserved(series, more, &capacity, fault)) return false;
        }
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        int status = litert_run(model);
        int64_t end = clock_ns(CLOCK_MONOTONIC);
        series->ns[series->count++] = end - start;
        series->status = status;
        if (status || (end >= deadline && series->count >= plan->least)) break;
    }
    return true;
}

static void sleep_until(int64_t due) {
    struct timespec when = {(time_t)(due / NS_PER_S), (long)(due % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL)) {}
}

/* One run each interval, measured from when it was due: what waits in a queue is part of the latency a user sees. */
static bool paced(const Model *model, const Plan *plan, Series *series) {
    int64_t first = clock_ns(CLOCK_MONOTONIC);
    for (int64_t index = 0; index < plan->count && !series->status; index++) {
        int64_t due = first + index * plan->interval_ns, now = clock_ns(CLOCK_MONOTONIC);
        if (now < due) sleep_until(due);
        else if (now - due >= plan->interval_ns) series->missed++;
        int status = litert_run(model);
        series->ns[index] = clock_ns(CLOCK_MONOTONIC) - due;
        series->count = index + 1;
        series->status = status;
    }
    return true;
}

static int64_t capacity_of(const Plan *plan) {
    if (plan->count >= 0) return plan->count;
    int64_t least = plan->least > FIRST_CAPACITY ? plan->least : FIRST_CAPACITY;
    return least < plan->most ? least : plan->most;
}

bool timed(const Model *model, const Plan *asked, Series *series, Fault *fault) {
    Plan plan = *asked;
    if (plan.interval_ns && plan.count < 0) {
        int64_t fits = plan.duration_ns / plan.interval_ns;
        plan.count = fits > plan.least ? fits : plan.least;
        if (plan.count > MAX_COUNT) plan.count = MAX_COUNT;
    }
    int64_t capacity = 0;
    if (!reserved(series, capacity_of(&plan), &capacity, fault)) return false;
    series->unix_ns = clock_ns(CLOCK_REALTIME);
    series->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t wall = series->monotonic_ns, cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    bool sound = plan.interval_ns ? paced(model, &plan, series)
                 : plan.count >= 0 ? by_count(model, &plan, series)
                                   : by_duration(model, &plan, series, capacity, fault);
    series->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    series->wall_ns = clock_ns(CLOCK_MONOTONIC) - wall;
    return sound;
}

static int nothing(void *a, size_t b, size_t c, void **d, size_t e, void **f) {
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    return 0;
}

static int compared(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t empty_call_ns(void) {
    static int64_t ns[EMPTY_CALLS];
    int (*volatile call)(void *, size_t, size_t, void **, size_t, void **) = nothing;
    for (int i = 0; i < EMPTY_CALLS; i++) {
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        call(NULL, 0, 0, NULL, 0, NULL);
        ns[i] = clock_ns(CLOCK_MONOTONIC) - start;
    }
    qsort(ns, EMPTY_CALLS, sizeof *ns, compared);
    return ns[EMPTY_CALLS / 2];
}
