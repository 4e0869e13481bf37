/* What the kernel says of a process, and limits of one. */
#define _GNU_SOURCE
#include "agent.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024

/* The number after `name:` in a file of /proc, or -1. */
static int64_t field(const char *path, const char *name) {
    char line[256];
    size_t length = strlen(name);
    int64_t found = -1;
    FILE *file = fopen(path, "re");
    if (!file) return -1;
    while (found < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, name, length) && line[length] == ':') found = strtoll(line + length + 1, NULL, 10);
    fclose(file);
    return found;
}

static const char *place(int pid, const char *name) {
    static char path[64];
    if (pid) snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    else snprintf(path, sizeof path, "/proc/self/%s", name);
    return path;
}

/* Source: proc(5): `smaps_rollup` (Linux 4.14) is exact, `status` is the fallback and may lag by some pages a core. */
bool resident(int pid, Resident *out) {
    int64_t rss = field(place(pid, "smaps_rollup"), "Rss"), anonymous = field(place(pid, "smaps_rollup"), "Anonymous");
    if (rss < 0 || anonymous < 0) {
        rss = field(place(pid, "status"), "VmRSS");
        anonymous = field(place(pid, "status"), "RssAnon");
    }
    if (rss < 0) return false; /* gone, or a zombie */
    if (anonymous < 0) anonymous = 0;
    *out = (Resident){rss * KIB, anonymous * KIB, (rss - anonymous) * KIB};
    return true;
}

static void switches(int pid, int64_t *voluntary, int64_t *involuntary) {
    char path[300];
    DIR *folder = opendir(place(pid, "task"));
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        if (*entry->d_name == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", pid, entry->d_name);
        int64_t given = field(path, "voluntary_ctxt_switches"), taken = field(path, "nonvoluntary_ctxt_switches");
        *voluntary += given > 0 ? given : 0;
        *involuntary += taken > 0 ? taken : 0;
    }
    if (folder) closedir(folder);
}

static void put_cores(Text *text, int pid) {
    cpu_set_t *set = CPU_ALLOC(MOST_CORES);
    size_t size = CPU_ALLOC_SIZE(MOST_CORES);
    int written = 0;
    put(text, "[");
    if (set && !sched_getaffinity(pid, size, set))
        for (int core = 0; core < MOST_CORES; core++)
            if (CPU_ISSET_S((size_t)core, size, set)) put(text, "%s%d", written++ ? "," : "", core);
    put(text, "]");
    CPU_FREE(set);
}

bool put_snapshot(Text *text, int pid) {
    Resident now;
    int64_t peak = field(place(pid, "status"), "VmHWM") * KIB, threads = field(place(pid, "status"), "Threads");
    int64_t voluntary = 0, involuntary = 0;
    /* Source: linux/include/linux/posix-timers_types.h: a process's clock is `~pid << 3 | CPUCLOCK_SCHED` (2). */
    struct timespec used;
    int clock = (int)(~(unsigned)pid << 3 | 2);
    if (!resident(pid, &now) || peak < 0 || clock_gettime(clock, &used)) return false;
    switches(pid, &voluntary, &involuntary);
    put(text, "\"rss_bytes\":%" PRId64 ",\"peak_rss_bytes\":%" PRId64, now.rss, peak > now.rss ? peak : now.rss);
    put(text, ",\"anonymous_bytes\":%" PRId64 ",\"file_backed_bytes\":%" PRId64, now.anonymous, now.file_backed);
    put(text, ",\"threads\":%" PRId64 ",\"cpus\":", threads);
    put_cores(text, pid);
    put(text, ",\"cpu_time_ns\":%" PRId64, (int64_t)used.tv_sec * 1000000000 + used.tv_nsec);
    put(text, ",\"voluntary_switches\":%" PRId64 ",\"involuntary_switches\":%" PRId64, voluntary, involuntary);
    return true;
}

/* How often the kernel's OOM killer has struck, in this cgroup and anywhere; 0 where it does not say. */
int64_t oom_kills(void) {
    static const char *const places[] = {
        "/proc/vmstat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"};
    char line[256];
    int64_t total = 0, found;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        FILE *file = fopen(places[i], "re");
        while (file && fgets(line, sizeof line, file))
            if (sscanf(line, "oom_kill %" SCNd64, &found) == 1) total += found;
        if (file) fclose(file);
    }
    return total;
}

void die_with(int parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(1);
}

/* RLIMIT_DATA counts private writable mappings (setrlimit(2), Linux 4.7); RLIMIT_AS would also count mapped libraries. */
bool limit_memory(int64_t bytes) {
    struct rlimit none = {0, 0}, data = {(rlim_t)bytes, (rlim_t)bytes};
    setrlimit(RLIMIT_CORE, &none);
    return !bytes || !setrlimit(RLIMIT_DATA, &data);
}

int64_t stderr_mark(void) {
    struct stat found;
    return fstat(2, &found) || !S_ISREG(found.st_mode) ? 0 : (int64_t)found.st_size;
}

static size_t raw_since(int64_t mark, char *out, size_t room) {
    size_t got = 0;
    struct stat found;
    FILE *file = fstat(2, &found) || !S_ISREG(found.st_mode) ? NULL : fopen("/proc/self/fd/2", "re");
    if (file && !fseek(file, (long)mark, SEEK_SET)) got = fread(out, 1, room - 1, file);
    if (file) fclose(file);
    out[got] = 0;
    return got;
}

bool stderr_has(int64_t mark, const char *words) {
    static char raw[1 << 16];
    raw_since(mark, raw, sizeof raw);
    return strstr(raw, words) != NULL;
}

/* The errors among them: lines of mere information left out, joined by `; `. */
void stderr_words(int64_t mark, char *out, size_t room) {
    static char raw[1 << 16];
    char *rest = raw, *line;
    size_t used = 0;
    raw_since(mark, raw, sizeof raw);
    *out = 0;
    while ((line = strsep(&rest, "\n"))) {
        line += strspn(line, " \t\r");
        bool noise = strstr(line, "INFO:") || strstr(line, "VERBOSE:") || strstr(line, "DEBUG:") || strstr(line, "WARNING:");
        if (!*line || noise || used + strlen(line) + 3 > room) continue;
        used += (size_t)snprintf(out + used, room - used, "%s%s", used ? "; " : "", line);
    }
}
