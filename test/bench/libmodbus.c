/* A libmodbus client, for the bench `modbus`: gcc -O2 libmodbus.c -lmodbus
 *   libmodbus PORT COUNT     COUNT reads of 125 registers; prints the seconds */
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { registers = 125 };

int main(int argc, char **argv) {
  uint16_t values[registers];
  struct timespec from, to;
  if (argc != 3) return 2;
  modbus_t *client = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
  if (!client || modbus_connect(client)) return 1;
  modbus_set_slave(client, 1);
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (int i = atoi(argv[2]); i > 0; i--) {
    if (modbus_read_registers(client, 0, registers, values) != registers || values[7] != 7) return 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("%.6f\n", to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
  modbus_close(client);
  return 0;
}
