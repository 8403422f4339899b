#include "gateway/observe/account.h"

#include <string.h>

#include "gateway/core/error.h"

enum { REASONS_MAX = 24 };

/* Counted, written into the last transaction, and on disk. */
typedef struct {
  guint64 live, saved, published;
} Count;

typedef struct {
  const char *outcome; /* "rejected" or "dropped" */
  const char *reason;
  Count count;
} ReasonCount;

/* A site has thousands of them, and most have no reason at all. Their own key in the book. */
typedef struct {
  const char *broker; /* interned: brokers are few */
  char *sensor;
  Count received, stored;
  ReasonCount *reasons;
  guint reason_count;
  gboolean is_changed;   /* in the book's list */
  gboolean is_saved_new; /* the same: saved differs from what is published */
  gboolean is_all;       /* what is saved may not be on disk: every row is to be written */
} Account;

struct AccountBook {
  GMutex mutex;
  GHashTable *accounts; /* set of Account */
  GPtrArray *changed, *unpublished; /* of Account, borrowed */
};

static void account_free (gpointer data)
{
  Account *account = data;
  g_free (account->reasons);
  g_free (account->sensor);
  g_free (account);
}

static guint account_hash (gconstpointer account)
{
  return g_str_hash (((const Account *) account)->sensor) ^ g_str_hash (((const Account *) account)->broker);
}

static gboolean account_equal (gconstpointer left, gconstpointer right)
{
  const Account *one = left, *other = right;
  return strcmp (one->sensor, other->sensor) == 0 && strcmp (one->broker, other->broker) == 0;
}

static Account *account_of (AccountBook *book, const char *broker, const char *sensor)
{
  const Account wanted = { .broker = broker, .sensor = (char *) sensor };
  Account *account = g_hash_table_lookup (book->accounts, &wanted);
  if (account == NULL) {
    account = g_new0 (Account, 1);
    account->broker = g_intern_string (broker);
    account->sensor = g_strdup (sensor);
    g_hash_table_add (book->accounts, account);
  }
  return account;
}

/* With the mutex held. */
static void mark (AccountBook *book, Account *account)
{
  if (!account->is_changed)
    g_ptr_array_add (book->changed, account);
  account->is_changed = TRUE;
}

static Count *count_of (Account *account, const char *outcome, const char *reason)
{
  for (guint i = 0; i < account->reason_count; i++) {
    ReasonCount *known = &account->reasons[i];
    if (strcmp (known->reason, reason) == 0 && strcmp (known->outcome, outcome) == 0)
      return &known->count;
  }
  g_assert (account->reason_count < REASONS_MAX); /* reasons are names in our code */
  account->reasons = g_renew (ReasonCount, account->reasons, account->reason_count + 1);
  account->reasons[account->reason_count] = (ReasonCount){ outcome, reason, { 0 } };
  return &account->reasons[account->reason_count++].count;
}

static guint64 settled (const Account *account)
{
  guint64 sum = account->stored.live;
  for (guint i = 0; i < account->reason_count; i++)
    sum += account->reasons[i].count.live;
  return sum;
}

static void load_row (AccountBook *book, Statement *row)
{
  Account *account = account_of (book, statement_text (row, 0), statement_text (row, 1));
  const char *outcome = statement_text (row, 2);
  guint64 number = (guint64) statement_integer (row, 4);
  Count *count = strcmp (outcome, "received") == 0 ? &account->received
    : strcmp (outcome, "stored") == 0 ? &account->stored
    : count_of (account, g_intern_string (outcome), g_intern_string (statement_text (row, 3)));
  *count = (Count){ number, number, number };
}

