/* The sampler: temperature, clocks and load of the board, or one power rail; one JSON object a line, from a process of
 * its own. The same lines as device_agents/linux/edgeprof_agent/sampler.py. */
#define _GNU_SOURCE
#include "agent.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_FILES 256
#define NS_PER_S INT64_C(1000000000)

typedef struct {
    char *paths[MOST_FILES];
    int count;
} Files;

static int64_t digits_in(const char *text) {
    int64_t value = 0;
    for (; *text; text++)
        if (*text >= '0' && *text <= '9') value = (value * 10 + (*text - '0')) % (INT64_C(1) << 40);
    return value;
}

static int by_number(const void *a, const void *b) {
    int64_t left = digits_in(*(char *const *)a), right = digits_in(*(char *const *)b);
    return (left > right) - (left < right);
}

/* Paths that match, in the order of their numbers, each with `suffix` after it. */
static Files found(const char *pattern, const char *suffix) {
    Files files = {0};
    glob_t all;
    if (glob(pattern, 0, NULL, &all)) return files;
    qsort(all.gl_pathv, all.gl_pathc, sizeof *all.gl_pathv, by_number);
    for (size_t i = 0; i < all.gl_pathc && files.count < MOST_FILES; i++)
        if (asprintf(&files.paths[files.count], "%s%s", all.gl_pathv[i], suffix) > 0) files.count++;
    globfree(&all);
    return files;
}

static bool whole(const char *path, int64_t *out) {
    char text[64], *end;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (got <= 0) return false;
    text[got] = 0;
    *out = strtoll(text, &end, 10);
    return end > text && strspn(end, " \t\r\n") == strlen(end);
}

static void put_values(Text *line, const char *name, const Files *files) {
    int64_t value;
    put(line, "\"%s\":[", name);
    for (int i = 0; i < files->count; i++) {
        put(line, i ? "," : "");
        if (whole(files->paths[i], &value)) put(line, "%" PRId64, value);
        else put(line, "null");
    }
    put(line, "]");
}

/* Ticks not idle and ticks in all, over all cores (proc(5), `stat`: guest time is in user time already). */
static void ticks(int64_t *busy, int64_t *total) {
    char line[512];
    int64_t tick[8] = {0};
    FILE *file = fopen("/proc/stat", "re");
    *busy = *total = 0;
    if (!file) return;
    if (fgets(line, sizeof line, file) &&
        sscanf(line, "cpu %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, tick,
               tick + 1, tick + 2, tick + 3, tick + 4, tick + 5, tick + 6, tick + 7) >= 4)
        for (int i = 0; i < 8; i++) *total += tick[i];
    *busy = *total - tick[3] - tick[4];
    fclose(file);
}

static void put_busy(Text *line) {
    static int64_t busy_before, total_before;
    static bool begun;
    int64_t busy, total;
    ticks(&busy, &total);
    int64_t passed = begun ? total - total_before : 0;
    if (passed > 0) put(line, ",\"busy_ratio\":%.4f", (double)(busy - busy_before) / (double)passed);
    else put(line, ",\"busy_ratio\":null");
    if (begun && passed <= 0) return;
    busy_before = busy, total_before = total, begun = true;
}

