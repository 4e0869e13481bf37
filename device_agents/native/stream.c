/* How fast the board's memory is: blocks are copied, or compared, which only reads: as stream.py. */
#define _GNU_SOURCE
#include "agent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ROUND_BYTES (1 << 25) /* a round moves at least so much: milliseconds, even where memory is fast */

typedef struct {
    void *first, *second;
    size_t length;
    int64_t calls;
    bool compares;
    pthread_barrier_t *barrier;
    int64_t start_ns, end_ns;
} Worker;

static void repeat(Worker *worker) {
    static volatile int sink __attribute__((unused));
    void *(*volatile copy)(void *, const void *, size_t) = memcpy;
    int (*volatile compare)(const void *, const void *, size_t) = memcmp;
    worker->start_ns = clock_ns(CLOCK_MONOTONIC);
    for (int64_t i = 0; i < worker->calls; i++) {
        if (worker->compares) sink = compare(worker->first, worker->second, worker->length);
        else copy(worker->first, worker->second, worker->length);
    }
    worker->end_ns = clock_ns(CLOCK_MONOTONIC);
}

static void *after(void *argument) {
    Worker *worker = argument;
    pthread_barrier_wait(worker->barrier);
    repeat(worker);
    return NULL;
}

/* From the first one's start to the last one's end, or -1; who waits for them may itself have to wait for a core. */
static int64_t round_ns(Worker *workers, int count) {
    pthread_barrier_t barrier;
    pthread_t threads[MOST_THREADS];
    if (count == 1) {
        repeat(workers);
        return workers->end_ns - workers->start_ns;
    }
    pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        workers[i].barrier = &barrier;
        if (pthread_create(&threads[i], NULL, after, &workers[i])) return -1; /* those that wait end with the process */
    }
    pthread_barrier_wait(&barrier);
    int64_t first = INT64_MAX, end = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].start_ns < first) first = workers[i].start_ns;
        if (workers[i].end_ns > end) end = workers[i].end_ns;
    }
    pthread_barrier_destroy(&barrier);
    return end - first;
}

/* Memory of its own, each page written: pages that nobody wrote are all the same one. */
static void *block(size_t length) {
    void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : memset(at, 0x5a, length);
}

bool streamed(bool compares, int64_t size, int threads, int64_t rounds, int64_t *ns, int64_t *round_bytes, Fault *fault) {
    static Worker workers[MOST_THREADS];
    int64_t each = size / threads > LEAST_STREAM ? size / threads : LEAST_STREAM;
    size_t length = (size_t)each / 2;
    int64_t all = 2 * (int64_t)length * threads, calls = (ROUND_BYTES + all - 1) / all;
    bool sound = true;
    for (int i = 0; i < threads; i++) {
        workers[i] = (Worker){.first = block(length), .second = block(length), .length = length, .calls = calls, .compares = compares};
        sound = sound && workers[i].first && workers[i].second;
    }
    if (!sound) failed(fault, "child_out_of_memory", "MemoryError: no room for %lld bytes", (long long)all);
    for (int64_t i = -1; sound && i < rounds; i++) { /* the first also brings blocks and threads to life */
        int64_t took = round_ns(workers, threads);
        if (took < 0) sound = failed(fault, "child_out_of_memory", "no room for %d threads", threads);
        else if (i >= 0) ns[i] = took;
    }
    for (int i = 0; i < threads; i++) {
        if (workers[i].first) munmap(workers[i].first, length);
        if (workers[i].second) munmap(workers[i].second, length);
    }
    *round_bytes = all * calls;
    return sound;
}
