/* A Modbus TCP device with many ports, for the benches: gcc -O2 modbus_peer.c
 *   modbus_peer PORTS     prints its ports, one a line
 * One thread that waits in epoll; the requests that came together are answered together, at once.
 * Holding registers keep what is written; register n begins as n. Two input registers together are
 * a float32 of this machine's monotonic clock when they are read: milliseconds modulo 2^20, which
 * leaves a sixteenth. Lines on stdin: `count` prints how many requests were answered so far,
 * `mute N` and `speak N` make port N take requests without an answer, and answer again. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
  ports_max = 64, clients_max = 256, registers = 65536, header = 7, adu_max = 260,
  input_max = 16 * adu_max, output_max = 400 * adu_max,
};

struct client {
  int fd, port, filled;
  unsigned char input[input_max];
};

static unsigned char holding[ports_max][2 * registers];
static int muted[ports_max], listeners[ports_max], ports;
static struct client clients[clients_max];
static unsigned long answered;

static unsigned get16(const unsigned char *at) { return at[0] << 8 | at[1]; }

static void put16(unsigned char *at, unsigned value) {
  at[0] = value >> 8;
  at[1] = value;
}

static void put_clock(unsigned char *to, int count) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  float ms = t.tv_sec % 1048576 * 1000 % 1048576 + t.tv_nsec / 1e6f;
  if (ms >= 1048576) ms -= 1048576;
  unsigned bits;
  memcpy(&bits, &ms, 4);
  for (int i = 0; i < count; i++) put16(to + 2 * i, i % 2 == 0 ? bits >> 16 : bits & 0xffff);
}

/* The answer's PDU to that of a request; its length. */
static int answer(int port, const unsigned char *asked, unsigned char *to) {
  unsigned code = asked[0], from = get16(asked + 1), count = get16(asked + 3);
  to[0] = code;
  if ((code == 3 || code == 4) && count >= 1 && count <= 125 && from + count <= registers) {
    to[1] = 2 * count;
    if (code == 3) memcpy(to + 2, holding[port] + 2 * from, 2 * count);
    else put_clock(to + 2, count);
    return 2 + 2 * count;
  }
  if (code == 6) memcpy(holding[port] + 2 * from, asked + 3, 2);
  else if (code == 16 && count >= 1 && count <= 123 && from + count <= registers)
    memcpy(holding[port] + 2 * from, asked + 6, 2 * count);
  else {
    to[0] = code | 0x80;
    to[1] = 2;
    return 2;
  }
  memcpy(to + 1, asked + 1, 4);
  return 5;
}

/* Answers all whole frames that have come. */
static int serve(struct client *client) {
  static unsigned char output[output_max];
  int n = read(client->fd, client->input + client->filled, input_max - client->filled);
  if (n <= 0) return 0;
  client->filled += n;
  int at = 0, out = 0;
  while (client->filled - at >= 6) {
    unsigned char *frame = client->input + at;
    int length = 6 + get16(frame + 4);
    if (length < header + 5 || length > adu_max) return 0;
    if (client->filled - at < length) break;
    at += length;
    if (muted[client->port]) continue;
    memcpy(output + out, frame, header);
    int pdu = answer(client->port, frame + header, output + out + header);
    put16(output + out + 4, 1 + pdu);
    out += header + pdu;
    answered++;
  }
  memmove(client->input, client->input + at, client->filled -= at);
  return out == 0 || write(client->fd, output, out) == out;
}

static void listen_on(int epoll, int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (void *)&at, size) || listen(fd, 16)) exit(1);
  getsockname(fd, (void *)&at, &size);
  printf("%d\n", ntohs(at.sin_port));
  listeners[port] = fd;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = port};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  for (int i = 0; i < registers; i++) put16(holding[port] + 2 * i, i);
}

static void take_client(int epoll, int port) {
  int one = 1, fd = accept(listeners[port], 0, 0), i = 0;
  while (i < clients_max && clients[i].fd != 0) i++;
  if (fd < 0 || i == clients_max) exit(1);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  clients[i] = (struct client){.fd = fd, .port = port};
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = ports_max + i};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void obey(void) {
  char line[64];
  int port, n = read(0, line, sizeof line - 1);
  if (n <= 0) exit(0);
  line[n] = 0;
  if (sscanf(line, "mute %d", &port) == 1) muted[port] = 1;
  else if (sscanf(line, "speak %d", &port) == 1) muted[port] = 0;
  else printf("%lu\n", answered);
  fflush(stdout);
}

int main(int argc, char **argv) {
  enum { standard_input = ports_max + clients_max };
  int epoll = epoll_create1(0);
  ports = argc == 2 ? atoi(argv[1]) : 0;
  if (ports < 1 || ports > ports_max) return 2;
  for (int port = 0; port < ports; port++) listen_on(epoll, port);
  fflush(stdout);
  struct epoll_event input = {.events = EPOLLIN, .data.u32 = standard_input}, ready[64];
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
  for (;;) {
    int n = epoll_wait(epoll, ready, 64, -1);
    for (int i = 0; i < n; i++) {
      unsigned who = ready[i].data.u32;
      if (who < ports_max) take_client(epoll, who);
      else if (who == standard_input) obey();
      else if (!serve(&clients[who - ports_max])) {
        close(clients[who - ports_max].fd);
        clients[who - ports_max].fd = 0;
      }
    }
  }
}