static void out(int fd, Text *line) {
    put(line, ",\"cpu_ns\":%" PRId64 "}\n", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    if (write(fd, line->at, line->length) != (ssize_t)line->length) die("no room for a sample");
    line->length = 0;
}

/* Waits until then; whether standard input ended meanwhile. */
static bool ends_before(int64_t moment) {
    struct pollfd end = {0, POLLIN, 0};
    int64_t left = moment - clock_ns(CLOCK_MONOTONIC);
    if (left < 0) left = 0;
    struct timespec wait = {(time_t)(left / NS_PER_S), (long)(left % NS_PER_S)};
    return ppoll(&end, 1, &wait, NULL) > 0;
}

static void sample(int fd, int64_t period) {
    Files zones = found("/sys/class/thermal/thermal_zone*", "/temp");
    Files clocks = found("/sys/devices/system/cpu/cpu[0-9]*", "/cpufreq/scaling_cur_freq");
    int64_t next = clock_ns(CLOCK_MONOTONIC);
    Text line = {0};
    for (;;) {
        put(&line, "{\"monotonic_ns\":%" PRId64 ",", clock_ns(CLOCK_MONOTONIC));
        put_values(&line, "temp_mc", &zones);
        put(&line, ",");
        put_values(&line, "freq_khz", &clocks);
        put_busy(&line);
        put(&line, ",\"throttled\":null"); /* only a program of the board says that, and none is started here */
        out(fd, &line);
        next += period;
        int64_t now = clock_ns(CLOCK_MONOTONIC);
        if (next < now) next = now; /* a late sample delays the rest, none is made up */
        if (ends_before(next)) return;
    }
}

static bool text_in(const char *path, const char *name, char *out_, size_t room) {
    char whole_path[PATH_ROOM];
    snprintf(whole_path, sizeof whole_path, "%s/%s", path, name);
    FILE *file = fopen(whole_path, "re");
    bool got = file && fgets(out_, (int)room, file);
    if (file) fclose(file);
    if (got) out_[strcspn(out_, "\n")] = 0;
    return got;
}

static bool is_meter(const char *driver) {
    bool three = strlen(driver) == 6 && !strncmp(driver, "ina2", 4) && driver[4] >= '0' && driver[4] <= '9' &&
                 driver[5] >= '0' && driver[5] <= '9';
    return three || !strcmp(driver, "ina3221");
}

/* Batteries in glob's own order, as agent.sh lists them: current before charge. */
static bool battery_rail(int64_t wanted, Files *files) {
    static const char *const readings[] = {"current_now", "charge_counter"};
    glob_t all;
    char text[64];
    if (glob("/sys/class/power_supply/*", 0, NULL, &all)) return false;
    for (size_t i = 0; i < all.gl_pathc; i++) {
        char volts[PATH_ROOM], reading[PATH_ROOM];
        snprintf(volts, sizeof volts, "%s/voltage_now", all.gl_pathv[i]);
        if (!text_in(all.gl_pathv[i], "type", text, sizeof text) || strcmp(text, "Battery") || access(volts, F_OK)) continue;
        for (size_t k = 0; k < sizeof readings / sizeof *readings; k++) {
            snprintf(reading, sizeof reading, "%s/%s", all.gl_pathv[i], readings[k]);
            if (access(reading, F_OK) || wanted--) continue;
            *files = (Files){{strdup(volts), strdup(reading)}, 2};
            return globfree(&all), true;
        }
    }
    return globfree(&all), false;
}

/* Rails in the order of power.py: volts and amperes of each channel, else the chip's own power; then counters. */
static bool rail_of(int64_t wanted, Files *files) {
    Files chips = found("/sys/class/hwmon/hwmon*", "");
    char text[64];
    for (int i = 0; i < chips.count; i++) {
        bool any = false;
        if (!text_in(chips.paths[i], "name", text, sizeof text) || !is_meter(text)) continue;
        for (int channel = 1; channel <= 3; channel++) {
            char enable[24], volts[PATH_ROOM], amperes[PATH_ROOM];
            snprintf(enable, sizeof enable, "in%d_enable", channel);
            if (text_in(chips.paths[i], enable, text, sizeof text) && !strcmp(text, "0")) continue;
            snprintf(volts, sizeof volts, "%s/in%d_input", chips.paths[i], channel);
            snprintf(amperes, sizeof amperes, "%s/curr%d_input", chips.paths[i], channel);
            if (access(volts, F_OK) || access(amperes, F_OK)) continue;
            any = true;
            if (!wanted--) return *files = (Files){{strdup(volts), strdup(amperes)}, 2}, true;
        }
        char alone[PATH_ROOM];
        snprintf(alone, sizeof alone, "%s/power1_input", chips.paths[i]);
        if (!any && !access(alone, F_OK) && !wanted--) return *files = (Files){{strdup(alone)}, 1}, true;
    }
    Files counters = found("/sys/class/powercap/intel-rapl:*", "");
    for (int i = 0; i < counters.count; i++) { /* one colon: a package or the platform; their parts are theirs already */
        const char *colon = strchr(counters.paths[i], ':');
        char energy[PATH_ROOM];
        if (strchr(colon + 1, ':') || wanted--) continue;
        snprintf(energy, sizeof energy, "%s/energy_uj", counters.paths[i]);
        return *files = (Files){{strdup(energy)}, 1}, true;
    }
    return battery_rail(wanted, files);
}

/* Reads a rail at one random instant of each period: a regular beat would alias with a load that has one. */
static void sample_rail(int fd, int64_t period, const Files *rail) {
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    Text line = {0};
    srand48(begin ^ getpid());
    for (;;) {
        if (ends_before(begin + (int64_t)(drand48() * (double)period))) return;
        put(&line, "{\"monotonic_ns\":%" PRId64 ",", clock_ns(CLOCK_MONOTONIC));
        put_values(&line, "values", rail);
        out(fd, &line);
        int64_t passed = (clock_ns(CLOCK_MONOTONIC) - begin) / period;
        begin += period * (passed > 1 ? passed : 1); /* a missed period stays missed */
    }
}

/* argv: parent, period in ns, rail or -1, path. */
int sampler(int argc, char **argv) {
    if (argc != 4) die("a sampler is started by the serving process alone");
    die_with(atoi(argv[0]));
    limit_memory(0);
    int64_t period = strtoll(argv[1], NULL, 10), number = strtoll(argv[2], NULL, 10);
    int fd = open(argv[3], O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    Files rail;
    if (fd < 0) die("cannot write %s", argv[3]);
    if (number < 0) sample(fd, period);
    else if (rail_of(number, &rail)) sample_rail(fd, period, &rail);
    return 0;
}
