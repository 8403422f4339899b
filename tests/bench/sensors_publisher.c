/* sensors_publisher: 1,000 sensors in one connection, on the bare socket, so that it is never what is waited for.
 *
 *   sensors_publisher PORT RATE COUNT SENSORS     RATE 0: as fast as the broker acknowledges
 *
 * MQTT 3.1.1, QoS 1, JSON of 200 bytes to bench/0, bench/1 …; ends when everything is acknowledged. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 2000, PAYLOAD_BYTES = 200, BLOCK_BYTES = 64 * 1024 };

static double now_s (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void fail (const char *what)
{
  fprintf (stderr, "sensors_publisher: %s\n", what);
  exit (EXIT_FAILURE);
}

static void send_all (int fd, const uint8_t *bytes, size_t size)
{
  while (size > 0) {
    ssize_t sent = send (fd, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0)
      fail ("the broker has closed the connection");
    bytes += sent;
    size -= (size_t) sent;
  }
}

static int connect_to (int port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((uint16_t) port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  static const uint8_t hello[] = { 0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 5, 'b', 'e', 'n', 'c', 'h' };
  uint8_t answer[4];
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0)
    fail ("no broker");
  send_all (fd, hello, sizeof hello);
  if (recv (fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer || answer[0] != 0x20 || answer[3] != 0)
    fail ("the broker refuses");
  return fd;
}

/* MQTT 3.1.1 3.3; returns its size. */
static size_t write_publish (uint8_t *at, uint64_t number, unsigned sensors)
{
  char topic[24], payload[PAYLOAD_BYTES + 1];
  int topic_size = snprintf (topic, sizeof topic, "bench/%u", (unsigned) (number % sensors));
  int filled = snprintf (payload, sizeof payload, "{\"level\":%.3f,\"sequence\":%llu,\"battery\":97,\"filler\":\"",
                         (double) (number * 2654435761u % 9000) / 100, (unsigned long long) number);
  memset (payload + filled, 'x', (size_t) (PAYLOAD_BYTES - filled - 2));
  memcpy (payload + PAYLOAD_BYTES - 2, "\"}", 2);
  unsigned rest = 2 + (unsigned) topic_size + 2 + PAYLOAD_BYTES;
  uint16_t id = (uint16_t) (number % 65535 + 1);
  uint8_t *start = at;
  *at++ = 0x32;
  *at++ = (uint8_t) (rest % 128 | 128);
  *at++ = (uint8_t) (rest / 128);
  *at++ = 0;
  *at++ = (uint8_t) topic_size;
  memcpy (at, topic, (size_t) topic_size);
  at += topic_size;
  *at++ = (uint8_t) (id >> 8);
  *at++ = (uint8_t) id;
  memcpy (at, payload, PAYLOAD_BYTES);
  return (size_t) (at + PAYLOAD_BYTES - start);
}

/* Each is four bytes; how many came. */
static uint64_t read_acknowledgements (int fd, int wait_ms)
{
  static size_t left;
  uint8_t block[4096];
  struct pollfd poller = { .fd = fd, .events = POLLIN };
  if (poll (&poller, 1, wait_ms) <= 0)
    return 0;
  ssize_t got = recv (fd, block, sizeof block, 0);
  if (got <= 0)
    fail ("the broker has closed the connection");
  left += (size_t) got;
  uint64_t count = left / 4;
  left %= 4;
  return count;
}

int main (int count, char **arguments)
{
  static uint8_t block[BLOCK_BYTES];
  if (count != 5)
    fail ("PORT RATE COUNT SENSORS");
  double rate = atof (arguments[2]), start = now_s ();
  uint64_t wanted = strtoull (arguments[3], NULL, 10), sent = 0, acknowledged = 0;
  unsigned sensors = (unsigned) atoi (arguments[4]);
  int fd = connect_to (atoi (arguments[1]));
  while (acknowledged < wanted) {
    uint64_t due = rate > 0 ? (uint64_t) ((now_s () - start) * rate) : wanted;
    size_t size = 0;
    while (sent < wanted && sent < due && sent - acknowledged < WINDOW && size < BLOCK_BYTES - 512)
      size += write_publish (block + size, sent++, sensors);
    send_all (fd, block, size);
    acknowledged += read_acknowledgements (fd, size > 0 ? 0 : 1);
  }
  printf ("published %llu in %.3f s\n", (unsigned long long) wanted, now_s () - start);
  close (fd);
  return 0;
}