AccountBook *account_book_new (Database *reader, GError **error)
{
  AccountBook *book = g_new0 (AccountBook, 1);
  g_mutex_init (&book->mutex);
  book->accounts = g_hash_table_new_full (account_hash, account_equal, account_free, NULL);
  book->changed = g_ptr_array_new ();
  book->unpublished = g_ptr_array_new ();
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
    count_of (account, outcome, reason)->live++;
  else if (outcome != NULL)
    account->stored.live++;
  else
    account->received.live++;
  mark (book, account);
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

typedef void (*AccountEach) (AccountBook *book, Account *account);

static void each (AccountBook *book, AccountEach call)
{
  GHashTableIter iter;
  gpointer account;
  g_mutex_lock (&book->mutex);
  g_hash_table_iter_init (&iter, book->accounts);
  while (g_hash_table_iter_next (&iter, &account, NULL))
    call (book, account);
  g_mutex_unlock (&book->mutex);
}

static void settle (AccountBook *book, Account *account)
{
  guint64 sum = settled (account);
  if (account->received.live > sum)
    count_of (account, "dropped", REASON_INTERRUPTED)->live += account->received.live - sum;
  account->received.live = MAX (account->received.live, sum); /* stored ones of which only the observation was left */
  mark (book, account);
}

void account_settle (AccountBook *book)
{
  each (book, settle);
}

/* What isn't on disk must not be shown with the next commit. */
static void mark_all (AccountBook *book, Account *account)
{
  account->is_all = TRUE;
  account->received.saved = account->received.published;
  account->stored.saved = account->stored.published;
  for (guint i = 0; i < account->reason_count; i++)
    account->reasons[i].count.saved = account->reasons[i].count.published;
  mark (book, account);
}

void account_save_all (AccountBook *book)
{
  each (book, mark_all);
}

void account_publish (AccountBook *book)
{
  g_mutex_lock (&book->mutex);
  for (guint i = 0; i < book->unpublished->len; i++) {
    Account *account = book->unpublished->pdata[i];
    account->received.published = account->received.saved;
    account->stored.published = account->stored.saved;
    for (guint k = 0; k < account->reason_count; k++)
      account->reasons[k].count.published = account->reasons[k].count.saved;
    account->is_saved_new = FALSE;
  }
  g_ptr_array_set_size (book->unpublished, 0);
  g_mutex_unlock (&book->mutex);
}

/* A row to write; names are those of the account, which stays. */
typedef struct {
  const Account *account;
  const char *outcome, *reason;
  guint64 number;
} Row;

static void take_count (const Account *account, Count *count, const char *outcome, const char *reason, GArray *rows)
{
  Row row = { account, outcome, reason, count->live };
  if (count->saved != count->live || account->is_all)
    g_array_append_val (rows, row);
  count->saved = count->live;
}

static void take_account (AccountBook *book, Account *account, GArray *rows)
{
  take_count (account, &account->received, "received", "", rows);
  take_count (account, &account->stored, "stored", "", rows);
  for (guint i = 0; i < account->reason_count; i++)
    take_count (account, &account->reasons[i].count, account->reasons[i].outcome, account->reasons[i].reason, rows);
  account->is_changed = account->is_all = FALSE;
  if (!account->is_saved_new)
    g_ptr_array_add (book->unpublished, account);
  account->is_saved_new = TRUE;
}

/* Takes a picture of what changed under the lock, and writes it without: the threads of the brokers must not wait. */
static GArray *take_changed (AccountBook *book)
{
  GArray *rows = g_array_new (FALSE, FALSE, sizeof (Row));
  g_mutex_lock (&book->mutex);
  for (guint i = 0; i < book->changed->len; i++)
    take_account (book, book->changed->pdata[i], rows);
  g_ptr_array_set_size (book->changed, 0);
  g_mutex_unlock (&book->mutex);
  return rows;
}

gboolean account_has_changed (AccountBook *book)
{
  g_mutex_lock (&book->mutex);
  gboolean has_changed = book->changed->len > 0;
  g_mutex_unlock (&book->mutex);
  return has_changed;
}

gboolean account_save (AccountBook *book, Database *database, GError **error)
{
  g_autoptr (GArray) rows = take_changed (book);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index (rows, Row, i);
    if (!database_run (database, error,
                       "INSERT OR REPLACE INTO accounts_of_messages (broker, sensor, outcome, reason, count)"
                       " VALUES (?, ?, ?, ?, ?)",
                       "ssssi", row->account->broker, row->account->sensor, row->outcome, row->reason, (gint64) row->number))
      return FALSE;
  }
  return TRUE;
}

void account_describe (AccountBook *book, const char *broker, const char *sensor, json_t *object)
{
  json_t *rejected = json_object (), *dropped = json_object ();
  g_mutex_lock (&book->mutex);
  const Account *account = account_of (book, broker, sensor);
  guint64 received = account->received.published, stored = account->stored.published, sum = stored;
  for (guint i = 0; i < account->reason_count; i++) {
    const ReasonCount *reason = &account->reasons[i];
    if (reason->count.published > 0)
      json_object_set_new (reason->outcome[0] == 'r' ? rejected : dropped, reason->reason,
                           json_integer ((json_int_t) reason->count.published));
    sum += reason->count.published;
  }
  g_mutex_unlock (&book->mutex);
  json_object_set_new (object, "received", json_integer ((json_int_t) received));
  json_object_set_new (object, "stored", json_integer ((json_int_t) stored));
  json_object_set_new (object, "rejected", rejected);
  json_object_set_new (object, "dropped", dropped);
  json_object_set_new (object, "pending", json_integer ((json_int_t) (received - sum)));
}

void account_book_free (AccountBook *book)
{
  if (book == NULL)
    return;
  g_ptr_array_unref (book->unpublished);
  g_ptr_array_unref (book->changed);
  g_hash_table_unref (book->accounts);
  g_mutex_clear (&book->mutex);
  g_free (book);
}
