#include "tests/unit/sensing/broker_receiver.h"

#include <string.h>

#include "tests/support/test.h"

enum { WATCHDOG_SECONDS = 60 };

static BrokerAnswer received (gpointer self, RawMessage *message)
{
  BrokerReceiver *receiver = self;
  g_mutex_lock (&receiver->mutex);
  BrokerAnswer answer = receiver->answer;
  if (answer != BROKER_NO_ROOM)
    g_ptr_array_add (receiver->messages, raw_message_ref (message));
  receiver->refused += answer == BROKER_NO_ROOM;
  g_cond_broadcast (&receiver->changed);
  g_mutex_unlock (&receiver->mutex);
  return answer;
}

static void changed (gpointer self, const char *broker, const BrokerStatus *status)
{
  BrokerReceiver *receiver = self;
  assert_string_equal (broker, "village");
  g_mutex_lock (&receiver->mutex);
  receiver->status = *status;
  receiver->changes++;
  g_cond_broadcast (&receiver->changed);
  g_mutex_unlock (&receiver->mutex);
}

BrokerReceiver *broker_receiver_new (void)
{
  BrokerReceiver *receiver = g_new0 (BrokerReceiver, 1);
  g_mutex_init (&receiver->mutex);
  g_cond_init (&receiver->changed);
  receiver->messages = g_ptr_array_new_with_free_func ((GDestroyNotify) raw_message_unref);
  return receiver;
}

BrokerHandlers broker_receiver_handlers (BrokerReceiver *receiver)
{
  return (BrokerHandlers){ receiver, received, NULL, changed, FALSE };
}

void broker_receiver_answer (BrokerReceiver *receiver, BrokerAnswer answer)
{
  g_mutex_lock (&receiver->mutex);
  receiver->answer = answer;
  g_mutex_unlock (&receiver->mutex);
}

static gboolean wait_once (BrokerReceiver *receiver, gint64 until)
{
  return g_cond_wait_until (&receiver->changed, &receiver->mutex, until);
}

static gint64 watchdog (void)
{
  return g_get_monotonic_time () + WATCHDOG_SECONDS * G_USEC_PER_SEC;
}

RawMessage *broker_receiver_wait (BrokerReceiver *receiver, guint index)
{
  gint64 until = watchdog ();
  g_mutex_lock (&receiver->mutex);
  gboolean in_time = TRUE;
  while (in_time && receiver->messages->len <= index)
    in_time = wait_once (receiver, until);
  RawMessage *message = in_time ? receiver->messages->pdata[index] : NULL;
  guint count = receiver->messages->len;
  g_mutex_unlock (&receiver->mutex);
  if (message == NULL)
    fail_msg ("%u messages have come, not %u", count, index + 1);
  return message;
}

void broker_receiver_wait_for_state (BrokerReceiver *receiver, BrokerState state, const char *reason)
{
  gint64 until = watchdog ();
  g_mutex_lock (&receiver->mutex);
  gboolean in_time = TRUE;
  while (in_time && (receiver->changes == 0 || receiver->status.state != state
                     || g_strcmp0 (receiver->status.reason, reason) != 0))
    in_time = wait_once (receiver, until);
  BrokerStatus status = receiver->status;
  g_mutex_unlock (&receiver->mutex);
  if (!in_time)
    fail_msg ("state is %s, %s, %s", broker_state_name (status.state), status.reason, status.detail);
}

BrokerStatus broker_receiver_status (BrokerReceiver *receiver)
{
  g_mutex_lock (&receiver->mutex);
  BrokerStatus status = receiver->status;
  g_mutex_unlock (&receiver->mutex);
  return status;
}

void broker_receiver_wait_for_refusal (BrokerReceiver *receiver)
{
  gint64 until = watchdog ();
  g_mutex_lock (&receiver->mutex);
  gboolean in_time = TRUE;
  while (in_time && receiver->refused == 0)
    in_time = wait_once (receiver, until);
  g_mutex_unlock (&receiver->mutex);
  assert_true (in_time);
}

void broker_receiver_expect (BrokerReceiver *receiver, guint index, const char *text)
{
  const RawMessage *message = broker_receiver_wait (receiver, index);
  gsize size;
  const char *bytes = g_bytes_get_data (message->payload, &size);
  if (size != strlen (text) || (size > 0 && memcmp (bytes, text, size) != 0))
    fail_msg ("message %u is \"%.*s\", not \"%s\"", index, (int) size, bytes, text);
}

void broker_receiver_free (BrokerReceiver *receiver)
{
  g_ptr_array_unref (receiver->messages);
  g_cond_clear (&receiver->changed);
  g_mutex_clear (&receiver->mutex);
  g_free (receiver);
}
