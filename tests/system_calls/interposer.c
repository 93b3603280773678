/* Stands between a process and the system calls that libc makes for it.

Loaded by LD_PRELOAD, it lets every call through until it is told what to watch: the
files below a path, and sockets. Of those it counts the calls, records what changes the
files, in the order in which it happened, and lets a chosen call fail, fall short, or be
the last one: the process is killed before it. It can also let the clock be wrong.

Tests load it into processes that they fork (tests/system_calls/interposer.py), and tell
it there what to do. What libc calls within itself, such as what fopen opens, is not seen;
the recording says at its end what the files hold, so that a gap is found.
*/

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* In the order of `Call` in interposer.py. */
enum call {
  OPEN, READ, WRITE, SYNC, TRUNCATE, RENAME, REMOVE, MAKE, MAP, LOCK,
  CONNECT, SEND, RECEIVE, CALLS
};
/* In the order of `Deed` there. */
enum deed { PASS, FAIL, SHORTEN, KILL };

static char watched[PATH_MAX];
static size_t watched_length;
static int watches_sockets;
static long counts[CALLS];

static struct {
  unsigned mask; /* of the calls that it is about */
  long left;     /* how many of them pass before */
  int deed, error, lasts;
} plan;

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int recording = -1;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* ------------------------------------------------------------------ what is watched */

static int is_below(const char *path) {
  return watched_length && !strncmp(path, watched, watched_length) &&
         (path[watched_length] == '/' || !path[watched_length]);
}

/* Finds the absolute path of a name, by the directory that it is relative to. */
static void find_path(int directory, const char *name, char *found) {
  found[0] = 0;
  if (name[0] == '/') {
    snprintf(found, PATH_MAX, "%s", name);
    return;
  }
  char link[64], base[PATH_MAX];
  if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
  else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
  ssize_t length = readlink(link, base, sizeof base - 1);
  if (length < 0) return;
  base[length] = 0;
  snprintf(found, PATH_MAX, "%.2047s/%.2047s", base, name);
}

static int is_watched(int directory, const char *name) {
  char path[PATH_MAX];
  if (!watched_length || !name) return 0;
  find_path(directory, name, path);
  return is_below(path);
}

static int is_open_below(int file) {
  if (!watched_length || file < 0) return 0;
  char path[PATH_MAX];
  int before = errno;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

/* --------------------------------------------------------------- what becomes of it */

/* Counts a call, and decides: 0 lets it through, -1 has set errno, 1 cuts it short. */
static int decided(enum call call) {
  __atomic_add_fetch(&counts[call], 1, __ATOMIC_RELAXED);
  if (plan.deed == PASS || !(plan.mask >> call & 1)) return 0;
  long left = __atomic_sub_fetch(&plan.left, 1, __ATOMIC_RELAXED);
  if (left > 0 || (left < 0 && !plan.lasts)) return 0;
  if (plan.deed == KILL) kill(getpid(), SIGKILL);
  if (plan.deed == SHORTEN) return 1;
  errno = plan.error;
  return -1;
}

/* ------------------------------------------------------------------ what is recorded */

struct head {
  uint8_t kind;
  uint64_t inode;
  int64_t offset;
  uint32_t path_length, content_length;
} __attribute__((packed));

static void put(const void *content, size_t length) {
  REAL(write);
  for (const char *at = content; length;) {
    ssize_t written = real(recording, at, length);
    if (written <= 0) abort();
    at += written, length -= written;
  }
}

static void record(char kind, uint64_t inode, int64_t offset, const char *path,
                   const void *content, size_t length) {
  struct head head = {kind, inode, offset, path ? strlen(path) : 0, length};
  put(&head, sizeof head);
  put(path, head.path_length);
  put(content, length);
}

static uint64_t inode_of(int file) {
  struct stat found;
  return fstat(file, &found) ? 0 : found.st_ino;
}

/* Holds the order of calls and of their records together. */
#define BEGIN int before_; pthread_mutex_lock(&lock)
#define END before_ = errno; pthread_mutex_unlock(&lock); errno = before_
#define RECORDS(file) (recording >= 0 && is_open_below(file))

static void record_write(int file, const void *content, ssize_t written, off_t offset) {
  if (written <= 0 || !RECORDS(file)) return;
  if (offset < 0) offset = lseek(file, 0, SEEK_CUR) - written;
  record('W', inode_of(file), offset, NULL, content, written);
}

/* ------------------------------------------------------------------- told by the tests */

void interposer_watch(const char *path, int sockets) {
  snprintf(watched, sizeof watched, "%s", path);
  watches_sockets = sockets;
  memset(counts, 0, sizeof counts);
  watched_length = strlen(watched);
}

void interposer_plan(unsigned mask, long nth, int deed, int error, int lasts) {
  plan.deed = PASS;
  plan.mask = mask, plan.left = nth;
  plan.error = error, plan.lasts = lasts;
  plan.deed = deed;
}

long interposer_count(int call) { return counts[call]; }

/* Whether the planned call has come. */
int interposer_came(void) { return plan.left <= 0; }

int interposer_record(const char *path) {
  recording = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return recording;
}

void interposer_note(const char *text) {
  BEGIN;
  if (recording >= 0) record('N', 0, 0, NULL, text, strlen(text));
  END;
}

/* ------------------------------------------------------------------------- the calls */

static void record_open(const char *path, int existed, int flags, int file) {
  if (file < 0 || recording < 0 || !is_below(path)) return;
  if (!existed) record('O', inode_of(file), 0, path, NULL, 0);
  else if (flags & O_TRUNC) record('T', inode_of(file), 0, NULL, NULL, 0);
}

#define OPENS(name, parameters, directory, at, ...) \
  int name parameters { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    if (!is_watched(directory, at)) return real(__VA_ARGS__, mode); \
    if (decided(OPEN)) return -1; \
    char path[PATH_MAX]; \
    find_path(directory, at, path); \
    BEGIN; \
    int existed = !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW); \
    int file = real(__VA_ARGS__, mode); \
    record_open(path, existed, flags, file); \
    END; \
    return file; \
  }

