#include "gateway/observe/account.h"

#include <string.h>

#include "gateway/core/error.h"

enum { REASONS_MAX = 24 };

typedef struct {
  const char *outcome; /* "rejected" or "dropped" */
  const char *reason;
  guint64 count;
} ReasonCount;

typedef struct {
  guint64 received, stored;
  guint reasons;
  ReasonCount reason[REASONS_MAX];
} Counts;

typedef struct {
  char *broker, *sensor;
  Counts live, saved, published;
  gboolean is_changed; /* live differs from what is saved */
  gboolean is_saved_new; /* saved differs from what is published */
} Account;

struct AccountBook {
  GMutex mutex;
  GHashTable *accounts; /* "broker\nsensor" → Account */
};

static void account_free (gpointer data)
{
  Account *account = data;
  g_free (account->broker);
  g_free (account->sensor);
  g_free (account);
}

static Account *account_of (AccountBook *book, const char *broker, const char *sensor)
{
  g_autofree char *key = g_strconcat (broker, "\n", sensor, NULL);
  Account *account = g_hash_table_lookup (book->accounts, key);
  if (account == NULL) {
    account = g_new0 (Account, 1);
    account->broker = g_strdup (broker);
    account->sensor = g_strdup (sensor);
    g_hash_table_insert (book->accounts, g_steal_pointer (&key), account);
  }
  return account;
}

static void add (Counts *counts, const char *outcome, const char *reason, guint64 count)
{
  guint i = 0;
  while (i < counts->reasons
         && (strcmp (counts->reason[i].reason, reason) != 0 || strcmp (counts->reason[i].outcome, outcome) != 0))
    i++;
  g_assert (i < REASONS_MAX); /* reasons are names in our code */
  if (i == counts->reasons)
    counts->reason[counts->reasons++] = (ReasonCount){ outcome, reason, 0 };
  counts->reason[i].count += count;
}

static guint64 settled (const Counts *counts)
{
  guint64 sum = counts->stored;
  for (guint i = 0; i < counts->reasons; i++)
    sum += counts->reason[i].count;
  return sum;
}

static void load_row (AccountBook *book, Statement *row)
{
  Account *account = account_of (book, statement_text (row, 0), statement_text (row, 1));
  const char *outcome = statement_text (row, 2);
  guint64 count = (guint64) statement_integer (row, 4);
  if (strcmp (outcome, "received") == 0)
    account->live.received = count;
  else if (strcmp (outcome, "stored") == 0)
    account->live.stored = count;
  else
    add (&account->live, g_intern_string (outcome), g_intern_string (statement_text (row, 3)), count);
  account->saved = account->published = account->live;
}

AccountBook *account_book_new (Database *reader, GError **error)
{
  AccountBook *book = g_new0 (AccountBook, 1);
  g_mutex_init (&book->mutex);
  book->accounts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, account_free);
  GError *problem = NULL;
  g_autoptr (Statement) rows = database_query (
    reader, &problem, "SELECT broker, sensor, outcome, reason, count FROM accounts_of_messages", "");
  while (statement_step (rows, &problem))
    load_row (book, rows);
  if (problem == NULL)
    return book;
  g_propagate_error (error, problem);
  account_book_free (book);
  return NULL;
}

static void count (AccountBook *book, const char *broker, const char *sensor, const char *outcome, const char *reason)
{
  g_mutex_lock (&book->mutex);
  Account *account = account_of (book, broker, sensor);
  if (reason != NULL)
    add (&account->live, outcome, reason, 1);
  else if (outcome != NULL)
    account->live.stored++;
  else
    account->live.received++;
  account->is_changed = TRUE;
  g_mutex_unlock (&book->mutex);
}

void account_received (AccountBook *book, const char *broker, const char *sensor)
{
  count (book, broker, sensor, NULL, NULL);
}

void account_stored (AccountBook *book, const char *broker, const char *sensor)
{
  count (book, broker, sensor, "stored", NULL);
}

void account_rejected (AccountBook *book, const char *broker, const char *sensor, const char *reason)
{
  count (book, broker, sensor, "rejected", reason);
}

void account_dropped (AccountBook *book, const char *broker, const char *sensor, const char *reason)
{
  count (book, broker, sensor, "dropped", reason);
}

