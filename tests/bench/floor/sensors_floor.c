/* sensors_floor: the least that a subscriber on Paho does: it takes each message and counts it.
 *
 *   sensors_floor PORT COUNT_FILE     the file holds one 64-bit number, mapped by whoever watches */
#include <MQTTAsync.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t *counter;

static int on_message (void *context, char *topic, int length, MQTTAsync_message *message)
{
  (void) context, (void) length;
  __atomic_add_fetch (counter, 1, __ATOMIC_RELAXED);
  MQTTAsync_freeMessage (&message);
  MQTTAsync_free (topic);
  return 1;
}

static void on_connected (void *context, MQTTAsync_successData *response)
{
  (void) response;
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  MQTTAsync_subscribe (*(MQTTAsync *) context, "bench/+", 1, &options);
}

int main (int count, char **arguments)
{
  static MQTTAsync client;
  char uri[64];
  int fd = count == 3 ? open (arguments[2], O_RDWR) : -1;
  counter = fd >= 0 ? mmap (NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (counter == MAP_FAILED)
    return EXIT_FAILURE;
  snprintf (uri, sizeof uri, "tcp://127.0.0.1:%s", arguments[1]);
  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  options.cleansession = 1;
  options.onSuccess = on_connected;
  options.context = &client;
  if (MQTTAsync_create (&client, uri, "floor", MQTTCLIENT_PERSISTENCE_NONE, NULL) != MQTTASYNC_SUCCESS
      || MQTTAsync_setCallbacks (client, NULL, NULL, on_message, NULL) != MQTTASYNC_SUCCESS
      || MQTTAsync_connect (client, &options) != MQTTASYNC_SUCCESS)
    return EXIT_FAILURE;
  pause ();
  return 0;
}
