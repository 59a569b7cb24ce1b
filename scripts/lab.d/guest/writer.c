/* The lab guest's witness: `writer DIR`.
 *
 * Appends numbered 64-byte text records to DIR/records, each made durable with
 * fdatasync before the next, so that whoever looks at a copy of the disk can
 * tell from the last number at which moment it was taken, and from the unbroken
 * sequence that it is one moment. A record is
 *
 *   20 digits number, space, 20 digits CLOCK_MONOTONIC nanoseconds, space,
 *   dots, newline
 *
 * When the file reaches LIMIT it becomes DIR/records.1 (the older one goes), so
 * the disk never fills; the sequence runs through records.1 and then records.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RECORD = 64, LIMIT = 40 << 20, BATCH = 10, PAUSE_NS = 10 * 1000 * 1000 };

static void say(const char *text, unsigned long long number) {
  char line[96];
  int n = snprintf(line, sizeof line, text, number);
  /* One write for a line: agent and kernel use the same console. */
  if (write(STDOUT_FILENO, line, (size_t)n) != n) { /* nobody to tell */ }
}

/* Adds the records of `path` to the sequence; false at the first wrong one,
   with its place in *expected. A missing file is an empty one. */
static int follow(const char *path, unsigned long long *last, int *any,
                  unsigned long long *expected) {
  FILE *file = fopen(path, "r");
  if (!file) return errno == ENOENT;
  static char record[RECORD];
  size_t got;
  int good = 1;
  while (good && (got = fread(record, 1, RECORD, file)) > 0) {
    char *end = NULL;
    unsigned long long number = strtoull(record, &end, 10);
    *expected = *any ? *last + 1 : number;
    good = got == RECORD && end == record + 20 && record[20] == ' ' &&
           record[41] == ' ' && record[RECORD - 1] == '\n' &&
           memchr(record, 0, RECORD) == NULL && number == *expected;
    if (good) { *last = number; *any = 1; }
  }
  fclose(file);
  return good;
}

/* Opens the file records go to now, and makes its name durable. */
static int open_records(const char *dir, const char *path, off_t *size) {
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) { perror("writer: open"); exit(1); }
  int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
  if (dirfd >= 0) { fsync(dirfd); close(dirfd); }
  *size = st.st_size;
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 2) { fputs("usage: writer DIR\n", stderr); return 2; }
  char path[256], older[256];
  snprintf(path, sizeof path, "%s/records", argv[1]);
  snprintf(older, sizeof older, "%s/records.1", argv[1]);

  unsigned long long last = 0, expected = 0;
  int any = 0;
  int intact = follow(older, &last, &any, &expected) &&
               follow(path, &last, &any, &expected);
  say("boot: last record on disk was %llu\n", last);
  if (!intact) {
    say("boot: records BROKEN at %llu\n", expected);
    return 1; /* never write behind a break: it would hide it */
  }
  say("boot: records intact\n", 0);

  off_t at;
  int fd = open_records(argv[1], path, &at);
  const struct timespec pause = {0, PAUSE_NS};
  for (unsigned long long number = last + 1;; number++) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char record[RECORD + 1];
    memset(record, '.', RECORD);
    snprintf(record, 43, "%020llu %020llu ", number,
             (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec);
    record[42] = '.'; /* the NUL of snprintf */
    record[RECORD - 1] = '\n';
    /* pwrite at a known place, so that trying again cannot tear the sequence. */
    while (pwrite(fd, record, RECORD, at) != RECORD || fdatasync(fd) != 0) {
      perror("writer: record");
      sleep(1);
    }
    at += RECORD;
    if (number % BATCH == 0) say("record %llu\n", number);
    if (at >= LIMIT) {
      close(fd);
      if (rename(path, older) != 0) perror("writer: rename");
      fd = open_records(argv[1], path, &at);
    }
    nanosleep(&pause, NULL);
  }
}
