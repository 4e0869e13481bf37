/* The serving process: the host's requests, the board's lock, the children. */
#ifndef EDGEPROF_SERVER_H
#define EDGEPROF_SERVER_H

#include "agent.h"

#include <sys/types.h>

#define MOST_CHILDREN 8
#define MOST_SAMPLERS 2

/* home.c: our folder on the board. */
bool home_open(const char *path, Fault *fault);
const char *home_path(void);
bool home_lock(const char *owner, Text *held, Fault *fault);
/* A file or folder that the host pushed: `no_such_file` where it is not there. */
bool home_existing(const char *folder, const char *name, const char *suffix, const char *what, char path[PATH_ROOM], Fault *fault);
bool home_new_launch(char name[NAME_ROOM], Fault *fault);
void home_launch_path(const char *name, char path[PATH_ROOM]);
void home_forget(const char *launch);
int home_kept(char ***names);
bool put_described(Text *text, const char *path, Fault *fault); /* `file`, `size_bytes`, `sha256` */

typedef struct {
    char name[NAME_ROOM], version[NAME_ROOM], library[PATH_ROOM], sha256[65];
} Runtime;

bool runtime_about(const char *folder, const char *id, Runtime *out, Fault *fault);

/* process of ours */
typedef struct {
    int number; /* 0: none */
    pid_t pid;
    int to, from;
    char launch[NAME_ROOM];
    /* children only */
    bool busy, ready, per_op, limited, pinned;
    bool cores[MOST_CORES];
    char *id; /* the request it is busy with, as it came */
    double timeout_s;
    int64_t deadline_ns;
    char stage[16];
    Text lines, evicted;
    int64_t oom_kills;
} Process;

typedef struct {
    char *const *argv;     /* after the program's own path; ends with NULL */
    const char *stderr_to; /* a file, or NULL: ours */
    bool pinned;
    const bool *cores;
} Spawn;

bool process_spawn(Process *process, const Spawn *how, Fault *fault);
void process_write(const Process *process, const Text *line);
void process_end(Process *process, bool forget);

/* cold.c: the files leave the page cache; puts what the protocol calls `evicted`. */
void put_evicted(Text *text, const char *model, const char *folder);

/* children.c */
bool child_open(Process *child, Span params, Fault *fault);
bool child_begin(Process *child, Span id, double timeout_s, Fault *fault);
bool child_work(Span params, Text *line, Fault *fault);
void put_fault(Text *text, const Fault *fault);
void put_fault_of(Text *text, const Process *child, const Fault *fault, const char *more);
void put_fate(Text *text, Process *child);

#endif