OPENS(open, (const char *name, int flags, ...), AT_FDCWD, name, name, flags)
OPENS(open64, (const char *name, int flags, ...), AT_FDCWD, name, name, flags)
OPENS(openat, (int directory, const char *name, int flags, ...), directory, name,
      directory, name, flags)
OPENS(openat64, (int directory, const char *name, int flags, ...), directory, name,
      directory, name, flags)

#define READS(name, parameters, ...) \
  ssize_t name parameters { \
    REAL(name); \
    if (is_open_below(file) && decided(READ)) return -1; \
    return real(__VA_ARGS__); \
  }

READS(read, (int file, void *content, size_t length), file, content, length)
READS(pread, (int file, void *content, size_t length, off_t offset), file, content,
      length, offset)
READS(pread64, (int file, void *content, size_t length, off64_t offset), file, content,
      length, offset)

#define WRITES(name, parameters, offset, ...) \
  ssize_t name parameters { \
    REAL(name); \
    if (!is_open_below(file)) return real(__VA_ARGS__); \
    int deed = decided(WRITE); \
    if (deed < 0) return -1; \
    if (deed > 0 && length > 1) length /= 2; \
    BEGIN; \
    ssize_t written = real(__VA_ARGS__); \
    record_write(file, content, written, offset); \
    END; \
    return written; \
  }

WRITES(write, (int file, const void *content, size_t length), -1, file, content, length)
WRITES(pwrite, (int file, const void *content, size_t length, off_t offset), offset,
       file, content, length, offset)
WRITES(pwrite64, (int file, const void *content, size_t length, off64_t offset), offset,
       file, content, length, offset)

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(writev);
  if (!is_open_below(file)) return real(file, parts, count);
  ssize_t total = 0;
  for (int part = 0; part < count; part++) {
    ssize_t written = write(file, parts[part].iov_base, parts[part].iov_len);
    if (written < 0) return total ? total : -1;
    total += written;
    if ((size_t)written < parts[part].iov_len) break;
  }
  return total;
}

#define SYNCS(name) \
  int name(int file) { \
    REAL(name); \
    if (!is_open_below(file)) return real(file); \
    BEGIN; \
    int result = decided(SYNC) ? -1 : real(file); \
    if (recording >= 0) record(result ? 'F' : 'S', inode_of(file), 0, NULL, NULL, 0); \
    END; \
    return result; \
  }

SYNCS(fsync)
SYNCS(fdatasync)

#define TRUNCATES(name, type) \
  int name(int file, type length) { \
    REAL(name); \
    if (!is_open_below(file)) return real(file, length); \
    if (decided(TRUNCATE)) return -1; \
    BEGIN; \
    int result = real(file, length); \
    if (!result && recording >= 0) \
      record('T', inode_of(file), length, NULL, NULL, 0); \
    END; \
    return result; \
  }

TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

/* Python truncates by name, and SQLite does not; both come to the same. */
#define TRUNCATES_BY_NAME(name, type) \
  int name(const char *at, type length) { \
    REAL(name); \
    if (!is_watched(AT_FDCWD, at)) return real(at, length); \
    int file = open(at, O_WRONLY | O_CLOEXEC); \
    if (file < 0) return -1; \
    int result = ftruncate64(file, length), before = errno; \
    close(file); \
    errno = before; \
    return result; \
  }

TRUNCATES_BY_NAME(truncate, off_t)
TRUNCATES_BY_NAME(truncate64, off64_t)

