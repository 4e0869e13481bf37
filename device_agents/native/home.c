/* Our folder on the board: names confined to it, launches, hashes, the lock. */
#define _GNU_SOURCE
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char home[1024];
static int lock_fd = -1;

const char *home_path(void) { return home; }

bool home_open(const char *path, Fault *fault) {
    static const char *const folders[] = {"", "agents", "runtimes", "models", "inputs", "launches", "tmp"};
    char each[PATH_ROOM];
    if (strlen(path) >= sizeof home || strchr(path, '\n') || strchr(path, '\t'))
        return failed(fault, "internal", "the folder's path is too long, or has a line's end or a tab in it");
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(each, sizeof each, "%s/%s", path, folders[i]);
        if (mkdir(each, 0777) && errno != EEXIST) return failed_by_system(fault, each);
    }
    return realpath(path, each) && snprintf(home, sizeof home, "%s", each) > 0 ? true : failed_by_system(fault, path);
}

static void put_holder(Text *held) {
    char said[4097];
    ssize_t got = pread(lock_fd, said, sizeof said - 1, 0);
    Span line = {said, got > 0 ? (size_t)got : 0};
    bool sound = got > 0 && json_valid(line);
    Span owner = sound ? json_get(line, "owner") : (Span){0}, since = sound ? json_get(line, "since_unix_s") : (Span){0};
    bool both = json_is(owner, '"') && json_is(since, '0');
    put(held, "\"owner\":%.*s,\"since_unix_s\":%.*s", both ? (int)owner.length : 4, both ? owner.at : "null",
        both ? (int)since.length : 4, both ? since.at : "null");
}

bool home_lock(const char *owner, Text *held, Fault *fault) {
    if (lock_fd < 0) {
        char path[PATH_ROOM];
        snprintf(path, sizeof path, "%s/lock", home);
        lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock_fd < 0) return failed_by_system(fault, path);
        if (flock(lock_fd, LOCK_EX | LOCK_NB)) {
            put_holder(held);
            close(lock_fd);
            lock_fd = -1;
            return failed(fault, "busy", "the board is in use");
        }
    }
    Text text = {0};
    put(&text, "{\"owner\":");
    put_json(&text, owner, strlen(owner));
    put(&text, ",\"since_unix_s\":%" PRId64 "}", (int64_t)time(NULL));
    bool sound = !ftruncate(lock_fd, 0) && pwrite(lock_fd, text.at, text.length, 0) == (ssize_t)text.length;
    text_free(&text);
    return sound || failed_by_system(fault, "the lock cannot be written");
}

bool home_existing(const char *folder, const char *name, const char *suffix, const char *what, char path[PATH_ROOM], Fault *fault) {
    snprintf(path, PATH_ROOM, "%s/%s/%s%s", home, folder, name, suffix);
    return !access(path, F_OK) || failed(fault, "no_such_file", "%s `%s` is not on the board", what, name);
}

void home_launch_path(const char *name, char path[PATH_ROOM]) { snprintf(path, PATH_ROOM, "%s/launches/%s", home, name); }

bool home_new_launch(char name[NAME_ROOM], Fault *fault) {
    char stem[32], path[PATH_ROOM];
    time_t now = time(NULL);
    struct tm utc;
    strftime(stem, sizeof stem, "%Y%m%dT%H%M%S", gmtime_r(&now, &utc));
    for (int number = 0; number < 1000; number++) {
        snprintf(name, NAME_ROOM, "%s-%d-%d", stem, (int)getpid(), number);
        home_launch_path(name, path);
        if (!mkdir(path, 0777)) return true;
        if (errno != EEXIST) return failed_by_system(fault, path);
    }
    return failed(fault, "internal", "no free name for a launch");
}

static int removed(const char *path, const struct stat *found, int kind, struct FTW *where) {
    (void)found, (void)kind, (void)where;
    remove(path);
    return 0;
}

void home_forget(const char *launch) {
    char path[PATH_ROOM];
    if (!is_name(launch, strlen(launch))) return; /* never the folder of all launches */
    home_launch_path(launch, path);
    nftw(path, removed, 8, FTW_DEPTH | FTW_PHYS);
}

static int named(const struct dirent *entry) { return is_name(entry->d_name, strlen(entry->d_name)); }

/* The names of launches not yet acknowledged, oldest first; the caller frees each and the list. */
int home_kept(char ***names) {
    char path[PATH_ROOM];
    struct dirent **found = NULL;
    snprintf(path, sizeof path, "%s/launches", home);
    int count = scandir(path, &found, named, alphasort);
    *names = calloc((size_t)(count > 0 ? count : 0) + 1, sizeof **names);
    for (int i = 0; i < count; i++) {
        if (*names) (*names)[i] = strdup(found[i]->d_name);
        free(found[i]);
    }
    free(found);
    return *names && count > 0 ? count : 0;
}

bool put_described(Text *text, const char *path, Fault *fault) {
    char hex[65];
    int64_t size;
    if (!sha256_file(path, hex, &size)) return failed_by_system(fault, path);
    put(text, "\"file\":");
    put_json(text, path + strlen(home) + 1, strlen(path) - strlen(home) - 1);
    put(text, ",\"size_bytes\":%" PRId64 ",\"sha256\":\"%s\"", size, hex);
    return true;
}

static size_t read_small(const char *path, char *out, size_t room) {
    FILE *file = fopen(path, "rbe");
    size_t got = file ? fread(out, 1, room, file) : 0;
    bool folder = file && ferror(file);
    if (file) fclose(file);
    return file && !folder ? got : SIZE_MAX;
}

/* Hashes a library once, as long as the file stays the same: it is megabytes, and every launch asks. */
static bool library_hash(const char *path, char hex[65]) {
    static char known_path[PATH_ROOM], known_hex[65];
    static struct stat known;
    struct stat now;
    int64_t size;
    if (stat(path, &now) || !S_ISREG(now.st_mode)) return false;
    bool same = !strcmp(path, known_path) && now.st_ino == known.st_ino && now.st_size == known.st_size &&
                now.st_mtim.tv_sec == known.st_mtim.tv_sec && now.st_mtim.tv_nsec == known.st_mtim.tv_nsec;
    if (!same && !sha256_file(path, known_hex, &size)) return false;
    snprintf(known_path, sizeof known_path, "%s", path);
    known = now;
    memcpy(hex, known_hex, 65);
    return true;
}

bool runtime_about(const char *folder, const char *id, Runtime *out, Fault *fault) {
    static const char wrong[] = "runtime.json is not what the host writes";
    static char said[1 << 14];
    char path[PATH_ROOM], library[NAME_ROOM];
    size_t length;
    snprintf(path, sizeof path, "%.3000s/runtime.json", folder);
    size_t got = read_small(path, said, sizeof said);
    if (got == SIZE_MAX) return failed(fault, "no_such_file", "the runtime `%s` has no runtime.json", id);
    Span about = {said, got};
    if (!json_valid(about) || !json_text(json_get(about, "name"), out->name, sizeof out->name, NULL) ||
        !json_text(json_get(about, "version"), out->version, sizeof out->version, NULL) ||
        !json_text(json_get(about, "library"), library, sizeof library, &length) || !is_name(library, length))
        return failed(fault, "runtime_failed", "%s", wrong);
    if (strcmp(out->name, "litert"))
        return failed(fault, "runtime_failed", "runtime.json: this agent runs `litert`, not `%s`: that needs Python", out->name);
    snprintf(out->library, sizeof out->library, "%.3000s/%s", folder, library);
    return library_hash(out->library, out->sha256) || failed(fault, "runtime_failed", "no library %s in the runtime's folder", library);
}
