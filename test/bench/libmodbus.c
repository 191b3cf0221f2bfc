/* The C side of the bench `modbus`, compiled when it runs: gcc -O2 libmodbus.c -lmodbus
 *   serve            a raw server: answers each read of 125 registers; prints its port
 *   poll PORT COUNT  a libmodbus client: COUNT reads of 125 registers; prints the seconds */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus/modbus.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { registers = 125, request_bytes = 12, answer_bytes = 9 + 2 * registers, clients_max = 16 };

static int serve(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (bind(listener, (void *)&at, size) || listen(listener, clients_max)) return 1;
  getsockname(listener, (void *)&at, &size);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  unsigned char answer[answer_bytes] = {0}, request[request_bytes];
  for (int i = 0; i < registers; i++) answer[9 + 2 * i + 1] = i;
  struct pollfd polled[clients_max] = {{.fd = listener, .events = POLLIN}};
  int n = 1;
  while (poll(polled, n, -1) > 0) {
    for (int i = n - 1; i > 0; i--) {
      if (!polled[i].revents) continue;
      if (recv(polled[i].fd, request, sizeof request, MSG_WAITALL) != sizeof request) {
        close(polled[i].fd);
        polled[i] = polled[--n];
        continue;
      }
      memcpy(answer, request, 8);
      answer[4] = (answer_bytes - 6) >> 8;
      answer[5] = (answer_bytes - 6) & 255;
      answer[8] = 2 * registers;
      if (write(polled[i].fd, answer, sizeof answer) < 0) return 1;
    }
    if (polled[0].revents && n < clients_max) {
      polled[n] = (struct pollfd){.fd = accept(listener, 0, 0), .events = POLLIN};
      setsockopt(polled[n++].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
  }
  return 0;
}

static int poll_server(int port, int count) {
  uint16_t values[registers];
  struct timespec from, to;
  modbus_t *client = modbus_new_tcp("127.0.0.1", port);
  if (!client || modbus_connect(client)) return 1;
  modbus_set_slave(client, 1);
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (int i = 0; i < count; i++) {
    if (modbus_read_registers(client, 0, registers, values) != registers || values[7] != 7) return 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("%.6f\n", to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
  modbus_close(client);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "serve")) return serve();
  if (argc == 4 && !strcmp(argv[1], "poll")) return poll_server(atoi(argv[2]), atoi(argv[3]));
  return 2;
}