typedef void (*AccountEach) (Account *account);

static void each (AccountBook *book, AccountEach call)
{
  GHashTableIter iter;
  gpointer account;
  g_mutex_lock (&book->mutex);
  g_hash_table_iter_init (&iter, book->accounts);
  while (g_hash_table_iter_next (&iter, NULL, &account))
    call (account);
  g_mutex_unlock (&book->mutex);
}

static void settle (Account *account)
{
  guint64 sum = settled (&account->live);
  if (account->live.received > sum)
    add (&account->live, "dropped", REASON_INTERRUPTED, account->live.received - sum);
  account->live.received = MAX (account->live.received, sum); /* stored ones of which only the observation was left */
  account->is_changed = TRUE;
}

void account_settle (AccountBook *book)
{
  each (book, settle);
}

static void mark (Account *account)
{
  account->is_changed = TRUE;
}

void account_save_all (AccountBook *book)
{
  each (book, mark);
}

static void publish (Account *account)
{
  if (!account->is_saved_new)
    return;
  account->published = account->saved;
  account->is_saved_new = FALSE;
}

void account_publish (AccountBook *book)
{
  each (book, publish);
}

static gboolean save_row (Database *database, const Account *account, const char *outcome, const char *reason,
                          guint64 number, GError **error)
{
  return database_run (database, error,
                       "INSERT OR REPLACE INTO accounts_of_messages (broker, sensor, outcome, reason, count)"
                       " VALUES (?, ?, ?, ?, ?)",
                       "ssssi", account->broker, account->sensor, outcome, reason, (gint64) number);
}

static gboolean save_one (Database *database, const Account *account, GError **error)
{
  const Counts *counts = &account->saved;
  if (!save_row (database, account, "received", "", counts->received, error)
      || !save_row (database, account, "stored", "", counts->stored, error))
    return FALSE;
  for (guint i = 0; i < counts->reasons; i++)
    if (!save_row (database, account, counts->reason[i].outcome, counts->reason[i].reason, counts->reason[i].count, error))
      return FALSE;
  return TRUE;
}

/* Takes a picture of what changed under the lock, and writes it without: the threads of the brokers must not wait. */
static GPtrArray *take_changed (AccountBook *book)
{
  GPtrArray *changed = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer at;
  g_mutex_lock (&book->mutex);
  g_hash_table_iter_init (&iter, book->accounts);
  while (g_hash_table_iter_next (&iter, NULL, &at)) {
    Account *account = at;
    if (!account->is_changed)
      continue;
    account->saved = account->live;
    account->is_changed = FALSE;
    account->is_saved_new = TRUE;
    g_ptr_array_add (changed, account);
  }
  g_mutex_unlock (&book->mutex);
  return changed;
}

gboolean account_save (AccountBook *book, Database *database, GError **error)
{
  g_autoptr (GPtrArray) changed = take_changed (book);
  for (guint i = 0; i < changed->len; i++)
    if (!save_one (database, changed->pdata[i], error))
      return FALSE;
  return TRUE;
}

void account_describe (AccountBook *book, const char *broker, const char *sensor, json_t *object)
{
  json_t *rejected = json_object (), *dropped = json_object ();
  g_mutex_lock (&book->mutex);
  Counts counts = account_of (book, broker, sensor)->published;
  g_mutex_unlock (&book->mutex);
  for (guint i = 0; i < counts.reasons; i++)
    json_object_set_new (counts.reason[i].outcome[0] == 'r' ? rejected : dropped, counts.reason[i].reason,
                         json_integer ((json_int_t) counts.reason[i].count));
  json_object_set_new (object, "received", json_integer ((json_int_t) counts.received));
  json_object_set_new (object, "stored", json_integer ((json_int_t) counts.stored));
  json_object_set_new (object, "rejected", rejected);
  json_object_set_new (object, "dropped", dropped);
  json_object_set_new (object, "pending", json_integer ((json_int_t) (counts.received - settled (&counts))));
}

void account_book_free (AccountBook *book)
{
  if (book == NULL)
    return;
  g_hash_table_unref (book->accounts);
  g_mutex_clear (&book->mutex);
  g_free (book);
}
