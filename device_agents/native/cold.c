/* Taking files out of the kernel's page cache, and looking whether they are out: as cold.py, which has the sources. */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    int64_t files, bytes, cached, resident;
    int error; /* the first `errno`; nothing is done after it */
    Text stayed;
} found;

/* How much of a file, not empty, is in the page cache, in whole pages; -1 with `errno`. */
static int64_t resident_bytes(int fd, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page;
    unsigned char *there = malloc(pages);
    /* Private memory that may be written: `mincore` tells of nothing else that is not the caller's own. */
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    int64_t resident_ = -1;
    if (mapped != MAP_FAILED && there && !mincore(mapped, size, there)) {
        resident_ = 0;
        for (size_t i = 0; i < pages; i++) resident_ += there[i] & 1 ? (int64_t)page : 0;
    }
    int why = errno;
    if (mapped != MAP_FAILED) munmap(mapped, size);
    free(there);
    errno = why;
    return resident_;
}

static void evict_one(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about)) found.error = errno;
    else if (S_ISREG(about.st_mode) && about.st_size) {
        int64_t before = resident_bytes(fd, (size_t)about.st_size);
        fsync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        int64_t after = before < 0 ? -1 : resident_bytes(fd, (size_t)about.st_size);
        if (after < 0) found.error = errno;
        found.files++;
        found.bytes += about.st_size;
        found.cached += before;
        found.resident += after;
        if (after > 0) {
            const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
            put(&found.stayed, found.stayed.length ? "," : "");
            put_json(&found.stayed, name, strlen(name));
        }
    }
    if (fd >= 0) close(fd);
}

static int visited(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about, (void)where;
    struct stat behind;
    bool file = kind == FTW_F || (kind == FTW_SL && !stat(path, &behind) && S_ISREG(behind.st_mode));
    if (file && !found.error) evict_one(path);
    return 0;
}

void put_evicted(Text *text, const char *model, const char *folder) {
    char real[PATH_ROOM];
    memset(&found, 0, sizeof found);
    evict_one(model);
    if (!found.error && realpath(folder, real)) nftw(real, visited, 8, FTW_PHYS);
    if (found.error) {
        put(text, "{\"error\":");
        put_json(text, strerror(found.error), strlen(strerror(found.error)));
        put(text, "}");
    } else {
        put(text, "{\"files\":%" PRId64 ",\"bytes\":%" PRId64 ",\"cached_bytes\":%" PRId64, found.files, found.bytes, found.cached);
        put(text, ",\"resident_bytes\":%" PRId64 ",\"stayed\":[", found.resident);
        put_bytes(text, found.stayed.at, found.stayed.length);
        put(text, "]}");
    }
    text_free(&found.stayed);
}
