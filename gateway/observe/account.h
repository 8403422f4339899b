/* account.h: the account of every broker and every sensor: what was received is stored, rejected, dropped or pending.
 *
 * Counting is in memory; account_save writes what changed into the open transaction and account_publish, once that is on
 * disk, shows it. So what is shown never goes back, not by a kill either, and it balances at all times.
 *
 * A broker counts each message once, a sensor each message that was meant for it: two sensors may read one message. */
#pragma once

#include <jansson.h>

#include "gateway/store/database.h"

typedef struct AccountBook AccountBook;

/* Beside the decoders' reasons (gateway/model/decoder.h). */
#define REASON_QUEUE_FULL "queue_full"
#define REASON_DUPLICATE "duplicate"
#define REASON_INTERRUPTED "interrupted" /* taken in but not stored when gridgate ended; durable ones come again */

AccountBook *account_book_new (Database *reader, GError **error);

/* thread: any. `sensor` "" is the broker itself. */
void account_received (AccountBook *book, const char *broker, const char *sensor);
void account_stored (AccountBook *book, const char *broker, const char *sensor);
/* `reason` must be a static string. */
void account_rejected (AccountBook *book, const char *broker, const char *sensor, const char *reason);
void account_dropped (AccountBook *book, const char *broker, const char *sensor, const char *reason);

/* After a start, when what had been left unapplied is counted: what is still missing was interrupted. */
void account_settle (AccountBook *book);

/* thread: the store's. Whether there is anything to save. */
gboolean account_has_changed (AccountBook *book);

/* thread: the store's, inside a job. */
gboolean account_save (AccountBook *book, Database *database, GError **error);

/* thread: the store's, after the commit. */
void account_publish (AccountBook *book);

/* After a failed commit: everything is written again with the next save. */
void account_save_all (AccountBook *book);

/* thread: any. Adds received, stored, rejected, dropped and pending to `object`. */
void account_describe (AccountBook *book, const char *broker, const char *sensor, json_t *object);

void account_book_free (AccountBook *book);
