/* The stations of a bus, for the benches `rs485` and `neighbours`: gcc -O2 rs485_peer.c
 *   rs485_peer BAUD SECONDS [DEAD]     prints the path of its pty, then one JSON line
 * A pty is as fast as memory, so this side keeps the time of the line: what arrives at once is on
 * the line for as long as its characters (8E1: 11 bits) take, an answer begins after the silence
 * that the standard asks for, and its characters are given at the pace of the line, as a UART with
 * a FIFO of 16 does. Every station but DEAD answers FC3 with any registers. What is told is of the
 * SECONDS after a first third of them, in which the other side warms up; the least gap is of all. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { request_bytes = 8, frame_bytes_max = 256, fifo = 16, gaps_max = 1 << 20 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void wait_until(double ms) {
  struct timespec t = {.tv_sec = ms / 1e3};
  t.tv_nsec = (ms - t.tv_sec * 1e3) * 1e6;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static unsigned crc(const unsigned char *bytes, int n) {
  unsigned c = 0xffff;
  for (int i = 0; i < n; i++) {
    c ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ 0xa001 : c >> 1;
  }
  return c;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double gaps[gaps_max];

int main(int argc, char **argv) {
  double character = 11e3 / atof(argv[1]), seconds = atof(argv[2]);
  double silence = atof(argv[1]) > 19200 ? 1.75 : 3.5 * character;
  /* Sleeps are not stretched. */
  prctl(PR_SET_TIMERSLACK, 1);
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  int dead = argc == 4 ? atoi(argv[3]) : 0;
  if (argc < 3 || argc > 4 || master < 0 || grantpt(master) || unlockpt(master)) return 1;
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  struct termios raw;
  tcgetattr(slave, &raw);
  cfmakeraw(&raw);
  tcsetattr(slave, TCSANOW, &raw);
  printf("%s\n", ptsname(master));
  fflush(stdout);
  unsigned char request[frame_bytes_max], answer[frame_bytes_max];
  double line = 0, turnaround = 0, opened = 0, first = 0, ended = 0, least = 1e9;
  int asked = 0, measured = 0, bad = 0;
  for (;;) {
    int n = 0;
    double came = 0;
    while (n < request_bytes) {
      struct pollfd polled = {.fd = master, .events = POLLIN};
      int wait_ms = first == 0 ? 60000 : 500;
      if (poll(&polled, 1, wait_ms) <= 0) break;
      if (n == 0) came = now();
      int got = read(master, request + n, request_bytes - n);
      if (got <= 0) break;
      n += got;
    }
    if (first > 0 && (ended - first > seconds * 1e3 || n < request_bytes)) break;
    if (n < request_bytes) return 2;
    if (crc(request, n) != 0 || request[1] != 3) {
      bad++;
      continue;
    }
    if (request[0] == dead) continue;
    if (opened > 0 && came - ended < least) least = came - ended;
    if (ended > first && measured < gaps_max) gaps[measured++] = came - ended;
    double heard = came + n * character;
    int registers = request[4] << 8 | request[5], length = 3 + 2 * registers;
    answer[0] = request[0];
    answer[1] = 3;
    answer[2] = 2 * registers;
    for (int i = 3; i < length; i++) answer[i] = i + asked;
    unsigned c = crc(answer, length);
    answer[length++] = c;
    answer[length++] = c >> 8;
    double begins = heard + silence, over = 0;
    for (int sent = 0; sent < length; sent += fifo) {
      int piece = length - sent < fifo ? length - sent : fifo;
      wait_until(begins + (sent + piece) * character);
      /* Its last character is over when it is given, or when this process came to give it. */
      over = now();
      if (write(master, answer + sent, piece) != piece) return 3;
    }
    if (opened == 0) opened = over;
    if (over - opened > seconds * 1e3 / 3) {
      line += (n + length) * character + silence;
      turnaround += over - heard - length * character;
      asked++;
    } else first = over;
    ended = over;
  }
  qsort(gaps, measured, sizeof *gaps, by_size);
  if (measured == 0) return 4;
  printf("{\"exchanges\":%d,\"utilisation\":%.4f,\"gap_min\":%.3f,\"gap_p50\":%.3f,"
         "\"gap_p99\":%.3f,\"silence\":%.3f,\"bad\":%d}\n",
         asked, line / (ended - first - turnaround), least, gaps[measured / 2],
         gaps[measured * 99 / 100], silence, bad);
  return 0;
}
