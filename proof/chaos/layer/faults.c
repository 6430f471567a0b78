/* Faults of clock and disk for one process, switched by a file while it runs.
 *
 * Loaded by LD_PRELOAD into a host and its vault. STRONGROOM_CHAOS names the file of switches, which
 * is mapped when the process starts: a vault's sandbox lets nothing be opened later. Only files below
 * STRONGROOM_CHAOS_DISK are concerned. Everything that is injected is counted, so that a run can tell
 * a fault that was survived from one that never happened.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The order and the widths are `Switches` in src/layer.rs. */
struct switches {
    int64_t clock_offset_ms; /* added to the wall clock */
    uint64_t sync_error;     /* errno of every sync, 0 for none */
    uint64_t write_error;    /* errno of every write, 0 for none */
    uint64_t tear_after;     /* the n-th write from now is torn and the process dies, 0 for none */
    uint64_t syncs_failed;   /* counted here */
    uint64_t writes_failed;
    uint64_t writes_torn;
    uint64_t clocks_moved;
};

static volatile struct switches *switches;
static const char *disk;
static size_t disk_len;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_ftruncate)(int, off64_t);

static void resolve(void) {
    if (real_write) return;
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_write = dlsym(RTLD_NEXT, "write");
}

__attribute__((constructor)) static void begin(void) {
    resolve();
    const char *path = getenv("STRONGROOM_CHAOS");
    disk = getenv("STRONGROOM_CHAOS_DISK");
    if (!path || !disk) return;
    disk_len = strlen(disk);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *switches, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) switches = mapped;
}

static void count(volatile uint64_t *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

static int is_ours(int file) {
    char link[64], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t len = readlink(link, path, sizeof path - 1);
    return len > 0 && (size_t)len > disk_len && memcmp(path, disk, disk_len) == 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    resolve();
    int result = real_clock_gettime(clock, now);
    if (result || !switches || clock != CLOCK_REALTIME) return result;
    int64_t offset = switches->clock_offset_ms;
    if (!offset) return 0;
    count(&switches->clocks_moved);
    int64_t ns = (int64_t)now->tv_nsec + (offset % 1000) * 1000000;
    now->tv_sec += offset / 1000;
    if (ns < 0) { ns += 1000000000; now->tv_sec -= 1; }
    if (ns >= 1000000000) { ns -= 1000000000; now->tv_sec += 1; }
    now->tv_nsec = ns;
    return 0;
}

static int sync_fails(int file) {
    if (!switches || !switches->sync_error || !is_ours(file)) return 0;
    count(&switches->syncs_failed);
    errno = (int)switches->sync_error;
    return 1;
}

int fsync(int file) {
    resolve();
    return sync_fails(file) ? -1 : real_fsync(file);
}

int fdatasync(int file) {
    resolve();
    return sync_fails(file) ? -1 : real_fdatasync(file);
}

static int write_fails(int file) {
    if (!switches || !switches->write_error || !is_ours(file)) return 0;
    count(&switches->writes_failed);
    errno = (int)switches->write_error;
    return 1;
}

/* Half of the bytes, to a sector's end where there is one, and then no process any more. */
static void tear(int file, const void *bytes, size_t len, off64_t at) {
    if (!switches || !switches->tear_after || !is_ours(file)) return;
    if (__atomic_sub_fetch(&switches->tear_after, 1, __ATOMIC_RELAXED) != 0) return;
    size_t part = len / 2;
    if (part > 512) part -= part % 512;
    count(&switches->writes_torn);
    if (at < 0)
        (void)!real_write(file, bytes, part);
    else
        (void)!real_pwrite(file, bytes, part, at);
    kill(getpid(), SIGKILL);
    pause();
}

ssize_t pwrite64(int file, const void *bytes, size_t len, off64_t at) {
    resolve();
    if (write_fails(file)) return -1;
    tear(file, bytes, len, at);
    return real_pwrite(file, bytes, len, at);
}

ssize_t pwrite(int file, const void *bytes, size_t len, off_t at) {
    return pwrite64(file, bytes, len, at);
}

ssize_t write(int file, const void *bytes, size_t len) {
    resolve();
    if (write_fails(file)) return -1;
    tear(file, bytes, len, -1);
    return real_write(file, bytes, len);
}

int ftruncate64(int file, off64_t len) {
    resolve();
    return write_fails(file) ? -1 : real_ftruncate(file, len);
}

int ftruncate(int file, off_t len) { return ftruncate64(file, len); }