static int renamed(int from_directory, const char *from, int to_directory,
                   const char *to) {
  REAL(renameat);
  if (!is_watched(from_directory, from))
    return real(from_directory, from, to_directory, to);
  if (decided(RENAME)) return -1;
  char old[PATH_MAX], new[PATH_MAX];
  find_path(from_directory, from, old);
  find_path(to_directory, to, new);
  BEGIN;
  int result = real(from_directory, from, to_directory, to);
  if (!result && recording >= 0) record('R', 0, 0, old, new, strlen(new));
  END;
  return result;
}

int rename(const char *from, const char *to) {
  return renamed(AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
  return renamed(from_directory, from, to_directory, to);
}

int unlinkat(int directory, const char *name, int flags) {
  REAL(unlinkat);
  if (!is_watched(directory, name)) return real(directory, name, flags);
  if (decided(REMOVE)) return -1;
  char path[PATH_MAX];
  find_path(directory, name, path);
  BEGIN;
  int result = real(directory, name, flags);
  if (!result && recording >= 0) record('U', 0, 0, path, NULL, 0);
  END;
  return result;
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int directory, const char *name, mode_t mode) {
  REAL(mkdirat);
  if (!is_watched(directory, name)) return real(directory, name, mode);
  if (decided(MAKE)) return -1;
  char path[PATH_MAX];
  find_path(directory, name, path);
  struct stat found;
  BEGIN;
  int result = real(directory, name, mode);
  if (!result && recording >= 0 && !stat(path, &found))
    record('D', found.st_ino, 0, path, NULL, 0);
  END;
  return result;
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int linkat(int from_directory, const char *from, int to_directory, const char *to,
           int flags) {
  REAL(linkat);
  /* Nothing that is recorded makes links: their record would be a gap. */
  if (recording >= 0 && is_watched(to_directory, to)) abort();
  return real(from_directory, from, to_directory, to, flags);
}

int link(const char *from, const char *to) {
  return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

#define MAPS(name, type) \
  void *name(void *at, size_t length, int protection, int flags, int file, \
             type offset) { \
    REAL(name); \
    if (!is_open_below(file)) return real(at, length, protection, flags, file, offset); \
    if (decided(MAP)) return MAP_FAILED; \
    void *mapped = real(at, length, protection, flags, file, offset); \
    if (recording >= 0 && flags & MAP_SHARED && protection & PROT_WRITE) { \
      BEGIN; \
      record('M', inode_of(file), 0, NULL, NULL, 0); \
      END; \
    } \
    return mapped; \
  }

MAPS(mmap, off_t)
MAPS(mmap64, off64_t)

static int is_locking(int command) {
  return command == F_SETLK || command == F_SETLKW || command == F_GETLK ||
         command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
}

#define CONTROLS(name) \
  int name(int file, int command, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, command); \
    void *argument = va_arg(rest, void *); \
    va_end(rest); \
    if (is_locking(command) && is_open_below(file) && decided(LOCK)) return -1; \
    return real(file, command, argument); \
  }

CONTROLS(fcntl)
CONTROLS(fcntl64)

int flock(int file, int operation) {
  REAL(flock);
  if (is_open_below(file) && decided(LOCK)) return -1;
  return real(file, operation);
}

#define SOCKET(result, name, call, parameters, ...) \
  result name parameters { \
    REAL(name); \
    if (watches_sockets && decided(call)) return -1; \
    return real(__VA_ARGS__); \
  }

SOCKET(int, connect, CONNECT, (int file, const struct sockaddr *to, socklen_t length),
       file, to, length)
SOCKET(ssize_t, send, SEND, (int file, const void *content, size_t length, int flags),
       file, content, length, flags)
SOCKET(ssize_t, sendto, SEND,
       (int file, const void *content, size_t length, int flags,
        const struct sockaddr *to, socklen_t size),
       file, content, length, flags, to, size)
SOCKET(ssize_t, sendmsg, SEND, (int file, const struct msghdr *message, int flags), file,
       message, flags)
SOCKET(ssize_t, recv, RECEIVE, (int file, void *content, size_t length, int flags), file,
       content, length, flags)
SOCKET(ssize_t, recvfrom, RECEIVE,
       (int file, void *content, size_t length, int flags, struct sockaddr *from,
        socklen_t *size),
       file, content, length, flags, from, size)
SOCKET(ssize_t, recvmsg, RECEIVE, (int file, struct msghdr *message, int flags), file,
       message, flags)

/* ------------------------------------------------------------------ what time it is */

static long long clock_shift;

/* Lets the clock of this process be wrong by some seconds; others show what they do. */
void interposer_shift_clock(long long seconds) { clock_shift = seconds; }

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(clock_gettime);
  int result = real(clock, now);
  if (!result && clock == CLOCK_REALTIME) now->tv_sec += clock_shift;
  return result;
}

time_t time(time_t *now) {
  REAL(time);
  time_t seconds = real(NULL) + clock_shift;
  if (now) *now = seconds;
  return seconds;
}
