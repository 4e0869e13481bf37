/* edgeprof-native: the agent for boards without Python. */
#include "agent.h"

#include <string.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#define LIBC "glibc"
#define LIBC_VERSION gnu_get_libc_version()
#elif defined __ANDROID__
#define LIBC "bionic"
#define LIBC_VERSION ""
#else
#define LIBC "unknown"
#define LIBC_VERSION ""
#endif

static const char usage[] =
    "usage: edgeprof-native serve HOME       speak docs/agent-protocol.md on standard input and output\n"
    "       edgeprof-native run KEY=VALUE…   one run of one model: library, version, model; count, warmup, threads,\n"
    "                                        inputs, outputs, latencies, timeout_s, memory_limit_bytes\n"
    "       edgeprof-native about            what this program is and what it runs on\n";

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "serve") && argc == 3) return serve(argv[2]);
    if (!strcmp(what, "child")) return child(argc - 2, argv + 2);
    if (!strcmp(what, "sampler")) return sampler(argc - 2, argv + 2);
    if (!strcmp(what, "run")) return run_once(argc - 2, argv + 2);
    if (!strcmp(what, "about") && argc == 2) {
        printf("agent=%s\nprotocol=%d\npointer_bits=%zu\nlibc=%s\nlibc_version=%s\n", VERSION, PROTOCOL, 8 * sizeof(void *), LIBC,
               LIBC_VERSION);
        return 0;
    }
    fputs(usage, stderr);
    return 2;
}
