/* A machine in trouble, for one process and its children: loaded in front of the C library.
 *
 * TROUBLE_FOLDER names a folder. While it holds the file `full`, no file there grows: a write beyond its end gets
 * ENOSPC, as on a disk without room, and what is already allocated can still be written; logs are spared. The file `clock` holds
 * seconds that are added to the time of day; the monotonic clock is left alone, as when an operator sets the clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *folder(void) { return getenv("TROUBLE_FOLDER"); }

static int is_full(void) {
    char path[4096];
    if (!folder()) return 0;
    snprintf(path, sizeof path, "%s/full", folder());
    return access(path, F_OK) == 0;
}

/* Whether writing up to `end` would make a file of the folder grow; -1 as `end` means appending. */
static int no_room(int fd, off_t end) {
    char link[64], path[4096];
    struct stat at;
    if (!is_full() || fstat(fd, &at) || !S_ISREG(at.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0) return 0;
    path[len] = 0;
    /* What a process says must be read afterwards. */
    if (len > 4 && strcmp(path + len - 4, ".log") == 0) return 0;
    return strncmp(path, folder(), strlen(folder())) == 0 && end > at.st_size;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define REFUSE(fd, end) if (no_room(fd, end)) { errno = ENOSPC; return -1; }

static off_t total(const struct iovec *parts, int count) {
    off_t sum = 0;
    for (int i = 0; i < count; i++) sum += (off_t)parts[i].iov_len;
    return sum;
}

ssize_t write(int fd, const void *from, size_t len) {
    REAL(write);
    REFUSE(fd, lseek(fd, 0, SEEK_CUR) + (off_t)len);
    return real(fd, from, len);
}
ssize_t pwrite(int fd, const void *from, size_t len, off_t at) {
    REAL(pwrite);
    REFUSE(fd, at + (off_t)len);
    return real(fd, from, len, at);
}
ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at) {
    REAL(pwrite64);
    REFUSE(fd, at + (off_t)len);
    return real(fd, from, len, at);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    REAL(pwritev);
    REFUSE(fd, at + total(parts, count));
    return real(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    REAL(pwritev64);
    REFUSE(fd, at + total(parts, count));
    return real(fd, parts, count, at);
}
/* These two answer with the error instead of setting errno. */
int posix_fallocate(int fd, off_t at, off_t len) {
    REAL(posix_fallocate);
    return no_room(fd, at + len) ? ENOSPC : real(fd, at, len);
}
int posix_fallocate64(int fd, off64_t at, off64_t len) {
    REAL(posix_fallocate64);
    return no_room(fd, at + len) ? ENOSPC : real(fd, at, len);
}
int fallocate(int fd, int mode, off_t at, off_t len) {
    REAL(fallocate);
    REFUSE(fd, at + len);
    return real(fd, mode, at, len);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && folder()) {
        char path[4096], text[32] = {0};
        snprintf(path, sizeof path, "%s/clock", folder());
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (read(fd, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
            close(fd);
        }
    }
    return result;
}
